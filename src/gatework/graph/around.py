"""What goes around a cell: what a mask, a regularisation or a normalisation adds to the equations of any cell.

Each function takes a graph and gives another one, written anew as expressions, so that an addition reads like an
equation and is checked like any other. Added inputs have H entries, and names that say what a layer puts there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from gatework.errors import EquationError
from gatework.graph.build import build, order_of
from gatework.graph.cell import Cell
from gatework.graph.expression import Expression, mean, sqrt
from gatework.graph.graph import Graph
from gatework.graph.ops import LEAVES, Op
from gatework.graph.weights import Weight

VALID, KEPT, ZONE, DROP = "valid", "kept", "zone", "drop"
"""The names of added inputs, or what they begin with: `zone_c`."""

INITIAL = "initial"
"""What the names of states' learnt beginnings begin with."""

EPSILON = 1e-5
"""What keeps the deviation of a layer norm away from zero (Ba, Kiros & Hinton 2016, the authors' code)."""

Change = Callable[[int, Expression], Expression]
"""What becomes of a node, from its position and the expression that it is."""


def valid(graph: Graph) -> Graph:
    """States stay as they are where the added input `valid` is zero: a sequence has ended, others go on."""
    mask = _input(graph, VALID)
    return _updated(graph, dict.fromkeys(graph.states, mask), [mask])


def kept(graph: Graph, *, initial: bool) -> Graph:
    """Where the added input `kept` is zero, states are as at the beginning; where it is one, as they were left.

    At the beginning they are zero, or where that is learnt, `initial`, the weights `p.initial_c`.
    """
    mask = _input(graph, KEPT)

    def change(k: int, one: Expression) -> Expression:
        if one.op is not Op.STATE:
            return one
        start = Expression(Op.PARAMETER, name=f"p.{INITIAL}_{one.name}")
        return mask * one + (1 - mask) * start if initial else mask * one

    return _rebuilt(graph, _written(graph, change), [mask])


def zoneout(graph: Graph, states: Iterable[str]) -> Graph:
    """Of every new value of a state only the part `zone_c` is taken, of the old value the rest (Krueger et al. 2017).

    The input is a mask of zeros and ones in training, and the mean of that mask afterwards. What the step itself
    computes from the new state, as an LSTM its output from its cell, sees it as it was computed.
    """
    masks = {state: _input(graph, f"{ZONE}_{state}") for state in states}
    unknown = [state for state in masks if state not in graph.states]
    if unknown:
        raise EquationError(f"zoneout is for states, {', '.join(graph.states)}, not for {', '.join(unknown)}")
    return _updated(graph, masks, masks.values())


def recurrent_dropout(graph: Graph, names: Iterable[str]) -> Graph:
    """What has one of these names is multiplied by an added input, `drop_h`, which a layer draws once for a sequence.

    For a state that is its old value, where a matrix multiplies it (Gal & Ghahramani 2016); for an equation what it
    computes, such as the candidate (Semeniuta, Severyn & Barth 2016).
    """
    masks = {name: _input(graph, f"{DROP}_{name}") for name in names}
    unknown = [name for name in masks if name not in graph.states and name not in graph.equations]
    if unknown:
        known = ", ".join(dict.fromkeys([*graph.states, *graph.equations]))
        raise EquationError(f"recurrent dropout is for one of {known}, not for {', '.join(unknown)}")

    plain = [name for name in masks if name in graph.states and name not in multiplied(graph)]
    if plain:
        raise EquationError(f"recurrent dropout of {', '.join(plain)}: no matrix multiplies it; name another value")

    def change(k: int, one: Expression) -> Expression:
        if one.op is Op.MATMUL and one.args[1].op is Op.STATE and one.args[1].name in masks:
            return Expression(Op.MATMUL, (one.args[0], masks[one.args[1].name] * one.args[1]), one.name)
        if one.name in masks and one.name not in graph.states and one.op not in LEAVES:
            dropped = masks[one.name] * Expression(one.op, one.args, "", one.value)
            dropped.name = one.name
            return dropped
        return one

    return _rebuilt(graph, _written(graph, change), masks.values())


