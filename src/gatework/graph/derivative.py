"""The gradient of one time step, as equations: reverse mode on the graph, one rule for each operation.

Where a function has a corner, the derivative is torch's: 0 for `relu` and `abs` at 0, and one half for each operand of
`maximum` and `minimum` where they are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from gatework.graph.graph import Graph, Node, Shape
from gatework.graph.ops import LEAVES, Op
from gatework.graph.simplify import prune, simplify
from gatework.graph.steps import Steps

Contributions = tuple[tuple[int, int], ...]
"""For each operand of a node that has a gradient: (operand, what the node adds to its gradient)."""


@dataclass(frozen=True)
class Gradient:
    """One time step of a cell and its gradient.

    `nodes` begin with those of `forward`, the simplified cell; after them stand the operations of the gradient. The
    leaf `d_h` of operation GRADIENT is the gradient of the new state `h`. `states` are the nodes that hold the
    gradients of the old states; `inputs` those of the inputs; `parameters` those of the weights, which are still to be
    summed over sequences and time. None, or no entry, means zero.
    """

    forward: Graph
    nodes: tuple[Node, ...]
    states: tuple[int | None, ...]
    inputs: tuple[int | None, ...]
    parameters: dict[str, int]

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """All nodes that hold a result."""
        return (*(k for k in (*self.states, *self.inputs) if k is not None), *self.parameters.values())


def derive(graph: Graph) -> Gradient:
    """The gradient of a cell's time step with respect to its states, its input and its weights."""
    forward = simplify(graph)
    steps = Steps()
    for node in forward.nodes:
        if node.op in LEAVES:
            steps.leaf(node)
        else:
            steps.add(node.op, *node.args, name=node.name, line=node.line, shape=node.shape)
    assert len(steps.nodes) == len(forward.nodes), "a simplified graph is as simple as it gets"
    adjoint = _reverse(steps, forward)
    leaves = {(node.op, node.name): k for k, node in enumerate(forward.nodes) if node.op in LEAVES}
    # What flows to constants alone is nobody's gradient.
    masks = {(Op.INPUT, name) for name in forward.masks}
    found = {k: adjoint[k] for leaf, k in leaves.items() if k in adjoint and leaf not in masks}
    nodes, moved = prune(steps.nodes, [*range(len(forward.nodes)), *found.values()])
    adjoint = {k: moved[one] for k, one in found.items()}
    return Gradient(
        forward,
        nodes,
        tuple(adjoint.get(leaves.get((Op.STATE, state), -1)) for state in forward.states),
        tuple(adjoint.get(leaves.get((Op.INPUT, name), -1)) for name in forward.inputs),
        {name: adjoint[k] for (op, name), k in leaves.items() if op is Op.PARAMETER and k in adjoint},
    )


def _reverse(steps: Steps, forward: Graph) -> dict[int, int]:
    """Node → the node of its gradient, for every node that has one."""
    adjoint: dict[int, int] = {}
    for state, output in zip(forward.states, forward.outputs, strict=True):
        arriving = steps.leaf(Node(Op.GRADIENT, (), f"d_{state}", 0.0, ("H",), 0))
        _gather(steps, adjoint, output, arriving, forward.nodes[output].shape)
    for k in reversed(range(len(forward.nodes))):
        node = forward.nodes[k]
        if k not in adjoint or node.op in LEAVES:
            continue
        if node.name and steps.nodes[adjoint[k]].op not in LEAVES:
            steps.label(adjoint[k], f"d_{node.name}")
        for operand, part in DERIVATIVES[node.op](steps, k, adjoint[k]):
            _gather(steps, adjoint, operand, part, node.shape)
    return adjoint


def _gather(steps: Steps, adjoint: dict[int, int], operand: int, part: int, over: Shape) -> None:
    """Add to the gradient of an operand what a node of shape `over` contributes to it."""
    target = steps.nodes[operand]
    if target.op in (Op.CONSTANT, Op.SIZE):
        return
    if target.shape == ("1",) and over != ("1",):
        if steps.nodes[part].shape == over:
            part = steps.add(Op.SUM, part)
        else:
            part = steps.add(Op.MULTIPLY, part, steps.size(over[0]))
    elif target.shape != steps.nodes[part].shape and len(target.shape) == 1:
        part = steps.add(Op.SPREAD, part, shape=target.shape)
    adjoint[operand] = steps.add(Op.ADD, adjoint[operand], part) if operand in adjoint else part


def _tie(steps: Steps, d: int, first: int, second: int) -> int:
    """Half of what neither operand of a maximum takes alone: they are equal there."""
    rest = steps.add(Op.SUBTRACT, steps.add(Op.SUBTRACT, d, first), second)
    return steps.add(Op.MULTIPLY, steps.constant(0.5), rest)


