"""The Legendre memory unit: a memory that holds a sliding window of its input as the coefficients of polynomials.

The memory has as many entries as there are units. `theta` is the length of its window in time steps.

Where libraries differ:

- In the authors' code (abr/neurips2019, `lmu.py`) a layer without a bias gives tanh(0): a conditional expression
  takes the whole sum. This cell has no bias, and has the sum.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
from scipy.linalg import expm

from gatework.graph import U, W, cell, p, tanh, total
from gatework.graph.starts import Array, Named, Shape, uniform
from gatework.graph.weights import Declared, fixed


def _discrete(d: int, theta: float) -> tuple[Array, Array]:
    """The matrix and the vector of the memory, for a step of one: a zero-order hold of its differential equation."""
    i, j = np.meshgrid(np.arange(d), np.arange(d), indexing="ij")
    A = (2 * i + 1) / theta * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
    B = (2 * np.arange(d) + 1) * (-1.0) ** np.arange(d) / theta
    whole = np.zeros((d + 1, d + 1))
    whole[:d, :d], whole[:d, d] = A, B
    held = expm(whole)
    return held[:d, :d], held[:d, d]


def lecun_uniform(generator: np.random.Generator, shape: Shape, drawn: Mapping[str, Array]) -> Array:
    """Uniform with variance 1 / size."""
    bound = np.sqrt(3 / shape[0])
    return uniform(-bound, bound)(generator, shape, drawn)


def _matrix(theta: float, _generator: np.random.Generator, shape: Shape, _drawn: Mapping[str, Array]) -> Array:
    return _discrete(shape[0], theta)[0]


def _vector(theta: float, _generator: np.random.Generator, shape: Shape, _drawn: Mapping[str, Array]) -> Array:
    return _discrete(shape[0], theta)[1]


def _weights(theta: float) -> dict[str, Declared]:
    window = f"of a memory of {theta:g} time steps"
    return {
        "U.A": fixed(Named(f"the matrix {window}", partial(_matrix, theta))),
        "p.B": fixed(Named(f"the vector {window}", partial(_vector, theta))),
        "p.ex": lecun_uniform,
        "p.eh": lecun_uniform,
        "p.em": 0.0,
    }


@cell(source="Voelker, Kajić & Eliasmith 2019, NeurIPS", weights=_weights)
def lmu(x, h, m, *, theta=100.0):
    """Legendre memory unit."""
    u = total(p.ex * x) + total(p.eh * h) + total(p.em * m)
    m = U.A @ m + p.B * u
    h = tanh(W.h @ x + U.h @ h + U.m @ m)
    return h, m
