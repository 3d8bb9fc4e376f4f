"""Random cells keep their meaning: in the graph, in its record, on paper and in the reference."""

import copy
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatework.errors import EquationError
from gatework.graph import expression as language
from gatework.graph.build import build, from_json
from gatework.graph.expression import Expression as Symbol
from gatework.graph.expression import U, W, b, p
from gatework.graph.latex import latex
from gatework.graph.ops import Op
from gatework.graph.text import equations
from gatework.kernels import Reference

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
    Op.RELU: lambda a: np.where(a > 0, a, 0.0),
    Op.SOFTPLUS: lambda a: np.log(1 + np.exp(a)),
    Op.EXP: np.exp,
    Op.LOG: np.log,
    Op.SQRT: np.sqrt,
    Op.ABS: np.abs,
    Op.MEAN: np.mean,
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
]
BINARY = [
    lambda a, o: a + o,
    lambda a, o: a - o,
    lambda a, o: language.tanh(a) * language.tanh(o),
    lambda a, o: a / (2 * (language.absolute(o) + 1)),
    lambda a, o: a / (language.absolute(o) + 1) / 2,
    lambda a, o: a - (o - a),
    lambda a, o: a + (o + a) / 3,
    language.maximum,
    language.minimum,
]


@st.composite
def cells(draw):
    """The outputs of a random cell of two states, the noted equations, and the shapes of its weights."""
    x, h, c = Symbol(Op.INPUT, name="x"), Symbol(Op.STATE, name="h"), Symbol(Op.STATE, name="c")
    pool = [(x, "N", False), (h, "H", True), (c, "H", True)]
    weights = {}

    def weight(kind, *shape):
        name = f"k{len(weights)}"
        weights[f"{kind[0]}.{name}"] = tuple(SIZES[size] for size in shape)
        return getattr({"W": W, "U": U, "b": b, "p": p}[kind], name)

    for step in range(draw(st.integers(1, 8))):
        a, size, recurrent = draw(st.sampled_from(pool))
        form = draw(st.sampled_from(["unary", "binary", "matrix", "bias", "diagonal", "mean"]))
        if form == "unary":
            a = draw(st.sampled_from(UNARY))(a)
        elif form == "binary":
            other, _, also = draw(st.sampled_from([one for one in pool if size in (one[1], "1") or one[1] == "1"]))
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
    last = [one for one, size, _ in pool if size == "H"]
    chosen = draw(st.sampled_from(last))
    outputs = (
        language.tanh(chosen + weight("W", "H", "N") @ x + h),
        language.tanh(draw(st.sampled_from(last))) * c + draw(st.sampled_from([one for one, s, _ in pool if s != "N"])),
    )
    return outputs, noted(outputs), weights


def noted(outputs):
    """The named operations that the outputs need."""
    found, stack = {}, list(outputs)
    while stack:
        one = stack.pop()
        if id(one) not in found:
            found[id(one)] = one
            stack.extend(one.args)
    return [one for one in found.values() if one.name and one.args]


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


# A cell computes at most some hundred float64 operations on values up to about a hundred: 100 · 100 · 2e-16.
TOLERANCE = {"rtol": 1e-11, "atol": 1e-11}
FEW = settings(max_examples=150, deadline=None)


@FEW
@given(cells())
def test_the_record_of_a_graph_is_read_as_it_was_written(drawn):
    outputs, named, weights = drawn
    graph = build(("h", "c"), outputs, named)
    assert from_json(json.loads(json.dumps(graph.to_json()))) == graph
    assert from_json(graph.to_json()) == graph
    used = {one.key: one.sizes(N, H) for one in graph.parameters}
    assert used == {key: weights[key] for key in used}
    assert len(used) == len(graph.parameters)
    assert graph.count(N, H) == sum(int(np.prod(shape)) for shape in used.values())


@FEW
@given(cells())
def test_the_reference_computes_what_was_written(drawn):
    outputs, named, weights = drawn
    graph = build(("h", "c"), outputs, named)
    leaves = [numbers(weights, seed=0), {**numbers(weights, seed=1)}]
    for one in leaves[1]:
        if one in weights:
            leaves[1][one] = leaves[0][one]
    tensors = {key: torch.from_numpy(leaves[0][key]) for key in weights}
    x, h, c = (torch.from_numpy(np.stack([one[name] for one in leaves])) for name in "xhc")
    output, (h, c) = Reference().run(graph, tensors, x[None], (h, c))
    assert output.shape == (1, 2, H)
    for k, one in enumerate(leaves):
        expected = [np.broadcast_to(evaluate(output, one), (H,)) for output in outputs]
        np.testing.assert_allclose(output[0, k], expected[0], **TOLERANCE)
        np.testing.assert_allclose(h[k], expected[0], **TOLERANCE)
        np.testing.assert_allclose(c[k], expected[1], **TOLERANCE)


