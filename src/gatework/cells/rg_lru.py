"""The real-gated linear recurrent unit of Griffin: a gate of the input shortens the memory, another weighs the input.

The state `started` is zero before the first step and one after any: what comes first is written in full. There are as
many inputs as units.

Where libraries differ:

- The authors' code (google-deepmind/recurrentgemma) limits the gradient of the square root; here it is the gradient
  itself.
"""

from collections.abc import Mapping

import numpy as np

from gatework.graph import W, b, cell, exp, p, sigmoid, softplus, sqrt
from gatework.graph.starts import Array, Shape
from gatework.graph.weights import Declared, diagonal_blocks


def long_memories(generator: np.random.Generator, shape: Shape, _drawn: Mapping[str, Array]) -> Array:
    """Decays exp(-softplus(a)) whose squares are evenly spread between 0.9² and 0.999²."""
    return np.log(generator.uniform(0.9**2, 0.999**2, shape) ** -0.5 - 1)


def _weights(heads: int) -> dict[str, Declared]:
    return {"p.a": long_memories, "W.r": diagonal_blocks(heads), "W.i": diagonal_blocks(heads)}


@cell(source="De et al. 2024, arXiv:2402.19427, section 2.4", weights=_weights, square=True)
def rg_lru(x, h, started, *, heads=4):
    """Real-gated linear recurrent unit."""
    r = sigmoid(W.r @ x + b.r)
    i = sigmoid(W.i @ x + b.i)
    a = exp(-8 * r * softplus(p.a))
    scale = 1 - started * (1 - sqrt(1 - a * a))
    h = a * h + scale * (i * x)
    started = 0 * started + 1
    return h, started
