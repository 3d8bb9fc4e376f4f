"""The same cell with fewer operations: it means the same, and nothing stands in it twice or for nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from interpreter import interpret
from odd_cells import CELLS
from random_cells import H, N, cells, evaluate, numbers

from gatework.graph import U, W, b, cell, mean, sigmoid, tanh
from gatework.graph.build import build
from gatework.graph.graph import Node
from gatework.graph.ops import ARITY, COMPUTED, Op
from gatework.graph.simplify import prune, simplify

# Simplified means are rounded in another order: a hundred operations on values up to a hundred, 100 · 100 · 2e-16.
TOLERANCE = {"rtol": 1e-11, "atol": 1e-11}


def operations(graph):
    """How many operations a graph has; a mean is two, as it is when simplified."""
    return sum(2 if node.op is Op.MEAN else 1 for node in graph.nodes if node.args)


def assert_simple(graph):
    """Everything is needed, nothing stands in it twice, no mean is left, and it cannot be simplified further."""
    used = {arg for node in graph.nodes for arg in node.args}.union(graph.outputs)
    assert used == set(range(len(graph.nodes)))
    keys = [(node.op, node.args, node.value, "" if node.args else node.name) for node in graph.nodes]
    assert len(set(keys)) == len(keys)
    assert all(len(node.args) == ARITY[node.op] for node in graph.nodes)
    assert Op.MEAN not in {node.op for node in graph.nodes}
    assert simplify(graph) == graph


def sizes(graph):
    return {"W.k": (H, N), **{one.key: one.sizes(N, H) for one in graph.parameters}}


@settings(max_examples=150, deadline=None)
@given(cells())
def test_random_cells_keep_their_meaning(drawn):
    outputs, named, weights = drawn
    graph = build(("h", "c"), outputs, named)
    simple = simplify(graph)
    leaves = numbers(weights)
    values = interpret(simple.nodes, leaves)
    for k, output in zip(simple.outputs, outputs, strict=True):
        np.testing.assert_allclose(values[k], evaluate(output, leaves), **TOLERANCE)
    assert simple.states == graph.states
    assert simple.parameters == graph.parameters, "the weights stand in another order"
    assert operations(simple) <= operations(graph)
    assert_simple(simple)


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_keeps_the_meaning_of_every_name(name):
    graph = CELLS[name].graph
    simple = simplify(graph)
    shapes = {**sizes(graph), **dict.fromkeys([*graph.inputs[1:], *graph.states], (H,))}
    leaves = {name: abs(value) + 0.05 if name in graph.states else value for name, value in numbers(shapes).items()}
    before, after = (interpret(one.nodes, leaves) for one in (graph, simple))
    assert set(simple.equations) <= set(graph.equations)
    for word, k in simple.equations.items():
        np.testing.assert_allclose(after[k], before[graph.equations[word]], **TOLERANCE, err_msg=word)
    assert_simple(simple)


@pytest.mark.parametrize("name", ["rnn", "rnn_relu", "gru", "gru_reset_before", "lstm", "cifg", "mgu"])
def test_the_cells_of_the_catalogue_are_simple_as_they_are_written(name):
    graph = CELLS[name].graph
    assert [(node.op, node.name) for node in simplify(graph).nodes] == [(node.op, node.name) for node in graph.nodes]


@cell
def roundabout(x, h):
    """What could be written with half of the operations."""
    a = W.a @ x + U.a @ h + b.a
    f = sigmoid(1 * a + 0)
    g = sigmoid(U.a @ h + W.a @ x + b.a)
    again = sigmoid(U.a @ (0 - -h) + W.a @ x + b.a)
    n = tanh(mean(mean(a)) * h + (0 - f))
    return g * again * n + (1 - f) * n * (3 - 2.0)


def test_a_roundabout_cell_is_straightened():
    simple = simplify(roundabout.graph)
    counted = {op: sum(1 for node in simple.nodes if node.op is op) for op in COMPUTED}
    assert {op.value: times for op, times in counted.items() if times} == {
        "matmul": 2,
        "add": 3,  # two of a, whichever product is written first, and the last
        "sigmoid": 1,
        "sum": 1,
        "divide": 1,
        "multiply": 4,
        "subtract": 2,
        "tanh": 1,
    }
    assert_simple(simple)


def test_a_mean_is_a_sum_over_the_number_of_entries():
    simple = simplify(CELLS["one_number"].graph)
    sums = [k for k, node in enumerate(simple.nodes) if node.op is Op.SUM]
    assert len(sums) == 1, "the mean of one number is that number"
    (divided,) = [node for node in simple.nodes if sums[0] in node.args]
    size = simple.nodes[divided.args[1]]
    assert (divided.op, divided.name, divided.shape) == (Op.DIVIDE, "m", ("1",))
    assert (size.op, size.name, size.shape) == (Op.SIZE, "H", ())


def test_the_mean_of_the_input_counts_its_entries():
    @cell
    def of_input(x, h):
        return tanh(mean(x) * h + W.n @ x)

    simple = simplify(of_input.graph)
    assert [node.name for node in simple.nodes if node.op is Op.SIZE] == ["N"]
    leaves = numbers(sizes(of_input.graph))
    expected = np.tanh(leaves["x"].mean() * leaves["h"] + leaves["W.n"] @ leaves["x"])
    np.testing.assert_allclose(interpret(simple.nodes, leaves)[simple.outputs[0]], expected, **TOLERANCE)


def test_what_nothing_needs_is_pruned():
    def node(op, *args, name=""):
        return Node(op, args, name, 0.0, ("H",), 0)

    a, b = node(Op.STATE, name="a"), node(Op.STATE, name="b")
    nodes = [a, node(Op.EXP, 0), b, node(Op.TANH, 2), node(Op.ADD, 1, 3), node(Op.MULTIPLY, 3, 2), node(Op.LOG, 5)]
    kept, moved = prune(nodes, [5, 3])
    assert kept == (b, node(Op.TANH, 0), node(Op.MULTIPLY, 1, 0))
    assert moved == {2: 0, 3: 1, 5: 2}
    assert prune(nodes, range(len(nodes))) == (tuple(nodes), {k: k for k in range(len(nodes))})
    assert prune(nodes, []) == ((), {})
