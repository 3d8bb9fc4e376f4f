"""The long expressive memory: two states, each with a time step of its own that is learnt.

Where libraries differ:

- The authors' code (tk-rusch/LEM) reads the new z where it computes y, as here; torchrecurrent reads the old one, and
  the documentation of RecurrentLayers.jl has one time step for both states.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Rusch, Mishra, Erichson & Mahoney 2022, arXiv:2110.04744")
def lem(x, y, z, *, dt=1.0):
    """Long expressive memory."""
    d1 = dt * sigmoid(W.d1 @ x + U.d1 @ y + b.d1)
    d2 = dt * sigmoid(W.d2 @ x + U.d2 @ y + b.d2)
    z = (1 - d2) * z + d2 * tanh(W.z @ x + U.z @ y + b.z)
    y = (1 - d1) * y + d1 * tanh(W.y @ x + U.y @ z + b.y)
    return y, z
