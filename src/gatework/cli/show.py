"""`gatework show CELL`: a cell's equations, in the notation asked for."""

from __future__ import annotations

from collections.abc import Callable

import click

from gatework.cells import find
from gatework.graph import Cell
from gatework.graph.latex import latex
from gatework.graph.listing import listing
from gatework.graph.text import equations


def _equations(cell: Cell) -> str:
    shapes = [f"  {one.key:<6} {'×'.join(one.shape)}" for one in cell.graph.parameters]
    head = [f"{cell.name}: {cell.title}", *([f"source: {cell.source}"] if cell.source else []), ""]
    starts = [f"  b.{name} starts at {value:g}" for name, value in cell.bias.items()]
    counts = ["", f"parameters: {cell.graph.formula()}"]
    return "\n".join([*head, *(f"  {line}" for line in equations(cell.graph)), *counts, *shapes, *starts])


def _latex(cell: Cell) -> str:
    return latex(cell.graph)


def _graph(cell: Cell) -> str:
    rows = [("node", "operation", "operands", "shape", "name"), *listing(cell.graph)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


STAGES: dict[str, Callable[[Cell], str]] = {"equations": _equations, "latex": _latex, "graph": _graph}


@click.command()
@click.argument("cell")
@click.option("--stage", type=click.Choice(list(STAGES)), default="equations", show_default=True, help="What to print.")
def show(cell: str, stage: str) -> None:
    """Print the equations of CELL, a name or ./file.py:function."""
    click.echo(STAGES[stage](find(cell)))
