"""The first of the three cells that an evolutionary search found: the gate that writes sees the input alone.

The paper adds the input itself to a state, which needs as many inputs as units: `mut1(project=False)`.

Where libraries differ:

- Every library projects the input, as here by default: theanets, torchrecurrent and RecurrentLayers.jl have tanh(W x)
  where the paper has tanh(x).
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Jozefowicz, Zaremba & Sutskever 2015, ICML, MUT1", square=lambda project: not project)
def mut1(x, h, *, project=True):
    """MUT1 of the search over architectures."""
    z = sigmoid(W.z @ x + b.z)
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    v = tanh(W.n @ x) if project else tanh(x)
    n = tanh(U.n @ (r * h) + v + b.n)
    return z * n + (1 - z) * h
