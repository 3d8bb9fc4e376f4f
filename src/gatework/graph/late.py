"""What of a cell can be computed for the whole sequence after its loop: states that no step reads.

An output that is a matrix times the states, as of a linear recurrent unit, goes back into nothing. So its products need
no loop: all time steps are one product of matrices, and where the loop has no others, what is left of it is a scan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gatework.graph.graph import Graph, Node
from gatework.graph.ops import REDUCTIONS, Op
from gatework.graph.simplify import needed, prune

_JOINING = REDUCTIONS | {Op.MATMUL}
"""Operations that take several entries of a vector."""


@dataclass(frozen=True)
class Late:
    """What comes after the loop.

    `nodes` compute it from the inputs, whose names are `inputs`, and from the loop's states: a STATE node is here what
    a step has left. `states` are the names of those that are computed, and `outputs` the nodes that hold them.
    """

    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    states: tuple[str, ...]
    outputs: tuple[int, ...]


def split_late(graph: Graph) -> tuple[Graph, Late] | None:
    """A loop without its products, and what comes after it; None where products go back into the loop.

    The states of the loop that the late part reads are shown.
    """
    read = {node.name for node in graph.nodes if node.op is Op.STATE}
    late = [k for k, state in enumerate(graph.states) if state not in read and _joins(graph, graph.outputs[k])]
    kept = [k for k in range(len(graph.states)) if k not in late]
    if not late or not kept or any(_joins(graph, graph.outputs[k]) for k in kept):
        return None
    core = {graph.outputs[k]: graph.states[k] for k in kept}
    read_late = needed(graph.nodes, (graph.outputs[k] for k in late), core)
    if any(graph.nodes[k].op is Op.STATE and k not in core for k in read_late):
        return None
    nodes = [
        replace(one, op=Op.STATE, args=(), name=core[k]) if k in core else one for k, one in enumerate(graph.nodes)
    ]
    pruned, moved = prune(nodes, (graph.outputs[k] for k in late))
    after = Late(
        graph.inputs, pruned, tuple(graph.states[k] for k in late), tuple(moved[graph.outputs[k]] for k in late)
    )
    return _core(graph, kept, {*graph.results, *(core[k] for k in read_late & core.keys())}), after


def is_elementwise(graph: Graph) -> bool:
    """Whether every unit of a cell goes along a sequence on its own."""
    return not any(node.op in _JOINING for node in graph.nodes)


def _joins(graph: Graph, k: int) -> bool:
    """Whether a node is made with products or sums over entries."""
    return any(graph.nodes[one].op in _JOINING for one in needed(graph.nodes, [k]))


def _core(graph: Graph, kept: list[int], results: set[str]) -> Graph:
    """The loop with these states, of which some are results, and with the inputs that it reads."""
    nodes, moved = prune(graph.nodes, (graph.outputs[k] for k in kept))
    read = {node.name for node in nodes if node.op is Op.INPUT}
    states = tuple(graph.states[k] for k in kept)
    inputs = tuple(name for name in graph.inputs if name == graph.inputs[0] or name in read)
    return replace(
        graph,
        nodes=nodes,
        states=states,
        outputs=tuple(moved[graph.outputs[k]] for k in kept),
        inputs=inputs,
        masks=tuple(name for name in graph.masks if name in inputs),
        shown=tuple(name for name in states[1:] if name in results),
    )
