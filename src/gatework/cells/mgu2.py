"""The minimal gated unit whose gate is computed from the state alone."""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Heck & Salem 2017, arXiv:1701.03452, MGU2")
def mgu2(x, h):
    """Minimal gated unit with a gate of the state alone."""
    f = sigmoid(U.f @ h)
    n = tanh(W.n @ x + U.n @ (f * h) + b.n)
    return (1 - f) * h + f * n
