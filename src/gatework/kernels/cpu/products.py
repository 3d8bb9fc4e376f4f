"""The micro-kernel: a tile of accumulators, filled with products of packed weights and vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from gatework.kernels.cpu.code import Code
from gatework.kernels.cpu.panels import Panel, Segment
from gatework.kernels.cpu.places import Address
from gatework.kernels.cpu.squares import across


class Accumulators:
    """`rows` × `sums` × `columns` vectors in registers."""

    def __init__(self, code: Code, rows: int, sums: int, columns: int) -> None:
        self._code = code
        self.rows, self.sums, self.columns = rows, sums, columns
        self._slots = [
            [[code.slot(code.unit.vector, name="sum") for _ in range(columns)] for _ in range(sums)]
            for _ in range(rows)
        ]

    def clear(self, part: Sequence[int] | None = None) -> None:
        """Set those of some sums, or all of them, to zero."""
        for row, k, column in self._every(part):
            self.put(row, k, column, self._code.constant(0.0))

    def get(self, row: int, k: int, column: int) -> Any:
        """One vector."""
        return self._code.builder.load(self._slots[row][k][column], typ=self._code.unit.vector)

    def put(self, row: int, k: int, column: int, value: Any) -> None:
        """Replace one vector."""
        self._code.builder.store(value, self._slots[row][k][column])

    def spill(self, pointer: Any, part: Sequence[int] | None = None) -> None:
        """Write those of some sums, or all of them, to their places in memory: row after row, sum after sum."""
        lanes = self._code.unit.lanes
        for row, k, column in self._every(part):
            offset = ((row * self.sums + k) * self.columns + column) * lanes
            self._code.store(self.get(row, k, column), self._code.at(pointer, offset))

    def _every(self, part: Sequence[int] | None) -> Iterator[tuple[int, int, int]]:
        return product(range(self.rows), range(self.sums) if part is None else part, range(self.columns))


@dataclass(frozen=True, slots=True)
class Column:
    """A vector of weights: its address, the sum and the column that it feeds, and its lanes where it is not full."""

    pointer: Any
    k: int
    column: int
    lanes: int | None = None


def outer_product(code: Code, tile: Accumulators, numbers: Sequence[Any], vectors: Sequence[Column]) -> None:
    """Add to the tile the products of a number for each row, given by its address, and vectors.

    The shorter side stays in registers while the other passes by.
    """

    def add(row: int, splat: Any, vector: Column, loaded: Any) -> None:
        value = code.fma(splat, loaded, tile.get(row, vector.k, vector.column))
        tile.put(row, vector.k, vector.column, value)

    if len(numbers) <= len(vectors):
        splats = [code.splat(code.scalar(number)) for number in numbers]
        for vector in vectors:
            loaded = code.load(vector.pointer, vector.lanes)
            for row, splat in enumerate(splats):
                add(row, splat, vector, loaded)
        return
    every = [(vector, code.load(vector.pointer, vector.lanes)) for vector in vectors]
    for row, number in enumerate(numbers):
        splat = code.splat(code.scalar(number))
        for vector, loaded in every:
            add(row, splat, vector, loaded)


def multiply(
    code: Code, tile: Accumulators, panel: Panel, segment: Segment, weights: Any, address: Address, row: Any
) -> None:
    """Add to the accumulators the products of one vector, for the rows from `row` on."""
    lanes, columns = code.unit.lanes, panel.group.columns
    width = len(segment.matrices) * columns * lanes
    begin = code.at(weights, segment.offset * lanes)
    first = address.row(code, row)
    entries: Any = segment.entries
    if address.there is not None:
        entries = code.builder.select(address.there, code.number(entries), code.number(0))
    names = ", ".join(f"{matrix}{'ᵀ' if transposed else ''}" for _, matrix, transposed in segment.matrices)
    code.comment(f"{names} @ {segment.place.array}[{segment.place.block}] at t{segment.place.shift:+d}")
    with code.loop(entries, name="k") as k:
        numbers = [code.at(first, code.number(i * address.stride), k) for i in range(tile.rows)]
        here = code.at(begin, code.times(k, width))
        vectors = [
            Column(code.at(here, (m * columns + column) * lanes), accumulator, column)
            for m, (accumulator, _, _) in enumerate(segment.matrices)
            for column in range(columns)
        ]
        outer_product(code, tile, numbers, vectors)


def dot(code: Code, segments: Sequence[tuple[Any, int, Any]], j: Any, entries: int) -> Any:
    """The products of some matrices with one sequence's vectors, summed, for the units from `j` on.

    `segments` are (matrix, entries of a row, vector). The matrix is read as it lies: each unit has an accumulator along
    its row, and in the end these are summed up across. It costs more than `multiply` and needs no packing, so it is for
    calls that use the weights only a few times.
    """
    lanes = code.unit.lanes
    sums = Accumulators(code, lanes, 1, 1)
    sums.clear()
    rows = [code.smaller(code.add(j, i), entries - 1) for i in range(lanes)]  # beyond the last unit: the last again
    for matrix, length, vector in segments:
        begins = [code.at(matrix, code.times(row, length)) for row in rows]
        full, tail = divmod(length, lanes)

        def step(k: Any, some: int | None, begins: list[Any] = begins, vector: Any = vector) -> None:
            numbers = code.load(code.at(vector, k), some)
            for i, begin in enumerate(begins):
                weights = code.load(code.at(begin, k), some)
                sums.put(i, 0, 0, code.fma(weights, numbers, sums.get(i, 0, 0)))

        with code.loop(full, name="k") as k:
            step(code.times(k, lanes), None)
        if tail:
            step(code.number(full * lanes), tail)
    return across(code, [sums.get(i, 0, 0) for i in range(lanes)])
