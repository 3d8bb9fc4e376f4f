"""The clockwork network: its units come in modules, and each module only acts when its clock strikes.

Module k acts at every 2ᵏ-th time step, and hears those that are as slow or slower. The state `t` counts time steps.

Where libraries differ:

- theanets keeps the value before its activation and applies that again, which gives the same; brainstorm, the
  authors' library, copies the old output, but does not cut the matrix: there fast modules are heard by slow ones too.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np

from gatework.graph import U, W, b, cell, floor, maximum, p, tanh
from gatework.graph.starts import Array, Named, Shape
from gatework.graph.weights import Declared, fixed, upper_blocks


def _periods(modules: int, _generator: np.random.Generator, shape: Shape, _drawn: Mapping[str, Array]) -> Array:
    return np.exp2(np.arange(shape[0]) * modules // shape[0])


def _weights(modules: int) -> dict[str, Declared]:
    periods = Named(f"1 to {2 ** (modules - 1)}, powers of two", partial(_periods, modules))
    return {"U.h": upper_blocks(modules), "p.period": fixed(periods)}


@cell(source="Koutník, Greff, Gomez & Schmidhuber 2014, arXiv:1402.3511", weights=_weights)
def clockwork(x, h, t, *, modules=4):
    """Clockwork recurrent network."""
    due = maximum(1 - (t - p.period * floor(t / p.period)), 0)
    n = tanh(W.h @ x + U.h @ h + b.h)
    h = due * n + (1 - due) * h
    t = t + 1
    return h, t
