"""What a cell's time consists of, found by taking parts of its equations away and timing what is left.

The cells made here compute nothing that anybody wants. They run on the same back-end as the cell they come from.
"""

from __future__ import annotations

from dataclasses import replace

from gatework.errors import EquationError
from gatework.graph import Cell, Graph, Node
from gatework.graph.build import from_json
from gatework.graph.ops import Op

FUNCTIONS = frozenset({Op.SIGMOID, Op.TANH, Op.SOFTPLUS, Op.EXP, Op.LOG, Op.SQRT})
"""Operations that cost more than an addition or a comparison."""

WHOLE, FUNCTIONLESS, PRODUCTLESS = "whole", "functionless", "productless"
"""The names of the cell as it is, without its functions, and without its products."""


def variants(cell: Cell) -> dict[str, Cell]:
    """The cells to time, by name; empty where one of them is no cell, as one that only products make one."""
    try:
        # Renamed, a cell that torch has runs in the same layer as the other two.
        return {
            WHOLE: _named(cell, WHOLE, cell.graph),
            FUNCTIONLESS: without_functions(cell),
            PRODUCTLESS: without_products(cell),
        }
    except EquationError:
        return {}


def without_functions(cell: Cell) -> Cell:
    """The cell with a comparison with zero in place of every function.

    >>> from gatework.cells import catalogue
    >>> from gatework.graph.text import equations
    >>> equations(without_functions(catalogue["rnn"]).graph)
    ['hₜ = relu(W_h xₜ + U_h hₜ₋₁ + b_h)']
    """
    nodes = tuple(replace(node, op=Op.RELU) if node.op in FUNCTIONS else node for node in cell.graph.nodes)
    return _named(cell, FUNCTIONLESS, replace(cell.graph, nodes=nodes))


def without_products(cell: Cell) -> Cell:
    """The cell with a vector, entry by entry, in place of every square matrix.

    What is left of the products of an input goes with its entries: measure the cell with one.

    >>> from gatework.cells import catalogue
    >>> from gatework.graph.text import equations
    >>> equations(without_products(catalogue["rnn"]).graph)
    ['hₜ = tanh(W_h xₜ + p_Uh ⊙ hₜ₋₁ + b_h)']
    """
    nodes = tuple(_entrywise(node, cell.graph) for node in cell.graph.nodes)
    return _named(cell, PRODUCTLESS, replace(cell.graph, nodes=nodes))


def _entrywise(node: Node, graph: Graph) -> Node:
    if node.op is Op.PARAMETER and node.shape[0] == node.shape[-1] and len(node.shape) == 2:
        return replace(node, name=f"p.{node.name.replace('.', '')}", shape=node.shape[:1])
    if node.op is Op.MATMUL and graph.nodes[node.args[1]].shape == node.shape:
        return replace(node, op=Op.MULTIPLY)
    return node


def _named(cell: Cell, what: str, graph: Graph) -> Cell:
    """A checked cell. Raises `EquationError` where the graph makes none."""
    made = from_json(graph.to_json())
    known = {one.key for one in made.parameters}
    weights = {key: weight for key, weight in cell.weights.items() if key in known}
    return Cell(f"{cell.name}_{what}", cell.title, "", made, weights)