def as_python(line):
    for sign, word in [("ₜ₋₁", "_before"), ("ₜ", "_now"), ("⊙", "*"), ("σ(", "sigma("), ("√(", "sqrt(")]:
        line = line.replace(sign, word)
    return re.sub(r"\b([WU]_\w+) (?=[\w(])", r"\1 @ ", line)


@FEW
@given(cells())
def test_the_printed_equations_read_back_give_the_same_numbers(drawn):
    outputs, named, weights = drawn
    graph = build(("h", "c"), outputs, named)
    leaves = numbers(weights)
    functions = {
        op.value: NUMPY[op] for op in (Op.TANH, Op.RELU, Op.SOFTPLUS, Op.EXP, Op.LOG, Op.SQRT, Op.ABS, Op.MEAN)
    }
    space = {**functions, "sigma": NUMPY[Op.SIGMOID], "max": np.maximum, "min": np.minimum}
    space |= {name.replace(".", "_"): leaves[name] for name in weights}
    space |= {"x_now": leaves["x"], "h_before": leaves["h"], "c_before": leaves["c"]}
    for line in equations(graph):
        name, _, right = as_python(line).partition(" = ")
        assert name not in space, f"{name} is computed twice"
        space[name] = eval(right, {}, space)  # noqa: S307
    for state, output in zip(graph.states, outputs, strict=True):
        np.testing.assert_allclose(space[f"{state}_now"], evaluate(output, leaves), **TOLERANCE)


@FEW
@given(cells())
def test_the_braces_of_latex_close(drawn):
    outputs, named, _ = drawn
    assert_balanced(latex(build(("h", "c"), outputs, named)))


def assert_balanced(text):
    depth = 0
    for sign in re.findall(r"[{}]", text):
        depth += 1 if sign == "{" else -1
        assert depth >= 0, text
    assert depth == 0, text
    assert text.count(r"\left") == text.count(r"\right"), text


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 20),
    st.sampled_from([10**400, -(10**30), float("nan"), float("inf"), 1.5, 1e300, [], {}, ["H"], [0, 1], [[0]]]),
    st.sampled_from(
        ["", "H", "N", "1", "h", "x", "matmul", "add", "mean", "state", "W.k0", "U.k0", "b.k0", "b.", "W.a b"]
    ),
    st.text(max_size=4),
)


def places(record, path=()):
    """The way to every value inside a record."""
    inside = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for key, value in inside:
        yield (*path, key)
        yield from places(value, (*path, key))


@st.composite
def damaged(draw):
    outputs, named, _ = draw(cells())
    record = json.loads(json.dumps(build(("h", "c"), outputs, named).to_json()))
    for _ in range(draw(st.integers(1, 2))):
        *way, key = draw(st.sampled_from(sorted(places(record), key=repr)))
        holder = record
        for step in way:
            holder = holder[step]
        change = draw(st.sampled_from(["replace", "replace", "remove", "copy"]))
        if change == "replace":
            holder[key] = draw(JUNK)
        elif change == "remove":
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(draw(st.integers(0, len(holder))), copy.deepcopy(holder[key]))
        if not record or not list(places(record)):
            break
    return record


@settings(max_examples=600, deadline=None)
@given(damaged())
def test_a_damaged_record_is_refused_or_is_another_right_graph(record):
    try:
        graph = from_json(record)
    except EquationError:
        return
    assert json.loads(json.dumps(graph.to_json())) == record
    assert len(equations(graph)) >= 2
    assert_balanced(latex(graph))
    generator = torch.Generator().manual_seed(0)
    weights = {one.key: torch.rand(one.sizes(N, H), generator=generator) for one in graph.parameters}
    output, states = Reference().run(graph, weights, torch.rand(1, 2, N), (torch.rand(2, H), torch.rand(2, H)))
    assert output.shape == (1, 2, H)
    assert [state.shape for state in states] == [(2, H), (2, H)]


@given(st.recursive(JUNK, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)))
def test_what_is_no_record_is_refused(junk):
    for record in (
        junk,
        {"nodes": junk, "states": junk, "outputs": junk},
        {"nodes": [junk], "states": [], "outputs": []},
    ):
        with pytest.raises(EquationError):
            from_json(record)
