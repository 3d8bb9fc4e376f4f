"""The long short-term memory whose output is not squashed."""

from gatework.graph import U, W, b, cell, p, sigmoid, tanh


@cell(
    source="Greff, Srivastava, Koutník, Steunebrink & Schmidhuber 2017, arXiv:1503.04069, variant NOAF",
    weights={"b.f": 1.0},
)
def lstm_noaf(x, h, c):
    """Long short-term memory, no output activation."""
    i = sigmoid(W.i @ x + U.i @ h + p.i * c + b.i)
    f = sigmoid(W.f @ x + U.f @ h + p.f * c + b.f)
    g = tanh(W.g @ x + U.g @ h + b.g)
    c = f * c + i * g
    o = sigmoid(W.o @ x + U.o @ h + p.o * c + b.o)
    h = o * c
    return h, c
