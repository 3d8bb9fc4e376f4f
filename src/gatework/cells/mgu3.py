"""The minimal gated unit whose gate is computed from a bias alone."""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Heck & Salem 2017, arXiv:1701.03452, MGU3")
def mgu3(x, h):
    """Minimal gated unit with a gate of a bias alone."""
    f = sigmoid(b.f)
    n = tanh(W.n @ x + U.n @ (f * h) + b.n)
    return (1 - f) * h + f * n
