"""The stabilised light gated recurrent unit: the products with the state have one layer norm together.

That keeps relu from growing what it gets from itself; the norm has no scale and no shift.
"""

from gatework.graph import U, W, b, cell, mean, p, relu, sigmoid, sqrt, standard

NORM = {"p.z": 1.0, "p.n": 1.0}
EPSILON = 1e-5


@cell(source="Moumen & Parcollet 2023, arXiv:2302.10144", weights=NORM)
def sligru(x, h):
    """Light gated recurrent unit, stabilised."""
    uz = U.z @ h
    un = U.n @ h
    mu = mean(uz + un) / 2
    az = uz - mu
    an = un - mu
    s = sqrt((mean(az**2) + mean(an**2)) / 2 + EPSILON)
    z = sigmoid(p.z * standard(W.z @ x) + b.z + az / s)
    n = relu(p.n * standard(W.n @ x) + b.n + an / s)
    return z * h + (1 - z) * n
