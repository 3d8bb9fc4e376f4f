"""What follows from the rows: means over shapes, and ratios between our own times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import geometric_mean

from gatework.bench.record import CATALOGUE, SHAPES, Record, Row
from gatework.bench.shapes import Shape
from gatework.bench.side import TRAINING
from gatework.bench.sides import OURS

ALL = "all"


@dataclass(frozen=True)
class Mean:
    """The geometric mean over shapes of a peer's time over ours, for one cell, or `all` of them together."""

    peer: str
    cell: str
    mode: str
    threads: int
    ratio: float
    shapes: int


def means(record: Record) -> tuple[Mean, ...]:
    """The means of every peer."""
    groups: dict[tuple[str, str, str, int], list[float]] = {}
    for row in record.of(SHAPES):
        if row.side != OURS.name:
            for cell in (row.cell, ALL):
                groups.setdefault((row.side, cell, row.mode, row.threads), []).append(row.ratio)
    return tuple(Mean(*key, geometric_mean(ratios), len(ratios)) for key, ratios in groups.items())


@dataclass(frozen=True)
class Versus:
    """One of our times over another of ours, at the same shape: below 1, the first is the faster."""

    shape: Shape
    threads: int
    mode: str
    cell: str
    ratio: float


def gru_to_lstm(record: Record) -> tuple[Versus, ...]:
    """The training step of our GRU over that of our LSTM, at equal H."""
    rows = [row for row in _ours(record, SHAPES) if row.mode == TRAINING]
    lstm = {(row.shape, row.threads): row.ms for row in rows if row.cell == "lstm"}
    return tuple(
        Versus(row.shape, row.threads, row.mode, row.cell, row.ms / lstm[row.shape, row.threads])
        for row in rows
        if row.cell == "gru" and (row.shape, row.threads) in lstm
    )


def threads_to_one(record: Record) -> tuple[Versus, ...]:
    """Our times on several threads over those on one."""
    single = {(row.cell, row.shape, row.mode): row.ms for row in _ours(record, SHAPES) if row.threads == 1}
    return tuple(
        Versus(row.shape, row.threads, row.mode, row.cell, row.ms / single[row.cell, row.shape, row.mode])
        for row in _ours(record, SHAPES)
        if row.threads > 1 and (row.cell, row.shape, row.mode) in single
    )


def time_per_flop(record: Record) -> tuple[Versus, ...]:
    """Our time per floating-point operation over that of our LSTM, for every cell of the catalogue."""
    lstm = {(row.threads, row.mode): row.gflops for row in _ours(record, CATALOGUE) if row.cell == "lstm"}
    return tuple(
        Versus(row.shape, row.threads, row.mode, row.cell, lstm[row.threads, row.mode] / row.gflops)
        for row in _ours(record, CATALOGUE)
    )


def _ours(record: Record, section: str) -> Iterator[Row]:
    return (row for row in record.of(section) if row.side == OURS.name)
