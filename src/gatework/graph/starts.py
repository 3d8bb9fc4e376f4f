"""How a weight starts: recipes that a cell names beside its equations, `weights={"U.h": identity()}`.

A recipe is called with a random generator, the shape, and the weights that were drawn before it, by key. Any function
of these is one too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Shape = tuple[int, ...]
Recipe = Callable[[np.random.Generator, Shape, Mapping[str, Array]], Array]
"""Generator, shape, weights drawn before → the start of a weight."""

__all__ = [
    "Array",
    "Named",
    "Recipe",
    "Shape",
    "by_columns",
    "identity",
    "log_uniform",
    "minus",
    "normal",
    "ramp",
    "steps",
    "uniform",
]


@dataclass(frozen=True)
class Named:
    """A recipe with the words that say what it does."""

    words: str
    make: Recipe

    def __call__(self, generator: np.random.Generator, shape: Shape, drawn: Mapping[str, Array]) -> Array:
        """The start of a weight of this shape."""
        return self.make(generator, shape, drawn)

    def __str__(self) -> str:
        return self.words


def uniform(low: float, high: float) -> Recipe:
    """Evenly spread between two numbers."""
    return Named(f"uniform on [{low:g}, {high:g}]", partial(_uniform, low, high))


def normal(deviation: float) -> Recipe:
    """Normal around zero, with this standard deviation."""
    return Named(f"normal, deviation {deviation:g}", partial(_normal, deviation))


def log_uniform(low: float, high: float) -> Recipe:
    """The logarithm of a number that is evenly spread between two.

    `log_uniform(1, T - 1)` is the chrono initialisation of a forget gate's bias (Tallec & Ollivier 2018,
    arXiv:1804.11188), for dependencies of up to T time steps.
    """
    return Named(f"log of uniform on [{low:g}, {high:g}]", partial(_log_uniform, low, high))


def identity(scale: float = 1.0) -> Recipe:
    """A number of times the identity matrix (Le, Jaitly & Hinton 2015, arXiv:1504.00941)."""
    return Named("the identity" if scale == 1 else f"{scale:g} times the identity", partial(_identity, scale))


def ramp(first: float, last: float, power: float = 1.0) -> Recipe:
    """From a first number to a last one over the units: unit j is at the part (j / (H - 1)) ** power of the way."""
    return Named(f"from {first:g} to {last:g}", partial(_ramp, first, last, power))


def steps(first: float, step: float, blocks: int) -> Recipe:
    """Block by block another number: `steps(-0.5, -0.5, 4)` gives -0.5, -1, -1.5 and -2 to a quarter of the units each.

    Gers, Schmidhuber & Cummins 2000 start the gates of an LSTM so.
    """
    last = first + step * (blocks - 1)
    return Named(f"{first:g} to {last:g} in {blocks} steps", partial(_steps, first, step, blocks))


def by_columns(recipe: Recipe) -> Recipe:
    """What a recipe gives, over the root of the number of columns: so sums keep their size, whatever the width."""
    return Named(f"{recipe}, over the root of its columns", partial(_by_columns, recipe))


def minus(key: str) -> Recipe:
    """The negative of a weight that stands before in the cell's declaration: `minus("b.f")`."""
    return Named(f"-{key}", partial(_minus, key))


def _uniform(low: float, high: float, generator: np.random.Generator, shape: Shape, _: Mapping[str, Array]) -> Array:
    return generator.uniform(low, high, shape)


def _normal(deviation: float, generator: np.random.Generator, shape: Shape, _: Mapping[str, Array]) -> Array:
    return generator.normal(0, deviation, shape)


def _log_uniform(
    low: float, high: float, generator: np.random.Generator, shape: Shape, _: Mapping[str, Array]
) -> Array:
    return np.asarray(np.log(generator.uniform(low, high, shape)))


def _identity(scale: float, _generator: np.random.Generator, shape: Shape, _: Mapping[str, Array]) -> Array:
    return scale * np.eye(shape[0], shape[1])


def _ramp(
    first: float, last: float, power: float, _generator: np.random.Generator, shape: Shape, _: Mapping[str, Array]
) -> Array:
    return np.asarray(first + (last - first) * (np.arange(shape[0]) / max(shape[0] - 1, 1)) ** power)


def _steps(
    first: float, step: float, blocks: int, _generator: np.random.Generator, shape: Shape, _: Mapping[str, Array]
) -> Array:
    return np.asarray(first + step * np.floor(np.arange(shape[0]) * blocks / shape[0]))


def _by_columns(recipe: Recipe, generator: np.random.Generator, shape: Shape, drawn: Mapping[str, Array]) -> Array:
    return recipe(generator, shape, drawn) / math.sqrt(shape[1])


def _minus(key: str, _generator: np.random.Generator, _shape: Shape, drawn: Mapping[str, Array]) -> Array:
    return -drawn[key]
