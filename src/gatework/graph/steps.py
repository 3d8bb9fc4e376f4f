"""A list of nodes that simplifies itself as it grows.

Every pass over a graph writes its result through `Steps`: an operation that is there already is not written again,
constants are computed, and what changes nothing (`a + 0`, `1 ⊙ a`, `--a`) is left out. Sums over entries are joined,
and a vector is multiplied by the inverse of a number of its sequence. The rules keep the value of every expression but
for rounding, infinities and NaN included; only the sign of a zero may change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from gatework.graph.graph import Node, Shape
from gatework.graph.ops import Op

COMMUTATIVE = frozenset({Op.ADD, Op.MULTIPLY, Op.MAXIMUM, Op.MINIMUM})


class Steps:
    """Nodes in the order of evaluation, each written once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[object, int] = {}

    def leaf(self, node: Node) -> int:
        """The position of a leaf, written where it is new."""
        return self._write(node, (node.op, node.name, node.value, node.shape))

    def constant(self, value: float) -> int:
        """The position of a fixed number."""
        return self.leaf(Node(Op.CONSTANT, (), "", value, (), 0))

    def size(self, letter: str) -> int:
        """The position of the number of entries of a vector: `"H"` or `"N"`."""
        return self.leaf(Node(Op.SIZE, (), letter, 0.0, (), 0))

    def add(self, op: Op, *args: int, name: str = "", line: int = 0, shape: Shape | None = None) -> int:
        """The position of an operation's value, which may be that of an earlier node.

        `shape` is needed where it does not follow from the operands: products, and numbers that are spread.
        """
        known = SIMPLIFY.get(op)
        simpler = known(self, args) if known else None
        if simpler is None:
            simpler = self._computed(op, args)
        if simpler is not None:
            return self._named(simpler, name)
        shape = self._shape(args) if shape is None else shape
        if op in (Op.MEAN, Op.SUM):
            shape = ("1",)
        key = tuple(sorted(args)) if op in COMMUTATIVE else args
        return self._named(self._write(Node(op, args, "", 0.0, shape, line), (op, key, shape)), name)

    def _write(self, node: Node, key: object) -> int:
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(node)
        return self._known[key]

    def _named(self, k: int, name: str) -> int:
        node = self.nodes[k]
        if name and not node.name and node.args:
            self.nodes[k] = replace(node, name=name)
        return k

    def _shape(self, args: tuple[int, ...]) -> Shape:
        shapes = [self.nodes[arg].shape for arg in args]
        vectors = [shape for shape in shapes if shape and shape != ("1",)]
        return vectors[0] if vectors else max(shapes, key=len)

    def label(self, k: int, name: str) -> None:
        """Give an operation a name, where it has none."""
        self._named(k, name)

    def value(self, k: int) -> float | None:
        """The number at this position; None where it is not a constant."""
        node = self.nodes[k]
        return node.value if node.op is Op.CONSTANT else None

    def _computed(self, op: Op, args: tuple[int, ...]) -> int | None:
        values = [self.value(arg) for arg in args]
        if op not in FOLD or any(value is None for value in values):
            return None
        try:
            result = FOLD[op](*values)
        except (ArithmeticError, ValueError):
            return None
        return self.constant(result) if math.isfinite(result) else None


FOLD: dict[Op, Callable[..., float]] = {
    Op.ADD: lambda a, b: a + b,
    Op.SUBTRACT: lambda a, b: a - b,
    Op.MULTIPLY: lambda a, b: a * b,
    Op.DIVIDE: lambda a, b: a / b,
    Op.NEGATE: lambda a: -a,
    Op.MAXIMUM: max,
    Op.MINIMUM: min,
    Op.EXP: math.exp,
    Op.LOG: math.log,
    Op.SQRT: math.sqrt,
    Op.ABS: abs,
    Op.FLOOR: math.floor,
    Op.COS: math.cos,
    Op.SIN: math.sin,
    Op.TANH: math.tanh,
    Op.RELU: lambda a: max(a, 0.0),
    Op.SIGMOID: lambda a: 1.0 / (1.0 + math.exp(-a)),
    Op.SOFTPLUS: lambda a: max(a, 0.0) + math.log1p(math.exp(-abs(a))),
}
"""What an operation is worth on numbers."""

