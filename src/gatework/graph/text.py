"""Equations for a terminal: `rₜ = σ(W_r xₜ + U_r hₜ₋₁ + b_r)`."""

from gatework.graph.graph import Graph
from gatework.graph.ops import Op
from gatework.graph.printing import APPLIED, FACTOR, PRODUCT, SIGNED, SUM, Notation, Template, call, infix

TEMPLATES: dict[Op, Template] = {
    Op.MATMUL: infix(" ", APPLIED, FACTOR, FACTOR),
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
    Op.MEAN: call("mean({})"),
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


def equations(graph: Graph) -> list[str]:
    """The equations of one time step, a line each.

    >>> from gatework.cells import catalogue
    >>> print(*equations(catalogue["rnn"].graph))
    hₜ = tanh(W_h xₜ + U_h hₜ₋₁ + b_h)
    """
    return _NOTATION.equations(graph)
