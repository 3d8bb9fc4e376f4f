"""A cell's equations as a list of nodes in the order of evaluation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gatework.graph.ops import LEAVES, Op

if TYPE_CHECKING:
    from gatework.graph.early import Split

BELOW = "_below"
"""What the name of an input ends with that is a state of the layer below."""

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
    hold their next values, in the same order. The first state is the cell's output. `inputs` are the names of the
    inputs: the first has N entries, the others H. Those that are `masks` have no gradient. The states that are `shown`
    are results at every step, as the first one always is.
    """

    nodes: tuple[Node, ...]
    states: tuple[str, ...]
    outputs: tuple[int, ...]
    inputs: tuple[str, ...]
    masks: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The trained weights, in the order in which the equations first use them."""
        return tuple(Parameter(node.name, node.shape) for node in self.nodes if node.op is Op.PARAMETER)

    @cached_property
    def square(self) -> bool:
        """Whether the cell needs as many inputs as units: its equations add or multiply the input and a state."""
        return any(node.op is Op.INPUT and node.name == self.inputs[0] and node.shape == ("H",) for node in self.nodes)

    @cached_property
    def below(self) -> dict[str, str]:
        """The inputs that are a state of the layer below at the same time step: `c_below` is its `c`."""
        pairs = {name: name.removesuffix(BELOW) for name in self.inputs[1:] if name.endswith(BELOW)}
        return {name: state for name, state in pairs.items() if state in self.states}

    @property
    def results(self) -> tuple[str, ...]:
        """The states that are results at every step: the first, and those that are shown."""
        return (self.states[0], *self.shown)

    @cached_property
    def equations(self) -> dict[str, int]:
        """The named intermediate values and new states: name → node, in the order of evaluation."""
        return {node.name: k for k, node in enumerate(self.nodes) if node.name and node.op not in LEAVES}

    @cached_property
    def gates(self) -> tuple[str, ...]:
        """The named values that are gates: a sigmoid, or one minus a gate."""
        return tuple(name for name, k in self.equations.items() if self._is_gate(k))

    @cached_property
    def parts(self) -> Split:
        """What of the cell is computed before its loop over time, and what in it.

        Raises `BackendError` where a state is a function of the input alone and has the input's size.
        """
        from gatework.graph.early import split  # it makes graphs itself

        return split(self)

    @cached_property
    def ahead(self) -> Split:
        """The same, with all products that read no state before the loop."""
        from gatework.graph.early import split_products  # it makes graphs itself

        return split_products(self)

    @cached_property
    def whole(self) -> Split:
        """What of the cell is taken over all time steps at once, and the rest, which back-ends run."""
        from gatework.graph.early import split_whole  # it makes graphs itself

        return split_whole(self)

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
