"""The long short-term memory without a forget gate: the cell only ever adds."""

from gatework.graph import U, W, b, cell, p, sigmoid, tanh


@cell(source="Greff, Srivastava, Koutník, Steunebrink & Schmidhuber 2017, arXiv:1503.04069, variant NFG")
def lstm_nfg(x, h, c):
    """Long short-term memory, no forget gate."""
    i = sigmoid(W.i @ x + U.i @ h + p.i * c + b.i)
    g = tanh(W.g @ x + U.g @ h + b.g)
    c = c + i * g
    o = sigmoid(W.o @ x + U.o @ h + p.o * c + b.o)
    h = o * tanh(c)
    return h, c
