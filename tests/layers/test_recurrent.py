"""`Recurrent` against torch.nn by copied weights, against itself in pieces, and what it refuses."""

import copy
import pickle

import pytest
import torch
from torch import nn

from gatework import Recurrent, cells
from gatework.errors import BackendError, EquationError, UsageError

N, H, T, B = 3, 5, 6, 4
TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}
"""Both sides do the same few thousand float64 operations in another order."""

# Torch's class, its options, the equations' names of its blocks of rows, and of those of its second bias.
PEERS = {
    "rnn": (nn.RNN, {"nonlinearity": "tanh"}, ["h"], {}),
    "rnn_relu": (nn.RNN, {"nonlinearity": "relu"}, ["h"], {}),
    "lstm": (nn.LSTM, {}, ["i", "f", "g", "o"], {}),
    "gru": (nn.GRU, {}, ["r", "z", "n"], {"n": "Un"}),
}


def make_pair(name, **options):
    """Ours and torch's layer with the same random weights, copied gate by gate."""
    torch.manual_seed(1)
    kind, extra, gates, apart = PEERS[name]
    peer = kind(N, H, dtype=torch.float64, **extra, **options)
    ours = Recurrent(name, N, H, dtype=torch.float64, **options)
    with torch.no_grad():
        for k, weights in enumerate(peer.all_weights):
            layer = ours.layer(k)
            for j, gate in enumerate(gates):
                rows = slice(j * H, (j + 1) * H)
                w_ih, w_hh, b_ih, b_hh = (one[rows] for one in weights)
                getattr(layer, f"W_{gate}").copy_(w_ih)
                getattr(layer, f"U_{gate}").copy_(w_hh)
                getattr(layer, f"b_{gate}").copy_(b_ih if gate in apart else b_ih + b_hh)
                if gate in apart:
                    getattr(layer, f"b_{apart[gate]}").copy_(b_hh)
    return ours, peer


