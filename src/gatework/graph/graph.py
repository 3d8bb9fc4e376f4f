"""A cell's equations as a list of nodes in the order of evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import isfinite, prod
from numbers import Real
from typing import Any

from gatework.errors import EquationError
from gatework.graph.ops import LEAVES, Op

Shape = tuple[str, ...]
"""Sizes by letter: `("H", "N")` a matrix, `("H",)` a vector, `("1",)` one number, `()` a constant."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation on earlier nodes.

    `args` are positions in `Graph.nodes`; `name` is the name on the left of the equation, the name of the
    weight, or empty; `value` is that of a constant; `line` is where the equation stands in its file, 0 where
    unknown.
    """

    op: Op
    args: tuple[int, ...]
    name: str
    value: float
    shape: Shape
    line: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """A trained weight: its key (`"W.f"`), and its shape in letters (`("H", "N")`)."""

    key: str
    shape: Shape

    @property
    def kind(self) -> str:
        """`W` input matrix, `U` recurrent matrix, `b` bias, `p` diagonal weight."""
        return self.key[0]

    @property
    def name(self) -> str:
        """The part after the point: `"f"` of `"W.f"`."""
        return self.key[2:]

    def sizes(self, N: int, H: int) -> tuple[int, ...]:
        """The shape in numbers, for `N` inputs and `H` units."""
        letters = {"N": N, "H": H, "1": 1}
        return tuple(letters[letter] for letter in self.shape)


@dataclass(frozen=True)
class Graph:
    """One time step of a cell.

    `nodes` are in the order of evaluation; `states` are the names of the states, and `outputs` the nodes that
    hold their next values, in the same order. The first state is the cell's output.
    """

    nodes: tuple[Node, ...]
    states: tuple[str, ...]
    outputs: tuple[int, ...]

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The trained weights, in the order in which the equations first use them."""
        return tuple(Parameter(node.name, node.shape) for node in self.nodes if node.op is Op.PARAMETER)

    @cached_property
    def equations(self) -> dict[str, int]:
        """The named intermediate values and new states: name → node, in the order of evaluation."""
        return {node.name: k for k, node in enumerate(self.nodes) if node.name and node.op not in LEAVES}

    @cached_property
    def gates(self) -> tuple[str, ...]:
        """The named values that are gates: a sigmoid, or one minus a gate."""
        return tuple(name for name, k in self.equations.items() if self._is_gate(k))

    def count(self, N: int, H: int) -> int:
        """The number of trained weights for `N` inputs and `H` units."""
        return sum(prod(parameter.sizes(N, H)) for parameter in self.parameters)

    def formula(self) -> str:
        """The number of trained weights in letters.

        >>> from gatework.cells import catalogue
        >>> catalogue["gru"].graph.formula()
        '3NH + 3H² + 4H'
        """
        terms = {"NN": "N²", "HN": "NH", "HH": "H²", "N": "N", "H": "H", "1": ""}
        found = ["".join(sorted(parameter.shape)) for parameter in self.parameters]
        parts = []
        for key, text in sorted(terms.items(), key=lambda term: list(terms).index(term[0])):
            times = found.count(key)
            if times:
                parts.append(f"{times if times > 1 or not text else ''}{text}")
        return " + ".join(parts) or "0"

    @cached_property
    def record(self) -> str:
        """The graph as text: what `to_json` gives, as JSON."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    def to_json(self) -> dict[str, Any]:
        """The graph as plain lists and numbers; `gatework.graph.build.from_json` reads and checks them."""
        return asdict(self)

    def _is_gate(self, k: int) -> bool:
        node = self.nodes[k]
        if node.op is Op.SIGMOID:
            return True
        if node.op is not Op.SUBTRACT:
            return False
        left = self.nodes[node.args[0]]
        return left.op is Op.CONSTANT and left.value == 1.0 and self._is_gate(node.args[1])


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: its name, where it comes from, its equations, and how its biases start.

    `bias` gives the initial value of a bias by its name, `{"f": 1.0}` for `b.f`; every other bias starts at
    zero. Raises `EquationError` where `bias` names no bias of the equations, or gives it no finite number.
    """

    name: str
    title: str
    source: str
    graph: Graph
    bias: Mapping[str, float] = field(hash=False)

    def __post_init__(self) -> None:
        known = {parameter.name for parameter in self.graph.parameters if parameter.kind == "b"}
        given: Mapping[str, Any] = self.bias
        for name, value in given.items():
            if name not in known:
                raise EquationError(f"cell {self.name}: it has no bias b.{name} to start at {value!r}")
            if not isinstance(value, Real) or not isfinite(value):
                raise EquationError(f"cell {self.name}: the bias b.{name} starts at a number, not {value!r}")

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states; the first is the output."""
        return self.graph.states

    def count(self, N: int, H: int) -> int:
        """The number of trained weights for `N` inputs and `H` units."""
        return self.graph.count(N, H)
