"""What of a cell can be computed for the whole sequence before its loop begins, and has to be: it has another size.

A loop over time works on vectors of H entries. Arithmetic on vectors of the input's size, `tanh(x)` or `mean(x)`,
depends on no state; so it is done ahead, and the loop reads its results as further inputs. So may be products that
read no state, where that is faster: in a cell that has no others the loop is then a scan. In a cell that adds its
input to its states, the input itself is such a result. What is taken over all time steps at once, batch norm, cannot
be done in a loop at all: a layer does it, and its back-ends see the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from gatework.errors import BackendError, EquationError
from gatework.graph.graph import Graph, Node
from gatework.graph.late import is_elementwise, split_late
from gatework.graph.naming import Names
from gatework.graph.ops import AHEAD, LEAVES, REDUCTIONS, WHOLE, Op
from gatework.graph.shapes import Untyped, infer, reached
from gatework.graph.simplify import needed, prune


@dataclass(frozen=True)
class Split:
    """A cell in two parts, or three.

    `core` is the loop's: its inputs are those of the cell, then the results of the early part. `nodes` are what the
    early part computes, and `results` the positions of its results in them. Where there is a `late` part, a cell
    that comes after the loop, some states are not the loop's, and some inputs not.
    """

    core: Graph
    nodes: tuple[Node, ...] = ()
    results: tuple[int, ...] = ()
    late: Graph | None = None

    @cached_property
    def joint(self) -> tuple[tuple[int, ...], ...]:
        """Positions of products that may be one product: of matrices that are weights, with the same vector."""
        found: dict[int, list[int]] = {}
        for k, node in enumerate(self.nodes):
            if node.op is Op.MATMUL and self.nodes[node.args[0]].op is Op.PARAMETER:
                found.setdefault(node.args[1], []).append(k)
        return tuple(tuple(one) for one in found.values() if len(one) > 1)


def split(graph: Graph) -> Split:
    """The two parts of a cell; `Graph.parts` keeps them.

    Raises `BackendError` where a state is the result of the early part alone.
    """
    must = _before_loop(graph)
    if must & set(graph.outputs):
        raise BackendError("one of its states is set to a function of the input alone, whose size is the input's")
    return _cut(graph, must, square=False)


def split_whole(graph: Graph) -> Split:
    """The two parts of a cell of which the first ends with what is taken over all time steps; `Graph.whole` keeps them.

    Raises `EquationError` where a state is set to such a result alone.
    """
    # What no loop computes is done with what it is made of; so are the operations themselves, which are among that.
    follows = reached(graph.nodes, WHOLE)
    must = {k for k in _must(graph) if follows[k]}
    if must & set(graph.outputs):
        raise EquationError("one of its states is what is taken over all time steps, and reads no state")
    return _cut(graph, must, square=graph.square)


def split_products(graph: Graph) -> Split:
    """The parts of a cell of which the first has all products that read no state; `Graph.ahead` keeps them.

    Where all others make states that no step reads, they come after the loop. Where there are no others, what is left
    is a scan: each unit goes along the sequence on its own. So that it is one, sums over entries that read no state are
    taken before the loop too, with what is made of them.
    """
    recurrent = reached(graph.nodes, {Op.STATE})
    products = {k for k, node in enumerate(graph.nodes) if node.op is Op.MATMUL and not recurrent[k]}
    summed = reached(graph.nodes, REDUCTIONS)
    sums = {k for k in range(len(graph.nodes)) if summed[k] and not recurrent[k]}
    must = _before_loop(graph) | products
    found = _around_loop(graph, must)
    if not sums or (is_elementwise(found.core) and not found.late):
        return found
    scan = _around_loop(graph, must | sums)
    better = is_elementwise(scan.core) and (not scan.late or not is_elementwise(found.core))
    return scan if better else found


def _around_loop(graph: Graph, must: set[int]) -> Split:
    """The parts of a cell whose first ends with these nodes, as far as its states allow it."""
    found = split(graph) if must & set(graph.outputs) else _cut(graph, must, square=False)
    after = split_late(found.core)
    return replace(found, core=after[0], late=after[1]) if after else found


def _cut(graph: Graph, must: set[int], *, square: bool) -> Split:
    """The cell cut where the nodes that must come early end; its loop is one of a cell that is `square`, or not."""
    used = needed(graph.nodes, graph.outputs, must)
    results = sorted(used & must)
    first = next((k for k, node in enumerate(graph.nodes) if _is_first(graph, node)), -1)
    if graph.square and not square and first in used:  # the loop reads it entry by entry: its size is another there
        results.insert(0, first)
    if not results:
        return Split(graph)
    nodes, moved = prune(graph.nodes, results)
    return Split(_core(graph, results, square=square), nodes, tuple(moved[k] for k in results))


def _is_first(graph: Graph, node: Node) -> bool:
    return node.op is Op.INPUT and node.name == graph.inputs[0]


def _must(graph: Graph) -> set[int]:
    """The nodes that no loop computes: they have N entries, or are made from such vectors, or no kernel has them."""
    found, recurrent = set[int](), reached(graph.nodes, {Op.STATE})
    for k, node in enumerate(graph.nodes):
        operand = node.args[-1] if node.args else -1
        wide = node.shape == ("N",) and node.op not in LEAVES
        reduced = node.op in REDUCTIONS and graph.nodes[operand].shape == ("N",)
        ahead = node.op in AHEAD | WHOLE and not recurrent[k]
        if wide or reduced or ahead or (node.op is Op.MATMUL and operand in found):
            found.add(k)
    return found


def _before_loop(graph: Graph) -> set[int]:
    """What has to come before the loop. Raises `BackendError` where it reads a state, which only the loop has."""
    must, recurrent = _must(graph), reached(graph.nodes, {Op.STATE})
    if any(recurrent[k] for k in must):
        raise BackendError("it computes with a state and vectors of the input's size together")
    return must


def _core(graph: Graph, results: list[int], *, square: bool) -> Graph:
    """The graph with the results as inputs."""
    kept: list[Node] = list(graph.nodes)
    names = Names([*graph.inputs, *graph.states, *(node.name for node in graph.nodes)])
    given: list[str] = []
    for k in results:
        node = kept[k]
        own = node.name if node.op not in LEAVES else names.give(f"{node.name}_entries")
        given.append(own or names.give(f"early_{len(given)}"))
        kept[k] = replace(node, op=Op.INPUT, args=(), name=given[-1], value=0.0)
    inputs = (*graph.inputs, *given)
    nodes, moved = prune(kept, graph.outputs)
    outputs = tuple(moved[k] for k in graph.outputs)
    shapes = infer([Untyped(node.op, node.args, node.name) for node in nodes], outputs, inputs, square=square)
    typed = tuple(replace(node, shape=shape) for node, shape in zip(nodes, shapes, strict=True))
    return replace(graph, nodes=typed, outputs=outputs, inputs=inputs)
