"""The long short-term memory whose input is not squashed."""

from gatework.graph import U, W, b, cell, p, sigmoid, tanh


@cell(
    source="Greff, Srivastava, Koutník, Steunebrink & Schmidhuber 2017, arXiv:1503.04069, variant NIAF",
    weights={"b.f": 1.0},
)
def lstm_niaf(x, h, c):
    """Long short-term memory, no input activation."""
    i = sigmoid(W.i @ x + U.i @ h + p.i * c + b.i)
    f = sigmoid(W.f @ x + U.f @ h + p.f * c + b.f)
    g = W.g @ x + U.g @ h + b.g
    c = f * c + i * g
    o = sigmoid(W.o @ x + U.o @ h + p.o * c + b.o)
    h = o * tanh(c)
    return h, c
