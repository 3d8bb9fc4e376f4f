"""The gated recurrent unit whose units see of the state only themselves.

Where libraries differ:

- TensorFlow 1 `IndyGRUCell` starts the biases of the gates at one, as here.
"""

from gatework.graph import W, b, cell, p, sigmoid, tanh
from gatework.graph.starts import uniform


@cell(
    source="Gonnet & Deselaers 2020, arXiv:1903.08023",
    weights={"b.r": 1.0, "b.z": 1.0, **{f"p.{k}": uniform(-1, 1) for k in "rzn"}},
)
def indygru(x, h):
    """Independently gated recurrent unit."""
    r = sigmoid(W.r @ x + p.r * h + b.r)
    z = sigmoid(W.z @ x + p.z * h + b.z)
    n = tanh(W.n @ x + p.n * (r * h) + b.n)
    return z * h + (1 - z) * n
