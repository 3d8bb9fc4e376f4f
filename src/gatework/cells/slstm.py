"""The long short-term memory with exponential gates: a normaliser and a stabiliser keep them in bounds.

Where libraries differ:

- The authors' code (NX-AI/xlstm, `vanilla/slstm.py`) has the sigmoid for the forget gate, as here; the paper allows
  the exponential too. Where the normaliser is zero the code sets the stabiliser to i, and it limits both gates at
  one.
"""

from gatework.graph import U, W, b, cell, exp, maximum, sigmoid, softplus, tanh
from gatework.graph.starts import ramp
from gatework.graph.weights import Declared, diagonal_blocks


def _weights(heads: int) -> dict[str, Declared]:
    return {"b.f": ramp(5, -7, 0.3), **{f"U.{k}": diagonal_blocks(heads, 0.0) for k in "ifzo"}}


@cell(source="Beck et al. 2024, arXiv:2405.04517, section 2.2", weights=_weights)
def slstm(x, h, c, n, m, *, heads=4):
    """Long short-term memory with exponential gates (sLSTM)."""
    i = W.i @ x + U.i @ h + b.i
    f = -softplus(-(W.f @ x + U.f @ h + b.f)) + m
    z = tanh(W.z @ x + U.z @ h + b.z)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    m = maximum(f, i)
    write = exp(i - m)
    keep = exp(f - m)
    c = keep * c + write * z
    n = keep * n + write
    h = o * c / n
    return h, c, n, m
