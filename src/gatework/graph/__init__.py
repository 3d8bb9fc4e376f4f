"""The little language in which cells are written, and the graphs that it records."""

from gatework.graph.cell import Cell
from gatework.graph.expression import (
    U,
    W,
    absolute,
    b,
    cos,
    exp,
    floor,
    log,
    maximum,
    mean,
    minimum,
    p,
    relu,
    sigmoid,
    sin,
    softplus,
    sqrt,
    tanh,
    total,
)
from gatework.graph.graph import Graph, Node, Parameter
from gatework.graph.trace import cell

__all__ = [
    "Cell",
    "Graph",
    "Node",
    "Parameter",
    "U",
    "W",
    "absolute",
    "b",
    "cell",
    "cos",
    "exp",
    "floor",
    "log",
    "maximum",
    "mean",
    "minimum",
    "p",
    "relu",
    "sigmoid",
    "sin",
    "softplus",
    "sqrt",
    "tanh",
    "total",
]
