"""The gated recurrent unit of cuDNN, torch and Keras: the reset gate acts after the recurrent product."""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Cho et al. 2014, arXiv:1406.1078v1")
def gru(x, h):
    """Gated recurrent unit, reset after the product."""
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    n = tanh(W.n @ x + b.n + r * (U.n @ h + b.Un))
    return (1 - z) * n + z * h
