"""Gradients of weights: sums over sequences and time, taken a few time steps at a time while these lie in cache.

For every vector that was multiplied in the forward loop, the gradients of its matrices are one product: the numbers
of the vector times the vectors of `d`, the gradients of the accumulated sums. The results are held transposed,
(entries of the vector, units), one copy for every thread. Gradients of biases are the same with the number one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from gatework.graph.loop import Place, Plan
from gatework.kernels.cpu.code import Code
from gatework.kernels.cpu.frame import Arguments
from gatework.kernels.cpu.host import Host
from gatework.kernels.cpu.panels import Sizes
from gatework.kernels.cpu.places import Places
from gatework.kernels.cpu.products import Accumulators, Column, outer_product
from gatework.kernels.cpu.tiles import choose, groups


@dataclass(frozen=True, slots=True)
class Sum:
    """Neighbouring blocks of `d` times one vector (None: the number one), summed.

    The result is (entries, count × H) from `offset` on in the thread's results.
    """

    vector: Place | None
    block: int
    count: int
    entries: int
    offset: int


def layout(plan: Plan, sizes: Sizes) -> tuple[tuple[Sum, ...], int]:
    """All sums of a plan, and the number of entries of their results."""
    met: dict[Place | None, set[int]] = {}
    for outer in plan.outers:
        met.setdefault(outer.vector, set()).add(outer.block)
    if plan.columns:
        met[None] = set(plan.columns.values())
    found, offset = [], 0
    for vector, blocks in met.items():
        entries = 1 if vector is None else sizes["N"] if vector.array == "x" else sizes["H"]
        for run in _runs(sorted(blocks)):
            found.append(Sum(vector, run[0], len(run), entries, offset))
            offset += entries * len(run) * sizes["H"]
    return tuple(found), offset


def _runs(blocks: Sequence[int]) -> list[list[int]]:
    """Neighbours together.

    >>> _runs([0, 1, 3])
    [[0, 1], [3]]
    """
    keyed = groupby(enumerate(blocks), key=lambda pair: pair[1] - pair[0])
    return [[block for _, block in run] for _, run in keyed]


class SumWriter:
    """Writes the code that adds some time steps to the sums."""

    def __init__(self, code: Code, arguments: Arguments, places: Places, sizes: Sizes, host: Host) -> None:
        self._code, self._arguments, self._places, self._sizes, self._host = code, arguments, places, sizes, host

    def add(self, one: Sum, results: Any, times: tuple[Any, Any], rows: tuple[Any, Any]) -> None:
        """Add what lies between two times (the second excluded) and two rows (the second excluded)."""
        code, lanes = self._code, self._code.unit.lanes
        width = one.count * self._sizes["H"]
        tile = choose([1], width, one.entries, self._host, code.unit.bytes)
        full, rest = divmod(one.entries, tile.rows)
        for group in groups(width, tile.columns, lanes):
            with code.loop(group.count, name="columns") as g:
                j = code.times(code.add(code.times(g, group.columns), group.start), lanes)
                tails = [group.lanes or None if c == group.columns - 1 else None for c in range(group.columns)]
                if full:
                    with code.loop(full, name="entries") as k:
                        self._tile(one, results, times, rows, j, code.times(k, tile.rows), tile.rows, tails)
                if rest:
                    k = code.number(full * tile.rows)
                    self._tile(one, results, times, rows, j, k, rest, tails)

    def _tile(
        self,
        one: Sum,
        results: Any,
        times: tuple[Any, Any],
        rows: tuple[Any, Any],
        j: Any,
        k: Any,
        height: int,
        tails: list[int | None],
    ) -> None:
        code, lanes = self._code, self._code.unit.lanes
        width = one.count * self._sizes["H"]
        tile = Accumulators(code, height, 1, len(tails))
        for i in range(height):
            for c, tail in enumerate(tails):
                place = code.at(results, one.offset, code.times(code.add(k, i), width), j, c * lanes)
                tile.put(i, 0, c, code.load(place, tail))
        with code.loop(times[1], times[0], name="t") as t:
            d = self._places.at(Place("d", one.block), t)
            v = None if one.vector is None else self._places.at(one.vector, t)
            with code.loop(rows[1], rows[0], name="row") as row:
                here = d.row(code, row, j)
                if v is None:
                    for c, tail in enumerate(tails):
                        add = code.load(code.at(here, c * lanes), tail)
                        tile.put(0, 0, c, code.builder.fadd(tile.get(0, 0, c), add))
                else:
                    numbers = [v.row(code, row, k, i) for i in range(height)]
                    vectors = [Column(code.at(here, c * lanes), 0, c, tail) for c, tail in enumerate(tails)]
                    outer_product(code, tile, numbers, vectors)
        for i in range(height):
            for c, tail in enumerate(tails):
                place = code.at(results, one.offset, code.times(code.add(k, i), width), j, c * lanes)
                code.store(tile.get(i, 0, c), place, tail)
