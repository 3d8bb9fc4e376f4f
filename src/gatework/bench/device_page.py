"""The page of a benchmark on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from gatework.bench.device import DeviceRow
from gatework.bench.device_sides import CHECKED_STEPS
from gatework.bench.markdown import digits, table
from gatework.bench.side import MODES

HEADINGS = ("B,T,N,H", "who", "forward ms", "cuDNN ×", "training ms", "cuDNN ×", "floor ms", "difference")


def device_page(rows: Sequence[DeviceRow], about: Mapping[str, Any], command: str) -> str:
    """The Markdown of all rows: a table for each cell and kind of number."""
    machine = ", ".join(f"{name} {value}" for name, value in about.items())
    lines = [
        "# Kernels on a GPU",
        "",
        f"`{command}`: {machine}. Medians of the device's own clock, sides in turn, results of up to {CHECKED_STEPS}",
        "steps checked against the exact ones first. `cuDNN ×` is how many times as long cuDNN takes, its GRU for",
        "cells it lacks.",
        "`floor` is what a training step takes at least: its products at the measured rate, its bytes at that of a",
        "copy, or its steps at the pace of the smallest ones. `64 × B,T,N,H` are 64 members, each with weights and",
        "sequences of its own: ours together, cuDNN's one after the other. `uneven` are packed sequences of T/4 to T",
        "steps.",
        "",
    ]
    of = attrgetter("cell", "kind")
    for (cell, kind), found in groupby(sorted(rows, key=of), key=of):
        lines += [f"## {cell}, {kind}", "", *table(HEADINGS, _lines(list(found)), text=2), ""]
    return "\n".join(lines)


def _lines(rows: Sequence[DeviceRow]) -> list[tuple[str, ...]]:
    """One line for each shape and side, both passes beside each other."""
    by_mode: dict[tuple[str, str], dict[str, DeviceRow]] = {}
    for row in rows:
        by_mode.setdefault((row.shape, row.side), {})[row.mode] = row
    found: list[tuple[str, ...]] = []
    for (shape, _), modes in by_mode.items():
        last = list(modes.values())[-1]
        times = [modes.get(mode) for mode in MODES]
        cells = [digits(value) for one in times for value in ((one.ms, one.ratio) if one else (None, None))]
        found.append((shape, last.kernel, *cells, digits(last.floor_ms), f"{last.difference:.0e}"))
    return found
