"""The little language in which cells are written, and the graphs that it records."""

from gatework.graph.expression import (
    U,
    W,
    absolute,
    b,
    exp,
    log,
    maximum,
    mean,
    minimum,
    p,
    relu,
    sigmoid,
    softplus,
    sqrt,
    tanh,
)
from gatework.graph.graph import Cell, Graph, Node, Parameter
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
    "exp",
    "log",
    "maximum",
    "mean",
    "minimum",
    "p",
    "relu",
    "sigmoid",
    "softplus",
    "sqrt",
    "tanh",
]
