"""Random cells, what they are worth in numpy, and random numbers to put in."""

import numpy as np
from hypothesis import strategies as st

from gatework.graph import expression as language
from gatework.graph.expression import Expression as Symbol
from gatework.graph.expression import U, W, b, p
from gatework.graph.ops import Op

N, H = 3, 4
SIZES = {"N": N, "H": H}

NUMPY = {
    Op.MATMUL: lambda matrix, vector: matrix @ vector,
    Op.ADD: np.add,
    Op.SUBTRACT: np.subtract,
    Op.MULTIPLY: np.multiply,
    Op.DIVIDE: np.divide,
    Op.NEGATE: np.negative,
    Op.MAXIMUM: np.maximum,
    Op.MINIMUM: np.minimum,
    Op.SIGMOID: lambda a: 1 / (1 + np.exp(-a)),
    Op.TANH: np.tanh,
    Op.RELU: lambda a: np.maximum(a, 0.0),
    Op.SOFTPLUS: lambda a: np.log(1 + np.exp(a)),
    Op.EXP: np.exp,
    Op.LOG: np.log,
    Op.SQRT: np.sqrt,
    Op.ABS: np.abs,
    Op.FLOOR: np.floor,
    Op.COS: np.cos,
    Op.SIN: np.sin,
    Op.MEAN: np.mean,
    Op.SUM: np.sum,
}

# Everything stays within a few units, so that no rounding is blown up: logarithms, roots and quotients are taken of
# what is away from zero, exponentials of what is bounded.
UNARY = [
    language.sigmoid,
    language.tanh,
    language.relu,
    language.softplus,
    language.absolute,
    lambda a: -a,
    lambda a: language.exp(language.tanh(a)),
    lambda a: language.log(language.absolute(a) + 1.5),
    lambda a: language.sqrt(language.absolute(a) + 0.5),
    lambda a: -1.25 * a,
    lambda a: a - -0.1,
    lambda a: (1 - a) ** 2 / 8,
    lambda a: 0 - (-a * 1 + 0),
]
BINARY = [
    lambda a, o: a + o,
    lambda a, o: a - o,
    lambda a, o: language.tanh(a) * language.tanh(o),
    lambda a, o: a / (2 * (language.absolute(o) + 1)),
    lambda a, o: a / (language.absolute(o) + 1) / 2,
    lambda a, o: a - (o - a),
    lambda a, o: a + (o + a) / 3,
    lambda a, o: language.tanh(o + a) * language.sigmoid(a + o),
    language.maximum,
    language.minimum,
]


@st.composite
def cells(draw, of_input=True):
    """The outputs of a random cell of two states, the noted equations, and the shapes of its weights.

    Without `of_input` no vector of the input's size is computed with: the input is multiplied by matrices, and no more.
    """
    x, h, c = Symbol(Op.INPUT, name="x"), Symbol(Op.STATE, name="h"), Symbol(Op.STATE, name="c")
    pool = [(x, "N", False), (h, "H", True), (c, "H", True)]
    weights = {}

    def weight(kind, *letters):
        shape = tuple(SIZES[letter] for letter in letters)
        same = [key for key, there in weights.items() if key[0] == kind and there == shape]
        name = f"k{len(weights)}"
        if same and draw(st.booleans()):
            name = draw(st.sampled_from(same))[2:]
        weights[f"{kind}.{name}"] = shape
        return getattr({"W": W, "U": U, "b": b, "p": p}[kind], name)

    for step in range(draw(st.integers(2, 12))):
        # What is new is used more often than what is old: so that cells grow deep.
        a, size, recurrent = draw(st.sampled_from(pool[-3:] if draw(st.booleans()) else pool))
        forms = ["unary", "binary", "matrix", "bias", "diagonal", "mean"]
        form = draw(st.sampled_from(forms)) if of_input or size != "N" else "matrix"
        if form == "unary":
            a = draw(st.sampled_from(UNARY))(a)
        elif form == "binary":
            fitting = [one for one in pool if (size in (one[1], "1") or one[1] == "1") and (of_input or one[1] != "N")]
            other, _, also = draw(st.sampled_from(fitting))
            a = draw(st.sampled_from(BINARY))(a, other)
            size = next((one[1] for one in pool if one[0] is other and size == "1"), size)
            recurrent = recurrent or also
        elif form == "mean" and size != "1":
            a, size = language.mean(a), "1"
        elif size != "1" and form == "matrix":
            a, size = weight("U" if recurrent else "W", "H", size) @ a, "H"
        elif size != "1" and form == "bias":
            a = a + weight("b", size)
        elif size != "1" and form == "diagonal":
            a = weight("p", size) * a
        if draw(st.booleans()) and not a.name:
            a.name = draw(st.sampled_from([f"v{step}", "v", "h", "v_1", "alpha_f"]))
        pool.append((a, size, recurrent))
    inner = {id(arg) for one, _, _ in pool for below in reached([one]) for arg in below.args}
    loose = [one for one, size, _ in pool if size != "N" and id(one) not in inner]
    last = [one for one, size, _ in pool if size == "H"]
    outputs = (
        language.tanh(draw(st.sampled_from(last[-3:])) + weight("W", "H", "N") @ x + h),
        sum([one for one in loose if draw(st.booleans())], language.tanh(draw(st.sampled_from(last[-3:]))) * c),
    )
    return outputs, noted(outputs), weights


def noted(outputs):
    """The named operations that the outputs need."""
    return [one for one in reached(outputs) if one.name and one.args]


def reached(outputs):
    """All that expressions are made of, themselves included."""
    found, stack = {}, list(outputs)
    while stack:
        one = stack.pop()
        if id(one) not in found:
            found[id(one)] = one
            stack.extend(one.args)
    return list(found.values())


def evaluate(expression, leaves, known=None):
    """What an expression is worth, straight from the way it was written."""
    known = {} if known is None else known
    if id(expression) not in known:
        if expression.op is Op.CONSTANT:
            known[id(expression)] = np.float64(expression.value)
        elif not expression.args:
            known[id(expression)] = leaves[expression.name]
        else:
            operands = [evaluate(arg, leaves, known) for arg in expression.args]
            known[id(expression)] = NUMPY[expression.op](*operands)
    return known[id(expression)]


def numbers(weights, seed=0):
    """Different random weights, an input and two states, below one so that sums of eight stay small."""
    generator = np.random.default_rng(seed)
    shapes = {**weights, "x": (N,), "h": (H,), "c": (H,)}
    return {name: generator.uniform(-1, 1, shape) / shape[-1] ** 0.5 for name, shape in shapes.items()}
