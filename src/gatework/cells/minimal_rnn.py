"""The recurrent network in which the state moves in the space of the projected input."""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Chen 2017, arXiv:1711.06788", weights={"b.u": 1.0})
def minimal_rnn(x, h):
    """Minimal recurrent network."""
    v = tanh(W.v @ x)
    u = sigmoid(U.u @ h + W.u @ v + b.u)
    return u * h + (1 - u) * v
