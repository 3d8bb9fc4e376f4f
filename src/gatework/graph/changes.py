"""The kinds of changes that a cell can have: each a function of a draft and of the node at the place of the change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gatework.graph.draft import Draft
from gatework.graph.expression import Expression, maximum, minimum, relu, sigmoid, softplus, tanh
from gatework.graph.graph import Node
from gatework.graph.ops import COMPUTED, Op

FUNCTIONS: dict[Op, Callable[[Expression], Expression]] = {
    Op.SIGMOID: sigmoid,
    Op.TANH: tanh,
    Op.RELU: relu,
    Op.SOFTPLUS: softplus,
}
"""Functions that take each other's place."""

WRAPS: dict[str, Callable[[Expression], Expression]] = {
    **{op.value: function for op, function in FUNCTIONS.items()},
    "1 - …": lambda a: 1 - a,
    "-…": lambda a: -a,
}
"""What can be put around a value, in words."""

PAIRS: dict[Op, Callable[[Expression, Expression], Expression]] = {
    Op.ADD: lambda a, b: a + b,
    Op.SUBTRACT: lambda a, b: a - b,
    Op.MULTIPLY: lambda a, b: a * b,
    Op.MAXIMUM: maximum,
    Op.MINIMUM: minimum,
}
"""Operations on two vectors that take each other's place."""


def _function(draft: Draft, node: Node) -> str:
    """Another function of the same value."""
    op = list(FUNCTIONS)[draft.draw([k for k, one in enumerate(FUNCTIONS) if one is not node.op])]
    draft.put(FUNCTIONS[op](*draft.value.args))
    return f"{op} for {node.op}"


def _pair(draft: Draft, node: Node) -> str:
    """Another operation on the same two values."""
    op = list(PAIRS)[draft.draw([k for k, one in enumerate(PAIRS) if one is not node.op])]
    draft.put(PAIRS[op](*draft.value.args))
    return f"{op} for {node.op}"


def _inserted(draft: Draft, _node: Node) -> str:
    """A function of the value, or one minus it."""
    words = list(WRAPS)[draft.draw(range(len(WRAPS)))]
    draft.put(WRAPS[words](draft.value))
    return f"{words} inserted"


def _removed(draft: Draft, node: Node) -> str:
    """One of the operands in place of the value."""
    kept = draft.draw([k for k, arg in enumerate(node.args) if draft.graph.nodes[arg].shape == ("H",)])
    draft.put(draft.value.args[kept])
    return f"{node.op} removed"


def _operand(draft: Draft, node: Node) -> str:
    """Another operand: a state, or a value that is computed before; for a matrix the input too."""
    shapes = [draft.graph.nodes[arg].shape for arg in node.args]
    places = [1] if node.op is Op.MATMUL else [k for k, shape in enumerate(shapes) if shape == ("H",)]
    place = draft.draw(places)
    args = list(draft.value.args)
    others = [one for one in draft.vectors if one is not args[place]]
    new = draft.one(*others, draft.input) if node.op is Op.MATMUL else draft.one(*others)
    args[place] = new
    draft.put(Expression(node.op, tuple(args)))
    return f"{new.name or new.op} as an operand of {node.op}"


def _product(draft: Draft, node: Node) -> str:
    """A matrix more inside a function."""
    vector = draft.one(draft.input, *draft.vectors)
    draft.put(Expression(node.op, (draft.value.args[0] + draft.product(vector),)))
    return f"a matrix times {vector.name or vector.op} added"


def _bias(draft: Draft, node: Node) -> str:
    """A bias, or a diagonal weight of a state, more inside a function."""
    if draft.coin() and not _has_bias(draft.value.args[0]):
        draft.put(Expression(node.op, (draft.value.args[0] + draft.weight("b"),)))
        return "a bias added"
    state = draft.one(*draft.states)
    peephole = draft.weight("p") * state
    draft.put(Expression(node.op, (draft.value.args[0] + peephole,)))
    return f"a diagonal weight of {state.name} added"


