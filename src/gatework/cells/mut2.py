"""The second of the three cells that an evolutionary search found.

The paper adds the input itself to a state, which needs as many inputs as units: `mut2(project=False)`.

Where libraries differ:

- Every library projects the input, as here by default: torchrecurrent and RecurrentLayers.jl have W x where the paper
  has x.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Jozefowicz, Zaremba & Sutskever 2015, ICML, MUT2", square=lambda project: not project)
def mut2(x, h, *, project=True):
    """MUT2 of the search over architectures."""
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    r = sigmoid((W.r @ x if project else x) + U.r @ h + b.r)
    n = tanh(U.n @ (r * h) + W.n @ x + b.n)
    return z * n + (1 - z) * h
