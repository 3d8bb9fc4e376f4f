"""Gradients: operation by operation, cell by cell, and of random cells, each against an oracle that knows no graph."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from interpreter import interpret, nearest_corner
from odd_cells import CELLS
from random_cells import NUMPY, H, N, cells
from through_torch import assert_agree, random_run, torch_says

from gatework.graph import U, W, cell, mean, sigmoid, tanh
from gatework.graph.build import build
from gatework.graph.derivative import DERIVATIVES, derive
from gatework.graph.graph import Node
from gatework.graph.ops import ARITY, DERIVED, LEAVES, PLANNED, Op
from gatework.graph.steps import Steps
from gatework.kernels.reference import TORCH

CORNERED = {Op.RELU, Op.ABS, Op.MAXIMUM, Op.MINIMUM}
FLAT = {Op.FLOOR}
POSITIVE = {Op.LOG, Op.SQRT, Op.DIVIDE}
FUNCTIONS = NUMPY
# Some ten operations on numbers of order one.
ROUNDING = 1e-14


def operands_of(op, seed=0):
    """Random operands, each at least 0.1 from zero and from the other, and in the domain of the operation."""
    generator = np.random.default_rng(seed)
    if op is Op.MATMUL:
        return [generator.normal(size=(H, N)), generator.normal(size=N)]
    first = generator.uniform(0.1, 2, H) * (1 if op in POSITIVE else generator.choice([-1, 1], H))
    second = first + generator.uniform(0.1, 2, H) * (1 if op in POSITIVE else generator.choice([-1, 1], H))
    return [first, second][: ARITY[op]]


def written(op, operands):
    """What a row of `DERIVATIVES` adds to the gradient of each operand, as the rows write it; and a random gradient."""
    steps = Steps()
    letters = {(H, N): ("H", "N"), (N,): ("N",), (H,): ("H",)}
    leaves = [steps.leaf(Node(Op.STATE, (), f"a{i}", 0.0, letters[one.shape], 0)) for i, one in enumerate(operands)]
    k = steps.add(op, *leaves, shape=("H",) if op is Op.MATMUL else None)
    d = steps.leaf(Node(Op.GRADIENT, (), "d", 0.0, steps.nodes[k].shape, 0))
    parts = DERIVATIVES[op](steps, k, d)
    assert [operand for operand, _ in parts] == leaves
    gradient = np.random.default_rng(1).normal(size=H if steps.nodes[k].shape == ("H",) else ())
    given = {f"a{i}": one for i, one in enumerate(operands)} | {"d": gradient}
    with np.errstate(all="ignore"):
        values = interpret(steps.nodes, given)
    return [np.broadcast_to(values[part], one.shape) for (_, part), one in zip(parts, operands, strict=True)], gradient


def complex_steps(op, operands, gradient, h=1e-30):
    """The gradient by a step in the imaginary direction: nothing is subtracted, so nothing but last bits is lost."""
    return _steps(op, operands, 1j * h, lambda there: (gradient * there).sum().imag / h)


def central_differences(op, operands, gradient, h=1e-6):
    def one_side(sign):
        return _steps(op, operands, sign * h, lambda there: (gradient * there).sum() / (2 * h))

    return [ahead - behind for ahead, behind in zip(one_side(1), one_side(-1), strict=True)]


def _steps(op, operands, step, measure):
    found = []
    for i, operand in enumerate(operands):
        partial = np.zeros(operand.shape)
        for place in np.ndindex(operand.shape):
            moved = [one.astype(np.result_type(one, type(step))) for one in operands]
            moved[i][place] += step
            partial[place] = measure(FUNCTIONS[op](*moved))
        found.append(partial)
    return found


@pytest.mark.parametrize("op", sorted(set(DERIVATIVES) - CORNERED - FLAT))
def test_a_smooth_operation_against_complex_steps(op):
    operands = operands_of(op)
    actual, gradient = written(op, operands)
    for one, other in zip(actual, complex_steps(op, operands, gradient), strict=True):
        np.testing.assert_allclose(one, other, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("op", sorted(set(DERIVATIVES) - FLAT))
def test_an_operation_against_central_differences(op):
    operands = operands_of(op, seed=2)
    actual, gradient = written(op, operands)
    for one, other in zip(actual, central_differences(op, operands, gradient), strict=True):
        # Rounding, 2e-16 / 1e-6 of values up to ten, and curvature, 1e-12 of third derivatives up to a thousand.
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-8)


def test_a_floor_has_no_slope():
    steps = Steps()
    a = steps.leaf(Node(Op.STATE, (), "a", 0.0, ("H",), 0))
    assert DERIVATIVES[Op.FLOOR](steps, steps.add(Op.FLOOR, a), a) == ()


CORNER = [0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, 0.0, 3.0, 1e-300, -1e-300, -2.0, 7.0]
OTHER = [0.0, 0.0, 1.5, -2.0, np.inf, -np.inf, 1.0, -3.0, 0.0, 0.0, 7.0, -2.0]


@pytest.mark.parametrize("op", sorted(CORNERED))
@pytest.mark.parametrize("part", range(0, len(CORNER), H))
def test_at_corners_the_derivative_is_the_one_of_torch(op, part):
    operands = [np.array(one[part : part + H]) for one in (CORNER, OTHER)][: ARITY[op]]
    actual, gradient = written(op, operands)
    tensors = [torch.from_numpy(one).requires_grad_() for one in operands]
    expected = torch.autograd.grad(TORCH[op](*tensors), tensors, torch.from_numpy(gradient))
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other.numpy())


def test_at_a_tie_each_operand_has_half_and_at_zero_there_is_no_slope():
    """The convention in numbers, so that it stands here whatever torch does next."""
    for op in (Op.MAXIMUM, Op.MINIMUM):
        (first, second), gradient = written(op, [np.full(H, 1.5), np.full(H, 1.5)])
        np.testing.assert_array_equal(first, gradient / 2)
        np.testing.assert_array_equal(second, gradient / 2)
    for op in (Op.RELU, Op.ABS):
        (slope,), _ = written(op, [np.zeros(H)])
        np.testing.assert_array_equal(slope, np.zeros(H))


@pytest.mark.parametrize("op", [Op.SIGMOID, Op.TANH, Op.SOFTPLUS])
def test_a_saturated_function_has_the_slope_of_its_limit(op):
    far = np.array([-800.0, 800.0, -40.0, 40.0])
    (slope,), gradient = written(op, [far])
    limit = np.array([0, 1, 0, 1]) if op is Op.SOFTPLUS else np.zeros(H)
    np.testing.assert_allclose(slope, gradient * limit, rtol=0, atol=1e-16)


def gradients(gradient, run, t, k):
    """All gradients of one time step of one sequence, by name."""
    given = {"x": run.x[t, k], **{name: one[t, k] for name, one in run.others.items()}}
    given |= {state: one[k] for state, one in run.states.items()}
    values = interpret(gradient.nodes, {**run.weights, **given, **arriving(gradient, run, t, k)})
    found = {key: values[one] for key, one in gradient.parameters.items()}
    places = (*gradient.inputs, *gradient.states)
    return found | {
        name: np.zeros_like(one) if place is None else values[place]
        for (name, one), place in zip(given.items(), places, strict=True)
    }


def arriving(gradient, run, t, k):
    """What arrives at the new states: at the first, which is the output, by two ways."""
    output = gradient.forward.states[0]
    return {f"d_{s}": run.d_states[s][k] + (run.d_output[t, k] if s == output else 0) for s in gradient.forward.states}


def one_step(graph, run):
    """The gradients of one time step: of the weights, summed over the sequences, and of all that each sequence has."""
    gradient = derive(graph)
    each = [gradients(gradient, run, 0, k) for k in range(run.x.shape[1])]
    zero = {key: np.zeros_like(value) for key, value in run.weights.items()}
    summed = {f"d_{key}": sum(one.get(key, zero[key]) for one in each) for key in run.weights}
    stacked = {f"d_{state}": np.stack([one[state] for one in each]) for state in run.states}
    inputs = {f"d_{name}": np.stack([one[name] for one in each])[None] for name in ("x", *run.others)}
    return {**inputs, **stacked, **summed}


def expected_step(graph, run):
    return {name: value for name, value in torch_says(graph, run).items() if name.startswith("d_")}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_has_the_gradients_of_torch(name):
    graph = CELLS[name].graph
    run = random_run(graph, T=1, B=3, N=N, H=H)
    # Some hundred operations on numbers of order one: 100 · 2e-16, and as much again for torch.
    assert_agree(one_step(graph, run), expected_step(graph, run), tolerance=1e-13)


@pytest.mark.parametrize("name", ["lstm", "everything"])
def test_a_cell_has_the_gradients_of_finite_differences(name):
    graph = CELLS[name].graph
    run = random_run(graph, T=1, B=1, N=N, H=H)
    gradient = derive(graph)
    leaves = {**run.weights, "x": run.x[0, 0], **{state: one[0] for state, one in run.states.items()}}
    d = arriving(gradient, run, 0, 0)

    def loss(moved):
        values = interpret(graph.nodes, moved)
        return sum((d[f"d_{s}"] * values[k]).sum() for s, k in zip(graph.states, graph.outputs, strict=True))

    actual, h = gradients(gradient, run, 0, 0), 1e-6
    assert actual.keys() == leaves.keys()
    for key, value in leaves.items():
        for place in np.ndindex(value.shape):
            step = np.zeros(value.shape)
            step[place] = h
            slope = (loss({**leaves, key: value + step}) - loss({**leaves, key: value - step})) / (2 * h)
            # Rounding, 2e-16 / 1e-6 of losses up to ten, and curvature, 1e-12 of third derivatives up to a thousand.
            np.testing.assert_allclose(actual[key][place], slope, rtol=0, atol=1e-8, err_msg=key)


@settings(max_examples=150, deadline=None)
@given(cells())
def test_random_cells_have_the_gradients_of_torch(drawn):
    outputs, named, _ = drawn
    graph = build(("h", "c"), outputs, named)
    run = random_run(graph, T=1, B=2, N=N, H=H)
    for k in range(2):
        leaves = {**run.weights, "x": run.x[0, k], **{state: one[k] for state, one in run.states.items()}}
        assume(nearest_corner(graph, leaves) > 1e-9)
    # As in `test_random_graphs`: a hundred operations on values up to a hundred, and as many slopes; 100 times as much.
    assert_agree(one_step(graph, run), expected_step(graph, run), tolerance=1e-10)


def test_the_gradient_begins_with_the_simplified_cell_and_uses_only_what_derivatives_may():
    gradient = derive(CELLS["everything"].graph)
    end = len(gradient.forward.nodes)
    assert gradient.nodes[:end] == gradient.forward.nodes
    assert gradient.roots == (*gradient.states, *gradient.inputs, *gradient.parameters.values())
    for k, node in enumerate(gradient.nodes):
        assert all(arg < k for arg in node.args)
        assert node.op not in PLANNED
    assert {node.op for node in gradient.nodes[:end]} & DERIVED == {Op.SIZE}
    assert [node.name for node in gradient.nodes if node.op is Op.GRADIENT] == ["d_h", "d_c"]


def test_gradients_are_named_after_the_equations():
    gradient = derive(CELLS["gru"].graph)
    named = [node.name for node in gradient.nodes[len(gradient.forward.nodes) :] if node.name]
    assert named == ["d_h", "d_n", "d_z", "d_r"]


def test_the_operations_of_a_gradient_are_shared():
    """The gradients of a gate's bias and of its sum are one node, and so is the column of both its matrices."""
    gradient = derive(CELLS["lstm"].graph)
    for gate in "ifgo":
        columns = {gradient.nodes[gradient.parameters[f"{kind}.{gate}"]].args[0] for kind in "WU"}
        assert columns == {gradient.parameters[f"b.{gate}"]}


@pytest.mark.parametrize("name", CELLS)
def test_nothing_in_a_gradient_stands_there_twice_or_for_nothing(name):
    gradient = derive(CELLS[name].graph)
    written = [(node.op, node.args, node.shape) for node in gradient.nodes if node.op not in LEAVES]
    assert len(set(written)) == len(written)
    used = {arg for node in gradient.nodes for arg in node.args}.union(gradient.roots, gradient.forward.outputs)
    assert used == set(range(len(gradient.nodes)))


def test_the_gradient_of_a_number_is_summed_over_the_units_that_it_meets():
    @cell
    def scaled(x, h):
        s = sigmoid(mean(h))
        return tanh(W.n @ x + U.n @ h) * s

    gradient = derive(scaled.graph)
    sums = [k for k, node in enumerate(gradient.nodes) if node.op is Op.SUM]
    forward, backward = sums
    assert forward < len(gradient.forward.nodes) <= backward
    assert gradient.nodes[backward].shape == ("1",)
    assert any(node.op is Op.SPREAD and node.shape == ("H",) for node in gradient.nodes)
