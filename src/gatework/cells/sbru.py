"""The layer-wise Bayesian recurrent unit without a gate, in probabilities."""

from gatework.graph import U, W, b, cell, log, sigmoid

TINY = 1e-11
"""What keeps the logarithm of a probability of zero finite."""


@cell(source="Bittar & Garner 2021, ICASSP, doi:10.1109/ICASSP39728.2021.9414259, equations 13 and 14")
def sbru(x, h):
    """Bayesian recurrent unit without a gate."""
    return sigmoid(W.h @ x + U.h @ log(h + TINY) + b.h)