def multiplied(graph: Graph) -> tuple[str, ...]:
    """The states that some matrix multiplies."""
    vectors = [graph.nodes[node.args[1]] for node in graph.nodes if node.op is Op.MATMUL]
    found = {vector.name for vector in vectors if vector.op is Op.STATE}
    return tuple(state for state in graph.states if state in found)


def layer_norm(cell: Cell, *, joint: bool = True) -> Cell:
    """A cell with layer norm (Ba, Kiros & Hinton 2016, arXiv:1607.06450).

    The products of every vector are normalised before they are added to others: all that meet the same vector together,
    as in the paper's LSTM, or `joint=False` each alone. The new value of a state after the first, as an LSTM's cell, is
    normalised where a function such as tanh takes it; what is stored is not. Each has a scale that starts at one, and a
    shift.
    """
    graph = cell.graph
    scales: list[str] = []
    norm = _Norm(graph, scales, joint=joint)
    made = _rebuilt(graph, _written(graph, norm.change), [])
    weights = {**cell.weights, **{key: Weight(1.0) for key in scales}}
    return replace(cell, graph=made, weights=weights, make=None, options={}, name=f"{cell.name}+norm")


@functools.lru_cache(maxsize=256)
def ground(cell: Cell) -> Cell:
    """A cell for the first layer of several, which has none below: what it would read of that one is zero.

    What is multiplied by zero goes, and the weights that nothing reads any more: a depth-gated LSTM becomes an LSTM. A
    cell that reads nothing of the layer below is itself.
    """
    graph, zero = cell.graph, set[int]()
    if not graph.below:
        return cell

    def change(k: int, one: Expression) -> Expression:
        node = graph.nodes[k]
        nothing = [arg in zero for arg in node.args]
        named = bool(one.name) and one.op not in LEAVES
        if node.op is Op.INPUT and node.name in graph.below:
            zero.add(k)
        elif node.op in (Op.ADD, Op.SUBTRACT) and any(nothing) and not all(nothing):
            left, right = one.args
            kept = left if nothing[1] else right if node.op is Op.ADD else -right
            if named and not kept.name:
                kept.name = one.name
            return kept
        elif (any(nothing) and node.op in _ZERO_BY_ONE) or (node.args and all(nothing) and node.op in _ZERO_BY_ALL):
            zero.add(k)
        return Expression(Op.CONSTANT, value=0.0) if k in zero else one

    inputs = [name for name in graph.inputs if name not in graph.below]
    made = _rebuilt(replace(graph, inputs=tuple(inputs)), _written(graph, change), [])
    keys = {one.key for one in made.parameters}
    weights = {key: weight for key, weight in cell.weights.items() if key in keys}
    return replace(cell, graph=made, weights=weights, make=None, options={}, name=f"{cell.name}+ground")


_ZERO_BY_ONE = frozenset({Op.MULTIPLY, Op.MATMUL})
"""Operations that give zero where one operand is zero and the others are finite."""

_ZERO_BY_ALL = frozenset(
    {Op.ADD, Op.SUBTRACT, Op.NEGATE, Op.TANH, Op.RELU, Op.ABS, Op.SQRT, Op.MAXIMUM, Op.MINIMUM, Op.STANDARD}
)
"""Operations that give zero where all operands are zero."""

_SQUASHING = frozenset({Op.TANH, Op.SIGMOID, Op.RELU, Op.SOFTPLUS})


