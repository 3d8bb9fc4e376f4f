"""The long short-term memory whose units see of the state only themselves."""

from gatework.graph import W, b, cell, p, sigmoid, tanh
from gatework.graph.starts import uniform


@cell(
    source="Gonnet & Deselaers 2020, arXiv:1903.08023",
    weights={"b.f": 1.0, **{f"p.{k}": uniform(-1, 1) for k in "ifgo"}},
)
def indylstm(x, h, c):
    """Independently gated long short-term memory."""
    i = sigmoid(W.i @ x + p.i * h + b.i)
    f = sigmoid(W.f @ x + p.f * h + b.f)
    g = tanh(W.g @ x + p.g * h + b.g)
    o = sigmoid(W.o @ x + p.o * h + b.o)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c
