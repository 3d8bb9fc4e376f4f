"""What a cell says of its weights beside its equations: how they start, which are fixed, which entries are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite, prod
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from gatework.errors import EquationError
from gatework.graph.graph import Parameter
from gatework.graph.starts import Recipe

Bools = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Mask:
    """Which entries of a matrix are there: those of blocks on the diagonal, or on it and right of it.

    The units are cut into `blocks` runs that are as long as each other, or differ by one. The other entries are zero,
    and stay so.

    >>> Mask("diagonal", 2).entries((4, 4)).astype(int)
    array([[1, 1, 0, 0],
           [1, 1, 0, 0],
           [0, 0, 1, 1],
           [0, 0, 1, 1]])
    """

    kind: str
    blocks: int

    def __post_init__(self) -> None:
        whole = isinstance(self.blocks, int) and not isinstance(self.blocks, bool)
        if self.kind not in ("diagonal", "upper") or not whole or self.blocks < 1:
            raise EquationError(f"there is no mask of {self.blocks!r} {self.kind!r} blocks: a matrix has one or more")

    @property
    def share(self) -> Fraction:
        """The part of the entries that is there, where the blocks are as long as each other."""
        g = self.blocks
        return Fraction(1, g) if self.kind == "diagonal" else Fraction(g + 1, 2 * g)

    def entries(self, shape: tuple[int, ...]) -> Bools:
        """Whether an entry is there, for a matrix of this shape."""
        rows, columns = (np.arange(size) * self.blocks // size for size in shape)
        same: Bools = rows[:, None] == columns if self.kind == "diagonal" else rows[:, None] <= columns
        return same


@dataclass(frozen=True)
class Weight:
    """What is declared of one weight.

    `start` is a number or a recipe, None for the usual start of its kind. One that is `fixed` is not trained. `mask`
    says which of its entries are there, None for all.
    """

    start: float | Recipe | None = None
    fixed: bool = False
    mask: Mask | None = None

    def words(self) -> str:
        """What is declared, for a reader: `starts at 1`."""
        found = []
        if self.start is not None:
            verb = "is fixed" if self.fixed else "starts"
            recipe = getattr(self.start, "__name__", str(self.start)).replace("_", " ").strip()
            found.append(f"{verb}: {recipe}" if callable(self.start) else f"{verb} at {self.start:g}")
        if self.mask:
            which = "on the diagonal" if self.mask.kind == "diagonal" else "on the diagonal and right of it"
            found.append(f"has {self.mask.blocks} blocks {which}")
        return ", ".join(found)

    def to_json(self) -> dict[str, Any]:
        """What outlives training: whether the weight is fixed, and its mask."""
        return {"fixed": self.fixed, "mask": [self.mask.kind, self.mask.blocks] if self.mask else None}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Weight:
        """Of what `to_json` gave; it starts at zero, for its values are kept elsewhere. Raises `EquationError`."""
        mask = record["mask"]
        return cls(0.0, bool(record["fixed"]), None if mask is None else Mask(str(mask[0]), mask[1]))


Declared = float | Recipe | Weight
"""What stands for a weight in a cell's declaration: its start, or all that is to be said of it."""


def fixed(start: float | Recipe) -> Weight:
    """A weight that is not trained: a constant, or a matrix that a recipe makes."""
    return Weight(start, fixed=True)


def diagonal_blocks(blocks: int, start: float | Recipe | None = None) -> Weight:
    """A matrix of blocks on the diagonal: units see those of their own block ("head") only."""
    return Weight(start, mask=Mask("diagonal", blocks))


def upper_blocks(blocks: int, start: float | Recipe | None = None) -> Weight:
    """A matrix of blocks on the diagonal and right of it: units see their own block and those after it."""
    return Weight(start, mask=Mask("upper", blocks))


