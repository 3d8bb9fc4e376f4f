"""A list of nodes that simplifies itself: every rule keeps the value, zeros, infinities and NaN included."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreter import interpret
from random_cells import NUMPY, H, evaluate

from gatework.graph.expression import Expression as Symbol
from gatework.graph.expression import absolute, exp, log, maximum, minimum, relu, sigmoid, softplus, sqrt, tanh
from gatework.graph.graph import Node
from gatework.graph.ops import ARITY, ELEMENTWISE, Op
from gatework.graph.simplify import prune
from gatework.graph.steps import FOLD, SIMPLIFY, Steps

SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -3.75, 1e-300, 1e300, np.inf, -np.inf, np.nan]
PAIRS = dict(zip("ab", np.array(list(itertools.product(SPECIAL, SPECIAL))).T, strict=True))

negative = Symbol.__neg__

# What is written, and the operations that are left of it.
RULES = {
    "a + 0": (lambda a, b: a + 0, []),
    "0 + a": (lambda a, b: 0 + a, []),
    "a - 0": (lambda a, b: a - 0, []),
    "0 - a": (lambda a, b: 0 - a, ["negate"]),
    "1 a": (lambda a, b: 1 * a, []),
    "a 1": (lambda a, b: a * 1, []),
    "a / 1": (lambda a, b: a / 1, []),
    "-1 a": (lambda a, b: -1 * a, ["negate"]),
    "a (-1)": (lambda a, b: a * -1, ["negate"]),
    "a / -1": (lambda a, b: a / -1, ["negate"]),
    "--a": (lambda a, b: negative(negative(a)), []),
    "---a": (lambda a, b: negative(negative(negative(a))), ["negate"]),
    "0 - (0 - a)": (lambda a, b: 0 - (0 - a), []),
    "a + -b": (lambda a, b: a + -b, ["subtract"]),
    "-a + b": (lambda a, b: -a + b, ["subtract"]),
    "a - -b": (lambda a, b: a - -b, ["add"]),
    "a + (0 - b)": (lambda a, b: a + (0 - b), ["subtract"]),
    "max(a, a)": (lambda a, b: maximum(a, a), []),
    "min(a, a)": (lambda a, b: minimum(a, a), []),
    "max(a + 0, --a)": (lambda a, b: maximum(a + 0, negative(negative(a))), []),
    "| |a| |": (lambda a, b: abs(abs(a)), ["abs"]),
    "|-a|": (lambda a, b: abs(-a), ["abs"]),
    "|relu a|": (lambda a, b: abs(relu(a)), ["relu"]),
    "|exp a|": (lambda a, b: abs(exp(a)), ["exp"]),
    "|sigmoid a|": (lambda a, b: abs(sigmoid(a)), ["sigmoid"]),
    "|softplus a|": (lambda a, b: abs(softplus(a)), ["softplus"]),
    "relu relu a": (lambda a, b: relu(relu(a)), ["relu"]),
    "relu |a|": (lambda a, b: relu(abs(a)), ["abs"]),
    "relu exp a": (lambda a, b: relu(exp(a)), ["exp"]),
    "relu sigmoid a": (lambda a, b: relu(sigmoid(a)), ["sigmoid"]),
    "relu softplus a": (lambda a, b: relu(softplus(a)), ["softplus"]),
    # an operation that is there already
    "ab + ba": (lambda a, b: a * b + b * a, ["multiply", "add"]),
    "(a + b) / (b + a)": (lambda a, b: (a + b) / (b + a), ["add", "divide"]),
    "max(a, b) - max(b, a)": (lambda a, b: maximum(a, b) - maximum(b, a), ["maximum", "subtract"]),
    "min(a, b) - min(b, a)": (lambda a, b: minimum(a, b) - minimum(b, a), ["minimum", "subtract"]),
    "tanh(a - b) of two": (lambda a, b: tanh(a - b) * tanh(a - b), ["subtract", "tanh", "multiply"]),
    "2a + 2.0a": (lambda a, b: 2 * a + a * 2.0, ["multiply", "add"]),
    # constants
    "a (3 - 2)": (lambda a, b: a * (3 - number(2)), []),
    "a + exp 0.5": (lambda a, b: a + exp(0.5), ["add"]),
    "a + (0.5 - sqrt 0.25)": (lambda a, b: a + (0.5 - sqrt(0.25)), []),
    "a max(2, -1)": (lambda a, b: a * maximum(2, -1) * minimum(2, -1), ["multiply", "negate"]),
    # what looks the same and is not
    "0 a": (lambda a, b: 0 * a, ["multiply"]),
    "a - a": (lambda a, b: a - a, ["subtract"]),
    "a / a": (lambda a, b: a / a, ["divide"]),
    "0 / a": (lambda a, b: 0 / a, ["divide"]),
    "a + b - b": (lambda a, b: a + b - b, ["add", "subtract"]),
    "a b / b": (lambda a, b: a * b / b, ["multiply", "divide"]),
    "log exp a": (lambda a, b: log(exp(a)), ["exp", "log"]),
    "sqrt(a a)": (lambda a, b: sqrt(a * a), ["multiply", "sqrt"]),
    "(a - b) + (b - a)": (lambda a, b: (a - b) + (b - a), ["subtract", "subtract", "add"]),
    "a / b + b / a": (lambda a, b: a / b + b / a, ["divide", "divide", "add"]),
    "| tanh a |": (lambda a, b: abs(tanh(a)), ["tanh", "abs"]),
    "relu log a": (lambda a, b: relu(log(a)), ["log", "relu"]),
    "a + log 0": (lambda a, b: a + log(0), ["log", "add"]),
    "a + 1/0": (lambda a, b: a + number(1) / number(0), ["divide", "add"]),
    "a + sqrt -1": (lambda a, b: a + sqrt(-1), ["sqrt", "add"]),
    "a exp 1000": (lambda a, b: a * exp(1000), ["exp", "multiply"]),
    "a (1e308 10)": (lambda a, b: a * (number(1e308) * 10), ["multiply", "multiply"]),
    "a sigmoid -1000": (lambda a, b: a * sigmoid(-1000), ["sigmoid", "multiply"]),
}

SUMS = {
    "sum -a": (lambda a, b: total(negative(a)), ["sum", "negate"]),
    "sum a + sum b": (lambda a, b: total(a) + total(b), ["add", "sum"]),
    "sum a - sum b": (lambda a, b: total(a) - total(b), ["subtract", "sum"]),
    "-sum a - sum b": (lambda a, b: -total(a) - total(b), ["add", "sum", "negate"]),
    "sum -a + sum -b": (lambda a, b: total(-a) + total(-b), ["add", "sum", "negate"]),
    "-a - b": (lambda a, b: -a - b, ["add", "negate"]),
    "a / sum b": (lambda a, b: a / total(b), ["sum", "divide", "multiply"]),
    "a / sum b + b / sum b": (
        lambda a, b: a / total(b) + b / total(b),
        ["sum", "divide", "multiply", "multiply", "add"],
    ),
    "sum a / sum b": (lambda a, b: total(a) / total(b), ["sum", "sum", "divide"]),
    "sum sum a + sum b": (lambda a, b: total(total(a)) + total(b), ["sum", "sum", "sum", "add"]),
}
"""Expressions with what is summed over all entries, and the operations that are left of them."""

# A constant is computed by another library's function: each is right within a unit or two in the last place.
EXACT = {**NUMPY, Op.SOFTPLUS: lambda a: np.logaddexp(a, 0.0)}
ROUNDING = 4 * np.finfo(np.float64).eps


def total(a):
    return Symbol(Op.SUM, (a,))


def number(value):
    return Symbol(Op.CONSTANT, value=float(value))


def leaf(name, shape=("H",)):
    return Node(Op.STATE, (), name, 0.0, shape, 0)


def write(steps, expression):
    """The position of an expression, each operation as it was written."""
    if expression.op is Op.CONSTANT:
        return steps.constant(expression.value)
    if not expression.args:
        return steps.leaf(leaf(expression.name))
    return steps.add(expression.op, *(write(steps, arg) for arg in expression.args))


def simplified(expression):
    """What is left of an expression, its value last."""
    steps = Steps()
    root = write(steps, expression)
    nodes, moved = prune(steps.nodes, [root])
    assert moved[root] == len(nodes) - 1
    return nodes


def symbols():
    return Symbol(Op.STATE, name="a"), Symbol(Op.STATE, name="b")


def worth(nodes, leaves):
    """What nodes of any length are worth, of numbers side by side."""
    with np.errstate(all="ignore"):
        values = [
            np.array([interpret(nodes, {name: np.full(H, one[k]) for name, one in leaves.items()})[-1]])
            for k in range(len(leaves["a"]))
        ]
    return np.array([np.broadcast_to(value, (1, H))[0, 0] for value in values])


def as_written(expression, leaves):
    with np.errstate(all="ignore"):
        return np.broadcast_to(evaluate(expression, leaves), leaves["a"].shape)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_keeps_the_value_and_leaves_out_operations(rule):
    written, left = RULES[rule]
    expression = written(*symbols())
    nodes = simplified(expression)
    assert sorted(node.op.value for node in nodes if node.args) == sorted(left)
    np.testing.assert_allclose(worth(nodes, PAIRS), as_written(expression, PAIRS), rtol=ROUNDING, atol=0)


@pytest.mark.parametrize("rule", SUMS)
def test_a_rule_for_what_is_summed_over_the_entries_keeps_the_value(rule):
    written, left = SUMS[rule]
    expression = written(*symbols())
    nodes = simplified(expression)
    assert sorted(node.op.value for node in nodes if node.args) == sorted(left)
    random = np.random.default_rng(0)
    leaves = {"a": random.normal(size=H), "b": random.normal(size=H)}
    np.testing.assert_allclose(interpret(nodes, leaves)[-1], evaluate(expression, leaves), rtol=H * ROUNDING)


def test_every_operation_with_a_rule_is_tested():
    written = [one(*symbols()) for one, _ in (*RULES.values(), *SUMS.values())]
    assert {*SIMPLIFY} <= {one.op for one in written}


@pytest.mark.parametrize("op", FOLD)
def test_a_constant_is_computed_where_it_is_a_finite_number(op):
    grid = [0.0, 0.25, 1.0, -1.0, 3.0, -2.5, 40.0, -40.0, 1e300, -1e300]
    folded = 0
    for values in itertools.product(grid, repeat=ARITY[op]):
        steps = Steps()
        node = steps.nodes[steps.add(op, *map(steps.constant, values))]
        with np.errstate(all="ignore"):
            expected = EXACT[op](*map(np.float64, values))
        if node.op is Op.CONSTANT:
            folded += 1
            # The sigmoid and the softplus of numpy's formula lose what is small beside 1.
            np.testing.assert_allclose(node.value, expected, rtol=ROUNDING, atol=ROUNDING)
        elif math.isfinite(expected):
            assert abs(expected) < 1e-300, "only what overflows on the way is left to the kernel"
    assert folded >= len(grid) // 2


def test_every_elementwise_operation_of_a_cell_is_computed_on_constants():
    assert set(FOLD) == ELEMENTWISE - {Op.WHERE}


def special_values():
    """Random expressions of exact operations, so that before and after are equal to the last bit.

    Quotients are by constants that are not zero: the sign of a zero may change, and 1 / 0 with it.
    """
    a, b = symbols()
    leaves = st.sampled_from([a, b, exp(a), sigmoid(b), softplus(a), *map(number, [0.0, 1.0, -1.0, 2.0, 0.5])])

    def more(inner):
        unary = st.sampled_from(
            [lambda a: -a, relu, absolute, lambda a: a / 1, lambda a: a / -1, lambda a: a / 2, lambda a: sqrt(abs(a))]
        )
        binary = st.sampled_from(
            [maximum, minimum, *(getattr(Symbol, f"__{name}__") for name in ("add", "sub", "mul"))]
        )
        return st.builds(lambda f, a: f(a), unary, inner) | st.builds(lambda f, a, o: f(a, o), binary, inner, inner)

    return st.recursive(leaves, more, max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(special_values())
def test_random_expressions_keep_their_value_at_special_numbers(expression):
    few = {name: values[::5] for name, values in PAIRS.items()}
    nodes = simplified(expression)
    np.testing.assert_array_equal(worth(nodes, few), as_written(expression, few))
    assert sum(1 for node in nodes if node.args) <= count(expression)
    keys = [(node.op, node.args, node.name, node.value) for node in nodes]
    assert len(set(keys)) == len(keys), "an operation is written twice"


def count(expression):
    return bool(expression.args) + sum(map(count, expression.args))


def test_a_leaf_is_written_once_and_a_value_keeps_its_first_name():
    steps = Steps()
    a, b = steps.leaf(leaf("a")), steps.leaf(leaf("b"))
    assert steps.leaf(leaf("a")) == a != b
    assert steps.constant(0.5) == steps.constant(0.5) != steps.constant(0.25)
    assert steps.size("H") == steps.size("H") != steps.size("N")
    unnamed = steps.add(Op.ADD, a, b)
    assert steps.add(Op.ADD, b, a, name="n") == unnamed
    assert steps.add(Op.ADD, a, b, name="m") == unnamed
    steps.label(unnamed, "k")
    assert steps.nodes[unnamed].name == "n"
    assert steps.add(Op.MULTIPLY, a, steps.constant(1.0), name="n2") == a
    assert steps.nodes[a].name == "a"


def test_shapes_follow_from_the_operands():
    steps = Steps()
    vector, one = steps.leaf(leaf("a")), steps.leaf(leaf("m", ("1",)))
    two = steps.constant(2.0)
    shapes = {
        steps.add(Op.MULTIPLY, one, vector): ("H",),
        steps.add(Op.ADD, vector, one): ("H",),
        steps.add(Op.MULTIPLY, one, two): ("1",),
        steps.add(Op.DIVIDE, two, vector): ("H",),
        steps.add(Op.SUM, vector): ("1",),
        steps.add(Op.DIVIDE, one, steps.size("H")): ("1",),
        steps.add(Op.SPREAD, one, shape=("H",)): ("H",),
        steps.add(Op.SPREAD, one, shape=("N",)): ("N",),
        steps.add(Op.TRANSPOSED, steps.leaf(leaf("W.k", ("H", "N"))), vector, shape=("N",)): ("N",),
    }
    assert {k: steps.nodes[k].shape for k in shapes} == shapes
