"""Where a vector lies at a time step: the address arithmetic of a loop's arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatework.graph.loop import Array, Keeping, Place
from gatework.kernels.cpu.code import Code
from gatework.kernels.cpu.frame import Arguments
from gatework.kernels.cpu.panels import Sizes

LINE = 64
"""Bytes of a cache line."""


def row_stride(array: Array, sizes: Sizes, itemsize: int) -> int:
    """Entries from one sequence's vectors to the next one's.

    In a ring they begin on cache lines, and an odd number of these apart: rows that lie a power of two apart would
    share the same few places of a cache.
    """
    entries = array.blocks * sizes[array.columns]
    if array.keeping is not Keeping.RING:
        return entries
    lines = -(-entries * itemsize // LINE)
    return (lines | 1) * LINE // itemsize


@dataclass(frozen=True)
class Address:
    """The vectors of all sequences at one time: row `r` begins `r × stride` entries after `pointer`.

    `there` is an LLVM truth value: whether there is such a time step; None where it goes without saying.
    """

    pointer: Any
    stride: int
    there: Any = None

    def row(self, code: Code, row: Any, *offsets: Any) -> Any:
        """The address of a sequence's vector, some entries further."""
        return code.at(self.pointer, code.times(row, self.stride), *offsets)


class Places:
    """The addresses of places at a time that is given as an LLVM integer."""

    def __init__(self, code: Code, arguments: Arguments, arrays: Mapping[str, Array], sizes: Sizes) -> None:
        self._code, self._arguments, self._arrays, self._sizes = code, arguments, arrays, sizes

    def at(self, place: Place, t: Any) -> Address:
        """Where the vectors of a place lie at time `t`."""
        code, array = self._code, self._arrays[place.array]
        columns = self._sizes[array.columns]
        time = code.add(t, place.shift)
        offset = [code.times(self._slot(array, time), self._arguments.number(f"step:{array.name}"))]
        if array.keeping in (Keeping.START, Keeping.STEP):
            offset = []
        pointer = code.at(self._arguments.pointer(f"array:{array.name}"), *offset, place.block * columns)
        stride = row_stride(array, self._sizes, code.unit.bytes)
        if not place.shift:
            return Address(pointer, stride)
        there = code.less(-1, time) if place.shift < 0 else code.less(time, self._arguments.number("T"))
        if not array.start:
            return Address(pointer, stride, there)
        start = self._arguments.pointer(f"array:{array.start}")
        return Address(code.builder.select(there, pointer, start), stride)

    def _slot(self, array: Array, time: Any) -> Any:
        if array.keeping is Keeping.PAIR:
            return self._code.builder.and_(time, self._code.number(1))
        if array.keeping is Keeping.RING:
            return self._code.builder.and_(time, self._arguments.number("ring"))
        return time
