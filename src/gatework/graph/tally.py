"""Counting for a loop: products, elementwise operations, and bytes of its arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from gatework.graph.graph import Node, Shape
from gatework.graph.loop import Array, Place
from gatework.graph.ops import ELEMENTWISE, Op

FUNCTIONS = frozenset({Op.SIGMOID, Op.TANH, Op.SOFTPLUS, Op.EXP, Op.LOG})
"""Elementwise operations that are computed by a series or a quotient of polynomials."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """B sequences of T steps, N inputs and H units, in numbers of `itemsize` bytes."""

    B: int
    T: int
    N: int
    H: int
    itemsize: int = 4

    def __getitem__(self, letter: str) -> int:
        """The size of a letter of a shape."""
        return {"N": self.N, "H": self.H, "1": 1}[letter]


@dataclass(frozen=True)
class Part:
    """What a part of the work costs.

    `products` gives the multiply-adds for each matrix, by its key; `operations` the elementwise operations, `functions`
    those of them that are in `FUNCTIONS`; `read` and `written` the bytes for each array; `weights` the bytes of the
    matrices that are multiplied, or whose gradients are made, once each and without padding.
    """

    products: Mapping[str, int]
    operations: int
    functions: int
    read: Mapping[str, int]
    written: Mapping[str, int]
    weights: int

    @property
    def multiply_adds(self) -> int:
        """Of all products."""
        return sum(self.products.values())

    @property
    def flops(self) -> int:
        """Floating-point operations of all products."""
        return 2 * self.multiply_adds

    @property
    def moved(self) -> int:
        """Bytes that are read or written."""
        return sum(self.read.values()) + sum(self.written.values())


class Tally:
    """Counts what happens at every time step, or `once`, before the first or after the last one."""

    def __init__(self, arrays: Mapping[str, Array], sizes: Sizes, *, once: bool = False) -> None:
        self._arrays, self._sizes, self._once = arrays, sizes, once
        self._products, self._read, self._written = Counter[str](), Counter[str](), Counter[str]()
        self._operations = self._functions = 0
        self._matrices: dict[str, int] = {}
        self._rows = (1 if once else sizes.T) * sizes.B

    def product(self, matrix: str, shape: Shape, vector: Place | None = None) -> None:
        """A matrix times what lies in a place, or a gradient of a matrix, which is there at every time step."""
        rows = self._rows if vector is None else sum(self._rows_at(vector).values())
        entries = prod(self._sizes[letter] for letter in shape)
        self._products[matrix] += rows * entries
        self._matrices[matrix] = entries * self._sizes.itemsize

    def read(self, place: Place) -> None:
        """What lies in a place."""
        for name, rows in self._rows_at(place).items():
            self._read[name] += rows * self._bytes(self._arrays[name])

    def write(self, place: Place) -> None:
        """What is stored in a place."""
        self._written[place.array] += self._rows * self._bytes(self._arrays[place.array])

    def operation(self, node: Node) -> None:
        """An elementwise operation; one on numbers that are the same everywhere is done beforehand."""
        if node.op in ELEMENTWISE and node.shape:
            entries = self._rows * self._sizes[node.shape[0]]
            self._operations += entries
            self._functions += entries if node.op in FUNCTIONS else 0

    def total(self, place: Place) -> None:
        """The sum over the entries of what lies in a place."""
        self._operations += sum(self._rows_at(place).values()) * self._sizes[self._arrays[place.array].columns]

    def part(self) -> Part:
        """All that was counted."""
        return Part(
            dict(self._products),
            self._operations,
            self._functions,
            dict(self._read),
            dict(self._written),
            sum(self._matrices.values()),
        )

    def _rows_at(self, place: Place) -> dict[str, int]:
        """The arrays that are read for a place, and how many vectors of each: outside the sequence its start's."""
        array, outside = self._arrays[place.array], 0 if self._once else abs(place.shift) * self._sizes.B
        rows = {array.name: max(self._rows - outside, 0), array.start: min(outside, self._rows)}
        return {name: count for name, count in rows.items() if name and count}

    def _bytes(self, array: Array) -> int:
        return self._sizes[array.columns] * self._sizes.itemsize
