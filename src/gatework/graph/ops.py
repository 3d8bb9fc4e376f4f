"""The operations of the little language: few, and each with one meaning.

Every consumer of a graph (shapes, printing, LaTeX, the torch reference, later compilers) is a table with one
row per operation. `tests/graph/test_tables.py` names the row that is missing.
"""

from enum import StrEnum


class Op(StrEnum):
    """What a node of a graph does."""

    INPUT = "input"
    STATE = "state"
    PARAMETER = "parameter"
    CONSTANT = "constant"

    MATMUL = "matmul"

    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    NEGATE = "negate"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"

    SIGMOID = "sigmoid"
    TANH = "tanh"
    RELU = "relu"
    SOFTPLUS = "softplus"
    EXP = "exp"
    LOG = "log"
    SQRT = "sqrt"
    ABS = "abs"

    MEAN = "mean"


LEAVES = frozenset({Op.INPUT, Op.STATE, Op.PARAMETER, Op.CONSTANT})
"""Operations without operands: where values enter the graph."""

COMPUTED = frozenset(Op) - LEAVES
"""Operations that compute: the rows that every table of a consumer must have."""

ARITY: dict[Op, int] = {
    **dict.fromkeys(LEAVES, 0),
    Op.MATMUL: 2,
    Op.ADD: 2,
    Op.SUBTRACT: 2,
    Op.MULTIPLY: 2,
    Op.DIVIDE: 2,
    Op.NEGATE: 1,
    Op.MAXIMUM: 2,
    Op.MINIMUM: 2,
    Op.SIGMOID: 1,
    Op.TANH: 1,
    Op.RELU: 1,
    Op.SOFTPLUS: 1,
    Op.EXP: 1,
    Op.LOG: 1,
    Op.SQRT: 1,
    Op.ABS: 1,
    Op.MEAN: 1,
}

MEANING: dict[Op, str] = {
    Op.INPUT: "the input x of this time step",
    Op.STATE: "a state as the previous time step left it",
    Op.PARAMETER: "a trained weight",
    Op.CONSTANT: "a fixed number",
    Op.MATMUL: "matrix times vector",
    Op.ADD: "a + b",
    Op.SUBTRACT: "a - b",
    Op.MULTIPLY: "a b, elementwise",
    Op.DIVIDE: "a / b, elementwise",
    Op.NEGATE: "-a",
    Op.MAXIMUM: "the larger of a and b",
    Op.MINIMUM: "the smaller of a and b",
    Op.SIGMOID: "1 / (1 + exp(-a))",
    Op.TANH: "the hyperbolic tangent of a",
    Op.RELU: "a where it is positive, else 0",
    Op.SOFTPLUS: "log(1 + exp(a))",
    Op.EXP: "e to the power a",
    Op.LOG: "the natural logarithm of a",
    Op.SQRT: "the square root of a",
    Op.ABS: "the magnitude of a",
    Op.MEAN: "the mean over the entries of a vector",
}
