"""The minimal gated unit whose gate is computed from the state and a bias."""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Heck & Salem 2017, arXiv:1701.03452, MGU1")
def mgu1(x, h):
    """Minimal gated unit with a gate of the state and a bias."""
    f = sigmoid(U.f @ h + b.f)
    n = tanh(W.n @ x + U.n @ (f * h) + b.n)
    return (1 - f) * h + f * n
