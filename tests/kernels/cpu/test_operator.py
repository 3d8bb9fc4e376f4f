"""The bridge to torch: what a user may do with a torch operation may be done with a compiled cell."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.utils.checkpoint import checkpoint

import gatework as gw
from gatework.cells import catalogue, find
from gatework.errors import BackendError, EquationError, UsageError
from gatework.graph.build import from_json
from gatework.kernels import Reference, operator, passes
from gatework.kernels.cpu import engine
from valid_states import valid

# Float32 on both sides, sums of at most some hundred numbers of order one: hundreds × 6e-8.
CLOSE = {"rtol": 2e-5, "atol": 2e-5}
T, B, N, H = 6, 5, 3, 7


def layer(cell="gru", backend="cpu", **options):
    torch.manual_seed(0)
    return gw.Recurrent(cell, N, H, backend=backend, **options)


def numbers(*shape, seed=1, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def gradients(module, x, states=None):
    """The output, the last states, and all gradients of a weighted sum of them."""
    x = x.detach().clone().requires_grad_()
    output, last = module(x, states)
    total = (output * numbers(*output.shape, seed=2)).sum()
    total = total + sum((one * numbers(*one.shape, seed=3)).sum() for states in last for one in states)
    found = torch.autograd.grad(total, [x, *module.parameters()])
    return [output, *(one for states in last for one in states), *found]


def assert_same(first, second, **close):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, **(close or CLOSE))


def operands(cell, dtype=torch.float64, T=3, B=2, N=2, H=3, grad=True):
    graph = catalogue[cell].graph.parts.core
    weights = [numbers(*one.sizes(N, H), seed=k, dtype=dtype) * 0.5 for k, one in enumerate(graph.parameters)]
    states = [valid(graph, numbers(B, H, seed=90 + k, dtype=dtype)) for k in range(len(graph.states))]
    others = [numbers(T, B, H, seed=70 + k, dtype=dtype) for k in range(len(graph.inputs) - 1)]
    found = [numbers(T, B, N, seed=80, dtype=dtype), *others, *states, *weights]
    return graph, [one.requires_grad_(grad) for one in found]


def parts(graph, *rest):
    """The inputs after the first, the states and the weights."""
    more, count = len(graph.inputs) - 1, len(graph.states)
    return list(rest[:more]), list(rest[more : more + count]), list(rest[more + count :])


def run(graph, x, *rest):
    found = torch.ops.gatework.run(graph.record, x, *parts(graph, *rest), torch.is_grad_enabled())
    return tuple(found[: 1 + len(graph.states)])


@pytest.mark.parametrize("cell", catalogue)
def test_gradients_are_those_of_finite_differences(cell):
    graph, inputs = operands(cell)
    assert gradcheck(lambda *given: run(graph, *given), inputs, raise_exception=True)


def run_all(graph, x, *rest):
    found = torch.ops.gatework.run(graph.record, x, *parts(graph, *rest), torch.is_grad_enabled())
    return tuple(found[: len(graph.results) + len(graph.states)])


@pytest.mark.parametrize(("cell", "shown"), [("lstm", ("c",)), ("slstm", ("m", "c")), ("grid_lstm", ("md", "m"))])
def test_states_that_are_shown_are_results_at_every_step(cell, shown):
    plain, inputs = operands(cell)
    graph = replace(plain, shown=shown)
    count = len(plain.states)
    x, *rest = inputs
    more, states, weights = parts(graph, *rest)
    results = run_all(graph, *inputs)
    sequences, last = results[:-count], results[-count:]
    keyed = {one.key: weight for one, weight in zip(graph.parameters, weights, strict=True)}
    expected, expected_last = Reference().trajectory(graph, keyed, x, tuple(states), more)
    assert_same(sequences, expected)
    assert_same(last, expected_last)
    assert_same(run(plain, *inputs), (sequences[0], *last), rtol=0, atol=0)
    for one, name in zip(sequences, graph.results, strict=True):
        assert torch.equal(one[-1], last[graph.states.index(name)])
    with torch.no_grad():
        assert_same(run_all(graph, *inputs), results, rtol=0, atol=1e-15)
    assert gradcheck(lambda *given: run_all(graph, *given), inputs, raise_exception=True)
    direct = operator.run(graph.record, x, more, states, weights, True, len(graph.results))
    cotangents = [numbers(*one.shape, seed=4, dtype=torch.float64) for one in results]
    found = [torch.autograd.grad(one, inputs, cotangents) for one in (results, direct)]
    assert_same(*found, rtol=0, atol=0)


def run_eagerly(graph, x, *rest):
    return tuple(operator.run(graph.record, x, *parts(graph, *rest), torch.is_grad_enabled()))


@pytest.mark.parametrize("how", [run, run_eagerly])
@pytest.mark.parametrize("cell", ["gru", "lstm", "mgu"])
def test_second_derivatives_are_those_of_finite_differences(cell, how):
    graph, inputs = operands(cell, T=2, B=1, N=1, H=2)
    assert gradgradcheck(lambda *given: how(graph, *given), inputs, raise_exception=True)


@pytest.mark.parametrize("cell", ["gru", "lmu", "lru", "sru2"])
def test_gradients_that_can_be_differentiated_are_those_that_cannot(cell):
    """The second piece of a sequence begins with states that are functions of the weights, its other operands."""
    module = gw.Recurrent(cell, H, H, backend="cpu", dtype=torch.float64)
    x, direction = numbers(T, B, H, dtype=torch.float64).requires_grad_(), numbers(T, B, H, seed=2, dtype=torch.float64)

    def found(create_graph):
        first, states = module(x[:2])
        second, _ = module(x[2:], states)
        total = (torch.cat([first, second]) * direction).sum()
        return torch.autograd.grad(total, [x, *module.parameters()], create_graph=create_graph)

    assert_same(found(True), found(False), rtol=1e-11, atol=1e-12)  # float64, some hundred operations


@pytest.mark.parametrize("cell", catalogue)
def test_the_operator_and_the_way_around_its_bookkeeping_are_the_same(cell):
    graph, inputs = operands(cell)
    first, second = run(graph, *inputs), run_eagerly(graph, *inputs)
    assert_same(first, second, rtol=0, atol=0)
    cotangents = [numbers(*one.shape, seed=4, dtype=torch.float64) for one in first]
    d_first, d_second = (torch.autograd.grad(one, inputs, cotangents) for one in (first, second))
    assert_same(d_first, d_second, rtol=0, atol=0)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_torch_finds_nothing_wrong_with_the_operator(cell):
    graph, (x, *rest) = operands(cell, dtype=torch.float32)
    given = (graph.record, x, *parts(graph, *rest), True)
    torch.library.opcheck(torch.ops.gatework.run.default, given, atol=1e-5, rtol=1e-5)


def test_under_compile_a_layer_is_one_operator():
    module = layer("lstm")
    graphs = []

    def backend(graph, _):
        graphs.append([node.target for node in graph.graph.nodes if node.op == "call_function"])
        return graph.forward

    compiled = torch.compile(module, backend=backend, fullgraph=True)
    assert_same(gradients(compiled, numbers(T, B, N)), gradients(module, numbers(T, B, N)))
    assert len(graphs) == 1
    assert graphs[0].count(torch.ops.gatework.run.default) + graphs[0].count(torch.ops.gatework.run) == 1


@pytest.mark.parametrize("cell", ["gru", "lmu(theta=7.5)", "lru"])
def test_a_layer_that_never_ran_is_compiled_in_one_piece(cell):
    cell = find(cell)
    fresh = replace(cell, graph=from_json(json.loads(cell.graph.record)))  # nothing is remembered of this graph
    module = gw.Recurrent(fresh, H, H)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    x = numbers(T, B, H)
    torch.testing.assert_close(compiled(x)[0], module(x)[0], rtol=0, atol=0)


@pytest.mark.parametrize("cell", ["gru", "ligru", "depth_gated_lstm"])
@pytest.mark.parametrize("given", [{"lengths": torch.tensor([6, 1, 2, 3, 4])}, {"resets": torch.ones(T, B)}], ids=list)
def test_whatever_a_call_asks_for_is_compiled_in_one_piece(cell, given):
    cell = find(cell)
    fresh = replace(cell, graph=from_json(json.loads(cell.graph.record)))
    module = gw.Recurrent(fresh, N, (H, H), layer_norm="each", zoneout=0.1).eval()
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    x = numbers(T, B, N)
    torch.testing.assert_close(compiled(x, **given)[0], module(x, **given)[0], rtol=0, atol=0)


def test_under_compile_gradients_are_traced_too():
    module = layer("gru")
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    assert_same(gradients(compiled, numbers(T, B, N)), gradients(module, numbers(T, B, N)))


def test_an_exported_program_gives_the_same():
    module = layer("lstm").eval()
    program = torch.export.export(module, (numbers(T, B, N),))
    with torch.no_grad():
        output, _ = program.module()(numbers(T, B, N, seed=5))
        expected, _ = module(numbers(T, B, N, seed=5))
    torch.testing.assert_close(output, expected, rtol=0, atol=0)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing_gives_the_same_gradients(reentrant):
    module, x = layer("lstm"), numbers(T, B, N).requires_grad_()
    plain = torch.autograd.grad(module(x)[0].square().sum(), [x, *module.parameters()])
    module.zero_grad()
    checkpoint(lambda given: module(given)[0], x, use_reentrant=reentrant).square().sum().backward()
    assert_same([x.grad, *(one.grad for one in module.parameters())], plain)


# Torch itself reaches for its deprecated compiler when it differentiates forward.
FORWARD_MODE = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


@FORWARD_MODE
def test_transforms_of_torch_func_fall_back_to_the_reference():
    module, x = layer("gru", backend="auto"), numbers(4, T, B, N)
    weights = dict(module.named_parameters())

    def loss(weights, x):
        return torch.func.functional_call(module, weights, (x,))[0].square().sum()

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, x)
    for k in range(4):
        alone = torch.autograd.grad(loss(weights, x[k]), list(weights.values()))
        assert_same([each[name][k] for name in weights], alone)
    _, tangent = torch.func.jvp(lambda x: loss(weights, x), (x[0],), (numbers(T, B, N, seed=8),))
    slope = torch.func.grad(lambda x: loss(weights, x))(x[0])
    torch.testing.assert_close(tangent, (slope * numbers(T, B, N, seed=8)).sum(), rtol=1e-4, atol=1e-4)


@FORWARD_MODE
def test_forward_mode_differentiation_works():
    module, x = layer("gru", backend="auto"), numbers(T, B, N)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, numbers(T, B, N, seed=8))
        tangent = torch.autograd.forward_ad.unpack_dual(module(dual)[0]).tangent
    step = 1e-3
    ahead, behind = (module(x + sign * step * numbers(T, B, N, seed=8))[0] for sign in (1, -1))
    change = (ahead - behind) / (2 * step)
    torch.testing.assert_close(tangent, change, rtol=1e-2, atol=1e-3)  # differences of float32 over a step of 1e-3


def test_under_autocast_it_computes_in_float32():
    module, x = layer("lstm"), numbers(T, B, N)
    expected = gradients(module, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = gradients(module, x)
        half, _ = module(x.bfloat16())
    assert_same(found, expected)
    assert half.dtype == torch.float32


def test_under_autocast_a_layer_of_half_precision_goes_to_the_reference():
    module = layer("gru", backend="auto").bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, _ = module(numbers(T, B, N).bfloat16())
    assert output.shape == (T, B, H)


def test_inference_mode_and_no_grad_keep_nothing_and_give_the_same():
    module, x = layer("lstm"), numbers(T, B, N)
    expected, _ = module(x)
    for mode in (torch.inference_mode, torch.no_grad):
        with mode():
            output, _ = module(x)
        assert not output.requires_grad
        torch.testing.assert_close(output, expected, rtol=0, atol=0)


def test_inputs_need_not_be_contiguous():
    module = layer("gru")
    x, state = numbers(T, B, N), numbers(B, H)
    strange = x.transpose(0, 1).contiguous().transpose(0, 1)
    assert not strange.is_contiguous()
    spread = numbers(1, 1, N).expand(T, B, N)
    states = [(state.t().contiguous().t(),)]
    assert_same(gradients(module, strange, states), gradients(module, x, [(state,)]), rtol=0, atol=0)
    assert_same(gradients(module, spread), gradients(module, spread.contiguous()), rtol=0, atol=0)


def test_gradients_that_are_the_same_for_every_step_or_sequence():
    module, x = layer("gru"), numbers(T, B, N)
    strange = numbers(T, B, H).transpose(0, 1).contiguous().transpose(0, 1)
    for weight in (torch.ones(()), numbers(B, H), numbers(T, 1, 1), strange):
        given = weight.expand(T, B, H)
        plain = torch.autograd.grad(module(x)[0], list(module.parameters()), given.contiguous())
        assert_same(torch.autograd.grad(module(x)[0], list(module.parameters()), given), plain, rtol=0, atol=0)


@pytest.mark.parametrize("backend", ["cpu", "auto"])
def test_a_batch_of_nothing(backend):
    module = layer("lstm", backend=backend)
    found = gradients(module, numbers(T, 0, N))
    assert found[0].shape == (T, 0, H)
    for weight, gradient in zip(module.parameters(), found[4:], strict=True):
        torch.testing.assert_close(gradient, torch.zeros_like(weight), rtol=0, atol=0)


def test_any_subset_of_the_inputs_may_want_gradients():
    graph, inputs = operands("lstm", dtype=torch.float32)
    every = torch.autograd.grad([one.sum() for one in run(graph, *inputs)], inputs)
    for k in range(len(inputs)):
        for chosen in ([k], [one for one in range(len(inputs)) if one != k]):
            given = [one.detach().requires_grad_(j in chosen) for j, one in enumerate(inputs)]
            found = torch.autograd.grad([one.sum() for one in run(graph, *given)], [given[j] for j in chosen])
            assert_same(found, [every[j] for j in chosen], rtol=0, atol=0)


def test_frozen_weights_are_not_summed(monkeypatch):
    masks = []
    original = engine._masks
    monkeypatch.setattr(engine, "_masks", lambda *given: masks.append(original(*given)) or masks[-1])
    module = layer("lstm")
    for weight in module.parameters():
        weight.requires_grad_(False)
    x = numbers(T, B, N).requires_grad_()
    module(x)[0].sum().backward()
    module.layer(0).U_f.requires_grad_(True)
    module(x)[0].sum().backward()
    assert masks[0] == 0
    assert masks[1].bit_count() == 1


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_gradients_of_the_last_states_alone(cell):
    graph, inputs = operands(cell)
    weights = dict(zip([one.key for one in graph.parameters], inputs[1 + len(graph.states) :], strict=True))
    _, expected = Reference().run(graph, weights, inputs[0], tuple(inputs[1 : 1 + len(graph.states)]))
    last = run(graph, *inputs)[-1]
    found = torch.autograd.grad(last.sum(), inputs, allow_unused=True)
    plain = torch.autograd.grad(expected[-1].sum(), inputs, allow_unused=True)
    for one, other in zip(found, plain, strict=True):
        other = torch.zeros_like(one) if other is None else other
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)  # some dozen operations in float64


def test_two_python_threads_may_run_one_layer():
    module, inputs = layer("lstm"), [numbers(T, B, N, seed=k) for k in range(8)]
    expected = [gradients(module, x) for x in inputs]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            for found, plain in zip(pool.map(lambda x: gradients(module, x), inputs), expected, strict=True):
                assert_same(found, plain, rtol=0, atol=0)


def test_a_copy_of_a_layer_is_its_own():
    module = layer("gru")
    twin = copy.deepcopy(module)
    with torch.no_grad():
        twin.layer(0).U_r.zero_()
    assert not torch.equal(module(numbers(T, B, N))[0], twin(numbers(T, B, N))[0])


@pytest.mark.parametrize("change", [{"dtype": torch.bfloat16}, {"dtype": torch.float16}, {"device": "meta"}])
def test_what_it_cannot_compute_goes_to_the_reference_or_is_refused(change):
    module = layer("gru", backend="auto").to(**change)
    assert module.kernel == "reference"
    assert module(numbers(T, B, N).to(**change))[0].shape == (T, B, H)
    with pytest.raises(BackendError, match=r"^The back-end cpu cannot run this layer: it .*; choose auto\.$"):
        layer("gru").to(**change)(numbers(T, B, N).to(**change))


def test_the_compiled_kernels_are_what_runs(monkeypatch):
    calls = []
    original = passes.forward
    monkeypatch.setattr(passes, "forward", lambda *given, **more: calls.append(1) or original(*given, **more))
    for module in (layer("gru", backend="auto"), gw.GRU(N, H), gw.LSTM(N, H), gw.RNN(N, H)):
        assert module.kernel == "cpu"
        calls.clear()
        module(numbers(T, B, N))
        assert calls == [1]


WRONG = {
    "time": (0, numbers(T, N), "The input has shape (6, 3): it must be (T, B, N), with T at least 1."),
    "no step": (0, numbers(0, B, N), "The input has shape (0, 5, 3): it must be (T, B, N), with T at least 1."),
    "state": (1, numbers(B, H + 1), "The weight W.r has shape (7, 3), not (8, 3)."),
    "batch": (1, numbers(B + 1, H), "State h has shape (6, 7), not (5, 7)."),
    "flat": (1, numbers(B), "State h has shape (5,): it must be (B, H)."),
    "weight": (2, numbers(H, N + 1), "The weight W.r has shape (7, 4), not (7, 3)."),
    "type": (
        2,
        numbers(H, N, dtype=torch.float64),
        "The weight W.r is float64 on cpu and the input float32 on cpu: "
        "convert one of them, as with layer.to(x.dtype).",
    ),
}


@pytest.mark.parametrize("way", [run, run_eagerly])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_does_not_fit_is_refused_before_memory_is_read(wrong, way):
    graph, inputs = operands("gru", dtype=torch.float32, T=T, B=B, N=N, H=H, grad=False)
    k, tensor, sentence = WRONG[wrong]
    inputs[k] = tensor
    with torch.no_grad(), pytest.raises(UsageError) as error:
        way(graph, *inputs)
    assert str(error.value) == sentence


def test_a_wrong_count_and_a_wrong_cell_are_refused():
    graph, (x, h, *weights) = operands("gru", dtype=torch.float32, grad=False)
    with pytest.raises(UsageError, match=r"^1 states and 9 weights were given for a cell of 1 and 10\.$"):
        torch.ops.gatework.run(graph.record, x, [], [h], weights[:-1], False)
    with pytest.raises(EquationError):
        torch.ops.gatework.run("{}", x, [], [h], weights, False)


def test_what_a_backward_pass_reads_is_checked():
    graph, (x, h, *weights) = operands("gru", dtype=torch.float32, grad=False)
    output, _, *kept = torch.ops.gatework.run(graph.record, x, [], [h], weights, True)
    wanted = [True] * (2 + len(weights))
    backward = torch.ops.gatework.run_backward
    for kept_, d, wishes in (
        ([output, *kept[:-1]], [output, None], wanted),
        ([output[:2], *kept], [output, None], wanted),
        ([output, *kept], [output[0], None], wanted),
        ([output, *kept], [output], wanted),
        ([output, *kept], [output, None], wanted[:-1]),
    ):
        with pytest.raises(UsageError):
            backward(graph.record, x, [], [h], weights, kept_, d, wishes)
    assert len(backward(graph.record, x, [], [h], weights, [output, *kept], [output, None], wanted)) == len(wanted)
