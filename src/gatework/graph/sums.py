"""Products that end in one sum are accumulated together.

`W.r @ x + U.r @ h + b.r` needs one accumulator: both products add to it, and what is not a product is added once at the
end. So a sum is taken apart into its terms, its products become one leaf, ACCUMULATED, and the rest is added to that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatework.graph.graph import Node
from gatework.graph.ops import LEAVES, Op
from gatework.graph.steps import Steps

_MULTIPLIED = frozenset({Op.MATMUL, Op.TRANSPOSED})
_ADDED = frozenset({Op.ADD, Op.SUBTRACT})


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix, by its key, or its transpose, times the vector at a position."""

    matrix: str
    transposed: bool
    vector: int


@dataclass(frozen=True)
class Accumulations:
    """Nodes whose products are leaves: `products` says what is summed in each of them.

    `position` leads from the old nodes to the new ones; a partial sum that was taken apart has no entry.
    """

    nodes: tuple[Node, ...]
    products: Mapping[int, tuple[Product, ...]]
    position: Mapping[int, int]


def accumulate(nodes: Sequence[Node], roots: Iterable[int]) -> Accumulations:
    """Gather the products of every sum. Every node is one that the roots need."""
    kept = frozenset(roots)
    uses = Counter(arg for node in nodes for arg in node.args)
    inner = {
        arg
        for node in nodes
        if node.op in _ADDED
        for place, arg in enumerate(node.args)
        if nodes[arg].op in _ADDED and uses[arg] == 1 and arg not in kept and not (node.op is Op.SUBTRACT and place)
    }
    return _Gathering(nodes, uses, frozenset(inner), kept).run()


class _Gathering:
    def __init__(
        self, nodes: Sequence[Node], uses: Mapping[int, int], inner: frozenset[int], kept: frozenset[int]
    ) -> None:
        self._nodes, self._uses, self._inner, self._kept = nodes, uses, inner, kept
        self._steps = Steps()
        self._position: dict[int, int] = {}
        self._products: dict[int, tuple[Product, ...]] = {}
        self._absorbed: set[int] = set()

    def run(self) -> Accumulations:
        for k, node in enumerate(self._nodes):
            if node.op in _ADDED and k not in self._inner:
                self._absorbed.update(self._joined(self._terms(k)))
        for k, node in enumerate(self._nodes):
            if k not in self._inner and k not in self._absorbed and node.op is not Op.OUTER:
                self._position[k] = self._write(k, node)
        return Accumulations(tuple(self._steps.nodes), self._products, self._position)

    def _terms(self, k: int) -> list[tuple[Op, int]]:
        """The terms of a sum, each with the operation that joins it to what stands before."""
        node = self._nodes[k]
        first, second = node.args
        left = self._terms(first) if first in self._inner else [(Op.ADD, first)]
        right = self._terms(second) if second in self._inner and node.op is Op.ADD else [(node.op, second)]
        return [*left, *right]

    def _joined(self, terms: list[tuple[Op, int]]) -> list[int]:
        """The products of a sum that share an accumulator."""
        return [
            k
            for joined, k in terms
            if joined is Op.ADD and self._nodes[k].op in _MULTIPLIED and self._uses[k] == 1 and k not in self._kept
        ]

    def _write(self, k: int, node: Node) -> int:
        if node.op in LEAVES:
            return self._steps.leaf(node)
        if node.op in _MULTIPLIED:
            return self._accumulator([k])
        if node.op not in _ADDED:
            args = (self._position[arg] for arg in node.args)
            return self._steps.add(node.op, *args, name=node.name, line=node.line, shape=node.shape)
        terms = self._terms(k)
        joined = self._joined(terms)
        rest = [(op, self._position[one]) for op, one in terms if one not in joined]
        total = self._accumulator(joined) if joined else rest.pop(0)[1]
        for op, one in rest:
            total = self._steps.add(op, total, one, line=node.line)
        self._steps.label(total, node.name)
        return total

    def _accumulator(self, products: list[int]) -> int:
        shape = self._nodes[products[0]].shape
        found = self._steps.leaf(Node(Op.ACCUMULATED, (), f"a{len(self._products)}", 0.0, shape, 0))
        self._products[found] = tuple(
            Product(
                self._nodes[self._nodes[k].args[0]].name,
                self._nodes[k].op is Op.TRANSPOSED,
                self._position[self._nodes[k].args[1]],
            )
            for k in products
        )
        return found