def random(*shape):
    generator = torch.Generator().manual_seed(len(shape) + sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def stacked(states):
    """Torch's way to give states: one tensor for each, (layers · directions, B, H)."""
    both = tuple(torch.stack(one) for one in zip(*states, strict=True))
    return both if len(both) > 1 else both[0]


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("form", ["T first", "B first", "unbatched"])
@pytest.mark.parametrize("given", [False, True])
def test_results_are_those_of_torch(name, num_layers, bidirectional, form, given):
    ours, peer = make_pair(name, num_layers=num_layers, bidirectional=bidirectional, batch_first=form == "B first")
    x = random(*{"T first": (T, B, N), "B first": (B, T, N), "unbatched": (T, N)}[form])
    states = None
    if given:
        size = (H,) if form == "unbatched" else (B, H)
        count = len(cells[name].states)
        states = [tuple(random(*size) * (k + j + 1) for j in range(count)) for k in range(len(ours.layers))]
    output, last = ours(x, states)
    expected, peer_last = peer(x, None if states is None else stacked(states))
    torch.testing.assert_close(output, expected, **TOLERANCE)
    torch.testing.assert_close(stacked(last), peer_last, **TOLERANCE)


@pytest.mark.parametrize("name", cells)
def test_a_stream_in_pieces_is_the_sequence(name):
    torch.manual_seed(0)
    graph = cells[name].graph
    inputs, widths = (6, (6, 6)) if graph.square else (N, (6, 6) if graph.below else (6, 4))
    layer = Recurrent(name, inputs, widths, batch_first=True, dtype=torch.float64)
    layer.eval()  # in training a batch norm sees its batch
    x = random(B, T, inputs)
    whole, end = layer(x)
    states, pieces = None, []
    for piece in x.split([1, 2, 3], dim=1):
        output, states = layer(piece, states)
        pieces.append(output)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=1e-12, atol=1e-12)
    for one, other in zip(states, end, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_layers_of_different_widths():
    layer = Recurrent("lstm", N, [7, 5, 2], bidirectional=True)
    output, states = layer(torch.randn(T, B, N))
    assert output.shape == (T, B, 4)
    assert [tuple(one.shape) for two in states for one in two] == [(B, w) for w in (7, 7, 5, 5, 2, 2) for _ in "hc"]
    assert [layer.layer(k).input_size for k in range(6)] == [N, N, 14, 14, 10, 10]
    count = sum(weight.numel() for weight in layer.parameters())
    assert count == 2 * sum(cells["lstm"].count(n, h) for n, h in [(N, 7), (14, 5), (10, 2)])


def test_gradients_reach_every_weight_the_input_and_the_states():
    layer = Recurrent("mgu", N, (4, 3), bidirectional=True)
    x = torch.randn(T, B, N, requires_grad=True)
    states = [(torch.randn(B, size, requires_grad=True),) for size in (4, 4, 3, 3)]
    layer(x, states)[0].square().sum().backward()
    for one in (x, *(state for two in states for state in two), *layer.parameters()):
        assert one.grad is not None
        assert one.grad.abs().sum() > 0


def test_dropout_drops_between_layers_and_nowhere_else():
    """A second layer that passes its input through lets the dropped entries be counted."""
    p, units = 0.3, 40
    layer = Recurrent("rnn_relu", 1, units, 2, dropout=p)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.layer(0).W_h.fill_(1.0)
        layer.layer(1).W_h.copy_(torch.eye(units))
    torch.manual_seed(0)
    output = layer(torch.ones(4, 625, 1))[0]
    kept = output != 0
    torch.testing.assert_close(output[kept], torch.full_like(output[kept], 1 / (1 - p)))
    # 100,000 draws: the share of zeros has a standard deviation of √(0.3·0.7/1e5) = 0.00145; five of them.
    assert abs((~kept).float().mean().item() - p) < 5 * 0.00145
    layer.eval()
    assert (layer(torch.ones(3, 2, 1))[0] == 1).all()


def test_dropout_of_probability_zero_and_of_one_layer_changes_nothing():
    for options in ({"num_layers": 2, "dropout": 0.0}, {"num_layers": 1, "dropout": 0.9}):
        layer = Recurrent("gru", N, H, **options)
        x = torch.randn(T, B, N)
        trained = layer.train()(x)[0]
        torch.testing.assert_close(trained, layer.eval()(x)[0], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["lstm", "depth_gated_lstm", "ligru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_recording_is_what_a_call_computes_whatever_goes_around_the_cell(name, bidirectional):
    torch.manual_seed(0)
    options = {"residual": True, "layer_norm": "each", "learn_initial": True, "dropout": 0.5, "zoneout": 0.2}
    layer = Recurrent(name, 6, (6, 6), bidirectional=bidirectional, batch_first=True, dtype=torch.float64, **options)
    layer.layer(1).eval()
    x, lengths = random(B, T, 6), [T - k for k in range(B)]
    resets = random(B, T) > 0.5
    recorded = layer.record(x, lengths=lengths, resets=resets)
    assert layer.training
    assert not layer.layer(1).training
    _, last = layer.eval()(x, lengths=lengths, resets=resets)
    assert len(recorded) == len(last)
    for k, (values, states) in enumerate(zip(recorded, last, strict=True)):
        for state, one in zip(layer.cell.states, states, strict=True):
            assert values[state].shape == (B, T, 6)
            torch.testing.assert_close(values[state][:, 0 if bidirectional and k % 2 else -1], one)
    (single,) = Recurrent("gru", N, H).record(torch.zeros(T, N))
    assert single["z"].shape == (T, H)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_recording_is_the_real_states_of_every_layer(bidirectional):
    close = {"rtol": 1e-13, "atol": 1e-13}  # a recording is the reference's: the same sums in another order, in float64
    layer = Recurrent("lstm", N, (5, 4), bidirectional=bidirectional, dropout=0.5, dtype=torch.float64)
    x = random(T, B, N)
    recorded = layer.record(x)
    output, last = layer.eval()(x)
    assert len(recorded) == len(layer.layers)
    top = recorded[-2:] if bidirectional else recorded[-1:]
    torch.testing.assert_close(torch.cat([one["h"] for one in top], dim=-1), output, **close)
    for k, (values, (h, c)) in enumerate(zip(recorded, last, strict=True)):
        end = 0 if bidirectional and k % 2 else -1
        torch.testing.assert_close(values["h"][end], h, **close)
        torch.testing.assert_close(values["c"][end], c, **close)
        assert set(values) == {"i", "f", "g", "o", "c", "h"}


@pytest.mark.parametrize("name", cells)
@pytest.mark.parametrize(("inputs", "units"), [(1, 1), (7, 63), (30, 8)])
def test_initial_values_are_those_of_the_documentation(name, inputs, units):
    torch.manual_seed(0)
    inputs = units if cells[name].graph.square else inputs
    layer = Recurrent(name, inputs, units, dtype=torch.float64).layer(0)
    for key, weight in layer.weights().items():
        if key in cells[name].weights and cells[name].weights[key].start is not None:
            continue
        if key.startswith("W"):
            rows, columns = weight.shape
            bound = (6 / (rows + columns)) ** 0.5
            assert weight.abs().max() <= bound
            if weight.numel() > 200 and not cells[name].weight(key).mask:
                # The mean of n uniform squares is known to √(4/5/n): 7 % at 240 weights; four of them.
                expected = 2 / (rows + columns)
                assert abs(weight.square().mean() - expected) < 4 * (0.8 / weight.numel()) ** 0.5 * expected
        elif key.startswith("U") and not cells[name].weight(key).mask:
            torch.testing.assert_close(weight.T @ weight, torch.eye(units, dtype=torch.float64), rtol=0, atol=1e-12)
        elif not key.startswith("U"):
            assert (weight == 0).all(), key


VARIANTS = ["nig", "nog", "niaf", "noaf", "cifg", "fgr"]
FORGETTING = ["lstm", "cifg", "lstm_peephole", *(f"lstm_{one}" for one in VARIANTS)]


@pytest.mark.parametrize("name", [*FORGETTING, "indylstm", "cfn"])
def test_forget_gates_start_open(name):
    assert (Recurrent(name, 3, 8).layer(0).weights()["b.f"] == 1).all()


def test_starts_are_those_of_the_papers():
    def start(name, inputs=64, units=64, **options):
        layer = Recurrent(cells[name](**options) if options else name, inputs, units).layer(0)
        return {key: weight.detach() for key, weight in layer.weights().items()}

    torch.manual_seed(0)
    assert torch.equal(start("irnn")["U.h"], torch.eye(64))
    assert start("irnn")["W.h"].std() == pytest.approx(0.001, rel=0.1)
    assert start("lstm_1997")["b.i"].unique().tolist() == [-2.0, -1.5, -1.0, -0.5]
    assert start("lstm_1997")["U.g"].abs().max() == pytest.approx(0.2, rel=0.01)
    chrono = start("janet", longest=50)["b.f"].exp()
    assert (chrono.min() >= 1, chrono.max() <= 49, chrono.mean()) == (True, True, pytest.approx(25, rel=0.2))
    assert start("slstm")["b.f"][[0, -1]].tolist() == [5.0, -7.0]
    assert not start("slstm")["U.z"].any()
    linear = start("lru")
    decay = torch.exp(-torch.exp(linear["p.nu"]))
    assert 0 < decay.min() < decay.max() < 1
    torch.testing.assert_close(torch.exp(linear["p.gamma"]).square(), 1 - decay.square())
    griffin = torch.exp(-2 * torch.nn.functional.softplus(start("rg_lru")["p.a"]))
    assert (griffin.min() > 0.81, griffin.max() < 0.9981) == (True, True)
    assert start("clockwork")["p.period"].unique().tolist() == [1.0, 2.0, 4.0, 8.0]


def test_masked_weights_are_zero_outside_their_blocks_and_stay_so():
    blocks = torch.kron(torch.eye(4), torch.ones(2, 2)).bool()
    layer = Recurrent(cells["slstm"](heads=4), 3, 8)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    layer(torch.randn(6, 2, 3))[0].square().sum().backward()
    optimizer.step()
    weight = layer.layer(0).weights()["U.z"]
    assert weight[blocks].any()
    assert not weight[~blocks].any()
    later = torch.kron(torch.ones(4, 4).triu(), torch.ones(2, 2)).bool()
    clockwork = Recurrent(cells["clockwork"](modules=4), 3, 8).layer(0).weights()["U.h"]
    assert clockwork[later].all()
    assert not clockwork[~later].any()


def test_fixed_weights_are_kept_and_not_trained():
    layer = Recurrent("lmu", 3, 8)
    assert {name for name, _ in layer.layer(0).named_parameters()}.isdisjoint({"U_A", "p_B"})
    assert {"layers.0.U_A", "layers.0.p_B"} <= set(layer.state_dict())


def test_the_memory_of_the_legendre_unit_holds_a_window():
    """Its first coefficients are those of the window's Legendre series: of the constant 1, the first is 1, others 0."""
    weights = Recurrent(cells["lmu"](theta=20.0), 1, 6, dtype=torch.float64).layer(0).weights()
    memory = torch.zeros(6, dtype=torch.float64)
    for _ in range(400):
        memory = weights["U.A"] @ memory + weights["p.B"]
    torch.testing.assert_close(memory, torch.eye(6, dtype=torch.float64)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["lru", "sru2", "rg_lru", "mut1(project=False)", "mut2(project=False)"])
def test_a_square_cell_asks_for_as_many_inputs_as_units(name):
    with pytest.raises(UsageError, match=r"it needs as many inputs as units, not 3 and 8\.$"):
        Recurrent(name, 3, 8)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        found.append(Recurrent("gru", N, H, 2).state_dict())
    for key in found[0]:
        torch.testing.assert_close(found[0][key], found[1][key], rtol=0, atol=0)
    assert not torch.equal(found[0]["layers.0.U_r"], found[2]["layers.0.U_r"])
    assert not torch.equal(found[0]["layers.0.U_r"], found[0]["layers.0.U_z"])


def test_state_dicts_carry_the_names_of_the_equations_and_restore_the_layer():
    first, second = Recurrent("gru", N, H), Recurrent("gru", N, H)
    names = ["W_r", "U_r", "b_r", "W_z", "U_z", "b_z", "W_n", "b_n", "U_n", "b_Un"]
    assert list(first.state_dict()) == [f"layers.0.{name}" for name in names]
    x = torch.randn(T, B, N)
    assert not torch.equal(first(x)[0], second(x)[0])
    second.load_state_dict(first.state_dict(), strict=True)
    assert torch.equal(first(x)[0], second(x)[0])
    with pytest.raises(RuntimeError, match="size mismatch"):
        Recurrent("gru", N, H + 1).load_state_dict(first.state_dict())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])  # noqa: S301
def test_a_copy_is_another_layer_with_the_same_results(copied):
    layer = Recurrent("cifg", N, H)
    other = copied(layer)
    x = torch.randn(T, B, N)
    assert torch.equal(layer(x)[0], other(x)[0])
    with torch.no_grad():
        other.layer(0).b_f.add_(1.0)
    assert not torch.equal(layer(x)[0], other(x)[0])


def test_type_and_device_are_as_asked():
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        layer = Recurrent("lstm", N, H, dtype=dtype, device="cpu")
        assert {weight.dtype for weight in layer.parameters()} == {dtype}
        assert layer(torch.ones(T, B, N, dtype=dtype))[0].dtype == dtype
    assert {weight.dtype for weight in Recurrent("gru", N, H).double().parameters()} == {torch.float64}


def test_an_empty_batch_and_one_step():
    layer = Recurrent("lstm", N, H, 2)
    assert layer(torch.zeros(T, 0, N))[0].shape == (T, 0, H)
    assert layer(torch.zeros(1, B, N))[0].shape == (1, B, H)


def test_a_layer_prints_what_it_is_and_says_what_runs_it():
    layer = Recurrent("mgu", N, (8, 4), backend="reference")
    assert layer.kernel == "reference"
    assert repr(layer) == (
        "Recurrent(\n"
        "  (layers): ModuleList(\n"
        "    (0): RecurrentLayer(mgu, 3, 8, kernel=reference)\n"
        "    (1): RecurrentLayer(mgu, 8, 4, kernel=reference)\n"
        "  )\n"
        ")"
    )


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((0, 5), {}, "positive sizes, not 0 inputs and (5,) units"),
        ((3, 0), {}, "positive sizes, not 3 inputs and (0,) units"),
        ((3, ()), {}, "positive sizes, not 3 inputs and () units"),
        ((3, (4, -1)), {}, "positive sizes, not 3 inputs and (4, -1) units"),
        ((3, 5.0), {}, "positive sizes, not 3 inputs and (5.0,) units"),
        ((3, 5), {"num_layers": 0}, "positive sizes, not 3 inputs and () units"),
        ((3, (5, 4)), {"num_layers": 3}, "3 layers were asked for, with 2 widths (5, 4)"),
        ((3, 5), {"dropout": 1.0}, "Dropout is a probability from 0 to below 1, not 1"),
        ((3, 5), {"dropout": -0.1}, "Dropout is a probability from 0 to below 1, not -0.1"),
        ((3, 5), {"dropout": float("nan")}, "Dropout is a probability from 0 to below 1, not nan"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments, options, words):
    with pytest.raises(UsageError) as error:
        Recurrent("gru", *arguments, **options)
    assert words in str(error.value)


def test_wrong_cells_and_back_ends_are_refused(tmp_path):
    with pytest.raises(UsageError, match="did you mean gru"):
        Recurrent("grü", N, H)
    with pytest.raises(BackendError, match="no back-end 'gpu'"):
        Recurrent("gru", N, H, backend="gpu")
    path = tmp_path / "mine.py"
    path.write_text("from gatework.graph import *\n@cell\ndef mine(x, h):\n    return tanh(W.h @ h)\n")
    with pytest.raises(EquationError, match=r"mine\.py:2: cell mine: the input is never read"):
        Recurrent(f"{path}:mine", N, H)


@pytest.mark.parametrize(
    ("shape", "batch_first", "words"),
    [
        ((T, B, N + 1), False, "shape (6, 4, 4): it must be (T, B, 3), or (T, 3) for one sequence"),
        ((T, B, N + 1), True, "shape (6, 4, 4): it must be (B, T, 3), or (T, 3) for one sequence"),
        ((N,), False, "shape (3,)"),
        ((1, T, B, N), False, "shape (1, 6, 4, 3)"),
        ((0, B, N), False, "no time step"),
        ((B, 0, N), True, "no time step"),
        ((0, N), False, "no time step"),
    ],
)
def test_inputs_of_the_wrong_shape_are_refused(shape, batch_first, words):
    layer = Recurrent("gru", N, H, batch_first=batch_first)
    with pytest.raises(UsageError) as error:
        layer(torch.zeros(shape))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([], "The states are 2 tuples (layers × directions) of 2 tensors each"),
        ([(torch.zeros(B, H),)] * 2, "The states are 2 tuples (layers × directions) of 2 tensors each"),
        (torch.zeros(2, B, H), "The states are 2 tuples (layers × directions) of 2 tensors each"),
        ([(torch.zeros(B, H), torch.zeros(B, H + 1))] * 2, "State c of layer 0 has shape (4, 6), not (4, 5)"),
        ([(torch.zeros(B + 1, H), torch.zeros(B, H))] * 2, "State h of layer 0 has shape (5, 5), not (4, 5)"),
    ],
)
def test_states_that_do_not_fit_are_refused(states, words):
    with pytest.raises(UsageError) as error:
        Recurrent("lstm", N, H, 2)(torch.zeros(T, B, N), states)
    assert words in str(error.value)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("shape", [(B, N), (N,)], ids=["batch", "one"])
def test_steps_are_a_sequence(batch_first, shape):
    layer = Recurrent("lstm", N, (5, 4), batch_first=batch_first, dtype=torch.float64)
    steps, states, outputs = random(T, *shape), None, []
    for x in steps:
        output, states = layer.step(x, states)
        outputs.append(output)
    whole, last = layer(steps.transpose(0, 1) if batch_first and len(shape) == 2 else steps)
    expected = whole.transpose(0, 1) if batch_first and len(shape) == 2 else whole
    close = {"rtol": 1e-13, "atol": 1e-13}  # the same sums in another order, in float64
    torch.testing.assert_close(torch.stack(outputs), expected, **close)
    for one, other in zip(states, last, strict=True):
        torch.testing.assert_close(one, other, **close)


@pytest.mark.parametrize("x", [(2,), (3, 2), (1, 1, N), ()])
def test_a_step_of_the_wrong_shape_is_refused(x):
    with pytest.raises(UsageError, match=r"^The input of a step has shape"):
        Recurrent("gru", N, 4).step(torch.zeros(x))


def test_both_directions_cannot_go_step_by_step():
    with pytest.raises(UsageError, match="cannot go step by step"):
        Recurrent("gru", N, 4, bidirectional=True).step(torch.zeros(B, N))
