"""Kernels in Triton give the reference's numbers: every cell, all kinds of launch; without a GPU interpreted."""

import functools
import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace

import in_turns
import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

import ensembles
import gatework as gw
from gatework.cells import catalogue, find
from gatework.errors import BackendError
from gatework.graph.around import ground
from gatework.graph.ops import Op
from gatework.graph.plan import plan
from gatework.kernels import BACKENDS, Reference, dispatch, early, measured, operator
from gatework.kernels.layout import lowered
from gatework.kernels.reference import TORCH
from gatework.kernels.triton import build, chip, engine, grid, together, tuning, ways
from gatework.kernels.triton.chip import precision
from valid_states import valid

pytest.importorskip("triton")
# What stands in padding is computed too, and divided by zero there.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton.runtime.interpreter")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PRECISE = torch.float64 if DEVICE == "cpu" else torch.float32
"""What the most delicate are computed in: kernels for GPUs have no double precision."""

CLOSE = {"rtol": 1e-4, "atol": 2e-5}
"""Float32 on both sides: some hundred sums of numbers of order one, and cells that divide by what is small."""

DOUBLE = {"rtol": 1e-5, "atol": 1e-6} if DEVICE == "cpu" else {"rtol": 1e-2, "atol": 1e-2}
"""In double precision what is left is tanh near zero, a series that is right to 1e-8 of the value."""

SEVERAL = ("gru", "lstm", "mgu", "mut2", "slstm", "sligru", "indrnn", "grid_lstm")
"""One stage and two, exponentials, means, no recurrent matrix, a state that is shown."""


KINDS = {"whole sequence": ways.Whole, "programs together": together.Together, "stage by stage": ways.Steps}


@pytest.fixture(params=KINDS)
def kind(request, monkeypatch):
    """How a loop is launched; the blocks of a stage and of a scan are smaller than its vectors."""
    launched = []
    way = KINDS[request.param]
    cell = request.node.callspec.params.get("cell", "gru")
    if way is together.Together and not exchanges(cell):
        pytest.skip("programs of this cell have nothing to exchange")

    def run(self, call):
        launched.append(type(self))
        original(self, call)

    original = way.run
    monkeypatch.setattr(way, "run", run)
    monkeypatch.setattr(engine, "WAYS", (way(),))
    for name in ("COLUMNS", "INNER"):
        monkeypatch.setattr(ways, name, 16)
    if way is together.Together:
        run_in_turns(monkeypatch, programs=6)
    yield request.param
    assert set(launched) == {way}


@functools.cache
def exchanges(cell):
    """Whether a step reads vectors of the one before as a whole."""
    return bool(grid.write(plan(find(cell).graph.ahead.core).forward, backward=False).shared)


def run_in_turns(monkeypatch, programs):
    """Have programs that wait for each other run on the CPU, `programs` at once, with small parts of matrices."""
    monkeypatch.setattr(together, "HELD", 256)
    if DEVICE == "cpu":
        in_turns.install(monkeypatch)
        monkeypatch.setattr(together.Together, "fits", together.Together.would_fit)
        monkeypatch.setattr(chip, "programs", lambda _: programs)


def layers(cell, N, H, **options):
    """The same layer on the reference and in Triton."""
    made = []
    for backend in ("reference", "triton"):
        torch.manual_seed(0)
        inputs = H if find(cell).graph.square else N
        made.append(gw.Recurrent(cell, inputs, H, backend=backend, **options).to(DEVICE))
    made[1].load_state_dict(made[0].state_dict())
    return made


def results(layer, x, states=None, seed=None, **call):
    """Outputs, last states, and the gradients of the input and of all weights."""
    if seed is not None:
        torch.manual_seed(seed)
    x = x.to(DEVICE).clone().requires_grad_()
    output, last = layer(x, states, **{name: one.to(DEVICE) for name, one in call.items()})
    loss = (output * torch.cos(torch.arange(output.numel(), device=DEVICE)).view(output.shape)).sum()
    for k, one in enumerate(state for of_layer in last for state in of_layer):
        loss = loss + (one * torch.sin(torch.arange(one.numel(), device=DEVICE) + k).view(one.shape)).sum()
    loss.backward()
    weights = {name: weight.grad for name, weight in layer.named_parameters()}
    return {"output": output, "dx": x.grad, **weights}


