"""`gatework cells`: the catalogue."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gatework.cells import catalogue
from gatework.graph import Cell


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option("--inputs", "N", default=1, show_default=True, type=click.IntRange(1), help="Inputs N to count for.")
@click.option("--hidden", "H", default=64, show_default=True, type=click.IntRange(1), help="Units H to count for.")
def cells(as_json: bool, N: int, H: int) -> None:
    """List the cells: their states, gates and trained parameters."""
    rows = [_row(cell, N, H) for cell in catalogue.values()]
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("cell", "states", "gates", "parameters"):
        # Names are for other commands: they stand in full, whatever the terminal's width.
        table.add_column(heading, no_wrap=True, min_width=max(map(len, catalogue)) if heading == "cell" else None)
    table.add_column(f"N={N}, H={H}", justify="right", no_wrap=True)
    table.add_column("what it is")
    for row in rows:
        table.add_row(
            row["cell"],
            ", ".join(row["states"]),
            ", ".join(row["gates"]) or "-",
            row["formula"],
            f"{row['parameters']:,}",
            row["title"],
        )
    console = Console()
    console.print(table)


def _row(cell: Cell, N: int, H: int) -> dict[str, Any]:
    return {
        "cell": cell.name,
        "title": cell.title,
        "source": cell.source,
        "states": list(cell.states),
        "gates": list(cell.graph.gates),
        "options": dict(cell.options),
        "formula": cell.formula(),
        "parameters": cell.count(N, H),
        "inputs": N,
        "hidden": H,
    }
