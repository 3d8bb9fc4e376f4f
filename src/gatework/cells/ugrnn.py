"""The update gate recurrent network: a gate that keeps, and nothing that resets.

Where libraries differ:

- TensorFlow 1 `UGRNNCell` adds one to the gate when it runs, and stores a bias of zero; here the bias starts at one.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Collins, Sohl-Dickstein & Sussillo 2017, arXiv:1611.09913", weights={"b.g": 1.0})
def ugrnn(x, h):
    """Update gate recurrent network."""
    g = sigmoid(W.g @ x + U.g @ h + b.g)
    c = tanh(W.c @ x + U.c @ h + b.c)
    return g * h + (1 - g) * c
