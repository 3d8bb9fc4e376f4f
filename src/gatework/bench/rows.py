"""From the seconds that a process measured to the rows of the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from gatework.bench.ablation import FUNCTIONLESS, PRODUCTLESS, WHOLE
from gatework.bench.case import DTYPES
from gatework.bench.job import Entry, Footprint, Parts, Timed
from gatework.bench.limits import flops, moved
from gatework.bench.record import Gap, Row
from gatework.bench.request import Request
from gatework.bench.shapes import Shape
from gatework.bench.side import MODES
from gatework.bench.sides import OURS
from gatework.bench.timing import ratio, spread

Footprints = Mapping[tuple[str, str], Footprint]
"""Cell and side → what was found at one shape."""


@dataclass(frozen=True)
class Place:
    """Where in a benchmark something was measured."""

    section: str
    shape: Shape
    threads: int


def rows(request: Request, place: Place, timed: Timed, footprints: Footprints) -> Iterator[Row]:
    """A row for each side of each cell and each mode."""
    ours = _ours(timed)
    for one in timed.entries:
        cell = request.by_text[one.cell]
        cost = footprints.get((one.cell, one.side))
        for mode, seconds in one.seconds.items():
            low, middle, high = spread(seconds)
            work = flops(cell.graph, place.shape, mode, input_grad=request.input_grad)
            yield Row(
                section=place.section,
                cell=cell.name,
                shape=place.shape,
                threads=place.threads,
                mode=mode,
                side=one.side,
                kernel=one.kernel,
                ms=1e3 * middle,
                low_ms=1e3 * low,
                high_ms=1e3 * high,
                rounds=len(seconds),
                ratio=ratio(seconds, ours[one.cell].seconds[mode]),
                gflops=work / middle / 1e9,
                difference=one.difference,
                memory_mb=None if cost is None or cost.memory is None else cost.memory / 2**20,
                compile_s=None if cost is None else cost.compile,
            )


def gaps(request: Request, place: Place, timed: Timed) -> Iterator[Gap]:
    """Our times beside the least work, for each cell."""
    size = DTYPES[request.dtype].itemsize
    parts = {one.cell: one for one in timed.parts}
    for text, ours in _ours(timed).items():
        cell = request.by_text[text]
        for mode in MODES:
            yield Gap(
                cell=cell.name,
                shape=place.shape,
                threads=place.threads,
                mode=mode,
                work=flops(cell.graph, place.shape, mode, input_grad=request.input_grad),
                traffic=moved(cell.graph, place.shape, mode, itemsize=size, input_grad=request.input_grad),
                ours_ms=1e3 * median(ours.seconds[mode]),
                products_ms=_saved(parts.get(text), PRODUCTLESS, mode),
                functions_ms=_saved(parts.get(text), FUNCTIONLESS, mode),
            )


def _ours(timed: Timed) -> dict[str, Entry]:
    return {one.cell: one for one in timed.entries if one.side == OURS.name}


def _saved(parts: Parts | None, without: str, mode: str) -> float | None:
    """Milliseconds that a cell saves where part of it is taken away: the median over rounds."""
    if parts is None:
        return None
    pairs = zip(parts.seconds[WHOLE][mode], parts.seconds[without][mode], strict=True)
    return 1e3 * median(whole - rest for whole, rest in pairs)
