"""`gatework show CELL`: a cell at every stage on the way from its equations to its kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from gatework.cells import find
from gatework.errors import BackendError, UsageError
from gatework.graph import Cell
from gatework.graph.cost_text import cost_sections
from gatework.graph.gradient_text import gradient_sections
from gatework.graph.graph import Graph
from gatework.graph.latex import latex
from gatework.graph.lines import Section, page
from gatework.graph.listing import listing
from gatework.graph.loop import Loop, Plan
from gatework.graph.plan import plan
from gatework.graph.plan_text import TITLES, loop_sections, plan_sections
from gatework.graph.tally import Sizes
from gatework.graph.text import equations


@dataclass(frozen=True)
class _Asked:
    cell: Cell
    sizes: Sizes
    direction: str


def _equations(asked: _Asked) -> str:
    cell = asked.cell
    shapes = [f"  {one.key:<6} {'×'.join(one.shape)}" for one in cell.graph.parameters]
    head = [_title(cell), *([f"source: {cell.source}"] if cell.source else []), ""]
    starts = [f"  {key} {weight.words()}" for key, weight in cell.weights.items()]
    options = ", ".join(f"{name}={value}" for name, value in cell.options.items())
    starts += [f"options: {options}"] if options else []
    counts = ["", f"parameters: {cell.formula()}"]
    return "\n".join([*head, *(f"  {line}" for line in equations(cell.graph)), *counts, *shapes, *starts])


def _latex(asked: _Asked) -> str:
    return latex(asked.cell.graph)


def _graph(asked: _Asked) -> str:
    rows = [("node", "operation", "operands", "shape", "name"), *listing(asked.cell.graph)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _gradient(asked: _Asked) -> str:
    return _page(asked.cell, gradient_sections(asked.cell.graph.whole.core))


def _plan(asked: _Asked) -> str:
    made = _planned(asked.cell)
    return _page(asked.cell, [*plan_sections(made), *cost_sections(made, asked.sizes)])


def _cpu(asked: _Asked) -> str:
    # Imported here: no other stage needs torch or a compiler.
    from gatework.kernels import choose

    choose("cpu", asked.cell.graph)
    from gatework.kernels.cpu.engine import describe
    from gatework.kernels.cpu.tiles import MOST_ROWS
    from gatework.kernels.cpu.writer import write

    sizes = {letter: asked.sizes[letter] for letter in ("N", "H", "1")}
    made, rows = _planned(asked.cell), min(asked.sizes.B, MOST_ROWS)
    head = _page(asked.cell, loop_sections(made, asked.direction))
    code = write(describe(made, asked.direction, sizes, 8 * asked.sizes.itemsize, rows))
    return "\n".join([*(f"; {line}".rstrip() for line in head.splitlines()), "", code])


def _triton(asked: _Asked) -> str:
    from gatework.kernels.triton import scan, sequence

    # All products that read no state are computed before the loop.
    made = _planned(asked.cell, asked.cell.graph.ahead.core)
    loop: Loop = getattr(made, asked.direction)
    head = _page(asked.cell, loop_sections(made, asked.direction))
    backward = asked.direction == "backward"
    code = (scan.write(loop, backward=backward) or sequence.write(loop, backward=backward)).text
    return "\n".join([*(f"# {line}".rstrip() for line in head.splitlines()), "", code])


def _planned(cell: Cell, core: Graph | None = None) -> Plan:
    try:
        return plan(core or cell.graph.parts.core)
    except BackendError as error:
        raise BackendError(f"There is no plan for {cell.name}: {error}; the back-end reference runs it.") from None


def _title(cell: Cell) -> str:
    return f"{cell.name}: {cell.title}"


def _page(cell: Cell, sections: list[Section]) -> str:
    return page([(_title(cell), []), *sections])


STAGES: dict[str, Callable[[_Asked], str]] = {
    "equations": _equations,
    "latex": _latex,
    "graph": _graph,
    "gradient": _gradient,
    "plan": _plan,
    "cpu": _cpu,
    "triton": _triton,
}
"""What can be printed, in the order in which one follows from the other."""


class _SizesType(click.ParamType[Sizes]):
    """Four whole numbers with commas between them."""

    name = "B,T,N,H"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Sizes:
        try:
            B, T, N, H = (int(one) for one in str(value).split(","))
        except ValueError:
            B = T = N = H = 0
        if min(B, T, N, H) < 1:
            raise UsageError(
                f"--sizes is {value!r}: write batch, time steps, inputs and units as four whole numbers, "
                "with commas between them, as in 64,60,16,100."
            )
        return Sizes(B, T, N, H)


@click.command()
@click.argument("cell")
@click.option("--stage", type=click.Choice(list(STAGES)), default="equations", show_default=True, help="What to print.")
@click.option(
    "--sizes",
    type=_SizesType(),
    default="64,60,16,100",
    show_default=True,
    help="Batch, time steps, inputs and units, for the costs of a plan and for the code of cpu.",
)
@click.option(
    "--direction",
    type=click.Choice(list(TITLES)),
    default="forward",
    show_default=True,
    help="The loop whose code cpu or triton prints; forward and backward are those of training.",
)
def show(cell: str, stage: str, sizes: Sizes, direction: str) -> None:
    """Print CELL, a name or ./file.py:function, at one of the stages from its equations to its kernels.

    equations and latex are for reading, graph lists the operations, gradient gives the backward equations, plan says
    what is multiplied, computed and stored when, and at what cost, cpu is the LLVM IR of a kernel, and triton the
    source of one for GPUs.
    """
    click.echo(STAGES[stage](_Asked(find(cell), sizes, direction)))
