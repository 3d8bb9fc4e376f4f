"""What a benchmark found: rows of numbers, and what they were measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatework.bench.limits import Rates, limit
from gatework.bench.shapes import Shape

SHAPES, CATALOGUE = "shapes", "catalogue"
"""Sections of a benchmark; a growth curve is `growth T`, `growth B` or `growth H`."""


@dataclass(frozen=True)
class Row:
    """One side of one cell at one shape.

    `ms` is the median over rounds of one call's milliseconds, `low_ms` and `high_ms` the quartiles. `ratio` is the
    side's time over ours: above 1 it is slower than ours. `difference` is how far its results are from those of the
    reference back-end, relative to the largest entry. `memory_mb` (MiB) and `compile_s` are None where they were not
    measured.
    """

    section: str
    cell: str
    shape: Shape
    threads: int
    mode: str
    side: str
    kernel: str
    ms: float
    low_ms: float
    high_ms: float
    rounds: int
    ratio: float
    gflops: float
    difference: float
    memory_mb: float | None
    compile_s: float | None


@dataclass(frozen=True)
class Gap:
    """Our time beside the work that it cannot do without, and what it consists of.

    `work` in floating-point operations and `traffic` in bytes are the least. `products_ms` is what our layer saves
    without its matrix products, and `functions_ms` what it saves without sigmoid, tanh and so on; None where that
    cannot be measured.
    """

    cell: str
    shape: Shape
    threads: int
    mode: str
    work: int
    traffic: int
    ours_ms: float
    products_ms: float | None
    functions_ms: float | None

    @property
    def rest_ms(self) -> float | None:
        """What remains: elementwise arithmetic, memory, and the start of every call and step."""
        if self.products_ms is None or self.functions_ms is None:
            return None
        return self.ours_ms - self.products_ms - self.functions_ms


@dataclass(frozen=True)
class Skip:
    """What was not measured, and why; `where` is empty where it holds for all shapes."""

    side: str
    cell: str
    where: str
    why: str


@dataclass(frozen=True)
class Record:
    """A whole benchmark. `rates` holds the best that was seen in the run for each number of threads."""

    command: str
    versions: Mapping[str, str]
    processor: Mapping[str, Any]
    settings: Mapping[str, Any]
    rates: Mapping[int, Rates]
    rows: tuple[Row, ...]
    gaps: tuple[Gap, ...]
    skipped: tuple[Skip, ...]

    def share(self, row: Row) -> float:
        """A row's rate as a share of the sgemm rate."""
        return row.gflops * 1e9 / self.rates[row.threads].sgemm

    def limit_ms(self, gap: Gap) -> tuple[float, str]:
        """The milliseconds that no program can beat at the measured rates, and what sets them."""
        seconds, cause = limit(gap.work, gap.traffic, self.rates[gap.threads])
        return 1e3 * seconds, cause

    def of(self, section: str) -> tuple[Row, ...]:
        """The rows of one section."""
        return tuple(row for row in self.rows if row.section == section)
