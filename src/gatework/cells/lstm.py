"""The long short-term memory that every framework means by the name: a forget gate, no peepholes."""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Gers, Schmidhuber & Cummins 2000, Neural Computation 12:2451-2471", weights={"b.f": 1.0})
def lstm(x, h, c):
    """Long short-term memory."""
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    g = tanh(W.g @ x + U.g @ h + b.g)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c
