"""What is computed before the loop over time: the whole cell on `cpu` gives the reference's numbers and gradients."""

import json

import pytest
import torch

from gatework.cells import catalogue, find
from gatework.errors import BackendError
from gatework.graph import U, W, b, cell, cos, exp, mean, p, sigmoid, tanh, total
from gatework.graph.build import from_json
from gatework.graph.ops import Op
from gatework.kernels import choose, dispatch, operator
from gatework.kernels.cpu import backend
from gatework.layers import Recurrent
from valid_states import PLAIN

T, B = 7, 5


@cell
def of_the_input(x, h):
    """Arithmetic on the input: in a product, as a number for each sequence, and twice."""
    v = tanh(x)
    scale = sigmoid(mean(x * x) - total(p.s * x))
    return tanh(W.h @ v + W.g @ x + U.h @ h * scale + b.h + mean(v))


@cell
def angles(x, h):
    """A function of weights that no kernel has."""
    return cos(p.a) * h + exp(-p.a) * (W.h @ x)


@cell(square=True)
def residual(x, h):
    """The input is added to the state, multiplied by it and by a matrix."""
    return tanh(W.h @ x + U.h @ h) + x * h + x


CELLS = {one.name: one for one in (of_the_input, angles, residual)}
CELLS |= {name: one for name, one in PLAIN.items() if one.graph.parts.results}
CELLS |= {name: find(name) for name in ("mut1(project=False)", "mut2(project=False)", "sru(project=False)")}


@pytest.mark.parametrize("name", catalogue)
@pytest.mark.parametrize("B", [1, 4])
def test_few_long_sequences_have_their_products_first(name, B, monkeypatch):
    """The same numbers, whatever comes before the loop."""
    monkeypatch.setattr(backend, "LARGE", 1)
    N, H, T = (7 if catalogue[name].graph.square else 3), 7, 16
    found, cores = [], []
    monkeypatch.setattr(operator, "run", lambda core, *rest, run=operator.run: cores.append(core) or run(core, *rest))
    for which in ("cpu", "reference"):
        torch.manual_seed(0)
        layer = Recurrent(name, N, H, dtype=torch.float64, backend=which)
        x = torch.randn(T, B, N, dtype=torch.float64, requires_grad=True)
        output, last = layer(x)
        loss = (output * torch.linspace(-1, 1, H, dtype=torch.float64)).sum() + sum(one.sum() for one in last[0])
        found.append([output, *last[0], *torch.autograd.grad(loss, [x, *layer.parameters()])])
    # Some cells stretch rounding at every step: a minimum or a logarithm near zero.
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)
    (core,) = cores
    products = {node.name[0] for node in from_json(json.loads(core)).nodes if node.op is Op.PARAMETER}
    assert "W" not in products


def test_products_stay_in_the_loop_where_weights_are_used_often_enough():
    graph, small, large = catalogue["gru"].graph, 64, 512
    for T, B, H, first in ((16, 4, large, True), (16, 5, large, False), (15, 1, large, False), (99, 1, small, False)):
        assert backend._products_first(graph, torch.empty(T, B, 64), H) is first


def test_the_catalogue_has_such_cells():
    assert {"lmu", "lru", "sru2", "rg_lru"} < set(CELLS)


def run(name, backend, N, H, dtype=torch.float64):
    made = CELLS[name]
    N = H if made.graph.square else N
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64) * 2 - 1

    weights = {one.key: random(*one.sizes(N, H)) / one.sizes(N, H)[-1] ** 0.5 for one in made.graph.parameters}
    inputs = [one.to(dtype).requires_grad_() for one in (random(T, B, N), *weights.values())]
    states = [random(B, H).to(dtype).requires_grad_() for _ in made.states]
    keyed = dict(zip(weights, inputs[1:], strict=True))
    output, last = choose(backend, made.graph).run(made.graph, keyed, inputs[0], tuple(states))
    loss = (output * random(T, B, H)).sum() + sum((one * random(B, H)).sum() for one in last)
    gradients = torch.autograd.grad(loss, [*inputs, *states], allow_unused=True)
    every = zip(gradients, [*inputs, *states], strict=True)
    return [output, *last, *(torch.zeros_like(one) if found is None else found for found, one in every)]


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("N", "H"), [(1, 1), (3, 8), (65, 63)])
def test_the_whole_cell_gives_the_reference_s_numbers(name, N, H):
    for one, other in zip(run(name, "cpu", N, H), run(name, "reference", N, H), strict=True):
        # Sums of some hundred numbers of order one over seven steps, in float64 on both sides.
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["of_the_input", "residual", "lru", "lmu"])
def test_second_derivatives_and_transforms_pass_through(name):
    made = CELLS[name]
    graph, H = made.graph, 4
    N = H if graph.square else 3
    weights = {one.key: torch.rand(one.sizes(N, H), dtype=torch.float64) for one in graph.parameters}
    states = tuple(torch.rand(2, H, dtype=torch.float64) for _ in made.states)
    x = torch.rand(3, 2, N, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda one: choose("cpu", graph).run(graph, weights, one, states)[0], x)


def test_a_state_of_the_input_s_size_is_refused_with_the_reason():
    @cell
    def remembers(x, h, c):
        return tanh(W.h @ x + U.h @ h + c), W.c @ tanh(x) + 0 * c

    @cell
    def turns(x, h):
        return cos(U.h @ h) + W.h @ x

    assert choose("cpu", remembers.graph).backends[0].name == "cpu"
    with pytest.raises(BackendError, match=r"cannot run this cell: it takes the cosine of a state\.$"):
        choose("cpu", turns.graph)
    dispatch._tell.cache_clear()
    with pytest.warns(UserWarning, match="no kernel can be compiled for it: it takes the cosine of a state"):
        assert choose("auto", turns.graph).pick(torch.zeros(1)).name == "reference"


def test_a_state_beside_vectors_of_the_inputs_size_is_left_to_the_reference():
    @cell
    def mixed(x, h):
        return tanh(W.n @ x + U.n @ h + mean(p.k * x * mean(h)))

    with pytest.raises(BackendError, match="it computes with a state and vectors of the input's size together"):
        choose("cpu", mixed.graph)
    with pytest.warns(UserWarning, match="slow reference back-end"):
        layer = Recurrent(mixed, 3, 5)
    assert layer.kernel == "reference"
    assert layer(torch.randn(2, 4, 3))[0].shape == (2, 4, 5)