def compare(pair, x, *given, close=CLOSE, **call):
    expected, found = (results(layer, x, *given, **call) for layer in pair)
    assert pair[1].kernel == "triton"
    for name, one in expected.items():
        if one is None:
            assert found[name] is None, name
        else:
            torch.testing.assert_close(found[name], one, **close, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("cell", catalogue)
def test_every_cell(cell, kind):
    pair = layers(cell, 3, 18 if kind == "programs together" else 7)  # of two programs
    compare(pair, torch.randn(4, 5, pair[0].input_size))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 17, 5, 33), (3, 16, 16, 16)], ids=str)
@pytest.mark.parametrize("cell", SEVERAL)
def test_sizes_beside_those_of_blocks(cell, shape, kind):
    T, B, N, H = shape
    pair = layers(cell, N, H)
    compare(pair, torch.randn(T, B, pair[0].input_size))


@pytest.mark.parametrize("cell", SEVERAL)
def test_everything_around_a_cell(cell, kind):
    around = {"layer_norm": True, "zoneout": 0.2, "bidirectional": True, "learn_initial": True}
    if find(cell).graph.below:
        del around["learn_initial"]
    # In double precision: where a norm begins at zero, its deviation stretches rounding three hundred times.
    pair = [layer.to(PRECISE) for layer in layers(cell, 3, 7, num_layers=2 if find(cell).graph.below else 1, **around)]
    x, lengths = torch.randn(3, 4, pair[0].input_size, dtype=PRECISE), torch.tensor([3, 1, 2, 3])
    resets = torch.zeros(3, 4, dtype=torch.bool)
    resets[2, 0] = resets[1, 3] = True
    compare(pair, x, lengths=lengths, resets=resets, seed=3, close=DOUBLE)


@pytest.mark.parametrize("cell", ["gru", "lstm", "mgu"])
def test_numbers_of_double_precision(cell, kind):
    pair = [layer.to(PRECISE) for layer in layers(cell, 3, 20)]
    compare(pair, torch.randn(6, 5, 3, dtype=PRECISE), close=DOUBLE)


@pytest.mark.parametrize("kind_of_number", [torch.bfloat16, torch.float16])
def test_half_precision_is_as_near_to_the_exact_numbers_as_the_reference_in_it(kind_of_number, kind):
    exact, found = layers("gru", 3, 20)
    half, found = gw.Recurrent("gru", 3, 20, backend="reference").to(DEVICE), found.to(kind_of_number)
    half.load_state_dict(exact.state_dict())
    half = half.to(kind_of_number)
    x = torch.randn(6, 5, 3).to(kind_of_number)
    exact.load_state_dict(half.state_dict())
    wanted, ours, theirs = (results(layer, x.to(next(layer.parameters()).dtype)) for layer in (exact, found, half))
    assert found.kernel == "triton"
    for name, one in wanted.items():
        near = (theirs[name].float() - one).abs().max()
        assert (ours[name].float() - one).abs().max() <= 1.5 * near + torch.finfo(kind_of_number).eps, name


@pytest.mark.parametrize("room", [0, chip.ON_CHIP], ids=["read at every step", "kept on the chip"])
@pytest.mark.parametrize("cell", ["lstm", "mgu", "slstm"])
def test_programs_together_take_sequences_after_others(cell, room, monkeypatch):
    launched = []

    def shares(*given):
        launched.append(together.Shares(rows=16, columns=16, groups=2))
        return launched[-1]

    run_in_turns(monkeypatch, programs=4)
    monkeypatch.setattr(engine, "WAYS", (together.Together(),))
    monkeypatch.setattr(together, "shares", shares)
    monkeypatch.setattr(chip, "on_chip", lambda _: room)
    pair = layers(cell, 3, 20)
    compare(pair, torch.randn(3, 35, 3))
    assert launched


@pytest.fixture
def tried(monkeypatch, tmp_path):
    """Ways are tried on whatever there is; what was launched."""
    launched = []
    for way in (ways.Whole, ways.Steps):

        def run(self, call, original=way.run):
            launched.append(type(self))
            original(self, call)

        monkeypatch.setattr(way, "run", run)
    monkeypatch.setattr(tuning, "is_measured", lambda x: x.numel() > 0)
    monkeypatch.setenv("GATEWORK_CACHE", str(tmp_path))
    measured.forget()
    yield launched
    measured.forget()


