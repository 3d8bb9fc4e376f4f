"""The linear recurrent unit: a diagonal recurrence of complex numbers, between a matrix that reads and one that shows.

The states `re` and `im` are the real and the imaginary part. Their decay and their angle are learnt on a logarithmic
scale, so that they stay in the unit circle. There are as many inputs as units.
"""

from collections.abc import Mapping

import numpy as np

from gatework.graph import U, W, cell, cos, exp, p, sin
from gatework.graph.starts import Array, Shape, by_columns, normal


def log_log_decay(generator: np.random.Generator, shape: Shape, _drawn: Mapping[str, Array]) -> Array:
    """Decays whose squares are evenly spread on [0, 1]."""
    return np.asarray(np.log(-0.5 * np.log(generator.uniform(size=shape))))


def log_angle(generator: np.random.Generator, shape: Shape, _drawn: Mapping[str, Array]) -> Array:
    """Angles that are evenly spread on the circle."""
    return np.asarray(np.log(2 * np.pi * generator.uniform(size=shape)))


def log_of_what_decays(_generator: np.random.Generator, _shape: Shape, drawn: Mapping[str, Array]) -> Array:
    """A scale of the input that keeps the variance of the state at one."""
    return np.asarray(0.5 * np.log(1 - np.exp(-2 * np.exp(drawn["p.nu"]))))


@cell(
    source="Orvieto et al. 2023, arXiv:2303.06349",
    weights={
        "p.nu": log_log_decay,
        "p.theta": log_angle,
        "p.gamma": log_of_what_decays,
        "W.re": by_columns(normal(0.5**0.5)),
        "W.im": by_columns(normal(0.5**0.5)),
        "U.re": by_columns(normal(1.0)),
        "U.im": by_columns(normal(1.0)),
        "p.D": normal(1.0),
    },
    square=True,
)
def lru(x, y, re, im):
    """Linear recurrent unit."""
    decay = exp(-exp(p.nu))
    a = decay * cos(exp(p.theta))
    s = decay * sin(exp(p.theta))
    scale = exp(p.gamma)
    u = a * re - s * im + scale * (W.re @ x)
    v = a * im + s * re + scale * (W.im @ x)
    y = U.re @ u - U.im @ v + p.D * x
    return y, u, v
