"""Write the pages of the cells, `docs/cells/`: `python scripts/cell_pages.py`.

A page is a function of the cell's file and of what `benchmarks/cells.py` stored.
"""

import importlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatework.cells import catalogue
from gatework.graph.document import cell_page

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "cells"
RECORD = ROOT / "benchmarks" / "results" / "cells.json"


def pages() -> dict[str, str]:
    """The name of each file, and what stands in it."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    made = {}
    rows = ["# The cells", "", "| cell | what it is | states | parameters |", "|---|---|---|---|"]
    for name, cell in catalogue.items():
        remarks = inspect.getdoc(importlib.import_module(f"gatework.cells.{name}")) or ""
        made[f"{name}.md"] = cell_page(cell, remarks, speed(name, record))
        rows.append(f"| [`{name}`]({name}.md) | {cell.title} | {', '.join(cell.states)} | {cell.formula()} |")
    return {"README.md": "\n".join([*rows, ""]), **made}


def speed(name: str, record: Mapping[str, Mapping[str, Any]]) -> str:
    """What was measured of a cell: shape → `command`, `processor`, `torch`, `cells`."""
    found = {shape: one for shape, one in record.items() if name in one["cells"]}
    if not found:
        return "Not measured yet: `python benchmarks/cells.py --missing` does it."
    commands = dict.fromkeys(
        f"`{one['command']}` on {one['processor']}, one thread, float32, torch {one['torch']}" for one in found.values()
    )
    kernels = dict.fromkeys(modes["kernel"] for one in found.values() for modes in one["cells"][name].values())
    rows = []
    for shape, one in found.items():
        forward, training = one["cells"][name]["forward"], one["cells"][name]["training"]
        times = f"{_digits(forward['ms'])} | {_digits(training['ms'])}"
        rows.append(f"| {shape} | {times} | {forward['per_flop']:.2f} | {training['per_flop']:.2f} |")
    return "\n".join(
        [
            "| B,T,N,H | forward, ms | training step, ms | time per FLOP over the LSTM's, forward | training step |",
            "|---|---:|---:|---:|---:|",
            *rows,
            "",
            f"Measured by {'; '.join(commands)}, on the back-end {' and '.join(kernels)}. "
            "[All cells](../results/cells.md), [every way to run them](../results/table.md).",
        ]
    )


def _digits(ms: float) -> str:
    """Milliseconds with three digits or so."""
    return f"{ms:.3f}" if ms < 0.1 else f"{ms:.2f}" if ms < 10 else f"{ms:.1f}"


def main() -> None:
    """Write every page, and remove those of cells that are no more."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for old in set(FOLDER.glob("*.md")) - {FOLDER / name for name in made}:
        old.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
