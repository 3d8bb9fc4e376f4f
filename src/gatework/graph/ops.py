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
    SIZE = "size"
    GRADIENT = "gradient"
    ACCUMULATED = "accumulated"
    LOADED = "loaded"

    MATMUL = "matmul"
    TRANSPOSED = "transposed"
    OUTER = "outer"

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
    FLOOR = "floor"
    COS = "cos"
    SIN = "sin"

    WHERE = "where"

    MEAN = "mean"
    SUM = "sum"
    STANDARD = "standard"
    SPREAD = "spread"


LEAVES = frozenset({Op.INPUT, Op.STATE, Op.PARAMETER, Op.CONSTANT, Op.SIZE, Op.GRADIENT, Op.ACCUMULATED, Op.LOADED})
"""Operations without operands: where values enter the graph."""

COMPUTED = frozenset(Op) - LEAVES
"""Operations that compute."""

PLANNED = frozenset({Op.ACCUMULATED, Op.LOADED})
"""Operations that stand in plans only: where a kernel's products and arrays enter its elementwise part."""

DERIVED = PLANNED | {Op.SIZE, Op.GRADIENT, Op.TRANSPOSED, Op.OUTER, Op.WHERE, Op.SPREAD}
"""Operations that stand in derivatives and plans only: no equation of a cell has them."""

LANGUAGE = frozenset(Op) - DERIVED
"""Operations that the equations of a cell may have."""

PRODUCTS = frozenset({Op.MATMUL, Op.TRANSPOSED, Op.OUTER})
"""Operations with a matrix: the ones that are not elementwise and cost more than a pass over the entries."""

REDUCTIONS = frozenset({Op.MEAN, Op.SUM})
"""Operations that make one number for each sequence from the entries of a vector."""

WHOLE = frozenset({Op.STANDARD})
"""Operations over all sequences and time steps of a batch at once: a layer does them before its loop over time."""

ELEMENTWISE = COMPUTED - PRODUCTS - REDUCTIONS - WHOLE - {Op.SPREAD}
"""Operations on one entry at a time."""

KINKED = frozenset({Op.MAXIMUM, Op.MINIMUM, Op.RELU, Op.ABS, Op.FLOOR})
"""Operations whose derivative jumps somewhere: there, rounding decides between two right gradients."""

AHEAD = frozenset({Op.COS, Op.SIN})
"""Operations that no kernel has: where no state is involved, they are computed before the loop over time."""

ARITY: dict[Op, int] = {
    **dict.fromkeys(LEAVES, 0),
    Op.MATMUL: 2,
    Op.TRANSPOSED: 2,
    Op.OUTER: 2,
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
    Op.FLOOR: 1,
    Op.COS: 1,
    Op.SIN: 1,
    Op.WHERE: 2,
    Op.MEAN: 1,
    Op.SUM: 1,
    Op.STANDARD: 1,
    Op.SPREAD: 1,
}

MEANING: dict[Op, str] = {
    Op.INPUT: "the input x of this time step",
    Op.STATE: "a state as the previous time step left it",
    Op.PARAMETER: "a trained weight",
    Op.CONSTANT: "a fixed number",
    Op.SIZE: "the number of entries of a vector",
    Op.GRADIENT: "the gradient of a new state, from later time steps",
    Op.ACCUMULATED: "the sum of some products, as a kernel's registers hold it",
    Op.LOADED: "a value that an array holds",
    Op.MATMUL: "matrix times vector",
    Op.TRANSPOSED: "transposed matrix times vector",
    Op.OUTER: "column times row: the gradient of a matrix",
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
    Op.COS: "the cosine of a, in radians",
    Op.SIN: "the sine of a, in radians",
    Op.FLOOR: "the largest whole number that is not above a",
    Op.WHERE: "b where a is positive, else 0",
    Op.MEAN: "the mean over the entries of a vector",
    Op.SUM: "the sum over the entries of a vector",
    Op.STANDARD: "a with mean 0 and variance 1, over all sequences and time steps",
    Op.SPREAD: "a vector with the same number in every entry",
}
