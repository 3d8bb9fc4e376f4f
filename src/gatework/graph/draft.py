"""A graph that is being written again with a change at one node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from gatework.errors import EquationError
from gatework.graph.build import build, order_of
from gatework.graph.expression import Expression, sigmoid
from gatework.graph.graph import Graph, Node
from gatework.graph.naming import Names
from gatework.graph.ops import COMPUTED, LEAVES, Op


class Draft:
    """A graph that is being written again with a change at one node, `target`.

    `written` are the nodes as expressions, up to that one. A change puts another value there, made from what stands
    before it: so no value can come to depend on itself.
    """

    def __init__(self, graph: Graph, target: int, generator: np.random.Generator) -> None:
        self.graph, self.target, self._generator = graph, target, generator
        keys = {one.key for one in graph.parameters}
        self._names = Names([*graph.inputs, *graph.states, *graph.equations, *(key[2:] for key in keys)])
        self._keys = Names(keys)
        self.written: list[Expression] = []
        self._write(graph.nodes[: target + 1])

    def draw(self, choices: Sequence[int]) -> int:
        """One of some numbers. Raises `EquationError` where there is none."""
        if not choices:
            raise EquationError("there is nothing to choose from")
        return choices[int(self._generator.integers(len(choices)))]

    def one(self, *choices: Expression) -> Expression:
        """One of some values. Raises `EquationError` where there is none."""
        return choices[self.draw(range(len(choices)))]

    def coin(self) -> bool:
        """Heads or tails."""
        return bool(self._generator.integers(2))

    @property
    def value(self) -> Expression:
        """What stands at the place of the change."""
        return self.written[self.target]

    @property
    def vectors(self) -> list[Expression]:
        """The states, and the vectors of H entries that are computed before the place."""
        before = zip(self.graph.nodes[: self.target], self.written, strict=False)
        computed = [one for node, one in before if node.op in COMPUTED and node.shape == ("H",)]
        return [*self.states, *computed]

    @property
    def gates(self) -> list[Expression]:
        """The sigmoids that are computed before the place."""
        return [one for one in self.vectors if one.op is Op.SIGMOID]

    @property
    def input(self) -> Expression:
        """The cell's first input."""
        return Expression(Op.INPUT, name=self.graph.inputs[0])

    @property
    def states(self) -> list[Expression]:
        """The old values of the states."""
        return [Expression(Op.STATE, name=name) for name in self.graph.states]

    def weight(self, kind: str, name: str = "") -> Expression:
        """A new weight: `b.k1`, or with the next number that is free."""
        return Expression(Op.PARAMETER, name=f"{kind}.{name or self._names.next('k')}")

    def product(self, vector: Expression, name: str = "") -> Expression:
        """A new matrix times a vector. Whether it is a `W` or a `U` follows from the vector, when all is written."""
        return Expression(Op.MATMUL, (self.weight("W", name), vector))

    def gate(self) -> Expression:
        """A gate that is there, or a new one that sees the input and the first state."""
        if self.gates and self.coin():
            return self.one(*self.gates)
        name = self._names.next("k")
        new = sigmoid(self.product(self.input, name) + self.product(self.states[0], name) + self.weight("b", name))
        new.name = name
        return new

    def put(self, new: Expression) -> None:
        """Let a value stand at the place of the change, under the name that stood there."""
        old = self.value
        if new is not old and not new.name and new.op not in LEAVES:
            new.name, old.name = old.name, ""
        self.written[self.target] = new

    def finish(self) -> Graph:
        """The graph with the change. Raises `EquationError` where that is no cell."""
        self._write(self.graph.nodes[self.target + 1 :])
        outputs = [self.written[k] for k in self.graph.outputs]
        order = [one for one, _ in order_of(outputs).values()]
        self._call_matrices(order)
        equations = [one for one in order if one.name and one.op not in LEAVES]
        graph = self.graph
        return build(graph.states, outputs, equations, inputs=graph.inputs, square=graph.square, place="the new cell")

    def _write(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            args = tuple(self.written[arg] for arg in node.args)
            self.written.append(Expression(node.op, args, node.name, node.value))

    def _call_matrices(self, order: Iterable[Expression]) -> None:
        """Call a matrix `W` where it multiplies what depends on no state, else `U`."""
        recurrent: dict[int, bool] = {}
        for one in order:
            recurrent[id(one)] = any(arg.op is Op.STATE or recurrent.get(id(arg), False) for arg in one.args)
            kind = "U" if recurrent[id(one)] else "W"
            if one.op is Op.MATMUL and one.args[0].name[0] != kind:
                wish = f"{kind}{one.args[0].name[1:]}"
                one.args = (Expression(Op.PARAMETER, name=self._keys.give(wish)), one.args[1])
