"""Random changes of a cell's equations, as an evolutionary search makes them by the thousand.

Jozefowicz, Zaremba & Sutskever 2015 (ICML) changed cells node by node: another function, another operand, a node more
or less. The changes here are of that kind, and a few that people make: a gate more, two gates coupled, a leak. Each
writes the graph again as expressions, so that a changed cell is checked like any that a person has written.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from gatework.errors import EquationError
from gatework.graph.cell import Cell
from gatework.graph.changes import KINDS
from gatework.graph.draft import Draft
from gatework.graph.graph import Graph, Node
from gatework.graph.ops import LEAVES, REDUCTIONS, Op
from gatework.graph.simplify import simplify

AGAIN = 0.4
"""The probability that after a change another one follows."""


@dataclass(frozen=True)
class Mutant:
    """A changed cell, and in words what was changed, one entry for each change."""

    cell: Cell
    changes: tuple[str, ...]


def mutate(cell: Cell, generator: np.random.Generator) -> Mutant:
    """The cell with one random change, or with several.

    New weights are called `k_1`, `k_2` and so on, and start as usual for their kind; values and weights that stay keep
    their names, whatever has become of them. What is declared of a weight goes with it.

    Raises `EquationError` where the changed equations are no cell: a state that nothing reads, shapes that do not
    close, an output that does not depend on the input and on what was before. The caller draws again.

    >>> from gatework.cells import catalogue
    >>> mutant = mutate(catalogue["gru"], np.random.default_rng(3))
    >>> mutant.changes
    ('r: tanh for sigmoid',)
    """
    graph, changes = cell.graph, list[str]()
    while not changes or generator.random() < AGAIN:
        graph, words = _changed(graph, generator)
        changes.append(words)
    graph = graph if any(node.op in REDUCTIONS for node in graph.nodes) else simplify(graph)
    _check(graph)
    keys = {one.key for one in graph.parameters}
    weights = {key: one for key, one in cell.weights.items() if key in keys}
    return Mutant(replace(cell, graph=graph, weights=weights, options={}, make=None), tuple(changes))


def _changed(graph: Graph, generator: np.random.Generator) -> tuple[Graph, str]:
    """The graph with one change, drawn first by its kind and then by its place."""
    weights = np.array([kind.weight for kind in KINDS])
    kind = KINDS[int(generator.choice(len(KINDS), p=weights / weights.sum()))]
    places = [k for k, node in enumerate(graph.nodes) if kind.fits(node)]
    if not places:
        raise EquationError(f"no node can have {kind.words}")
    target = places[int(generator.integers(len(places)))]
    draft = Draft(graph, target, generator)
    what = kind.change(draft, graph.nodes[target])
    return draft.finish(), f"{_place(graph, target)}: {what}"


def _place(graph: Graph, target: int) -> str:
    """The name of the equation in which a node stands."""
    above = {target}
    for k in range(target, len(graph.nodes)):
        node = graph.nodes[k]
        if k != target and above & {*node.args}:
            above.add(k)
        if k in above and node.name and node.op not in LEAVES:
            return node.name
    return graph.states[0]


def _check(graph: Graph) -> None:
    """Refuse what computes nothing that a recurrent cell is for."""
    if len(set(graph.outputs)) < len(graph.outputs):
        raise EquationError("two of its states are one")
    for k, node in enumerate(graph.nodes):
        if node.args and all(graph.nodes[arg].op is Op.CONSTANT for arg in node.args):
            raise EquationError(f"node {k} computes a constant")
    if _is_redundant(graph):
        raise EquationError("two matrices of it multiply the same vector in one sum, where one would do")
    needs = [_leaves(graph, k) for k in graph.outputs]
    reached, before = needs[0], frozenset[str]()
    while reached != before:  # through the states, step by step back in time
        before = reached
        reached = before.union(
            *(need for state, need in zip(graph.states, needs, strict=True) if f"state {state}" in before)
        )
    if f"input {graph.inputs[0]}" not in reached:
        raise EquationError("its output does not depend on the input")
    missing = [state for state in graph.states[1:] if f"state {state}" not in reached]
    if missing or not any(one.startswith("state ") for one in reached):
        raise EquationError(f"its output does not depend on the state {' or '.join(missing or graph.states)}")


def _is_redundant(graph: Graph) -> bool:
    """Whether a sum has two products with the same vector, or two biases, of which one could be any other number."""
    used = Counter(arg for node in graph.nodes for arg in node.args)
    for k, node in enumerate(graph.nodes):
        if node.op is not Op.ADD:
            continue
        terms, stack = list[Node](), [k]
        while stack:
            one = graph.nodes[stack.pop()]
            if one.op is Op.ADD:
                stack.extend(one.args)
            else:
                terms.append(one)
        free = {one.args[1] for one in terms if one.op is Op.MATMUL and used[one.args[0]] == 1}
        vectors = Counter(one.args[1] for one in terms if one.op is Op.MATMUL)
        if any(vectors[vector] > 1 for vector in free) or sum(one.op is Op.PARAMETER for one in terms) > 1:
            return True
    return False


def _leaves(graph: Graph, root: int) -> frozenset[str]:
    """The inputs and the states that a value is computed from."""
    found, stack = set[int](), [root]
    while stack:
        k = stack.pop()
        if k not in found:
            found.add(k)
            stack.extend(graph.nodes[k].args)
    nodes = [graph.nodes[k] for k in found]
    return frozenset(f"{one.op} {one.name}" for one in nodes if one.op in (Op.INPUT, Op.STATE))
