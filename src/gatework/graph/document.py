"""A cell's page in the documents: all of it follows from the graph."""

from __future__ import annotations

from gatework.errors import BackendError
from gatework.graph.cell import Cell
from gatework.graph.cost import ahead, cost
from gatework.graph.cost_text import amount
from gatework.graph.graph import Graph
from gatework.graph.latex import latex
from gatework.graph.ops import LEAVES, Op
from gatework.graph.plan import plan
from gatework.graph.tally import Sizes

N, H = 64, 128
"""The sizes for which a page counts."""


DIFFERENCES = "Where libraries differ:"
"""Below these words a cell's file says how libraries have the cell."""


def cell_page(cell: Cell, remarks: str, speed: str = "") -> str:
    """The page of a cell, in Markdown; `remarks` is what its file says of it, `speed` what was measured."""
    remarks, _, differences = remarks.partition(DIFFERENCES)
    states = ", ".join(f"`{state}`" for state in cell.states)
    parts = [
        f"# {cell.name}",
        "",
        f"**{cell.title}.** {' '.join(remarks.split())}",
        "",
        f"Source: {cell.source}.",
        "",
        "$$",
        latex(cell.graph),
        "$$",
        "",
        "| | |",
        "|---|---|",
        f"| states | {states}; the first is the output |",
        f"| gates | {', '.join(f'`{gate}`' for gate in cell.graph.gates) or 'none'} |",
        f"| parameters | {cell.formula()} |",
        *_counts(cell),
        *([f"| options | {_options(cell)} |"] if cell.options else []),
        *(f"| `{key}` | {weight.words()} |" for key, weight in cell.weights.items()),
        "",
        "What depends on what, from the input and the old states to the new ones:",
        "",
        "```mermaid",
        *flow(cell.graph),
        "```",
        "",
        *([f"## {DIFFERENCES.rstrip(':')}", "", differences.strip(), ""] if differences else []),
        *(["## Measured speed", "", speed, ""] if speed else []),
    ]
    return "\n".join(parts)


def _options(cell: Cell) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in cell.options.items())


def _counts(cell: Cell) -> list[str]:
    inputs = H if cell.graph.square else N
    rows = [f"| at N = {inputs}, H = {H} | {cell.count(inputs, H):,} parameters |"]
    try:
        made = plan(cell.graph.parts.core)
    except BackendError as error:
        return [*rows, f"| compiled | no: {error} |"]
    sizes = Sizes(B=1, T=1, N=inputs, H=H)
    found, (before, before_back) = cost(made, sizes), ahead(cell.graph.parts.nodes, sizes)
    forward = f"{amount(found.forward.flops + before)} floating-point operations of products for a step"
    back = f"{amount(found.training_flops() - found.forward.flops + before_back)} more for its gradient"
    stages = len(made.inference.stages)
    early = len(cell.graph.parts.results)
    first = f", {early} vector{'s' * (early > 1)} computed before it" if early else ""
    return [*rows, f"| cost | {forward}, {back} |", f"| loop over time | {stages} stage{'s' * (stages > 1)}{first} |"]


def flow(graph: Graph) -> list[str]:
    """The drawing of the data flow: inputs, old states and equations, in the language of Mermaid."""
    lines = ["flowchart LR"]
    lines += [f"  in_{name}([{name}])" for name in graph.inputs]
    lines += [f"  old_{state}[(old {state})]" for state in graph.states if _reads(graph, state)]
    lines += [f"  {name}[{name}]" for name in graph.equations]
    for name, k in graph.equations.items():
        lines += [f"  {source} --> {name}" for source in _sources(graph, k)]
    named = {k: name for name, k in graph.equations.items()}
    for state, k in zip(graph.states, graph.outputs, strict=True):
        if named.get(k, "") != state:  # the state is the value of another equation
            lines.append(f"  {named.get(k, 'value')} --> new_{state}[({state})]")
    return lines


def _reads(graph: Graph, state: str) -> bool:
    return any(node.op is Op.STATE and node.name == state for node in graph.nodes)


def _sources(graph: Graph, k: int) -> list[str]:
    """What an equation reads, by the names of the drawing, in order of appearance."""
    found: dict[str, None] = {}
    stack = list(reversed(graph.nodes[k].args))
    while stack:
        node = graph.nodes[one := stack.pop()]
        if node.op is Op.INPUT:
            found[f"in_{node.name}"] = None
        elif node.op is Op.STATE:
            found[f"old_{node.name}"] = None
        elif node.name and node.op not in LEAVES and graph.equations.get(node.name) == one:
            found[node.name] = None
        else:
            stack.extend(reversed(node.args))
    return list(found)
