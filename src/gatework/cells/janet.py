"""The long short-term memory of which only the forget gate is left: it also writes, a little more than it forgets.

Where libraries differ:

- The authors' code (JosvanderWesthuizen/janet, `rnn_cells.py`) writes 1 - σ(s - 1) as σ(1 - s), with β fixed at one:
  the same numbers.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh
from gatework.graph.starts import log_uniform


@cell(
    source="van der Westhuizen & Lasenby 2018, arXiv:1804.04849",
    weights=lambda longest: {"b.f": log_uniform(1, longest - 1)},
)
def janet(x, h, *, beta=1.0, longest=100):
    """Just another network: a forget gate alone."""
    s = W.f @ x + U.f @ h + b.f
    f = sigmoid(s)
    n = tanh(W.n @ x + U.n @ h + b.n)
    return f * h + (1 - sigmoid(s - beta)) * n
