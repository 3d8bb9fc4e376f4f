"""Equations for a terminal: `rₜ = σ(W_r xₜ + U_r hₜ₋₁ + b_r)`."""

from collections.abc import Sequence
from dataclasses import replace

from gatework.graph.graph import Graph, Node
from gatework.graph.ops import Op
from gatework.graph.printing import APPLIED, ATOM, FACTOR, PRODUCT, SIGNED, SUM, Notation, Template, call, infix

TEMPLATES: dict[Op, Template] = {
    Op.MATMUL: infix(" ", APPLIED, FACTOR, FACTOR),
    Op.TRANSPOSED: infix("ᵀ ", APPLIED, FACTOR, FACTOR),
    Op.OUTER: Template("{} {}ᵀ", APPLIED, (FACTOR, FACTOR)),
    Op.ADD: infix(" + ", SUM, SIGNED, SUM),
    Op.SUBTRACT: infix(" - ", SUM, SIGNED, APPLIED),
    Op.MULTIPLY: infix(" ⊙ ", PRODUCT, PRODUCT, FACTOR),
    Op.DIVIDE: infix(" / ", PRODUCT, PRODUCT, FACTOR),
    Op.NEGATE: Template("-{}", SIGNED, (APPLIED,)),
    Op.MAXIMUM: call("max({}, {})", 2),
    Op.MINIMUM: call("min({}, {})", 2),
    Op.SIGMOID: call("σ({})"),
    Op.TANH: call("tanh({})"),
    Op.RELU: call("relu({})"),
    Op.SOFTPLUS: call("softplus({})"),
    Op.EXP: call("exp({})"),
    Op.LOG: call("log({})"),
    Op.SQRT: call("√({})"),
    Op.ABS: call("abs({})"),
    Op.COS: call("cos({})"),
    Op.SIN: call("sin({})"),
    Op.FLOOR: call("⌊{}⌋"),
    Op.WHERE: call("[{} > 0] ⊙ ({})", 2),
    Op.STANDARD: call("standard({})"),
    Op.MEAN: call("mean({})"),
    Op.SUM: call("sum({})"),
    Op.SPREAD: Template("{}", SUM, (SUM,)),
}

_NOTATION = Notation(
    TEMPLATES,
    parameter=lambda key: f"{key[0]}_{key[2:]}",
    number=str,
    now=lambda name: f"{name}ₜ",
    before=lambda name: f"{name}ₜ₋₁",
    brackets="({})",
    equals=" = ",
)

READING = replace(
    _NOTATION,
    templates={
        **TEMPLATES,
        Op.MATMUL: infix(" ", APPLIED, FACTOR, ATOM),
        Op.TRANSPOSED: infix("ᵀ ", APPLIED, FACTOR, ATOM),
        Op.OUTER: Template("{} {}ᵀ", APPLIED, (FACTOR, ATOM)),
        Op.MULTIPLY: infix(" ⊙ ", PRODUCT, PRODUCT, PRODUCT),
        Op.WHERE: Template("[{} > 0] ⊙ {}", PRODUCT, (0, PRODUCT)),
        Op.SPREAD: call("spread({})"),
    },
    square="{}²",
)
"""The same for what is derived from equations: products without brackets, squares, and numbers that become vectors."""


def equations(graph: Graph) -> list[str]:
    """The equations of one time step, a line each.

    >>> from gatework.cells import catalogue
    >>> print(*equations(catalogue["rnn"].graph))
    hₜ = tanh(W_h xₜ + U_h hₜ₋₁ + b_h)
    """
    return _NOTATION.equations(graph)


def equation(nodes: Sequence[Node], k: int) -> str:
    """The equation of one value, down to leaves and to values with names.

    >>> from gatework.cells import catalogue
    >>> graph = catalogue["gru"].graph
    >>> equation(graph.nodes, graph.equations["h"])
    'hₜ = (1 - zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁'
    """
    right = READING.term(nodes, k, lambda one: READING.name(nodes[one]), root=True)
    left = READING.name(nodes[k])
    return f"{left} = {right}" if left and nodes[k].args else right
