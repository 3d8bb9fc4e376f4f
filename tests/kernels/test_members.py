"""Under `torch.func.vmap` compiled kernels run all members in one call, and each is as if it were alone."""

import copy
import io

import pytest
import torch
from torch.func import functional_call, grad, stack_module_state, vmap

import gatework as gw
from ensembles import alone, assert_each_as_alone, members, together, total
from gatework.cells import catalogue
from gatework.errors import BackendError, UsageError
from gatework.kernels import Reference, passes
from gatework.kernels.cpu import engine
from gatework.kernels.recurrence import recurrence

T, B, N, H, M = 4, 3, 5, 6, 3

# Float32 on both sides: products before the loop are summed in another order for all members at once.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
DOUBLE = {"rtol": 1e-11, "atol": 1e-11}  # some hundred operations, 2e-16 each

CELLS = ("gru", "lstm", "mgu", "slstm", "mingru", "grid_lstm")


@pytest.fixture
def launched(monkeypatch):
    """The members of every call of a compiled kernel; the reference must not run."""
    found = []
    forward = passes.forward

    def noted(*given, **more):
        found.append(more["members"])
        return forward(*given, **more)

    def refused(*given):
        raise AssertionError("the reference runs")

    monkeypatch.setattr(passes, "forward", noted)
    monkeypatch.setattr(Reference, "trajectory", refused)
    return found


