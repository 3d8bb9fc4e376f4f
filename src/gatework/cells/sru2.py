"""The second simple recurrent unit: its gates see the cell too, each unit its own, and its highway is scaled.

The highway carries the input itself: there are as many inputs as units. Its scale keeps the variance of the output at
the start, for the bias at which the gate of the highway starts.

Where libraries differ:

- asappresearch/sru has no activation of the cell by default, as here; TensorFlow's `SRUCell` is the first version,
  `sru`.
"""

import math

from gatework.graph import W, b, cell, p, sigmoid
from gatework.graph.starts import by_columns, uniform
from gatework.graph.weights import Declared


def _weights(highway_bias: float) -> dict[str, Declared]:
    return {"b.r": highway_bias, **{f"W.{k}": by_columns(uniform(-math.sqrt(3), math.sqrt(3))) for k in "frc"}}


@cell(source="Lei, Zhang, Wang, Dai & Artzi 2018, arXiv:1709.02755, fifth version", weights=_weights, square=True)
def sru2(x, h, c, *, highway_bias=0.0):
    """Simple recurrent unit, second version."""
    f = sigmoid(W.f @ x + p.f * c + b.f)
    r = sigmoid(W.r @ x + p.r * c + b.r)
    c = f * c + (1 - f) * (W.c @ x)
    h = r * c + (1 - r) * (x * math.sqrt(1 + 2 * math.exp(highway_bias)))
    return h, c
