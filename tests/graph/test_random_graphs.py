"""Random cells keep their meaning: in the graph, in its record, on paper and in the reference."""

import copy
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cells import NUMPY, H, N, cells, evaluate, numbers

from gatework.cells import catalogue
from gatework.errors import EquationError
from gatework.graph.build import build, from_json
from gatework.graph.latex import latex
from gatework.graph.ops import Op
from gatework.graph.text import equations
from gatework.graph.weights import count
from gatework.kernels import Reference

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
    assert count(graph.parameters, {}, N, H) == sum(int(np.prod(shape)) for shape in used.values())


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
        [
            "",
            "H",
            "N",
            "1",
            "h",
            "x",
            "matmul",
            "add",
            "mean",
            "sum",
            "outer",
            "state",
            "W.k0",
            "U.k0",
            "b.k0",
            "b.",
            "W.a b",
        ]
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
    # A record may leave out what is shown: it is from before that could be said.
    assert json.loads(json.dumps(graph.to_json())) == {"shown": [], **record}
    assert len(equations(graph)) >= 2
    assert_balanced(latex(graph))
    generator = torch.Generator().manual_seed(0)
    weights = {one.key: torch.rand(one.sizes(N, H), generator=generator) for one in graph.parameters}
    output, states = Reference().run(graph, weights, torch.rand(1, 2, N), (torch.rand(2, H), torch.rand(2, H)))
    assert output.shape == (1, 2, H)
    assert [state.shape for state in states] == [(2, H), (2, H)]


@pytest.mark.parametrize("where", ["states", "inputs", "masks", "shown", "outputs", "nodes"])
@pytest.mark.parametrize("junk", [[0], {}, None, 1, True, ""])
def test_a_list_with_something_else_in_it_is_refused(where, junk):
    record = json.loads(json.dumps(catalogue["lstm"].graph.to_json()))
    record[where].append(junk)
    with pytest.raises(EquationError, match="damaged"):
        from_json(record)


@given(st.recursive(JUNK, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)))
def test_what_is_no_record_is_refused(junk):
    for record in (
        junk,
        {"nodes": junk, "states": junk, "outputs": junk},
        {"nodes": [junk], "states": [], "outputs": []},
    ):
        with pytest.raises(EquationError):
            from_json(record)