def _extreme(steps: Steps, k: int, d: int) -> Contributions:
    a, b = steps.nodes[k].args
    if steps.nodes[k].op is Op.MINIMUM:
        a, b = b, a
    first = steps.add(Op.WHERE, steps.add(Op.SUBTRACT, a, b), d)
    second = steps.add(Op.WHERE, steps.add(Op.SUBTRACT, b, a), d)
    tie = _tie(steps, d, first, second)
    if steps.nodes[k].op is Op.MINIMUM:
        a, b = b, a
    return ((a, steps.add(Op.ADD, first, tie)), (b, steps.add(Op.ADD, second, tie)))


def _matmul(steps: Steps, k: int, d: int) -> Contributions:
    matrix, vector = steps.nodes[k].args
    shape = steps.nodes[matrix].shape
    return (
        (matrix, steps.add(Op.OUTER, d, vector, shape=shape)),
        (vector, steps.add(Op.TRANSPOSED, matrix, d, shape=(shape[1],))),
    )


def _multiply(steps: Steps, k: int, d: int) -> Contributions:
    a, b = steps.nodes[k].args
    if a == b:
        return ((a, steps.add(Op.MULTIPLY, steps.add(Op.MULTIPLY, steps.constant(2.0), d), a)),)
    return ((a, steps.add(Op.MULTIPLY, d, b)), (b, steps.add(Op.MULTIPLY, d, a)))


def _divide(steps: Steps, k: int, d: int) -> Contributions:
    a, b = steps.nodes[k].args
    part = steps.add(Op.DIVIDE, d, b)
    return ((a, part), (b, steps.add(Op.NEGATE, steps.add(Op.MULTIPLY, part, k))))


def _unary(rule: Callable[[Steps, int, int, int], int]) -> Callable[[Steps, int, int], Contributions]:
    """A rule for one operand: from the operand, the node and its gradient to the operand's gradient."""

    def contributions(steps: Steps, k: int, d: int) -> Contributions:
        a = steps.nodes[k].args[0]
        return ((a, rule(steps, a, k, d)),)

    return contributions


def _sigmoid(steps: Steps, a: int, y: int, d: int) -> int:
    slope = steps.add(Op.MULTIPLY, y, steps.add(Op.SUBTRACT, steps.constant(1.0), y))
    return steps.add(Op.MULTIPLY, d, slope)


def _tanh(steps: Steps, a: int, y: int, d: int) -> int:
    slope = steps.add(Op.SUBTRACT, steps.constant(1.0), steps.add(Op.MULTIPLY, y, y))
    return steps.add(Op.MULTIPLY, d, slope)


def _sqrt(steps: Steps, a: int, y: int, d: int) -> int:
    return steps.add(Op.DIVIDE, steps.add(Op.MULTIPLY, steps.constant(0.5), d), y)


def _abs(steps: Steps, a: int, y: int, d: int) -> int:
    negative = steps.add(Op.WHERE, steps.add(Op.NEGATE, a), d)
    return steps.add(Op.SUBTRACT, steps.add(Op.WHERE, a, d), negative)


DERIVATIVES: dict[Op, Callable[[Steps, int, int], Contributions]] = {
    Op.MATMUL: _matmul,
    Op.ADD: lambda s, k, d: tuple((arg, d) for arg in s.nodes[k].args),
    Op.SUBTRACT: lambda s, k, d: ((s.nodes[k].args[0], d), (s.nodes[k].args[1], s.add(Op.NEGATE, d))),
    Op.MULTIPLY: _multiply,
    Op.DIVIDE: _divide,
    Op.NEGATE: _unary(lambda s, a, y, d: s.add(Op.NEGATE, d)),
    Op.MAXIMUM: _extreme,
    Op.MINIMUM: _extreme,
    Op.SIGMOID: _unary(_sigmoid),
    Op.TANH: _unary(_tanh),
    Op.RELU: _unary(lambda s, a, y, d: s.add(Op.WHERE, y, d)),
    Op.SOFTPLUS: _unary(lambda s, a, y, d: s.add(Op.MULTIPLY, d, s.add(Op.SIGMOID, a))),
    Op.EXP: _unary(lambda s, a, y, d: s.add(Op.MULTIPLY, d, y)),
    Op.LOG: _unary(lambda s, a, y, d: s.add(Op.DIVIDE, d, a)),
    Op.SQRT: _unary(_sqrt),
    Op.ABS: _unary(_abs),
    Op.COS: _unary(lambda s, a, y, d: s.add(Op.NEGATE, s.add(Op.MULTIPLY, d, s.add(Op.SIN, a)))),
    Op.SIN: _unary(lambda s, a, y, d: s.add(Op.MULTIPLY, d, s.add(Op.COS, a))),
    Op.FLOOR: lambda s, k, d: (),
    Op.MEAN: _unary(lambda s, a, y, d: s.add(Op.DIVIDE, d, s.size(s.nodes[a].shape[0]))),
    Op.SUM: _unary(lambda s, a, y, d: d),
}
"""What a node adds to the gradients of its operands, from its own gradient: one row for each operation of a cell."""