def numbers(*shape, seed=1, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("backend", ["cpu", "auto"])
@pytest.mark.parametrize("cell", CELLS)
def test_each_member_is_as_if_it_were_alone(cell, backend, launched):
    layers = members(cell, N, H, backend=backend)
    inputs = layers[0].input_size
    assert_each_as_alone(layers, numbers(M, T, B, inputs), close=CLOSE)
    assert launched == [M, 1, 1, 1]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_states_to_begin_with_and_one_input_for_all(cell, launched):
    layers = members(cell, N, H)
    starts = [numbers(M, B, H, seed=k) for k in range(len(layers[0].cell.states))]
    assert_each_as_alone(layers, numbers(T, B, N), starts, close=CLOSE)
    assert launched == [M, 1, 1, 1]


@pytest.mark.parametrize("cell", CELLS)
def test_lengths_and_resets_of_each_members_own(cell, launched):
    layers = members(cell, N, H)
    lengths = torch.tensor([[4, 1, 2], [3, 4, 4], [1, 1, 4]])
    resets = numbers(M, T, B) < -0.5
    x = numbers(M, T, B, layers[0].input_size)
    assert_each_as_alone(layers, x, close=CLOSE, lengths=lengths, resets=resets)
    assert launched == [M, 1, 1, 1]


def test_lengths_of_every_member_are_checked():
    layers = members("gru", N, H)
    lengths = torch.tensor([[4, 1, 2], [3, 4, 4], [1, 1, 5]])
    with pytest.raises(UsageError, match=r"^The lengths are from 1 to 4, .*, not \[\[4, 1, 2\], .*, \[1, 1, 5\]\]\.$"):
        together(layers, numbers(T, B, N), lengths=lengths)


def test_whatever_goes_around_a_cell(launched):
    around = {"bidirectional": True, "num_layers": 2, "learn_initial": True, "layer_norm": True, "residual": True}
    layers = members("lstm", N, H, dtype=torch.float64, **around)
    assert_each_as_alone(layers, numbers(M, T, B, N, dtype=torch.float64), close=DOUBLE)
    assert launched == [M] * 4 + [1] * 4 * M


def test_a_projection_and_batch_norm(launched):
    assert_each_as_alone(members("lstm", N, H, proj_size=2), numbers(M, T, B, N), close=CLOSE)
    # In double precision: deviations of three sequences stretch rounding.
    ligru = members("ligru", N, H, dtype=torch.float64)
    assert_each_as_alone(ligru, numbers(M, T, B, N, dtype=torch.float64), close=DOUBLE)


@pytest.mark.parametrize("layer", [gw.RNN, gw.LSTM, gw.GRU])
def test_the_drop_ins(layer, launched):
    layers = [layer(N, H) for _ in range(M)]
    weights, buffers = stack_module_state(layers)
    x = numbers(T, B, N)
    output, _ = vmap(lambda *state: functional_call(layers[0], state, (x,)))(weights, buffers)
    torch.testing.assert_close(output, torch.stack([one(x)[0] for one in layers]), **CLOSE)
    assert launched == [M, 1, 1, 1]


def test_threads_share_the_sequences_of_each_member(monkeypatch, launched):
    monkeypatch.setattr(engine, "WORTH", 1)
    x = numbers(M, T, 40, N)
    asked = []
    team = engine.team()
    together = type(team)(
        team.name, lambda code, frame, threads: asked.append(threads) or team.parallel(code, frame, threads)
    )
    monkeypatch.setattr(engine, "team", lambda: together)
    torch.set_num_threads(2)
    try:
        assert_each_as_alone(members("lstm", N, H), x, close=CLOSE)
    finally:
        torch.set_num_threads(1)
    # Forwards and backwards, each member in the call for all and in one of its own.
    assert asked == [2] * 4 * M


def test_axes_that_weights_do_not_have_are_more_sequences(launched):
    layer, x = members("gru", N, H)[0], numbers(2, T, B, N)
    output, last = vmap(layer)(x)
    assert launched == [1]
    torch.testing.assert_close(output, torch.stack([layer(one)[0] for one in x]), rtol=0, atol=0)
    assert vmap(layer)(x[:0])[0].shape == (0, T, B, H)
    last[0][0].sum().backward()


def test_one_member_alone_is_a_call_like_any_other(launched):
    assert_each_as_alone(members("lstm", N, H, count=1), numbers(1, T, B, N), close=CLOSE)
    assert launched == [1, 1]


@pytest.mark.parametrize("order", ["weights, input, weights", "input, weights, weights", "weights, weights, input"])
def test_axes_inside_axes(order, launched):
    layers = members("gru", N, H)
    weights = {name: torch.stack([one, -one]).detach() for name, one in stack_module_state(layers)[0].items()}
    x = numbers(4, T, B, N)

    def run(weights, x):
        return functional_call(layers[0], weights, (x,))[0]

    call = run
    for axis in reversed(order.split(", ")):
        call = vmap(call, in_dims=(0, None) if axis == "weights" else (None, 0))
    found = call(weights, x)
    assert launched == [2 * M]
    found = found.movedim(order.split(", ").index("input"), 2)
    for k, m, s in ((0, 0, 0), (1, 2, 3), (0, 1, 2)):
        expected = run({name: one[k, m] for name, one in weights.items()}, x[s])
        torch.testing.assert_close(found[k, m, s], expected, **CLOSE)


def test_under_autocast_members_are_computed_in_float32(launched):
    layers, x = members("gru", N, H), numbers(M, T, B, N)
    expected, _, _ = together(layers, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, _, _ = together(layers, x)
    assert output.dtype == torch.float32
    torch.testing.assert_close(output, expected, rtol=0, atol=0)
    assert launched == [M, M]


def test_members_in_chunks(launched):
    layers, x = members("gru", N, H), numbers(T, B, N)
    weights, _ = stack_module_state(layers)
    run = vmap(lambda one: functional_call(layers[0], one, (x,))[0], chunk_size=2)
    torch.testing.assert_close(run(weights), together(layers, x)[0], **CLOSE)
    assert launched == [2, 1, M]


def test_axes_may_be_anywhere(launched):
    layers = members("gru", N, H)
    weights = {name: one.movedim(0, -1) for name, one in stack_module_state(layers)[0].items()}
    x = numbers(T, B, N, M)
    run = vmap(lambda weights, x: functional_call(layers[0], weights, (x,))[0], in_dims=(-1, 3), out_dims=2)
    expected, _ = alone(layers, x.movedim(-1, 0))
    torch.testing.assert_close(run(weights, x).movedim(2, 0), expected, **CLOSE)
    assert M in launched


def test_a_weight_that_all_members_share(launched):
    layers = members("gru", N, H)
    weights, _ = stack_module_state(layers)
    shared = layers[0].layer(0).U_r
    axes = {name: None if name.endswith("U_r") else 0 for name in weights}
    weights = {name: shared if axes[name] is None else one for name, one in weights.items()}
    x = numbers(T, B, N)
    run = vmap(lambda weights: functional_call(layers[0], weights, (x,))[0], in_dims=(axes,))
    found = torch.autograd.grad(run(weights).sum(), shared)
    each = [
        functional_call(
            layers[0], {name: one if axes[name] is None else one[k] for name, one in weights.items()}, (x,)
        )[0]
        for k in range(M)
    ]
    torch.testing.assert_close(found, torch.autograd.grad(torch.stack(each).sum(), shared), **CLOSE)
    assert M in launched


@pytest.mark.parametrize("around", [{"zoneout": 0.4}, {"recurrent_dropout": 0.4}, {"num_layers": 2, "dropout": 0.4}])
def test_what_is_drawn_at_random_differs_between_members_where_torch_is_asked_so(around, launched):
    """As torch demands: `randomness` says whether members share what is drawn."""
    layers = [copy.deepcopy(members("gru", N, H, **around)[0]) for _ in range(M)]
    weights, _ = stack_module_state(layers)
    x = numbers(T, 20, N)

    def run(randomness):
        torch.manual_seed(0)
        return vmap(lambda one: functional_call(layers[0], one, (x,))[0], randomness=randomness)(weights)

    different, same = run("different"), run("same")
    assert not torch.equal(different[0], different[1])
    torch.testing.assert_close(same[0], same[1], rtol=0, atol=0)
    with pytest.raises(RuntimeError, match="randomness error mode"):
        run("error")
    assert set(launched) == {M}


def test_masks_of_members_have_the_share_of_ones_that_was_asked_for():
    def masks(_):
        return gw.layers.around.coins(torch.empty(0), (50, 50), 0.7)

    found = vmap(masks, randomness="different")(torch.zeros(8))
    assert found.shape == (8, 50, 50)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    # 20,000 coins: four standard deviations.
    assert abs(found.mean() - 0.7) < 4 * (0.21 / 20_000) ** 0.5


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_second_derivatives_and_many_gradients_at_once_are_those_of_each(cell):
    layers = members(cell, 2, 3, dtype=torch.float64)
    x = numbers(M, 2, 2, 2, dtype=torch.float64).requires_grad_()

    def further(run):
        output, last = run(layers, x)[:2]
        (first,) = torch.autograd.grad(total(output, last), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    torch.testing.assert_close(further(together), further(alone), **DOUBLE)
    directions = numbers(5, M, 2, 2, 3, dtype=torch.float64)
    many = [torch.autograd.grad(run(layers, x)[0], x, directions, is_grads_batched=True) for run in (together, alone)]
    torch.testing.assert_close(*many, **DOUBLE)


def test_where_torch_func_differentiates_the_reference_runs_by_name_it_is_refused(monkeypatch):
    ran = []
    trajectory = Reference.trajectory
    monkeypatch.setattr(Reference, "trajectory", lambda *given: ran.append(1) or trajectory(*given))
    layers, x = members("gru", N, H, backend="auto"), numbers(T, B, N)
    weights, _ = stack_module_state(layers)

    def loss(weights, layer=layers[0]):
        return functional_call(layer, weights, (x,))[0].square().sum()

    found = vmap(grad(loss))(weights)
    assert ran
    alone = torch.autograd.grad(sum(loss(dict(one.named_parameters())) for one in layers), layers[1].parameters())
    torch.testing.assert_close([one[1] for one in found.values()], list(alone), rtol=1e-4, atol=1e-5)
    named = members("gru", N, H, backend="cpu")[0]
    with pytest.raises(BackendError, match=r"it is differentiated by torch\.func; choose auto\.$"):
        vmap(grad(lambda weights: loss(weights, named)))(weights)


@pytest.mark.parametrize("compiler", ["eager", "aot_eager"])
def test_under_compile_members_are_one_operator_too(compiler, launched):
    layers, x = members("lstm", N, H), numbers(T, B, N)
    weights, _ = stack_module_state(layers)

    def run(weights):
        return vmap(lambda one: functional_call(layers[0], one, (x,))[0])(weights)

    compiled = torch.compile(run, backend=compiler, fullgraph=True)
    both = [torch.autograd.grad(call(weights).square().sum(), list(weights.values())) for call in (run, compiled)]
    torch.testing.assert_close(*both, **CLOSE)
    assert launched == [M, M]


class Ensemble(torch.nn.Module):
    """Members in one module."""

    def __init__(self, layers):
        super().__init__()
        weights, _ = stack_module_state(layers)
        self.one = layers[0]
        self.names = list(weights)
        self.stacked = torch.nn.ParameterList(weights.values())

    def forward(self, x):
        weights = dict(zip(self.names, self.stacked, strict=True))
        return vmap(lambda one: functional_call(self.one, one, (x,))[0])(weights)


@pytest.mark.skipif(torch.__version__ < "2.13", reason="torch 2.11 traces such a program and cannot save it")
def test_an_exported_program_holds_all_members(launched):
    ensemble, x = Ensemble(members("gru", N, H)), numbers(T, B, N)
    file = io.BytesIO()
    torch.export.save(torch.export.export(ensemble, (x,)), file)
    file.seek(0)
    launched.clear()
    torch.testing.assert_close(torch.export.load(file).module()(x), ensemble(x), **CLOSE)
    assert launched == [M, M]


def operands(cell="gru"):
    """What the operator takes for several members."""
    record = catalogue[cell].graph.parts.core.record
    graph = recurrence(record).graph
    weights = [numbers(M, *one.sizes(N, H), seed=k) for k, one in enumerate(graph.parameters)]
    states = [numbers(M * B, H, seed=40 + k) for k in range(len(graph.states))]
    return [record, numbers(T, M * B, N), [], states, weights]


def test_torch_finds_nothing_wrong_with_the_operator_of_many_members():
    given = operands()
    torch.library.opcheck(torch.ops.gatework.run.default, (*given, False, M), atol=1e-5, rtol=1e-5)
    for one in (given[1], *given[3], *given[4]):
        one.requires_grad_()
    torch.library.opcheck(torch.ops.gatework.run.default, (*given, True, M), atol=1e-5, rtol=1e-5)


def test_what_does_not_fit_the_members_is_refused():
    run, (record, x, others, states, weights) = torch.ops.gatework.run, operands()
    with pytest.raises(UsageError, match=r"^9 sequences are not those of 2 members, each with as many\.$"):
        run(record, x, others, states, weights, False, 2)
    with pytest.raises(UsageError, match=r"^9 sequences are not those of 0 members, each with as many\.$"):
        run(record, x, others, states, weights, False, 0)
    with pytest.raises(UsageError, match=r"^The weight W\.r has shape \(3, 6, 5\), not \(6, 5\)\.$"):
        run(record, x, others, states, weights, False)
    with pytest.raises(UsageError, match=r"^There is no engine 'tpu': it is one of cpu, triton, or empty"):
        run(record, x, others, states, weights, False, M, "tpu")
