"""The gated recurrent unit whose gates are computed from the state and a bias.

Where libraries differ:

- A public re-implementation of the three variants (GVGRU) shares one matrix between the two gates and uses relu:
  another cell.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Dey & Salem 2017, arXiv:1701.05923, type 1")
def gru1(x, h):
    """Gated recurrent unit with gates of the state and a bias."""
    z = sigmoid(U.z @ h + b.z)
    r = sigmoid(U.r @ h + b.r)
    n = tanh(W.n @ x + U.n @ (r * h) + b.n)
    return (1 - z) * h + z * n
