"""The recurrent additive network: what is written depends on the input alone, and only gates see the state."""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Lee, Levy & Zettlemoyer 2017, arXiv:1705.07393")
def ran(x, h, c):
    """Recurrent additive network."""
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    c = i * (W.c @ x) + f * c
    h = tanh(c)
    return h, c