def declare(place: str, parameters: Iterable[Parameter], given: Mapping[str, Any]) -> dict[str, Weight]:
    """Every declaration, checked against the weights of the equations. Raises `EquationError`."""
    written: Any = given  # by a user, who may write anything
    if not isinstance(written, Mapping):
        kind = type(written).__name__
        raise EquationError(f"{place}: what is said of weights is a dictionary, {{'b.f': 1.0}}, not a {kind}")
    known = {one.key: one for one in parameters}
    found = {}
    for key, one in given.items():
        if key not in known:
            raise EquationError(f"{place}: it has no weight {key} to say anything of; it has {', '.join(known)}")
        weight = one if isinstance(one, Weight) else Weight(one)
        start = weight.start
        number: Any = start
        if start is not None and not callable(start) and not (isinstance(number, Real) and isfinite(number)):
            raise EquationError(f"{place}: the weight {key} starts at a number or by a recipe, not at {start!r}")
        if weight.fixed and start is None:
            raise EquationError(f"{place}: the weight {key} is fixed, and nothing says at what")
        if weight.mask and len(known[key].shape) != 2:
            raise EquationError(f"{place}: the weight {key} is a vector: only a matrix has blocks")
        found[key] = weight
    return found


def count(parameters: Iterable[Parameter], weights: Mapping[str, Weight], N: int, H: int) -> int:
    """The number of trained entries for `N` inputs and `H` units."""
    total = 0
    for one in parameters:
        weight = weights.get(one.key, Weight())
        if not weight.fixed:
            sizes = one.sizes(N, H)
            total += int(weight.mask.entries(sizes).sum()) if weight.mask else prod(sizes)
    return total


def formula(parameters: Iterable[Parameter], weights: Mapping[str, Weight]) -> str:
    """The number of trained entries in letters."""
    terms = {"NN": "N²", "HN": "NH", "HH": "H²", "N": "N", "H": "H", "1": ""}
    totals = dict.fromkeys(terms, Fraction(0))
    for one in parameters:
        weight = weights.get(one.key, Weight())
        if not weight.fixed:
            totals["".join(sorted(one.shape))] += weight.mask.share if weight.mask else 1
    return " + ".join(_term(total, terms[key]) for key, total in totals.items() if total) or "0"


def _term(times: Fraction, letters: str) -> str:
    above = f"{times.numerator if times.numerator > 1 or not letters else ''}{letters}"
    return above if times.denominator == 1 else f"{above}/{times.denominator}"


def _by_recipe(
    key: str, recipe: Recipe, generator: np.random.Generator, shape: tuple[int, ...], drawn: Mapping[str, Any]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        return np.asarray(recipe(generator, shape, drawn), dtype=float)
    except Exception as error:  # it may be the user's own program
        text = next(iter(str(error).splitlines()), "")
        what = f"{type(error).__name__}: {text}".removesuffix(": ")
        raise EquationError(f"{_written(recipe)}the recipe for the start of {key} fails: {what}") from error


def _written(recipe: object) -> str:
    """Where a recipe was written, to stand before what is wrong with it; empty where that is not known."""
    code = getattr(recipe, "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}: " if code else ""


def draw(
    parameters: Iterable[Parameter],
    weights: Mapping[str, Weight],
    N: int,
    H: int,
    generator: np.random.Generator,
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """The starts that a cell declares, by key, for `N` inputs and `H` units; masked entries are zero.

    They are drawn in the order of the declaration. Raises `EquationError` where a recipe fails, or gives something else
    than finite numbers of the weight's shape.
    """
    by_key = {one.key: one for one in parameters}
    drawn: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
    for key, weight in weights.items():
        if weight.start is None:
            continue
        shape = by_key[key].sizes(N, H)
        if callable(weight.start):
            value = _by_recipe(key, weight.start, generator, shape, drawn)
        else:
            value = np.full(shape, float(weight.start))
        if value.shape != shape or not np.isfinite(value).all():
            where = _written(weight.start)
            raise EquationError(
                f"{where}the recipe for the start of {key} gives no finite numbers of the shape {shape}"
            )
        drawn[key] = value * weight.mask.entries(shape) if weight.mask else value
    return drawn
