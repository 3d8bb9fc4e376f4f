"""What a cell has to compute and to move at least, counted from its equations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from gatework.bench.shapes import Shape
from gatework.bench.side import TRAINING
from gatework.graph import Graph
from gatework.graph.ops import Op
from gatework.graph.shapes import reached


@dataclass(frozen=True, slots=True)
class Product:
    """The matrices that multiply one vector in a time step, as one matrix of `rows` × `columns`.

    `recurrent`: the vector depends on a state, so that steps come one after another, and it has a gradient.
    `trained`: it depends on weights alone besides the input, and has a gradient all the same.
    """

    rows: int
    columns: int
    recurrent: bool
    trained: bool


def products(graph: Graph, N: int, H: int) -> tuple[Product, ...]:
    """The products of one time step, one for each vector that matrices multiply.

    >>> from gatework.cells import catalogue
    >>> [(one.rows, one.columns) for one in products(catalogue["mgu"].graph, 3, 8)]
    [(16, 3), (8, 8), (8, 8)]
    """
    sizes = {"N": N, "H": H, "1": 1}
    matrices: dict[int, dict[int, tuple[int, int]]] = {}
    for node in graph.nodes:
        if node.op is Op.MATMUL:
            matrix, vector = node.args
            rows, columns = (sizes[letter] for letter in graph.nodes[matrix].shape)
            matrices.setdefault(vector, {})[matrix] = (rows, columns)
    recurrent, trained = reached(graph.nodes, {Op.STATE}), reached(graph.nodes, {Op.PARAMETER})
    return tuple(
        Product(sum(rows for rows, _ in one.values()), next(iter(one.values()))[1], recurrent[vector], trained[vector])
        for vector, one in matrices.items()
    )


def flops(graph: Graph, shape: Shape, mode: str, *, input_grad: bool = False) -> int:
    """Floating-point operations of the products, a multiplication and an addition for each entry of a matrix.

    A training step adds for each product the same again for the gradient of the matrix, and once more for the gradient
    of its vector, which the input does not need unless `input_grad`. Elementwise operations are not counted.
    """
    total = 0
    for one in products(graph, shape.N, shape.H):
        times = 1
        if mode == TRAINING:
            times = 3 if one.recurrent or one.trained or input_grad else 2
        total += times * 2 * shape.B * shape.T * one.rows * one.columns
    return total


def moved(graph: Graph, shape: Shape, mode: str, *, itemsize: int = 4, input_grad: bool = False) -> int:
    """Bytes that must be read or written at least once, if all else stayed in registers.

    Forward: the input and the weights are read, the output is written. A training step moves the states of every step
    once out and once back, reads the input and the weights twice and the arriving gradient once, and writes the
    gradients of the weights, and that of the input where `input_grad`.
    """
    steps = shape.B * shape.T
    inputs, outputs = steps * shape.N, steps * shape.H
    weights = sum(prod(one.sizes(shape.N, shape.H)) for one in graph.parameters)
    numbers = inputs + weights + outputs
    if mode == TRAINING:
        numbers = (3 if input_grad else 2) * inputs + 3 * weights + (2 * len(graph.states) + 1) * outputs
    return numbers * itemsize


@dataclass(frozen=True, slots=True)
class Rates:
    """What the processor does in a second on so many threads.

    `sgemm` are the operations of the best matrix product, and `library` whose it is; `torch` are those of torch's own;
    `copy` the bytes read and written by a large copy.
    """

    threads: int
    sgemm: float
    library: str
    torch: float
    copy: float

    def best(self, other: Rates | None) -> Rates:
        """The better of two measurements: what disturbs one makes it slower, never faster."""
        if other is None:
            return self
        faster = max(self, other, key=lambda one: one.sgemm)
        return replace(faster, torch=max(self.torch, other.torch), copy=max(self.copy, other.copy))


def limit(work: int, traffic: int, rates: Rates) -> tuple[float, str]:
    """The seconds that no program can beat at these rates, and what sets them: `"products"` or `"memory"`."""
    compute, memory = work / rates.sgemm, traffic / rates.copy
    return (compute, "products") if compute >= memory else (memory, "memory")
