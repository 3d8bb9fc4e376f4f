"""From expressions, or from a file, to a checked graph.

A graph checks its own mathematics when it is built: every state is read and updated, the input is read, every
equation is used, the shapes close, and `W` multiplies only what does not depend on a state.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from gatework.errors import EquationError
from gatework.graph.expression import Equation, Expression
from gatework.graph.graph import BELOW, Graph, Node, Shape
from gatework.graph.ops import ARITY, LANGUAGE, LEAVES, WHOLE, Op
from gatework.graph.shapes import ShapeMismatchError, Untyped, infer, reached

Where = Callable[[int], str]
"""The words with which an error says which equation a node belongs to."""

_KINDS = frozenset({"W.", "U.", "b.", "p."})


def build(
    states: Sequence[str],
    outputs: Sequence[Expression],
    equations: Sequence[Expression] = (),
    *,
    inputs: Sequence[str] = ("x",),
    square: bool = False,
    masks: Sequence[str] = (),
    place: str = "the cell",
) -> Graph:
    """The graph that computes `outputs`, the next values of `states`.

    `equations` are all expressions that the cell notes, so that one which nothing uses is noticed; `inputs` are the
    names of the inputs, in a cell that is `square` the first has H entries, and those that are `masks` have no
    gradient; `place` names the cell in errors.
    Raises `EquationError`.
    """
    needed = order_of(outputs)
    for equation in equations:
        if _key(equation) not in needed:
            named = equation.name or "this value"
            raise EquationError(f"{_where(equation, place)}: {named} is computed and never used")
    order = order_of([*equations, *outputs])  # as written: every equation is needed, none is added
    expressions = [expression for expression, _ in order.values()]
    position = {key: index for key, (_, index) in order.items()}
    names = _unique_names(expressions, states, outputs)
    untyped = [
        Untyped(expression.op, tuple(position[_key(arg)] for arg in expression.args), names[id(expression)])
        for expression in expressions
    ]

    def where(k: int) -> str:
        return _where(expressions[k], place)

    targets = [position[_key(output)] for output in outputs]
    _check_inputs(untyped, inputs, states, place)
    shapes = _checked(untyped, tuple(states), targets, where, place, inputs, square=square)
    nodes = tuple(
        Node(node.op, node.args, node.name, expression.value, shape, _line(expression.equation))
        for node, expression, shape in zip(untyped, expressions, shapes, strict=True)
    )
    return Graph(nodes, tuple(states), tuple(targets), tuple(inputs), tuple(masks))


def from_json(record: Any) -> Graph:
    """The graph that `Graph.to_json` wrote, checked as if it were new.

    Raises `EquationError` where the record is not a well-formed graph.
    """
    raw = tuple(_node(one) for one in _field(record, "nodes", list, tuple))
    states, inputs, masks, shown = (_names(record, key) for key in ("states", "inputs", "masks", "shown"))
    if not inputs or not all(one.isidentifier() for one in inputs):
        raise _damaged("an input has no name")
    if len({*inputs, *states}) < len(inputs) + len(states):
        raise _damaged("an input or a state has the name of another")
    if not set(masks) <= set(inputs[1:]):
        raise _damaged("a mask is no further input")
    if not set(shown) <= set(states[1:]) or len(set(shown)) < len(shown):
        raise _damaged("what is shown is none of the states after the first")
    outputs = tuple(_field(record, "outputs", list, tuple))
    for k, node in enumerate(raw):
        if len(node.args) != ARITY[node.op] or not all(_is_position(arg, k) for arg in node.args):
            raise _damaged(f"node {k} ({node.op}) has the operands {node.args}")
    if len(outputs) != len(states) or not all(_is_position(output, len(raw)) for output in outputs):
        raise _damaged("its states and outputs do not match")
    _check_names(raw, states, outputs, inputs)
    # In a graph without a circle, whatever leads nowhere ends in a node that nothing uses.
    used = {arg for node in raw for arg in node.args}.union(outputs)
    if len(used) != len(raw):
        raise _damaged("nothing uses one of its nodes")
    untyped = [Untyped(node.op, node.args, node.name) for node in raw]

    def where(k: int) -> str:
        return f"node {k} ({raw[k].op})"

    square = any(node.op is Op.INPUT and node.name == inputs[0] and node.shape == ("H",) for node in raw)
    shapes = _checked(untyped, states, outputs, where, "the record of the graph", inputs, square=square)
    if shapes != [node.shape for node in raw]:
        raise _damaged("its shapes do not follow from its operations")
    return Graph(raw, states, outputs, inputs, masks, shown)


def _damaged(what: str) -> EquationError:
    return EquationError(f"the record of the graph is damaged: {what}")


def _field(record: Any, key: str, *kinds: type) -> Any:
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise _damaged(f"{key} is missing or is no {kinds[0].__name__}")
    return value


def _names(record: Any, key: str) -> tuple[str, ...]:
    """The list of names under `key`; records of earlier versions say nothing of what is shown."""
    names = (
        () if key == "shown" and isinstance(record, dict) and key not in record else _field(record, key, list, tuple)
    )
    if not all(isinstance(name, str) for name in names):
        raise _damaged(f"one of its {key} has no name")
    return tuple(names)


def _node(record: Any) -> Node:
    name = _field(record, "op", str)
    if name not in LANGUAGE:
        raise _damaged(f"there is no operation {name!r}")
    node = Node(
        Op(name),
        tuple(_field(record, "args", list, tuple)),
        _field(record, "name", str),
        _field(record, "value", float, int),
        tuple(_field(record, "shape", list, tuple)),
        _field(record, "line", int),
    )
    if abs(node.value) > sys.float_info.max or node.value != node.value or node.line < 0:
        raise _damaged("one of its numbers is out of range")
    if node.value and node.op is not Op.CONSTANT:
        raise _damaged(f"the {node.op} {node.name} has a value")
    return replace(node, value=float(node.value))


def _is_position(value: object, end: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < end


def _check_names(
    nodes: Sequence[Node], states: tuple[str, ...], outputs: tuple[int, ...], inputs: tuple[str, ...]
) -> None:
    """Each input, each state and each weight is one node, and each equation has a name of its own."""

    def named(op: Op) -> list[str]:
        return [node.name for node in nodes if node.op is op]

    weights, leaves = named(Op.PARAMETER), [*named(Op.INPUT), *named(Op.STATE)]
    equations = {k: node.name for k, node in enumerate(nodes) if node.name and node.op not in LEAVES}
    if not all(weight[:2] in _KINDS for weight in weights) or any(named(Op.CONSTANT)):
        raise _damaged("a weight or a constant has the name of something else")
    if not all(word.isidentifier() for word in [*leaves, *equations.values(), *(one[2:] for one in weights)]):
        raise _damaged("one of its names is no name")
    if not set(named(Op.INPUT)) <= set(inputs) or not set(named(Op.STATE)) <= set(states):
        raise _damaged("its inputs and its states are not those of its nodes")
    own = {**dict.fromkeys(named(Op.INPUT), -1), **dict(zip(states, outputs, strict=True))}
    unique = len({*weights, *leaves}) == len(weights) + len(leaves)
    if not unique or len({*equations.values()}) != len(equations):
        raise _damaged("a name is that of two nodes")
    if any(own.get(name, k) != k for k, name in equations.items()):
        raise _damaged("an equation has the name of the input or of another state")


def _checked(
    nodes: Sequence[Untyped],
    states: tuple[str, ...],
    outputs: Sequence[int],
    where: Where,
    place: str,
    inputs: Sequence[str],
    *,
    square: bool,
) -> list[Shape]:
    _check_states(nodes, states, outputs, place)
    _check_matrices(nodes, where)
    _check_whole(nodes, where)
    try:
        return infer(nodes, outputs, inputs, square=square)
    except ShapeMismatchError as error:
        raise EquationError(f"{where(error.node)}: {error}") from None


def _check_states(nodes: Sequence[Untyped], states: tuple[str, ...], outputs: Sequence[int], place: str) -> None:
    read = {node.name for node in nodes if node.op is Op.STATE}
    for state, output in zip(states, outputs, strict=True):
        if nodes[output].op is Op.STATE:
            raise EquationError(
                f"{place}: state {state} is never updated, it is returned as the state {nodes[output].name}"
            )
        if nodes[output].op in LEAVES:
            raise EquationError(f"{place}: state {state} is set to {nodes[output].name or 'a constant'}, not computed")
    first = next((k for k, state in enumerate(states) if state in read), 0)  # those before it are outputs, and no more
    for state in states[first:]:
        if state not in read:
            raise EquationError(f"{place}: state {state} is never read")


def _check_inputs(nodes: Sequence[Untyped], inputs: Sequence[str], states: Sequence[str], place: str) -> None:
    for name in inputs[1:]:
        if name.endswith(BELOW) and name.removesuffix(BELOW) not in states:
            raise EquationError(
                f"{place}: {name} is a state of the layer below, and there is no state {name.removesuffix(BELOW)}: "
                f"there is {' and '.join(states)}"
            )
    read = {node.name for node in nodes if node.op is Op.INPUT}
    for k, name in enumerate(inputs):
        if name not in read:
            raise EquationError(
                f"{place}: the input {name} is never read" if k else f"{place}: the input is never read"
            )


def _check_matrices(nodes: Sequence[Untyped], where: Where) -> None:
    recurrent = reached(nodes, {Op.STATE})
    for k, node in enumerate(nodes):
        if node.op is not Op.MATMUL:
            continue
        matrix = nodes[node.args[0]].name
        if matrix.startswith("W") and recurrent[k]:
            raise EquationError(
                f"{where(k)}: {matrix} multiplies something that depends on a state: write U{matrix[1:]} @ …"
            )
        if matrix.startswith("U") and not recurrent[k]:
            raise EquationError(
                f"{where(k)}: {matrix} multiplies something that depends on no state: write W{matrix[1:]} @ …"
            )


def _check_whole(nodes: Sequence[Untyped], where: Where) -> None:
    recurrent, varies = reached(nodes, {Op.STATE}), reached(nodes, {Op.INPUT})
    for k, node in enumerate(nodes):
        if node.op not in WHOLE:
            continue
        if recurrent[k]:
            raise EquationError(
                f"{where(k)}: {node.op}(…) is taken over all time steps at once, so not of what depends on a state"
            )
        if not varies[k]:
            raise EquationError(f"{where(k)}: {node.op}(…) is taken of something that reads the input")


def _key(expression: Expression) -> object:
    """Leaves are the same by what they stand for, operations by identity."""
    if expression.op in LEAVES:
        return (expression.op, expression.name, expression.value)
    return id(expression)


def order_of(outputs: Sequence[Expression]) -> dict[object, tuple[Expression, int]]:
    """Every expression that the outputs need, operands first."""
    order: dict[object, tuple[Expression, int]] = {}
    stack = [(output, False) for output in reversed(outputs)]
    while stack:
        expression, ready = stack.pop()
        key = _key(expression)
        if key in order:
            continue
        if ready:
            order[key] = (expression, len(order))
        else:
            stack.append((expression, True))
            stack.extend((arg, False) for arg in reversed(expression.args))
    return order


def _unique_names(
    expressions: Sequence[Expression], states: Sequence[str], outputs: Sequence[Expression]
) -> dict[int, str]:
    """The equations' names; one that is taken is numbered.

    A state's name is that of its new value, the input's name that of the input, and what is returned keeps
    its name.
    """
    own = {output.name: id(output) for output in outputs}
    own |= dict(zip(states, map(id, outputs), strict=True))
    own |= {expression.name: id(expression) for expression in expressions if expression.op is Op.INPUT}
    taken = {expression.name for expression in expressions}.union(states)
    given: set[str] = set()
    names: dict[int, str] = {}
    for expression in expressions:
        name = expression.name
        if name and expression.op not in LEAVES:
            if name in given or own.get(name, id(expression)) != id(expression):
                name = next(one for k in count(1) if (one := f"{name}_{k}") not in taken | given)
            given.add(name)
        names[id(expression)] = name
    return names


def _where(expression: Expression, place: str) -> str:
    return str(expression.equation) if expression.equation else place


def _line(equation: Equation | None) -> int:
    return equation.line if equation else 0
