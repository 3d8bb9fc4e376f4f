"""The light Bayesian recurrent unit: its state is a probability, and the network sees its logarithm."""

from gatework.graph import U, W, b, cell, log, sigmoid

TINY = 1e-11
"""What keeps the logarithm of a probability of zero finite."""


@cell(source="Bittar & Garner 2021, ICASSP, doi:10.1109/ICASSP39728.2021.9414259, equations 19a to 19c")
def libru(x, h):
    """Light Bayesian recurrent unit, in probabilities."""
    s = log(h + TINY)
    z = sigmoid(W.z @ x + U.z @ s + b.z)
    n = sigmoid(W.n @ x + U.n @ s + b.n)
    return z * h + (1 - z) * n
