"""Elman's simple recurrent network."""

from gatework.graph import U, W, b, cell, tanh


@cell(source="Elman 1990, Cognitive Science 14:179-211")
def rnn(x, h):
    """Simple recurrent network, tanh."""
    return tanh(W.h @ x + U.h @ h + b.h)
