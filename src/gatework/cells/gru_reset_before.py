"""The gated recurrent unit as published: the reset gate acts before the recurrent product."""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Cho et al. 2014, arXiv:1406.1078v3, equations 5 to 8")
def gru_reset_before(x, h):
    """Gated recurrent unit, reset before the product."""
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    n = tanh(W.n @ x + U.n @ (r * h) + b.n)
    return z * h + (1 - z) * n
