"""Elman's simple recurrent network with rectified linear units."""

from gatework.graph import U, W, b, cell, relu


@cell(source="Le, Jaitly & Hinton 2015, arXiv:1504.00941")
def rnn_relu(x, h):
    """Simple recurrent network, relu."""
    return relu(W.h @ x + U.h @ h + b.h)
