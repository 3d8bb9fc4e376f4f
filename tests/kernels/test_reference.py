"""The reference: gradients against finite differences, recordings against runs, and its edges."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from gatework.graph import U, W, absolute, b, cell, exp, log, maximum, mean, minimum, p, sigmoid, softplus, sqrt, tanh
from gatework.kernels import Reference
from valid_states import PLAIN, valid

T, B, N, H = 3, 2, 2, 3
RUN, RECORD = Reference().run, Reference().record


@cell
def everything(x, h, c):
    """Every operation that no cell of the catalogue has."""
    f = sigmoid(W.f @ x + p.f * c + b.f)
    scale = sqrt(mean(h * h) + 0.5) / softplus(mean(x))
    c = maximum(f * c, minimum(c, U.c @ h)) - log(absolute(c) + 1.5)
    n = exp(-((h / scale) ** 2))
    h = n * tanh(c) * -f
    return h, c


@cell
def constant_gate(x, h):
    """Dey & Salem's third variant: a gate of a bias alone, the same for all sequences of a batch."""
    z = sigmoid(b.z)
    two = exp(0.5) * 2
    return (1 - z) * h + z * tanh(W.n @ x) / two


@cell
def fixed(x, h, c):
    """A state that nothing of the input enters."""
    c_next = tanh(b.c)
    return tanh(W.h @ x + U.h @ h + c), c_next


CELLS = {**PLAIN, "everything": everything, "constant_gate": constant_gate, "fixed": fixed}


def draw(name, *, T=T, B=B, N=N, H=H, grad=False, dtype=torch.float64):
    """A graph, its random weights, an input and states: everything differs from everything."""
    graph = CELLS[name].graph
    N = H if graph.square else N
    generator = torch.Generator().manual_seed(3)

    def normal(*shape):
        return torch.randn(shape, dtype=dtype, generator=generator).requires_grad_(grad)

    weights = {one.key: normal(*one.sizes(N, H)) for one in graph.parameters}
    states = (valid(graph, normal(B, H).detach()).requires_grad_(grad) for _ in graph.states)
    return graph, weights, normal(T, B, N), tuple(states)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_are_those_of_finite_differences(name):
    graph, weights, x, states = draw(name, grad=True)

    def run(x, *rest):
        given = dict(zip(weights, rest, strict=False))
        output, last = RUN(graph, given, x, rest[len(weights) :])
        return output, *last

    assert gradcheck(run, (x, *weights.values(), *states), raise_exception=True)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_second_derivatives_are_those_of_finite_differences(name):
    graph, weights, x, states = draw(name, T=2, B=1, N=1, H=2, grad=True)

    def run(x, *rest):
        given = dict(zip(weights, rest, strict=False))
        return RUN(graph, given, x, rest[len(weights) :])[0]

    assert gradgradcheck(run, (x, *weights.values(), *states), raise_exception=True)


@pytest.mark.parametrize("name", CELLS)
def test_a_recording_is_what_a_run_computes(name):
    graph, weights, x, states = draw(name)
    output, last = RUN(graph, weights, x, states)
    recorded = RECORD(graph, weights, x, states)
    assert set(recorded) == {*graph.states, *graph.equations}
    torch.testing.assert_close(recorded[graph.states[0]], output, rtol=0, atol=0)
    for state, value in zip(graph.states, last, strict=True):
        torch.testing.assert_close(recorded[state][-1], value, rtol=0, atol=0)
    for value in recorded.values():
        assert value.shape[:2] == (T, B)
        assert value.shape[2:] in {(H,), (N,), (1,)}


def test_a_recording_follows_the_equations():
    graph, weights, x, states = draw("lstm")
    one = RECORD(graph, weights, x, states)
    before = torch.cat([states[1][None], one["c"][:-1]])
    close = {"rtol": 1e-14, "atol": 1e-14}  # two products and a sum of numbers of order one
    torch.testing.assert_close(one["c"], one["f"] * before + one["i"] * one["g"], **close)
    torch.testing.assert_close(one["h"], one["o"] * one["c"].tanh(), **close)


def test_a_gate_of_a_bias_alone_is_recorded_for_every_sequence():
    graph, weights, x, states = draw("constant_gate")
    recorded = RECORD(graph, weights, x, states)
    torch.testing.assert_close(recorded["z"], weights["b.z"].sigmoid().expand(T, B, H))
    torch.testing.assert_close(recorded["two"], torch.full((T, B, 1), 2 * 2.718281828459045**0.5, dtype=x.dtype))


def test_a_state_of_a_bias_alone_has_the_batch():
    graph, weights, x, states = draw("fixed")
    _, (_, c) = RUN(graph, weights, x, states)
    torch.testing.assert_close(c, weights["b.c"].tanh().expand(B, H))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("T", "B"), [(1, 1), (1, 0), (4, 0), (1, 5)])
def test_one_step_and_empty_batches(name, T, B):
    graph, weights, x, states = draw(name, T=T, B=B)
    output, last = RUN(graph, weights, x, states)
    assert output.shape == (T, B, H)
    assert [state.shape for state in last] == [(B, H)] * len(graph.states)


@pytest.mark.parametrize("name", CELLS)
def test_a_sequence_in_two_pieces_is_the_sequence(name):
    graph, weights, x, states = draw(name, T=5)
    output, last = RUN(graph, weights, x, states)
    first, between = RUN(graph, weights, x[:2], states)
    second, end = RUN(graph, weights, x[2:], between)
    torch.testing.assert_close(torch.cat([first, second]), output, rtol=0, atol=0)
    for one, other in zip(end, last, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("name", CELLS)
def test_a_run_changes_nothing_that_it_is_given(name):
    graph, weights, x, states = draw(name)
    given = [x, *states, *weights.values()]
    kept = [one.clone() for one in given]
    RUN(graph, weights, x, states)
    RECORD(graph, weights, x, states)
    for one, other in zip(given, kept, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_run_stays_in_the_type_of_its_numbers(dtype):
    for name in CELLS:
        graph, weights, x, states = draw(name, dtype=dtype)
        output, last = RUN(graph, weights, x, states)
        assert {one.dtype for one in (output, *last)} == {dtype}, name


@pytest.mark.parametrize("name", ["gru", "everything", "fixed"])
def test_many_sets_of_weights_run_at_once_under_vmap(name):
    graph, weights, x, states = draw(name)
    sets = {key: torch.stack([weight, weight * 0.5]) for key, weight in weights.items()}
    together = torch.func.vmap(lambda one: RUN(graph, one, x, states)[0])(sets)
    for k in range(2):
        alone = RUN(graph, {key: weight[k] for key, weight in sets.items()}, x, states)[0]
        torch.testing.assert_close(together[k], alone, rtol=1e-12, atol=1e-12)


def test_softplus_is_finite_and_exact_far_from_zero():
    a = torch.tensor([-800.0, -40.0, 0.0, 40.0, 800.0], dtype=torch.float64)
    from gatework.graph.ops import Op
    from gatework.kernels.reference import TORCH

    expected = torch.tensor([0.0, 4.248354255291589e-18, 0.6931471805599453, 40.0, 800.0], dtype=torch.float64)
    torch.testing.assert_close(TORCH[Op.SOFTPLUS](a), expected, rtol=1e-15, atol=0)