Args = tuple[int, ...]


def _sum(steps: Steps, args: Args) -> int | None:
    a, b = args
    if steps.value(a) == 0.0:
        return b
    if steps.value(b) == 0.0:
        return a
    if steps.nodes[b].op is Op.NEGATE:
        return steps.add(Op.SUBTRACT, a, steps.nodes[b].args[0])
    if steps.nodes[a].op is Op.NEGATE:
        return steps.add(Op.SUBTRACT, b, steps.nodes[a].args[0])
    return _joined(steps, Op.ADD, a, b)


def _joined(steps: Steps, op: Op, a: int, b: int) -> int | None:
    """Two sums over the entries of a vector as one: what a kernel sums up it has to store first."""
    first, second = steps.nodes[a], steps.nodes[b]
    if not first.op is second.op is Op.SUM:
        return None
    left, right = first.args[0], second.args[0]
    if steps.nodes[left].shape != steps.nodes[right].shape:
        return None
    return steps.add(Op.SUM, steps.add(op, left, right))


def _difference(steps: Steps, args: Args) -> int | None:
    a, b = args
    if steps.value(b) == 0.0:
        return a
    if steps.value(a) == 0.0:
        return steps.add(Op.NEGATE, b)
    if steps.nodes[b].op is Op.NEGATE:
        return steps.add(Op.ADD, a, steps.nodes[b].args[0])
    if steps.nodes[a].op is Op.NEGATE:
        return steps.add(Op.NEGATE, steps.add(Op.ADD, steps.nodes[a].args[0], b))
    return _joined(steps, Op.SUBTRACT, a, b)


def _product(steps: Steps, args: Args) -> int | None:
    for one, other in (args, args[::-1]):
        if steps.value(one) == 1.0:
            return other
        if steps.value(one) == -1.0:
            return steps.add(Op.NEGATE, other)
    return None


def _quotient(steps: Steps, args: Args) -> int | None:
    a, b = args
    if steps.value(b) == 1.0:
        return a
    if steps.value(b) == -1.0:
        return steps.add(Op.NEGATE, a)
    if steps.nodes[b].shape == ("1",) and steps.nodes[a].shape not in ((), ("1",)):
        # One division for a sequence, and a product for each of its entries.
        return steps.add(Op.MULTIPLY, a, steps.add(Op.DIVIDE, steps.constant(1.0), b))
    return None


def _negative(steps: Steps, args: Args) -> int | None:
    node = steps.nodes[args[0]]
    if node.op is Op.NEGATE:
        return node.args[0]
    return None


def _total(steps: Steps, args: Args) -> int | None:
    node = steps.nodes[args[0]]
    return steps.add(Op.NEGATE, steps.add(Op.SUM, node.args[0])) if node.op is Op.NEGATE else None


def _same(steps: Steps, args: Args) -> int | None:
    return args[0] if args[0] == args[1] else None


def _absolute(steps: Steps, args: Args) -> int | None:
    node = steps.nodes[args[0]]
    if node.op in (Op.ABS, Op.RELU, Op.EXP, Op.SIGMOID, Op.SOFTPLUS):
        return args[0]
    return steps.add(Op.ABS, node.args[0]) if node.op is Op.NEGATE else None


def _positive(steps: Steps, args: Args) -> int | None:
    node = steps.nodes[args[0]]
    return args[0] if node.op in (Op.RELU, Op.ABS, Op.EXP, Op.SIGMOID, Op.SOFTPLUS) else None


SIMPLIFY: dict[Op, Callable[[Steps, Args], int | None]] = {
    Op.ADD: _sum,
    Op.SUBTRACT: _difference,
    Op.MULTIPLY: _product,
    Op.DIVIDE: _quotient,
    Op.NEGATE: _negative,
    Op.SUM: _total,
    Op.MAXIMUM: _same,
    Op.MINIMUM: _same,
    Op.ABS: _absolute,
    Op.RELU: _positive,
}
"""Rules that find a simpler value: the position of it, or None."""