class _Norm:
    def __init__(self, graph: Graph, scales: list[str], *, joint: bool) -> None:
        self._graph, self._scales, self._joint = graph, scales, joint
        self._groups: dict[int, list[int]] = {}
        for k, node in enumerate(graph.nodes):
            if node.op is Op.MATMUL:
                self._groups.setdefault(node.args[1] if joint else k, []).append(k)
        self._made: dict[int, Expression] = {}
        self._cells: dict[int, Expression] = {}
        self._inner = set(graph.outputs[1:])

    def change(self, k: int, one: Expression) -> Expression:
        if one.op is Op.MATMUL:
            return self._product(k, one)
        if one.op in _SQUASHING and self._graph.nodes[k].args[0] in self._inner:
            return Expression(one.op, (self._cell(self._graph.nodes[k].args[0], one.args[0]),), one.name)
        return one

    def _product(self, k: int, one: Expression) -> Expression:
        if k not in self._made:
            vector = one.args[1]
            group = next(found for found in self._groups.values() if k in found)
            keys = [self._graph.nodes[self._graph.nodes[place].args[0]].name for place in group]
            sums = [Expression(Op.MATMUL, (Expression(Op.PARAMETER, name=key), vector)) for key in keys]
            of = f"{keys[0][0]}{vector.name}" if self._joint else keys[0].replace(".", "")
            normal = self._normal(sums, [key.replace(".", "") for key in keys], of)
            self._made.update(zip(group, normal, strict=True))
        made = self._made[k]
        made.name = made.name or one.name
        return made

    def _cell(self, place: int, value: Expression) -> Expression:
        if place not in self._cells:
            state = self._graph.states[self._graph.outputs.index(place)]
            (self._cells[place],) = self._normal([value], [state], state)
        return self._cells[place]

    def _normal(self, values: Sequence[Expression], names: Sequence[str], of: str) -> list[Expression]:
        """Values of one mean and one deviation, each with its scale and its shift."""
        centre = _mean(values)
        centre.name = f"mean_{of}"
        apart = [value - centre for value in values]
        deviation = sqrt(_mean([one * one for one in apart]) + EPSILON)
        deviation.name = f"deviation_{of}"
        found = []
        for one, name in zip(apart, names, strict=True):
            self._scales.append(f"p.norm_{name}")
            scale, shift = (Expression(Op.PARAMETER, name=f"{kind}.norm_{name}") for kind in "pb")
            found.append(scale * (one / deviation) + shift)
        return found


def _mean(values: Sequence[Expression]) -> Expression:
    """The mean over the entries of all vectors; they are added first, so that one vector is summed up."""
    together = values[0]
    for one in values[1:]:
        together = together + one
    return mean(together) / len(values) if len(values) > 1 else mean(together)


def _input(graph: Graph, name: str) -> Expression:
    taken = {*graph.inputs, *graph.states, *graph.equations}
    if name in taken:
        raise EquationError(f"the cell has a {name} of its own: call it otherwise, that name is for a mask")
    return Expression(Op.INPUT, name=name)


def _written(graph: Graph, change: Change) -> list[Expression]:
    """The nodes of a graph as expressions, each as `change` gives it."""
    found: list[Expression] = []
    for k, node in enumerate(graph.nodes):
        args = tuple(found[arg] for arg in node.args)
        found.append(change(k, Expression(node.op, args, node.name, node.value)))
    return found


def _updated(graph: Graph, masks: Mapping[str, Expression], inputs: Iterable[Expression]) -> Graph:
    """Of the new values of states the part that a mask says, and of the old ones the rest."""
    written = _written(graph, lambda _, one: one)
    outputs = []
    for state, place in zip(graph.states, graph.outputs, strict=True):
        new = written[place]
        if state in masks:
            old = Expression(Op.STATE, name=state)
            new = old + masks[state] * (new - old)
            new.name = state
        outputs.append(new)
    return _rebuilt(graph, written, inputs, outputs)


def _rebuilt(
    graph: Graph, written: Sequence[Expression], inputs: Iterable[Expression], outputs: Sequence[Expression] = ()
) -> Graph:
    outputs = outputs or [written[k] for k in graph.outputs]
    names = [*graph.inputs, *(one.name for one in inputs)]
    needed = order_of(outputs)
    equations = [one for one in written if one.name and one.op not in LEAVES and id(one) in needed]
    masks = [*graph.masks, *names[len(graph.inputs) :]]
    return build(graph.states, outputs, equations, inputs=names, square=graph.square, masks=masks)
