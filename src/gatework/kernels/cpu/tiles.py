"""How many rows and columns a micro-kernel holds in registers.

A tile is `rows` sequences by `columns` vectors of units for each of the stage's accumulators. Per entry of the summed
dimension it loads `columns × accumulators` vectors of weights and broadcasts `rows` numbers, and does the product of
the two in multiply-adds. Its cost is what the busier of the two ports needs: two multiply-adds and two loads a cycle,
and no less than the four cycles after which an accumulator can be added to again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from gatework.kernels.cpu.host import Host

LATENCY = 4.0
"""Cycles until a multiply-add's result can be used."""

MOST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Tile:
    """`rows` sequences by `columns` vectors."""

    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Group:
    """Tiles side by side: `count` of them from vector `start` on, each `columns` vectors wide.

    `lanes` is the number of entries in the last vector where that is not full, else 0.
    """

    start: int
    count: int
    columns: int
    lanes: int


def choose(accumulators: Sequence[int], entries: int, batch: int, host: Host, itemsize: int) -> Tile:
    """The cheapest tile for vectors of `entries` entries and `batch` sequences; for none, the smallest.

    `accumulators` are how many are in registers together, one after the other. Where nothing is accumulated a tile is a
    whole sequence's vector: what is summed over it is summed once.
    """
    vectors = -(-entries // host.lanes(itemsize))
    if not accumulators:
        return Tile(1, vectors)
    if not batch:
        return Tile(1, 1)
    tiles = [
        Tile(rows, columns)
        for rows, columns in product(range(1, min(MOST_ROWS, batch) + 1), range(1, vectors + 1))
        if _registers(rows, columns * max(accumulators)) <= host.registers
    ]

    def cost(tile: Tile) -> float:
        return sum(_cost(tile, one, vectors, batch) for one in accumulators)

    return min(tiles or [Tile(1, 1)], key=lambda tile: (cost(tile), -tile.rows))


def _registers(rows: int, weights: int) -> int:
    """Accumulators, the shorter side of the tile, and one of the longer side."""
    return rows * weights + min(rows, weights) + 1


def _cost(tile: Tile, accumulators: int, vectors: int, batch: int) -> float:
    """Cycles per entry of the summed dimension, over the batch and all vectors."""
    total = 0.0
    for columns, times in ((tile.columns, vectors // tile.columns), (vectors % tile.columns, 1)):
        if columns and times:
            weights = columns * accumulators
            total += times * max(tile.rows * weights / 2, (tile.rows + weights) / 2, LATENCY)
    return total * -(-batch // tile.rows)


def groups(entries: int, columns: int, lanes: int) -> tuple[Group, ...]:
    """How tiles of `columns` vectors cover `entries` entries: equal ones, then what is left over."""
    vectors = -(-entries // lanes)
    tail = entries % lanes
    full, rest = divmod(vectors, columns)
    if tail and not rest:
        full, rest = full - 1, columns
    found = []
    if full:
        found.append(Group(0, full, columns, 0))
    if rest:
        found.append(Group(full * columns, 1, rest, tail))
    return tuple(found)
