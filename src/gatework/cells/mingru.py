"""The gated recurrent unit without the state in its gates: a running average whose weights come from the input."""

from gatework.graph import W, b, cell, sigmoid


@cell(source="Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, arXiv:2410.01201")
def mingru(x, h):
    """Minimal gated recurrent unit for parallel scans."""
    z = sigmoid(W.z @ x + b.z)
    n = W.n @ x + b.n
    return (1 - z) * h + z * n
