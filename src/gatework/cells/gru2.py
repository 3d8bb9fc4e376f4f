"""The gated recurrent unit whose gates are computed from the state alone.

Where libraries differ:

- A public re-implementation of the three variants (GVGRU) shares one matrix between the two gates and uses relu:
  another cell.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Dey & Salem 2017, arXiv:1701.05923, type 2")
def gru2(x, h):
    """Gated recurrent unit with gates of the state alone."""
    z = sigmoid(U.z @ h)
    r = sigmoid(U.r @ h)
    n = tanh(W.n @ x + U.n @ (r * h) + b.n)
    return (1 - z) * h + z * n
