"""What of a cell can be computed for the whole sequence after its loop: states that none of the loop reads.

An output that is a matrix times the states, as of a linear recurrent unit, goes back into nothing else. So its products
need no loop: all time steps are one product of matrices, and where the loop has no others, what is left of it is a
scan. Where such a state keeps what it was, as one does when a sequence has ended, it has a loop of its own after that.
"""

from __future__ import annotations

from dataclasses import replace

from gatework.graph.graph import Graph
from gatework.graph.naming import Names
from gatework.graph.ops import AHEAD, REDUCTIONS, Op
from gatework.graph.shapes import reached
from gatework.graph.simplify import needed, prune

_JOINING = REDUCTIONS | {Op.MATMUL}
"""Operations that take several entries of a vector."""


def split_late(graph: Graph) -> tuple[Graph, Graph] | None:
    """A loop without its products, and what comes after it; None where products go back into the loop.

    What comes after is a cell with the other states. Its inputs are those of the whole, then what the loop has computed
    at every step: states, which it shows, and other values, which it has as states that nobody reads. Where the cell
    reads no state, it needs no loop.
    """
    late = [k for k, output in enumerate(graph.outputs) if _joins(graph, output)]
    kept = [k for k in range(len(graph.states)) if k not in late]
    before = needed(graph.nodes, (graph.outputs[k] for k in kept))
    if not late or not kept or _reads(graph, before, late):
        return None
    recurrent = reached(graph.nodes, {Op.STATE})
    after = needed(graph.nodes, (graph.outputs[k] for k in late), {k for k in before if recurrent[k]})
    if _reads(graph, after, kept):
        return None
    made = _named(graph, kept, [k for k in sorted(after & before) if recurrent[k]])
    cell = _after(graph, late, made)
    if reads_state(cell) and not _is_scan(cell.ahead.core):
        return None
    return _core(graph, kept, made), cell


def reads_state(graph: Graph) -> bool:
    """Whether a cell is one: what comes after a loop may need none of its own."""
    return any(node.op is Op.STATE for node in graph.nodes)


def _reads(graph: Graph, nodes: set[int], states: list[int]) -> bool:
    """Whether one of the nodes is one of the states, as the step before has left it."""
    names = {graph.states[k] for k in states}
    return any(graph.nodes[k].op is Op.STATE and graph.nodes[k].name in names for k in nodes)


def _is_scan(graph: Graph) -> bool:
    return is_elementwise(graph) and not any(node.op in AHEAD for node in graph.nodes)


def is_elementwise(graph: Graph) -> bool:
    """Whether every unit of a cell goes along a sequence on its own."""
    return not any(node.op in _JOINING for node in graph.nodes)


def _joins(graph: Graph, k: int) -> bool:
    """Whether a node is made with products or sums over entries."""
    return any(graph.nodes[one].op in _JOINING for one in needed(graph.nodes, [k]))


def _named(graph: Graph, kept: list[int], made: list[int]) -> dict[int, str]:
    """The names of values that the loop has made: of states, of equations, or new ones."""
    names = Names([*graph.inputs, *graph.states, *graph.equations])
    states = {graph.outputs[k]: graph.states[k] for k in kept}
    return {k: states.get(k) or graph.nodes[k].name or names.give("late") for k in made}


def _core(graph: Graph, kept: list[int], made: dict[int, str]) -> Graph:
    """The loop with these states, with what else it has made, and with the inputs that it reads."""
    outputs = {graph.states[k]: graph.outputs[k] for k in kept}
    # States that nobody reads come first.
    outputs = {**{name: k for k, name in made.items() if name not in outputs}, **outputs}
    nodes, moved = prune(graph.nodes, outputs.values())
    read = {node.name for node in nodes if node.op is Op.INPUT}
    inputs = tuple(name for name in graph.inputs if name == graph.inputs[0] or name in read)
    results = {*graph.results, *made.values()}
    return replace(
        graph,
        nodes=nodes,
        states=tuple(outputs),
        outputs=tuple(moved[k] for k in outputs.values()),
        inputs=inputs,
        masks=tuple(name for name in graph.masks if name in inputs),
        shown=tuple(name for name in list(outputs)[1:] if name in results),
    )


def _after(graph: Graph, late: list[int], made: dict[int, str]) -> Graph:
    """The cell with the other states, of which all are shown; the nodes that the loop has made are inputs."""
    nodes = [
        replace(one, op=Op.INPUT, args=(), name=made[k]) if k in made else one for k, one in enumerate(graph.nodes)
    ]
    pruned, moved = prune(nodes, (graph.outputs[k] for k in late))
    states = tuple(graph.states[k] for k in late)
    return replace(
        graph,
        nodes=pruned,
        states=states,
        outputs=tuple(moved[graph.outputs[k]] for k in late),
        inputs=(*graph.inputs, *made.values()),
        shown=states[1:],
    )
