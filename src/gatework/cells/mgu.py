"""The minimal gated unit: the gate that resets is the gate that writes.

Where libraries differ:

- pytorch-kaldi's `minimalGRU` and the code of RecurrentLayers.jl's `MGU` let the gate keep where it should write:
  because the gate stands in the candidate too, this is another cell, and not one with other signs. torchrecurrent and
  ReservoirComputing.jl have it as here.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Zhou, Wu, Zhang & Zhou 2016, arXiv:1603.09420")
def mgu(x, h):
    """Minimal gated unit: one gate both forgets and updates."""
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    n = tanh(W.n @ x + U.n @ (f * h) + b.n)
    return (1 - f) * h + f * n
