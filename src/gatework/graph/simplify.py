"""The same cell with fewer operations, and with means written as sums."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from gatework.graph.graph import Graph, Node
from gatework.graph.ops import LEAVES, Op
from gatework.graph.steps import Steps


def simplify(graph: Graph) -> Graph:
    """The same equations, each operation once.

    A mean becomes a sum over a number of entries, so that later passes know one reduction. The order in which the
    equations first use the weights is kept.
    """
    steps = Steps()
    position: list[int] = []
    for node in graph.nodes:
        args = tuple(position[arg] for arg in node.args)
        if node.op in LEAVES:
            position.append(steps.leaf(node))
        elif node.op is Op.MEAN and graph.nodes[node.args[0]].shape == ("1",):
            position.append(args[0])
        elif node.op is Op.MEAN:
            entries = steps.size(graph.nodes[node.args[0]].shape[0])
            total = steps.add(Op.SUM, *args, line=node.line)
            position.append(steps.add(Op.DIVIDE, total, entries, name=node.name, line=node.line))
        else:
            position.append(steps.add(node.op, *args, name=node.name, line=node.line, shape=node.shape))
    nodes, kept = prune(steps.nodes, [position[output] for output in graph.outputs])
    return replace(graph, nodes=nodes, outputs=tuple(kept[position[output]] for output in graph.outputs))


def needed(nodes: Sequence[Node], roots: Iterable[int], known: Collection[int] = ()) -> set[int]:
    """The nodes that some are made from, themselves among them; but not what known ones are made from."""
    found, stack = set[int](), list(roots)
    while stack:
        k = stack.pop()
        if k not in found:
            found.add(k)
            stack.extend(() if k in known else nodes[k].args)
    return found


def prune(nodes: Sequence[Node], roots: Iterable[int]) -> tuple[tuple[Node, ...], dict[int, int]]:
    """The nodes that the roots need, and where each of them went."""
    kept = sorted(needed(nodes, roots))
    moved = {k: position for position, k in enumerate(kept)}
    return tuple(replace(nodes[k], args=tuple(moved[arg] for arg in nodes[k].args)) for k in kept), moved
