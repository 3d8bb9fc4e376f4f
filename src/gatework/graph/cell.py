"""A cell: equations, and what stands beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gatework.errors import EquationError
from gatework.graph.graph import Graph
from gatework.graph.weights import Weight, count, declare, draw, formula

Option = float | int | str | bool
"""A choice that a cell leaves to its user: a number, a word, yes or no."""


@dataclass(frozen=True)
class _Kind:
    types: tuple[type, ...]
    words: str


_KINDS = {
    float: _Kind((float, int), "a number"),
    int: _Kind((int,), "a whole number"),
    bool: _Kind((bool,), "True or False"),
    str: _Kind((str,), "a word"),
}
"""What an option may be, by the type of its default."""


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: its name, where it comes from, its equations, and what is declared of its weights.

    `weights` has for some keys, `"b.f"`, how the weight starts, whether it is fixed, and which of its entries are
    there; all others start as usual for their kind. `options` are the choices that this cell was made with. Called
    with other ones, it gives the cell that they make: `cornn(dt=0.1)`.

    Raises `EquationError` where `weights` names none of the equations.
    """

    name: str
    title: str
    source: str
    graph: Graph
    weights: Mapping[str, Any] = field(default_factory=dict, hash=False)
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)
    make: Callable[..., Cell] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", declare(f"cell {self.name}", self.graph.parameters, self.weights))

    def __getstate__(self) -> dict[str, Any]:
        """All but the function that makes it anew, which cannot be pickled: a copy keeps its options."""
        return {**self.__dict__, "make": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __call__(self, **options: Option) -> Cell:
        """The same cell with other options. Raises `EquationError` where it has no such option."""
        unknown = [name for name in options if name not in self.options]
        if unknown or self.make is None:
            choices = f"its options are {', '.join(self.options)}" if self.options else "it has none"
            raise EquationError(f"cell {self.name}: it has no option {', '.join(unknown or options)}: {choices}")
        for name, value in options.items():
            wanted = _KINDS[type(self.options[name])]
            if type(value) not in wanted.types:
                raise EquationError(f"cell {self.name}: the option {name} is {wanted.words}, not {value!r}")
        return self.make(**{**self.options, **options})

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states; the first is the output."""
        return self.graph.states

    def weight(self, key: str) -> Weight:
        """What is declared of a weight."""
        found: Weight = self.weights.get(key, _USUAL)
        return found

    def count(self, N: int, H: int) -> int:
        """The number of trained weights for `N` inputs and `H` units."""
        return count(self.graph.parameters, self.weights, N, H)

    def formula(self) -> str:
        """The number of trained weights in letters.

        >>> from gatework.cells import catalogue
        >>> catalogue["gru"].formula()
        '3NH + 3H² + 4H'
        """
        return formula(self.graph.parameters, self.weights)

    def start(self, N: int, H: int, generator: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
        """The starts that the cell declares, by key, for `N` inputs and `H` units. Raises `EquationError`."""
        return draw(self.graph.parameters, self.weights, N, H, generator)

    @property
    def fingerprint(self) -> str:
        """What is declared of the weights, as a short text that is the same for equal declarations."""
        digest = hashlib.sha256()
        for key, value in sorted(self.start(_FEW, _MANY, np.random.default_rng(0)).items()):
            digest.update(f"{key} {value.shape} {value.tobytes().hex()}".encode())
        for key, weight in sorted(self.weights.items()):
            digest.update(f"{key} {weight.fixed} {weight.mask}".encode())
        return digest.hexdigest()[:20] if self.weights else ""


_USUAL = Weight()
"""What is said of a weight of which nothing is declared."""

_FEW, _MANY = 3, 24
"""Sizes for which a fingerprint draws."""
