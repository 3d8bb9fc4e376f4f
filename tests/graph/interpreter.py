"""Nodes of any pass, evaluated in numpy for one sequence: what derivatives are compared with others by."""

import numpy as np
from random_cells import NUMPY, SIZES

from gatework.graph.ops import LEAVES, Op

LENGTHS = {**SIZES, "1": 1}

DERIVED = {
    Op.TRANSPOSED: lambda matrix, vector: matrix.T @ vector,
    Op.OUTER: np.multiply.outer,
    Op.WHERE: lambda a, value: np.where(a > 0, value, 0.0),
}

CORNERS = {
    Op.RELU: lambda a: a,
    Op.ABS: lambda a: a,
    Op.MAXIMUM: np.subtract,
    Op.MINIMUM: np.subtract,
}


def interpret(nodes, leaves):
    """The value of every node, from those of the leaves by their names; each has the shape that its node says."""
    values = []
    for k, node in enumerate(nodes):
        operands = [values[arg] for arg in node.args]
        if node.op in LEAVES:
            value = _leaf(node, leaves)
        elif node.op is Op.SPREAD:
            value = np.broadcast_to(operands[0], _shape(node))
        else:
            value = (NUMPY | DERIVED)[node.op](*operands)
        assert np.shape(value) == _shape(node), f"node {k} ({node.op}) is {np.shape(value)}, not {node.shape}"
        values.append(value)
    return values


def _leaf(node, leaves):
    if node.op is Op.CONSTANT:
        return np.float64(node.value)
    if node.op is Op.SIZE:
        return np.float64(SIZES[node.name])
    return leaves[node.name]


def _shape(node):
    """The shape in numbers: what is one number for a sequence has no axis here."""
    return () if node.shape == ("1",) else tuple(LENGTHS[letter] for letter in node.shape)


def nearest_corner(graph, leaves):
    """How near an operand comes to a corner of its function without standing in it, where rounding would decide."""
    values = interpret(graph.nodes, leaves)
    found = [np.inf]
    for node in graph.nodes:
        if node.op in CORNERS:
            distance = np.abs(CORNERS[node.op](*(values[arg] for arg in node.args)))
            found.append(np.min(distance, where=distance > 0, initial=np.inf))
    return min(found)
