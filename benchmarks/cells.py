"""Every cell of the catalogue, at one shape or at seven: its time, and its time per operation beside our LSTM's.

`python benchmarks/cells.py` measures one shape, `--shapes all` the seven of `gatework bench`, one thread; the minutes
are on the page. A shape is stored in `benchmarks/results/cells.json` as soon as it is measured, and `--missing` leaves
out what is stored: kill it anywhere, and go on with `--missing`. Then it writes `docs/results/cells.md` from the
record, as `--page` does alone. `scripts/cell_pages.py` shows the record on the cells' own pages.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from gatework.bench.job import Job
from gatework.bench.machine import processor, versions
from gatework.bench.process import time_sides
from gatework.bench.record import SHAPES as SECTION
from gatework.bench.request import Request
from gatework.bench.rows import Place, rows
from gatework.bench.shapes import MIDDLE, SHAPES, Shape
from gatework.bench.side import MODES
from gatework.bench.sides import OURS
from gatework.bench.timing import QUICK, Effort
from gatework.cells import catalogue
from gatework.graph.plan import plan

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "results" / "cells.md"
RECORD = Path(__file__).parent / "results" / "cells.json"

LSTM = "lstm"
"""The cell whose time per operation is the measure of the others'."""

Measured = dict[str, Any]
"""What was found at one shape: `command`, `processor`, `torch`, `seconds`, and `cells`: name → mode → numbers."""


def measure(shape: Shape, names: Sequence[str], effort: Effort) -> Measured:
    """Our times of cells at one shape, results checked equal to the reference's first, all in one process in turn."""
    began = perf_counter()
    names = list(dict.fromkeys([LSTM, *names]))
    request = Request(tuple(names), (shape,), (1,), (), effort=effort)
    job = Job(str(shape), 1, request.dtype, False, tuple((name, OURS.name) for name in names), effort)
    with TemporaryDirectory(prefix="gatework-bench-") as cache:
        timed = time_sides(job, cache)
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for row in rows(request, Place(SECTION, shape, 1), timed, {}):
        found[row.cell][row.mode] = {"ms": row.ms, "gflops": row.gflops, "kernel": row.kernel}
    for one in found.values():
        for mode, numbers in one.items():
            numbers["per_flop"] = found[LSTM][mode]["gflops"] / numbers["gflops"]
    return {
        "command": shlex.join(["python", "benchmarks/cells.py", *sys.argv[1:]]),
        "processor": processor()["name"],
        "torch": versions()["torch"],
        "seconds": round(perf_counter() - began),
        "cells": {name: {mode: _short(one) for mode, one in found[name].items()} for name in names},
    }


def _short(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers with four digits."""
    return {key: float(f"{one:.4g}") if isinstance(one, float) else one for key, one in numbers.items()}


def measure_all(shapes: Sequence[Shape], names: Sequence[str], effort: Effort, path: Path, *, missing: bool) -> None:
    """Measure shape after shape, and store each; with `missing` only cells that are not stored for it."""
    for shape in shapes:
        record = read(path)
        before = record.get(str(shape), {"cells": {}})
        wanted = [name for name in names if not (missing and name in before["cells"])]
        if not wanted:
            continue
        print(f"{shape}: {len(wanted)} cells", file=sys.stderr)
        found = measure(shape, wanted, effort)
        same = all(before.get(key) == found[key] for key in ("processor", "torch"))
        if missing and same:  # the LSTM is measured again as a measure for the others, and stays as it was
            found = {**found, "cells": {**found["cells"], **before["cells"]}}
            found["seconds"] += before["seconds"]
        order = [name for name in catalogue if name in found["cells"]]
        record[str(shape)] = {**found, "cells": {name: found["cells"][name] for name in order}}
        write(path, record)


def read(path: Path) -> dict[str, Measured]:
    """The record: shape → what was found, empty where nothing is stored."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(path: Path, record: Mapping[str, Measured]) -> None:
    """Store the record, the shapes in the order of `gatework bench`; a file that is half written is never there."""
    order = [str(one) for one in SHAPES]
    shapes = sorted(record, key=lambda one: order.index(one) if one in order else len(order))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps({one: record[one] for one in shapes}, indent=1) + "\n", encoding="utf-8")
    aside.replace(path)


