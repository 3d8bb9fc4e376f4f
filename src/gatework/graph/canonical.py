"""Whether two cells are the same computation, whatever their values and their weights are called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from gatework.graph.cell import Cell
from gatework.graph.graph import Graph, Node
from gatework.graph.ops import Op
from gatework.graph.simplify import simplify
from gatework.graph.steps import COMMUTATIVE


def canonical(cell: Cell) -> str:
    """A text that is equal for equal computations: simplified, without names, `a + b` like `b + a`.

    Weights are told apart by how they start and by where they are used, not by what they are called. Two texts may
    differ though the cells compute the same, where only algebra shows it: `1 - (1 - z)` is not `z`.

    >>> from gatework.graph import U, W, cell, tanh
    >>> @cell
    ... def one(x, h):
    ...     return tanh(W.a @ x + U.a @ h)
    >>> @cell
    ... def other(x, h):
    ...     return tanh(U.k @ h + W.k @ x)
    >>> canonical(one) == canonical(other)
    True
    """
    graph = simplify(cell.graph)
    starts = {key: weight.words() for key, weight in cell.weights.items()}
    anonymous = {node.name: _start(starts, node.name) for node in graph.nodes if node.op is Op.PARAMETER}
    first = _digests(graph, anonymous)
    numbered: dict[str, str] = {}
    for key in _in_order(graph, first):
        numbered[key] = f"{_start(starts, key)} {len(numbered)}"
    found = _digests(graph, numbered)
    return _digest(*(found[k] for k in graph.outputs))


def _start(starts: Mapping[str, str], key: str) -> str:
    return f"{key[0]} {starts.get(key, '')}"


def _digests(graph: Graph, weights: Mapping[str, str]) -> list[str]:
    """For every node a text of all that it is computed from."""
    found: list[str] = []
    states = {state: f"state {k}" for k, state in enumerate(graph.states)}
    inputs = {name: f"input {k}" for k, name in enumerate(graph.inputs)}
    leaves = {**weights, **states, **inputs}
    for node in graph.nodes:
        args = [found[arg] for arg in node.args]
        if node.op in COMMUTATIVE:
            args.sort()
        leaf = "" if node.args else leaves.get(node.name, node.name)
        found.append(_digest(node.op, leaf, repr(node.value), *args))
    return found


def _in_order(graph: Graph, digests: list[str]) -> list[str]:
    """The weights in the order in which a walk from the outputs meets them; it takes `a + b` in an order of its own."""
    met: dict[str, None] = {}
    seen, stack = set[int](), list(reversed(graph.outputs))
    while stack:
        k = stack.pop()
        if k in seen:
            continue
        seen.add(k)
        node = graph.nodes[k]
        if node.op is Op.PARAMETER:
            met.setdefault(node.name)
        stack.extend(reversed(_operands(node, digests)))
    return list(met)


def _operands(node: Node, digests: list[str]) -> list[int]:
    return sorted(node.args, key=lambda arg: digests[arg]) if node.op in COMMUTATIVE else list(node.args)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
