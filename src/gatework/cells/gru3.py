"""The gated recurrent unit whose gates are computed from a bias alone.

Where libraries differ:

- A public re-implementation of the three variants (GVGRU) shares one weight between the two gates and uses relu:
  another cell.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Dey & Salem 2017, arXiv:1701.05923, type 3")
def gru3(x, h):
    """Gated recurrent unit with gates of a bias alone."""
    z = sigmoid(b.z)
    r = sigmoid(b.r)
    n = tanh(W.n @ x + U.n @ (r * h) + b.n)
    return (1 - z) * h + z * n