def _has_bias(value: Expression) -> bool:
    """Whether a sum has a bias among its terms."""
    if value.op is Op.ADD:
        return any(_has_bias(arg) for arg in value.args)
    return value.op is Op.PARAMETER


def _dropped(draft: Draft, node: Node) -> str:
    """A product with a matrix, or a bias, less in a sum."""
    gone = draft.draw([k for k in (0, 1) if draft.graph.nodes[node.args[k]].op in (Op.MATMUL, Op.PARAMETER)])
    lost, kept = draft.value.args[gone], draft.value.args[1 - gone]
    draft.put(kept)
    return f"{lost.name or lost.args[0].name} dropped"


def _gated(draft: Draft, node: Node) -> str:
    """The value times a gate; for a matrix, the vector that it multiplies."""
    gate = draft.gate()
    if node.op is Op.MATMUL and draft.graph.nodes[node.args[1]].shape == ("H",):
        matrix, vector = draft.value.args
        draft.put(Expression(Op.MATMUL, (matrix, gate * vector)))
        return f"what {matrix.name} multiplies gated by {gate.name or 'a gate'}"
    draft.put(gate * draft.value)
    return f"gated by {gate.name or 'a gate'}"


def _coupled(draft: Draft, _node: Node) -> str:
    """One minus an earlier gate in place of a gate, or that gate itself."""
    other = draft.one(*draft.gates)
    less = draft.coin()
    draft.put(1 - other if less else other)
    return f"coupled to {'1 - ' if less else ''}{other.name or other.op}"


def _leaking(draft: Draft, _node: Node) -> str:
    """A part of the value, and the rest of a state: a gate says how much."""
    gate, state = draft.gate(), draft.one(*draft.states)
    draft.put(gate * state + (1 - gate) * draft.value)
    return f"mixed with {state.name} by {gate.name or 'a gate'}"


def _tied(draft: Draft, node: Node) -> str:
    """The matrix of an earlier product in place of its own."""
    nodes, own = draft.graph.nodes, draft.graph.nodes[node.args[0]]
    earlier = [one.args[0] for one in nodes[: draft.target] if one.op is Op.MATMUL]
    other = draft.draw([k for k in earlier if nodes[k].shape == own.shape and nodes[k].name != own.name])
    draft.put(Expression(Op.MATMUL, (draft.written[other], draft.value.args[1])))
    return f"{nodes[other].name} for {own.name}"


def _is_function(node: Node) -> bool:
    return node.op in FUNCTIONS and node.shape == ("H",)


def _is_vector(node: Node) -> bool:
    return node.op in COMPUTED and node.shape == ("H",)


def _is_product(node: Node) -> bool:
    return node.op is Op.MATMUL


@dataclass(frozen=True)
class Kind:
    """A kind of change: at which nodes it can be, how often it is drawn, and what it does to a draft."""

    words: str
    weight: float
    fits: Callable[[Node], bool]
    change: Callable[[Draft, Node], str]


KINDS = (
    Kind("another function", 2, _is_function, _function),
    Kind("another operation", 2, lambda node: node.op in PAIRS and node.shape == ("H",), _pair),
    Kind("a function inserted", 2, _is_vector, _inserted),
    Kind("an operation removed", 2, lambda node: _is_vector(node) and node.op is not Op.MATMUL, _removed),
    Kind("another operand", 3, _is_vector, _operand),
    Kind("a product added", 2, _is_function, _product),
    Kind("a bias added", 1, _is_function, _bias),
    Kind("a term dropped", 2, lambda node: node.op is Op.ADD and node.shape == ("H",), _dropped),
    Kind("a gate", 2, _is_vector, _gated),
    Kind("a gate coupled", 1, lambda node: node.op is Op.SIGMOID, _coupled),
    Kind("a leak", 1, _is_vector, _leaking),
    Kind("a matrix tied", 1, _is_product, _tied),
)
"""All kinds of changes."""