def page(record: Mapping[str, Measured]) -> str:
    """Both tables: one shape in detail, and every shape that is stored."""
    lines = ["# Every cell, measured", "", *_detailed(record.get(str(MIDDLE)))]
    if len(record) > 1:
        lines += ["", *_shapes(record)]
    return "\n".join([*lines, ""])


def _detailed(one: Measured | None) -> list[str]:
    if one is None:
        return []
    lines = [
        f"`{one['command']}` on {one['processor']}, one thread, float32, torch {one['torch']}, "
        f"B = {MIDDLE.B}, T = {MIDDLE.T}, N = {MIDDLE.N}, H = {MIDDLE.H}.",
        "",
        "A cell with one stage has all its products in one pass over the units; a product with a vector of the same",
        "step begins another stage. Time per floating-point operation counts the products alone, over our LSTM's:",
        "below 1 is faster. Cells without a recurrent matrix have few products, and their arithmetic on entries shows.",
        "",
        "| cell | stages | forward, ms | training step, ms | GFLOP/s | time per FLOP, forward | training step |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, modes in one["cells"].items():
        forward, training = (modes[mode] for mode in MODES)
        stages = len(plan(catalogue[name].graph.parts.core).inference.stages)
        lines.append(
            f"| `{name}` | {stages} | {forward['ms']:.2f} | {training['ms']:.2f} | {training['gflops']:.0f} | "
            f"{forward['per_flop']:.2f} | {training['per_flop']:.2f} |"
        )
    return lines


def _shapes(record: Mapping[str, Measured]) -> list[str]:
    """One table: a row for every cell, a column for every shape."""
    minutes = sum(one["seconds"] for one in record.values()) / 60
    about = dict.fromkeys(f"`{one['command']}` on {one['processor']}, torch {one['torch']}" for one in record.values())
    lines = [
        "## Every cell at every shape",
        "",
        f"{'; '.join(about)}. {minutes:.0f} minutes, one thread, float32.",
        "",
        "The columns are B,T,N,H. Milliseconds of the forward pass / of the training step, and in brackets the times",
        "of both per floating-point operation over our LSTM's.",
        "",
        f"| cell | {' | '.join(record)} |",
        f"|---|{'---:|' * len(record)}",
    ]
    for name in catalogue:
        found = [one["cells"].get(name) for one in record.values()]
        if any(found):
            lines.append(f"| `{name}` | {' | '.join(_entry(one) if one else '' for one in found)} |")
    return lines


def _entry(modes: Mapping[str, Mapping[str, float]]) -> str:
    ms, ratios = ([modes[mode][key] for mode in MODES] for key in ("ms", "per_flop"))
    return f"{' / '.join(_milliseconds(one) for one in ms)} ({' / '.join(f'{one:.2f}' for one in ratios)})"


def _milliseconds(ms: float) -> str:
    """Three digits that say something.

    >>> _milliseconds(0.0321), _milliseconds(3.214), _milliseconds(123.4)
    ('0.032', '3.21', '123')
    """
    return f"{ms:.3f}" if ms < 0.1 else f"{ms:.2f}" if ms < 10 else f"{ms:.1f}" if ms < 100 else f"{ms:.0f}"


def main() -> None:
    """Measure what is asked for, store it, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default=str(MIDDLE), help="all, or B,T,N,H with a blank between two")
    parser.add_argument("--cells", default=",".join(catalogue), help="names with commas between them")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--missing", action="store_true", help="measure only what is not stored yet")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page from what is stored")
    parser.add_argument("--record", type=Path, default=RECORD, help="where it is stored")
    parser.add_argument("--out", type=Path, default=PAGE, help="where the page is written")
    asked = parser.parse_args()
    shapes = SHAPES if asked.shapes == "all" else [Shape.parse(one) for one in asked.shapes.split()]
    if not asked.page:
        effort = QUICK if asked.quick else Effort()
        measure_all(shapes, asked.cells.split(","), effort, asked.record, missing=asked.missing)
    asked.out.write_text(page(read(asked.record)), encoding="utf-8")


if __name__ == "__main__":
    main()
