"""Shapes follow from use: unknown sizes are variables, and each operation says which of them are equal.

A size is a letter: `N` the entries of the input, `H` the units, `1` one number for each sequence. What the
equations leave open is `H`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from gatework.graph.graph import Node, Shape
from gatework.graph.ops import COMPUTED, LANGUAGE, Op


class ShapeMismatchError(ValueError):
    """Two sizes that an operation makes equal are different."""

    def __init__(self, node: int, message: str) -> None:
        super().__init__(message)
        self.node = node


@dataclass(frozen=True, slots=True)
class Untyped:
    """A node before its shape is known."""

    op: Op
    args: tuple[int, ...]
    name: str


def reached(nodes: Sequence[Untyped] | Sequence[Node], ops: Container[Op]) -> list[bool]:
    """Of every node whether it is one of these operations, or is made from one.

    >>> nodes = [Untyped(Op.STATE, (), "h"), Untyped(Op.INPUT, (), "x"), Untyped(Op.TANH, (0,), "")]
    >>> reached(nodes, {Op.STATE})
    [True, False, True]
    """
    found: list[bool] = []
    for node in nodes:
        found.append(node.op in ops or any(found[arg] for arg in node.args))
    return found


class _Sizes:
    """Union-find over sizes: each is a letter or a variable that some operation will bind."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._made = 0

    def variable(self) -> str:
        self._made += 1
        return f"?{self._made}"

    def find(self, size: str) -> str:
        while size in self._parent:
            size = self._parent[size]
        return size

    def equal(self, first: str, second: str) -> bool:
        first, second = self.find(first), self.find(second)
        if first == second:
            return True
        if first.startswith("?"):
            self._parent[first] = second
        elif second.startswith("?"):
            self._parent[second] = first
        else:
            return False
        return True

    def letter(self, size: str) -> str:
        found = self.find(size)
        return "H" if found.startswith("?") else found


def infer(nodes: Sequence[Untyped], outputs: Sequence[int], inputs: Sequence[str], *, square: bool) -> list[Shape]:
    """The shape of every node, in letters.

    The first of the `inputs` has N entries, H in a cell that is `square`; the others have H.

    Raises `ShapeMismatchError`, with the node's position, where the shapes do not close.
    """
    sizes = _Sizes()
    shapes: list[Shape] = []
    weights: dict[str, Shape] = {}
    for k, node in enumerate(nodes):
        try:
            if node.op is Op.INPUT:
                shapes.append(("N",) if node.name == inputs[0] and not square else ("H",))
                continue
            shapes.append(_shape(sizes, node, [shapes[arg] for arg in node.args], weights))
        except ValueError as error:
            raise ShapeMismatchError(k, str(error)) from None
    for k in outputs:
        if len(shapes[k]) != 1 or not sizes.equal(shapes[k][0], "H"):
            raise ShapeMismatchError(k, f"a state has H entries, not {_entries(sizes, shapes[k])}")
    return [tuple(sizes.letter(size) for size in shape) for shape in shapes]


def _shape(sizes: _Sizes, node: Untyped, args: list[Shape], weights: dict[str, Shape]) -> Shape:
    if node.op is Op.STATE:
        return ("H",)
    if node.op is Op.CONSTANT:
        return ()
    if node.op is Op.PARAMETER:
        rank = 2 if node.name[0] in "WU" else 1
        return weights.setdefault(node.name, tuple(sizes.variable() for _ in range(rank)))
    return RULES[node.op](sizes, args)


def _product(sizes: _Sizes, args: list[Shape]) -> Shape:
    matrix, vector = args
    if len(matrix) != 2:
        raise ValueError("only a weight matrix stands left of @")
    rows, columns = matrix
    if len(vector) != 1 or sizes.find(vector[0]) == "1":
        raise ValueError(f"a matrix multiplies a vector, not {_entries(sizes, vector)}")
    if not sizes.equal(columns, vector[0]):
        here, elsewhere = _entries(sizes, vector), _entries(sizes, (columns,))
        raise ValueError(f"the same matrix multiplies {here} here and {elsewhere} elsewhere")
    return (rows,)


def _elementwise(sizes: _Sizes, args: list[Shape]) -> Shape:
    if any(len(shape) > 1 for shape in args):
        raise ValueError("a matrix can only be multiplied with a vector")
    vectors = [shape for shape in args if shape and sizes.find(shape[0]) != "1"]
    if not vectors:
        return max(args, key=len)
    for other in vectors[1:]:
        if not sizes.equal(vectors[0][0], other[0]):
            left, right = (_entries(sizes, shape) for shape in (vectors[0], other))
            raise ValueError(
                f"the shapes do not close: {left} beside {right}; where these are to be equal, write @cell(square=True)"
            )
    return vectors[0]


def _reduction(sizes: _Sizes, args: list[Shape]) -> Shape:
    if len(args[0]) != 1:
        raise ValueError("a mean or a sum is taken over the entries of a vector")
    return ("1",)


def _same(sizes: _Sizes, args: list[Shape]) -> Shape:
    if len(args[0]) != 1 or sizes.find(args[0][0]) == "1":
        raise ValueError(f"the entries of a vector are made standard, not {_entries(sizes, args[0])}")
    return args[0]


def _entries(sizes: _Sizes, shape: Shape) -> str:
    if len(shape) != 1:
        return "a matrix" if shape else "a constant"
    letter = sizes.letter(shape[0])
    names = {"N": "N entries (the input's size)", "H": "H entries (the state's size)", "1": "one number"}
    return names[letter]


RULES: dict[Op, Callable[[_Sizes, list[Shape]], Shape]] = {
    **dict.fromkeys(COMPUTED & LANGUAGE, _elementwise),
    Op.MATMUL: _product,
    Op.MEAN: _reduction,
    Op.SUM: _reduction,
    Op.STANDARD: _same,
}
"""The shape of the result from the shapes of the operands, for each operation of a cell that computes."""