def test_ways_are_tried_once_and_the_last_only_where_no_other_can_run(tried):
    pair = layers("gru", 3, 7)
    compare(pair, torch.randn(4, 5, 3))
    assert set(tried) == {ways.Whole}
    first = len(tried)
    assert first == 2 * (1 + measured.TIMES + 1)
    compare(pair, torch.randn(4, 6, 3))  # as many, to a power of two
    assert len(tried) == first + 2
    assert {kind["loop"] for kind, _ in measured.everything()} == {"forward", "backward"}


def test_a_way_with_wrong_results_is_left_aside_and_told(tried, monkeypatch):
    class Wrong(ways.Whole):
        name = "zeros"

        def run(self, call):
            super().run(call)
            call.arrays["y" if not call.backward else "d"].zero_()

    monkeypatch.setattr(engine, "WAYS", (Wrong(), ways.Whole(), ways.Steps()))
    told = r"^The kernel of zeros is left aside on .*: its results differ from those of a launch for every stage\.$"
    with pytest.warns(UserWarning, match=told):
        compare(layers("gru", 3, 7), torch.randn(4, 5, 3))


def test_a_way_that_fails_is_left_aside_and_told(tried, monkeypatch):
    def fail(self, call):
        raise RuntimeError("out of resource: shared memory")

    monkeypatch.setattr(ways.Whole, "run", fail)
    told = r"^The kernel of one launch is left aside on .*: out of resource: shared memory\.$"
    with pytest.warns(UserWarning, match=told):
        compare(layers("gru", 3, 7), torch.randn(4, 5, 3))
    assert set(tried) == {ways.Steps}


