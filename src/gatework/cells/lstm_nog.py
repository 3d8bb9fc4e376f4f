"""The long short-term memory without an output gate: the cell is always seen in full."""

from gatework.graph import U, W, b, cell, p, sigmoid, tanh


@cell(
    source="Greff, Srivastava, Koutník, Steunebrink & Schmidhuber 2017, arXiv:1503.04069, variant NOG",
    weights={"b.f": 1.0},
)
def lstm_nog(x, h, c):
    """Long short-term memory, no output gate."""
    i = sigmoid(W.i @ x + U.i @ h + p.i * c + b.i)
    f = sigmoid(W.f @ x + U.f @ h + p.f * c + b.f)
    g = tanh(W.g @ x + U.g @ h + b.g)
    c = f * c + i * g
    h = tanh(c)
    return h, c
