"""What a measuring process is told, and what it answers: both travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatework.bench.limits import Rates
from gatework.bench.timing import Effort

Seconds = Mapping[str, Sequence[float]]
"""Mode → the seconds of one call in every round."""


@dataclass(frozen=True)
class Job:
    """What to measure at one shape: `entries` are pairs of a cell and a side.

    With `effort` their times, in turn, and with `parts` those of the cells with parts of their equations taken away;
    without `effort` the footprint of the only entry.
    """

    shape: str
    threads: int
    dtype: str
    input_grad: bool
    entries: tuple[tuple[str, str], ...]
    effort: Effort | None = None
    parts: bool = False

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Job:
        """The job that `asdict` made plain."""
        effort = plain["effort"] and Effort(**plain["effort"])
        entries = tuple((cell, side) for cell, side in plain["entries"])
        return cls(**{**plain, "effort": effort, "entries": entries})


@dataclass(frozen=True)
class Entry:
    """The times of one side of one cell; `difference` is how far its results are from the reference's."""

    cell: str
    side: str
    kernel: str
    difference: float
    seconds: Seconds


@dataclass(frozen=True)
class Parts:
    """The times of a cell as it is, without its functions, and without its products: name → mode → seconds."""

    cell: str
    seconds: Mapping[str, Seconds]


@dataclass(frozen=True)
class Timed:
    """The answer to a job with an effort."""

    entries: tuple[Entry, ...]
    parts: tuple[Parts, ...]
    rates: Rates

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Timed:
        """The answer that `asdict` made plain."""
        return cls(
            tuple(Entry(**one) for one in plain["entries"]),
            tuple(Parts(**one) for one in plain["parts"]),
            Rates(**plain["rates"]),
        )


@dataclass(frozen=True)
class Footprint:
    """The answer to a job without: `memory` in bytes, None where the system does not tell; `compile` in seconds."""

    memory: int | None
    compile: float