def test_no_more_programs_than_run_at_once():
    for B, H, members in itertools.product((1, 16, 40, 64, 256, 1000), (16, 100, 768, 1024, 2048, 5000), (1, 3, 64)):
        share = together.shares(B, H, members, 132)
        assert share.groups * members * -(-H // share.columns) <= 132
        assert share.groups <= -(-B // share.rows)
        if share.groups == 0:
            assert members * -(-H // together.COLUMNS[-1]) > 132


def test_gradients_of_gradients_are_the_references():
    pair = layers("gru", 3, 5)
    found = []
    for layer in pair:
        x = torch.linspace(-1, 1, 2 * 2 * 3, device=DEVICE).view(2, 2, 3).requires_grad_()
        output, _ = layer(x)
        (first,) = torch.autograd.grad(output.pow(2).sum(), x, create_graph=True)
        found.append(torch.autograd.grad(first.pow(2).sum(), x)[0])
    torch.testing.assert_close(*found, **CLOSE)


ENSEMBLES = ("gru", "lstm", "mgu", "slstm", "mingru", "grid_lstm")


@pytest.fixture
def grids(monkeypatch):
    """The members of every call in Triton."""
    found = []
    original = engine.execute

    def execute(*given, **more):
        found.append(more.get("members", given[-1]))
        return original(*given, **more)

    monkeypatch.setattr(engine, "execute", execute)
    return found


@pytest.mark.parametrize("cell", ENSEMBLES)
def test_members_of_one_launch_are_as_if_each_were_alone(cell, kind, grids):
    H = 18 if kind == "programs together" else 7  # of two programs
    layers = ensembles.members(cell, 3, H, backend="triton", device=DEVICE)
    x = torch.randn(3, 4, 5, layers[0].input_size, device=DEVICE)
    starts = [valid(find(cell).graph, torch.randn(3, 5, H, device=DEVICE)) for _ in layers[0].cell.states]
    ensembles.assert_each_as_alone(layers, x, starts, close=CLOSE)
    # Forwards and backwards: once for all members, then once for each.
    assert grids == [3, 3, *[1] * 6]


@pytest.mark.parametrize("cell", ENSEMBLES)
def test_members_with_lengths_and_resets(cell, kind, grids):
    layers = ensembles.members(cell, 3, 7, count=2, backend="triton", device=DEVICE)
    lengths = torch.tensor([[3, 1], [2, 3]], device=DEVICE)
    resets = torch.rand(2, 3, 2, device=DEVICE) < 0.3
    x = torch.randn(3, 2, layers[0].input_size, device=DEVICE)  # the same for both
    ensembles.assert_each_as_alone(layers, x, close=CLOSE, lengths=lengths, resets=resets)
    assert grids == [2, 2, *[1] * 4]


def test_members_of_members_and_sequences_of_members(kind, grids):
    layers = ensembles.members("gru", 3, 7, backend="triton", device=DEVICE)
    weights = {name: torch.stack([one, -one]) for name, one in stack_module_state(layers)[0].items()}
    x = torch.randn(4, 5, 2, 3, device=DEVICE)

    def run(weights, x):
        return functional_call(layers[0], weights, (x,))[0]

    found = vmap(vmap(vmap(run, in_dims=(None, 0)), in_dims=(0, None)), in_dims=(0, None))(weights, x)
    expected = run({name: one[1, 2] for name, one in weights.items()}, x[3])
    torch.testing.assert_close(found[1, 2, 3], expected, **CLOSE)
    vmap(layers[0])(x)
    assert grids == [6, 1, 1]


def test_more_members_than_a_grid_has_are_refused(monkeypatch):
    monkeypatch.setattr(engine, "MOST", 2)
    layers = ensembles.members("gru", 3, 7, backend="triton", device=DEVICE)
    with pytest.raises(
        BackendError, match=r"^The back-end triton runs at most 2 members at once, not 3: map in chunks"
    ):
        ensembles.together(layers, torch.randn(4, 5, 3, device=DEVICE))


@pytest.mark.skipif(DEVICE == "cuda", reason="on a GPU it is the device's engine")
def test_an_engine_by_name_is_the_one_that_a_compiler_calls(grids):
    layer, x = layers("gru", 3, 5)[1], torch.randn(3, 2, 3)
    torch.testing.assert_close(torch.compile(layer, backend="aot_eager", fullgraph=True)(x)[0], layer(x)[0])
    assert grids == [1, 1]


def test_no_sequence_at_all():
    layer = layers("lstm", 3, 5)[1]
    output, _ = layer(torch.randn(4, 0, 3, device=DEVICE))
    output.sum().backward()
    assert output.shape == (4, 0, 5)
    assert all(not weight.grad.any() for weight in layer.parameters())


@pytest.mark.parametrize("cell", ["gru", "libru_log"])
def test_functions_over_all_numbers(cell):
    """Where exponentials overflow, the functions are at their limits."""
    layer = layers(cell, 3, 5)
    x = torch.tensor([-1e4, -100.0, -20.0, -0.3, 0.0, 1e-4, 0.2, 0.3, 20.0, 100.0]).view(1, 10, 1).expand(2, 10, 3)
    expected, found = (one(x.to(DEVICE))[0] for one in layer)
    torch.testing.assert_close(found, expected, **CLOSE)


def test_a_type_that_no_kernel_has_is_told():
    told = BACKENDS["triton"].unfit(torch.zeros(2, 2, 3, dtype=torch.int64))
    assert told == "it computes in float32, bfloat16 and float16, not in int64"


def test_without_a_gpu_the_reason_is_told(monkeypatch):
    monkeypatch.setattr(build, "interpreted", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match=r"^The back-end triton cannot run this cell: torch finds no GPU here\.$"):
        gw.Recurrent("gru", 3, 5, backend="triton")


def test_an_old_gpu_is_told(monkeypatch):
    monkeypatch.setattr(build, "interpreted", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (6, 1))
    build.too_old.cache_clear()
    assert build.refusal() == "the GPU has compute capability 6.1, and Triton needs 7.0"


@pytest.mark.parametrize("cell", SEVERAL)
def test_states_at_every_step(cell):
    """What the operator gives is what the reference gives: all results and all last states."""
    graph = find(cell).graph.whole.core
    generator = torch.Generator().manual_seed(0)
    T, B, N, H = 3, 4, 5, 5

    def numbers(*shape):
        return torch.randn(shape, generator=generator).to(DEVICE)

    weights = {one.key: numbers(*one.sizes(N, H)) for one in graph.parameters}
    states = tuple(valid(find(cell).graph, numbers(B, H)) for _ in graph.states)
    others = [numbers(T, B, H) for _ in graph.inputs[1:]]
    x = numbers(T, B, H if graph.square else N)
    expected = Reference().trajectory(graph, weights, x, states, others)
    found = BACKENDS["triton"].trajectory(graph, weights, x, states, others)
    for one, other in zip((*found[0], *found[1]), (*expected[0], *expected[1]), strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


def test_no_number_stays_none_in_relu_and_maximum(tmp_path, kind):
    pair = layers(_own(tmp_path, "maximum(relu(a), minimum(a, 0.5))"), 3, 5)
    x = torch.randn(2, 2, 3)
    x[0, 0, 0] = torch.nan
    expected, found = (one(x.to(DEVICE))[0] for one in pair)
    assert expected.isnan().any()
    torch.testing.assert_close(found, expected, **CLOSE, equal_nan=True)


def test_numbers_that_single_precision_does_not_hold_and_names_that_mean_something_else(tmp_path, kind):
    file = tmp_path / "own.py"
    file.write_text(
        """from gatework.graph import U, W, b, cell, maximum, tanh


@cell
def own(x, h):
    range = W.a @ x + U.a @ h
    step_a_y = maximum(range, 1e-40)
    next_y_0_before = tanh(U.c @ step_a_y)
    sigmoid = maximum(next_y_0_before, -1e300)
    return sigmoid * tanh(range)
"""
    )
    pair = layers(f"{file}:own", 3, 5)
    compare(pair, torch.randn(3, 4, 3))


def test_a_backward_pass_under_autocast_is_in_the_type_of_the_weights(kind):
    pair, x = layers("gru", 3, 7), torch.randn(4, 5, 3)
    for layer in pair:
        loss = layer(x.to(DEVICE))[0].square().mean()
        with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=layer is pair[1]):
            loss.backward()
    expected, found = (dict(layer.named_parameters()) for layer in pair)
    for name in expected:
        if "U" in name:  # what comes before the loop are torch's own products
            torch.testing.assert_close(found[name].grad, expected[name].grad, **CLOSE)


AROUND = {"layer_norm": True, "num_layers": 2, "bidirectional": True, "learn_initial": True}


@pytest.mark.parametrize("options", [{}, {"proj_size": 4}, AROUND], ids=["alone", "projected", "around"])
@pytest.mark.parametrize("type_of_products", [torch.bfloat16, torch.float16], ids=str)
def test_under_autocast_products_alone_are_coarser(kind, options, type_of_products):
    """What the reference gives with matrices of that type; all else, and every gradient, is float32."""
    pair, x = layers("lstm", 3, 18, **options), torch.randn(4, 5, 3)
    lengths, resets = torch.tensor([4, 2, 3, 1, 4]), torch.rand(4, 5) < 0.3
    exact = results(pair[0], x, lengths=lengths, resets=resets)
    with torch.autocast(DEVICE, dtype=type_of_products):
        found = results(pair[1], x, lengths=lengths, resets=resets)
    eps = torch.finfo(type_of_products).eps
    for name, one in found.items():
        assert one.dtype == torch.float32
        size = float(exact[name].detach().abs().max())
        torch.testing.assert_close(one, exact[name], rtol=0, atol=32 * eps * max(size, 1.0))  # of sums, in a row
    assert max(float((one - exact[name]).detach().abs().max()) for name, one in found.items()) > eps / 64


@pytest.mark.parametrize("cell", catalogue)
def test_with_coarser_matrices_nothing_else_is_coarser(cell, monkeypatch):
    """As in the reference the operands of products are rounded; states, and what is kept for the gradient, are not.

    So a long sequence gives what the reference gives, even where rounded states would count wrongly or cancel. A cell
    that is carried far from that by an input that is rounded otherwise may be carried as far here.
    """
    monkeypatch.setattr(early, "coarse", TORCH[Op.MATMUL])  # else sums are rounded before the loop, and that grows
    graph = ground(find(cell)).graph.whole.core
    layer = layers(cell, 3, 18)[1].layer(0)
    # Not bfloat16, to which the interpreter cuts numbers where a GPU and torch round them.
    weights = lowered({key: one.detach() for key, one in layer.weights().items()}, torch.float16)
    T, B, N = 60, 2, layer.input_size
    x = torch.randn(T, B, N, device=DEVICE)
    states = tuple(torch.zeros(B, 18, device=DEVICE) for _ in graph.states)
    others = [torch.randn(T, B, 18, device=DEVICE) for _ in graph.inputs[1:]]
    found = []
    for backend, sequence in ((Reference(), x), (Reference(), x * (1 + 2**-11)), (BACKENDS["triton"], x)):
        given = {key: one.clone().requires_grad_() for key, one in weights.items()}
        results, last = backend.trajectory(graph, given, sequence, states, others)
        asked = list(given.values())
        gradients = torch.autograd.grad(
            sum(one.cos().sum() for one in (*results, *last)), asked, allow_unused=True, materialize_grads=True
        )
        named = {f"result {k}": one for k, one in enumerate((*results, *last))}
        found.append({**named, **dict(zip(given, gradients, strict=True))})
    for name, one in found[0].items():
        size = float(one.detach().abs().max())
        moved, apart = (float((other[name] - one).detach().abs().max()) for other in found[1:])
        bound = 1e-2 if "result" in name else 3e-2  # a state is rounded up or down by what is in its last digit
        assert apart <= max(bound * max(size, 1e-2), 4 * moved), (name, apart / size, moved / size)


def test_under_autocast_counters_count():
    pair, x = layers("clockwork", 2, 8), torch.randn(400, 1, 2)
    with torch.autocast(DEVICE, dtype=torch.bfloat16), torch.no_grad():
        _, ((_, t),) = pair[1](x)
    assert t.eq(400).all()


def test_under_autocast_what_falls_back_to_the_reference_is_float32(monkeypatch):
    """Where Triton is found to be wrong on a device, say."""
    monkeypatch.setattr(dispatch, "is_measured", lambda x: True)
    monkeypatch.setattr(dispatch, "fastest", lambda rivals, job: measured.Found("reference"))
    monkeypatch.setattr(dispatch, "ON_A_GPU", ("triton",))
    graph, layer = find("gru").graph, layers("gru", 3, 7)[0]
    weights, x, h = layer.layer(0).weights(), torch.randn(4, 5, 3, device=DEVICE), torch.zeros(5, 7, device=DEVICE)
    choice = dispatch.Choice((BACKENDS["triton"], Reference()))
    expected, _ = Reference().run(graph, weights, x, (h,))
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        found, _ = choice.run(graph, weights, x, (h,))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_under_autocast_double_precision_stays():
    layer, x = layers("lstm", 3, 7)[1].to(PRECISE), torch.randn(4, 5, 3, device=DEVICE, dtype=PRECISE)
    expected, _ = layer(x)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        output, _ = layer(x)
    assert output.dtype == PRECISE
    if torch.float64 == PRECISE:
        torch.testing.assert_close(output, expected, rtol=0, atol=0)


@pytest.mark.parametrize("asked", [torch.bfloat16, torch.float16], ids=str)
def test_under_autocast_a_layer_of_half_precision_is_itself(asked):
    layer, x = layers("gru", 3, 7)[1].bfloat16(), torch.randn(4, 5, 3, device=DEVICE).bfloat16()
    expected, _ = layer(x)
    with torch.autocast(DEVICE, dtype=asked):
        output, _ = layer(x.float())
    torch.testing.assert_close(output, expected, rtol=0, atol=0)


def test_a_weight_that_no_gradient_reaches_has_one_of_zeros(tmp_path):
    file = tmp_path / "steps.py"
    file.write_text(
        "from gatework.graph import U, W, b, cell, floor, tanh\n\n\n"
        "@cell\ndef own(x, h):\n    return tanh(W.c @ x + U.c @ h) + 0.1 * floor(U.a @ h + b.a)\n"
    )
    pair = layers(f"{file}:own", 3, 5)
    compare(pair, torch.randn(3, 4, 3))
    assert pair[1].layer(0).U_a.grad.eq(0).all()


def test_the_operators_gradients_have_memory_of_their_own():
    """Compilers take it to be so, and to begin where memory does."""
    core = find("mgu1").graph.ahead.core
    weights = [torch.randn(one.sizes(3, 7), device=DEVICE) for one in core.parameters]
    x, h = torch.randn(4, 5, 3, device=DEVICE), torch.randn(5, 7, device=DEVICE)
    others = [torch.randn(4, 5, 7, device=DEVICE) for _ in core.inputs[1:]]
    output, _, *kept = torch.ops.gatework.run(core.record, x, others, [h], weights, True, 1, "triton")
    wanted = [False] * (1 + len(others)) + [False] + [True] * len(weights)
    given = (core.record, x, others, [h], weights, [output, *kept], [torch.ones_like(output), None], wanted)
    found = torch.ops.gatework.run_backward(*given, 1, "triton")
    assert len(found) == len(weights)
    assert all(one.storage_offset() == 0 for one in found)
    assert len({one.untyped_storage().data_ptr() for one in found}) == len(found)


@pytest.mark.skipif(DEVICE == "cuda", reason="a GPU runs several at once")
def test_threads_take_turns_in_the_interpreter():
    layer, x = layers("gru", 3, 5)[1], torch.randn(3, 2, 3)
    with torch.no_grad():
        expected = layer(x)[0]

        def call(_):
            with torch.no_grad():
                return layer(x)[0]

        with ThreadPoolExecutor(4) as pool:
            assert all(torch.equal(one, expected) for one in pool.map(call, range(8)))


def test_one_gpu_of_several_is_enough(monkeypatch):
    monkeypatch.setattr(build, "interpreted", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda k: ((6, 1), (9, 0))[k])
    build.too_old.cache_clear()
    assert build.refusal() == ""
    assert build.too_old(0)
    build.too_old.cache_clear()


def test_a_triton_that_is_too_old_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    assert build.refusal() == "Triton does not work here (module 'triton' has no attribute 'knobs')"


@pytest.mark.parametrize(
    ("matmul", "all_products", "expected"),
    [("none", "none", "tf32x3"), ("tf32", "none", "tf32"), ("ieee", "tf32", "tf32x3"), ("none", "tf32", "tf32")],
)
def test_both_of_torchs_switches_are_read(monkeypatch, matmul, all_products, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(torch.backends, "fp32_precision", all_products)
    monkeypatch.setattr(torch.backends.cuda, "matmul", SimpleNamespace(fp32_precision=matmul))
    assert precision() == expected


def _own(folder, expression):
    """A cell of one's own, from a file."""
    file = folder / "own.py"
    file.write_text(
        "from gatework.graph import U, W, b, cell, maximum, minimum, relu\n\n\n@cell\ndef own(x, h):\n"
        f"    a = W.a @ x + U.a @ h\n    return {expression}\n"
    )
    return f"{file}:own"


PRODUCTS = ("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm_")


def products(run):
    """What a call gives, and how many products of matrices torch has computed meanwhile."""
    with torch.profiler.profile(acc_events=True) as profile:
        found = run()
    return found, sum(event.name in PRODUCTS for event in profile.events())


def test_what_meets_one_vector_is_one_product():
    """On a GPU a launch for each gate takes longer than a short sequence."""
    layer = gw.Recurrent("lstm", 5, 16, backend="triton").to(DEVICE)
    x = torch.randn(4, 3, 5, device=DEVICE).requires_grad_()
    (output, _), forward = products(lambda: layer(x))
    assert forward == 1
    # The input's and its matrices' gradients, and those of the recurrent ones from the first step and from the others.
    _, backward = products(lambda: output.sum().backward())
    assert backward == 4


def test_weights_that_are_fixed_lie_between_others_that_are_not():
    pair = layers("lstm", 3, 5)
    for one in pair:
        for name, weight in one.named_parameters():
            weight.requires_grad_(name.endswith(("W_f", "b_o", "U_i", "U_g", "U_o")))
    compare(pair, torch.randn(4, 5, 3))


def test_an_operand_may_be_a_block_of_a_wider_tensor(kind):
    """As products of one vector are; what else lies in the rows is left alone."""
    wide = torch.randn(4, 5, 3 * 18, device=DEVICE)
    cell = find("gru").graph.ahead.core
    weights = [torch.randn(one.sizes(3, 18), device=DEVICE).requires_grad_() for one in cell.parameters]
    x, h = torch.randn(4, 5, 3, device=DEVICE), torch.randn(5, 18, device=DEVICE)
    found = []
    for others in (wide.split(18, -1), [one.clone() for one in wide.split(18, -1)]):
        others = [one.requires_grad_() for one in (others[2].detach(), others[0].detach(), others[1].detach())]
        output, last = operator.run(cell.record, x, others, [h], weights, True, engine="triton")
        gradients = torch.autograd.grad(output.sum() + last.sin().sum(), [*others, *weights])
        found.append([output, last, *gradients])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
