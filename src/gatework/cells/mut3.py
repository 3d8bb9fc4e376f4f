"""The third of the three cells that an evolutionary search found: one gate sees the squashed state."""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Jozefowicz, Zaremba & Sutskever 2015, ICML, MUT3")
def mut3(x, h):
    """MUT3 of the search over architectures."""
    z = sigmoid(W.z @ x + U.z @ tanh(h) + b.z)
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    n = tanh(U.n @ (r * h) + W.n @ x + b.n)
    return z * n + (1 - z) * h
