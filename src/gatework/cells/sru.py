"""The simple recurrent unit: gates of the input alone, and a highway around the cell.

The highway carries the input itself where there are as many inputs as units: `sru(project=False)`.

Where libraries differ:

- TensorFlow's `SRUCell` is this version, with the highway of the input itself or of a fourth product;
  asappresearch/sru is `sru2`.
"""

from gatework.graph import W, b, cell, sigmoid, tanh


@cell(
    source="Lei, Zhang, Wang, Dai & Artzi 2018, arXiv:1709.02755, first version",
    square=lambda project: not project,
)
def sru(x, h, c, *, project=True):
    """Simple recurrent unit."""
    f = sigmoid(W.f @ x + b.f)
    r = sigmoid(W.r @ x + b.r)
    c = f * c + (1 - f) * (W.c @ x)
    h = r * tanh(c) + (1 - r) * (W.h @ x if project else x)
    return h, c
