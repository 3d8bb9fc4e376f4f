"""The drop-ins against torch.nn, in float64: outputs, last states and every gradient."""

import itertools

import pytest
import torch
from torch import nn

import gatework
from gatework.errors import BackendError

TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}
"""The promise of the drop-ins; both sides do the same few thousand float64 operations in another order."""

PAIRS = {
    "rnn_tanh": (gatework.RNN, nn.RNN, {"nonlinearity": "tanh"}),
    "rnn_relu": (gatework.RNN, nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (gatework.LSTM, nn.LSTM, {}),
    "gru": (gatework.GRU, nn.GRU, {}),
}
N, H, T, B = 3, 5, 4, 2


def make_pair(name, *args, **options):
    ours, theirs, extra = PAIRS[name]
    options = {"dtype": torch.float64, **extra, **options}
    torch.manual_seed(1)
    peer = theirs(N, H, *args, **options)
    layer = ours(N, H, *args, **options)
    layer.load_state_dict(peer.state_dict(), strict=True)
    return layer, peer


def flat(states):
    return states if isinstance(states, tuple) else (states,)


def results(layer, x, states):
    """The output, the last states, and the gradients of a weighted sum of all of them."""
    x = x.clone().requires_grad_()
    begin = None if states is None else tuple(state.clone().requires_grad_() for state in states)
    given = None if begin is None else begin if isinstance(layer, nn.LSTM | gatework.LSTM) else begin[0]
    output, last = layer(x, given)
    generator = torch.Generator().manual_seed(2)
    loss = sum(
        (one * torch.randn(one.shape, dtype=one.dtype, generator=generator)).sum() for one in (output, *flat(last))
    )
    layer.zero_grad()
    loss.backward()
    gradients = [x.grad, *(state.grad for state in begin or ()), *(one.grad for one in layer.parameters())]
    return [output, *flat(last), *gradients]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize(
    ("bidirectional", "bias", "batch_first", "batched", "given"),
    list(itertools.product([False, True], repeat=5)),
)
def test_outputs_and_gradients_are_those_of_torch(name, num_layers, bidirectional, bias, batch_first, batched, given):
    layer, peer = make_pair(name, num_layers, bias=bias, batch_first=batch_first, bidirectional=bidirectional)
    generator = torch.Generator().manual_seed(3)
    shape = ((B, T, N) if batch_first else (T, B, N)) if batched else (T, N)
    x = torch.randn(shape, dtype=torch.float64, generator=generator)
    D = num_layers * (1 + bidirectional)
    states = None
    if given:
        count = 2 if name == "lstm" else 1
        size = (D, B, H) if batched else (D, H)
        states = tuple(torch.randn(size, dtype=torch.float64, generator=generator) for _ in range(count))
    ours, theirs = results(layer, x, states), results(peer, x, states)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE)


@pytest.mark.parametrize("name", PAIRS)
def test_state_dict_and_initial_values_are_those_of_torch(name):
    ours, theirs, extra = PAIRS[name]
    torch.manual_seed(7)
    layer = ours(N, H, 2, bidirectional=True, **extra)
    torch.manual_seed(7)
    peer = theirs(N, H, 2, bidirectional=True, **extra)
    assert list(layer.state_dict()) == list(peer.state_dict())
    for key, value in peer.state_dict().items():
        torch.testing.assert_close(layer.state_dict()[key], value, rtol=0, atol=0)
    with pytest.raises(RuntimeError, match="Missing key"):
        layer.load_state_dict({}, strict=True)


@pytest.mark.parametrize("name", PAIRS)
def test_dropout_is_off_in_evaluation_and_at_probability_zero(name):
    layer, peer = make_pair(name, 2, dropout=0.7)
    x = torch.randn(T, B, N, dtype=torch.float64)
    layer.eval()
    peer.eval()
    torch.testing.assert_close(layer(x)[0], peer(x)[0], **TOLERANCE)
    none, _ = make_pair(name, 2, dropout=0.0)
    none.train()
    torch.testing.assert_close(none(x)[0], peer(x)[0], **TOLERANCE)


def test_dropout_drops_whole_entries_between_layers_with_the_probability_asked_for():
    """With a second layer that passes its input through, the dropped entries can be counted."""
    p, H = 0.3, 40
    layer = gatework.RNN(1, H, 2, nonlinearity="relu", dropout=p, bias=False)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.weight_ih_l0.fill_(1.0)
        layer.weight_ih_l1.copy_(torch.eye(H))
    torch.manual_seed(0)
    output = layer(torch.ones(4, 625, 1))[0]
    kept = output != 0
    torch.testing.assert_close(output[kept], torch.full_like(output[kept], 1 / (1 - p)))
    # 100,000 draws: the share of zeros has a standard deviation of √(0.3·0.7/1e5) = 0.00145; five of them.
    assert abs((~kept).float().mean().item() - p) < 5 * 0.00145
    assert kept.float().mean(dim=(0, 1)).std() > 0.0


def test_dropout_has_torchs_mean_and_variance():
    layer, peer = make_pair("gru", 2, dropout=0.5)
    x = torch.randn(T, B, N, dtype=torch.float64)
    torch.manual_seed(5)
    ours = torch.stack([layer(x)[0] for _ in range(300)])
    theirs = torch.stack([peer(x)[0] for _ in range(300)])
    spread = theirs.std(0)
    # Two means of 300 draws differ with a standard error of spread·√(2/300); 40 entries, five of them.
    assert ((ours.mean(0) - theirs.mean(0)).abs() < 5 * spread * (2 / 300) ** 0.5 + 1e-12).all()
    # The deviation of 300 draws is known to 1/√600 = 4.1 % for a normal law, the ratio of two to 5.8 %: five of them.
    torch.testing.assert_close(ours.std(0), spread, rtol=0.3, atol=1e-6)


def test_the_last_layer_and_unbatched_sequences_follow_torchs_shapes():
    layer, peer = make_pair("lstm", 2, bidirectional=True)
    x = torch.randn(T, N, dtype=torch.float64)
    output, (h, c) = layer(x)
    expected, (peer_h, peer_c) = peer(x)
    assert (output.shape, h.shape, c.shape) == (expected.shape, peer_h.shape, peer_c.shape)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("shape", [(T, B, N + 1), (0, B, N), (N,), (1, T, B, N)])
def test_wrong_inputs_raise_what_torch_raises(name, shape):
    layer, peer = make_pair(name)
    x = torch.zeros(shape, dtype=torch.float64)
    with pytest.raises((ValueError, RuntimeError)) as theirs:
        peer(x)
    with pytest.raises(theirs.type):
        layer(x)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("shape", [(1, B, H + 1), (2, B, H), (1, B + 1, H), (1, H)])
def test_wrong_states_raise_what_torch_raises(name, shape):
    layer, peer = make_pair(name)
    x = torch.zeros(T, B, N, dtype=torch.float64)
    state = torch.zeros(shape, dtype=torch.float64)
    given = (state, state) if name == "lstm" else state
    with pytest.raises(RuntimeError):
        peer(x, given)
    with pytest.raises(RuntimeError):
        layer(x, given)


def test_an_empty_batch_gives_empty_outputs():
    layer, peer = make_pair("gru", 2)
    x = torch.zeros(T, 0, N, dtype=torch.float64)
    assert layer(x)[0].shape == peer(x)[0].shape == (T, 0, H)


def test_the_nonlinearity_may_be_positional():
    assert gatework.RNN(N, H, 2, "relu").mode == nn.RNN(N, H, 2, "relu").mode
    with pytest.raises(ValueError, match="Unknown nonlinearity"):
        gatework.RNN(N, H, nonlinearity="sigmoid")


def test_a_drop_in_is_an_rnn_base_that_says_what_runs_it():
    layer = gatework.GRU(N, H, backend="reference")
    assert isinstance(layer, nn.RNNBase)
    assert layer.kernel == "reference"
    with pytest.raises(BackendError, match="no back-end 'gpu'"):
        gatework.GRU(N, H, backend="gpu")


def packed(lengths, dtype, *, ordered=False, seed=3):
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randn(length, N, dtype=dtype, generator=generator) for length in lengths]
    return nn.utils.rnn.pack_sequence(rows, enforce_sorted=ordered)


def packed_results(layer, x, states):
    """As `results`, for a packed sequence; the gradient of its data is the first."""
    data = x.data.clone().requires_grad_()
    x = nn.utils.rnn.PackedSequence(data, x.batch_sizes, x.sorted_indices, x.unsorted_indices)
    begin = None if states is None else tuple(state.clone().requires_grad_() for state in states)
    given = None if begin is None else begin if isinstance(layer, nn.LSTM | gatework.LSTM) else begin[0]
    output, last = layer(x, given)
    assert isinstance(output, nn.utils.rnn.PackedSequence)
    for one, other in zip(output[1:], x[1:], strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)
    generator = torch.Generator().manual_seed(2)
    loss = sum(
        (one * torch.randn(one.shape, dtype=one.dtype, generator=generator)).sum() for one in (output.data, *flat(last))
    )
    layer.zero_grad()
    loss.backward()
    gradients = [data.grad, *(state.grad for state in begin or ()), *(one.grad for one in layer.parameters())]
    return [output.data, *flat(last), *gradients]


SINGLE = {"rtol": 1e-4, "atol": 1e-5}
"""Sums of some hundred terms of order one in float32, 6e-8 each, through six steps that may stretch them tenfold."""

PACKS = {"sorted": ((6, 4, 4, 1), True), "unsorted": ((2, 6, 1, 4), False), "equal": ((4, 4, 4), True)}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("bidirectional", "given"), list(itertools.product([False, True], repeat=2)))
def test_packed_sequences_give_what_torch_gives(name, num_layers, pack, dtype, bidirectional, given):
    layer, peer = make_pair(name, num_layers, bidirectional=bidirectional, dtype=dtype, batch_first=num_layers == 2)
    lengths, ordered = PACKS[pack]
    x, states = packed(lengths, dtype, ordered=ordered), None
    if given:
        size = (num_layers * (1 + bidirectional), len(lengths), H)
        generator = torch.Generator().manual_seed(4)
        states = tuple(torch.randn(size, dtype=dtype, generator=generator) for _ in range(2 if name == "lstm" else 1))
    ours, theirs = packed_results(layer, x, states), packed_results(peer, x, states)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, **(TOLERANCE if dtype == torch.float64 else SINGLE))


@pytest.mark.parametrize("name", PAIRS)
def test_a_packed_sequence_is_each_of_its_sequences_alone(name):
    layer, _ = make_pair(name, 2, bidirectional=True, batch_first=True)
    lengths = (2, 6, 1, 4)
    x = packed(lengths, torch.float64)
    output, last = layer(x)
    padded, ends = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
    assert ends.tolist() == list(lengths)
    sequences, _ = nn.utils.rnn.pad_packed_sequence(x, batch_first=True)
    for k, length in enumerate(lengths):
        alone, state = layer(sequences[k, :length])
        torch.testing.assert_close(padded[k, :length], alone, rtol=1e-12, atol=1e-12)
        for one, other in zip(flat(last), flat(state), strict=True):
            torch.testing.assert_close(one[:, k], other, rtol=1e-12, atol=1e-12)


def test_dropout_of_packed_sequences_is_off_in_evaluation_and_has_its_probability_in_training():
    layer, peer = make_pair("gru", 2, dropout=0.7)
    x = packed((2, 6, 1, 4), torch.float64)
    torch.testing.assert_close(layer.eval()(x)[0].data, peer.eval()(x)[0].data, **TOLERANCE)
    p, units = 0.3, 40
    layer = gatework.RNN(1, units, 2, nonlinearity="relu", dropout=p, bias=False)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        layer.weight_ih_l0.fill_(1.0)
        layer.weight_ih_l1.copy_(torch.eye(units))
    torch.manual_seed(0)
    rows = [torch.ones(1 + k % 7, 1) for k in range(625)]
    output = layer(nn.utils.rnn.pack_sequence(rows, enforce_sorted=False))[0].data
    assert len(output) == sum(1 + k % 7 for k in range(625))
    # 99,840 draws: the share of zeros has a standard deviation of 0.00145; five of them.
    assert abs((output == 0).float().mean().item() - p) < 5 * 0.00145


@pytest.mark.parametrize("shape", [(1, 2, H), (2, 4, H), (1, 4, H + 1)])
def test_wrong_states_of_packed_sequences_raise_what_torch_raises(shape):
    for name in ("gru", "lstm"):
        layer, peer = make_pair(name)
        x, state = packed((2, 6, 1, 4), torch.float64), torch.zeros(shape, dtype=torch.float64)
        given = (state, state) if name == "lstm" else state
        with pytest.raises(RuntimeError):
            peer(x, given)
        with pytest.raises(RuntimeError, match="Expected hidden"):
            layer(x, given)


def test_packed_sequences_of_another_width_raise_what_torch_raises():
    wide = nn.utils.rnn.pack_sequence([torch.zeros(3, N + 1), torch.zeros(2, N + 1)])
    for layer in (nn.GRU(N, H), gatework.GRU(N, H)):
        with pytest.raises(RuntimeError, match=r"input.size"):
            layer(wide)


# Torch says that its own projections are slow.
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("form", ["T first", "B first", "unbatched", "one step", *PACKS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("bidirectional", "given"), list(itertools.product([False, True], repeat=2)))
def test_projections_are_those_of_torch(num_layers, form, dtype, bidirectional, given):
    P, bias = 2, form != "B first"
    options = {"bidirectional": bidirectional, "proj_size": P, "bias": bias, "batch_first": form == "B first"}
    layer, peer = make_pair("lstm", num_layers, dtype=dtype, **options)
    assert list(layer.state_dict()) == list(peer.state_dict())
    lengths, ordered = PACKS.get(form, ((B,) * B, False))
    D, states, generator = num_layers * (1 + bidirectional), None, torch.Generator().manual_seed(3)
    if given:
        leading = (D,) if form == "unbatched" else (D, len(lengths))
        states = tuple(torch.randn(*leading, size, dtype=dtype, generator=generator) for size in (P, H))
    if form in PACKS:
        x, run = packed(lengths, dtype, ordered=ordered), packed_results
    else:
        shape = {"T first": (T, B, N), "B first": (B, T, N), "unbatched": (T, N), "one step": (1, B, N)}[form]
        x, run = torch.randn(shape, dtype=dtype, generator=generator), results
    for one, other in zip(run(layer, x, states), run(peer, x, states), strict=True):
        torch.testing.assert_close(one, other, **(TOLERANCE if dtype == torch.float64 else SINGLE))


def test_projections_are_refused_as_torch_refuses_them():
    for kind in (gatework.GRU, gatework.RNN, nn.GRU, nn.RNN):
        with pytest.raises(ValueError, match="only supported for LSTM"):
            kind(N, H, proj_size=2)
    for kind in (gatework.LSTM, nn.LSTM):
        with pytest.raises(ValueError, match="smaller than hidden_size"):
            kind(N, H, proj_size=H)
    x, wide = torch.zeros(T, B, N), torch.zeros(1, B, H)
    for kind in (gatework.LSTM, nn.LSTM):
        with pytest.raises(RuntimeError, match=r"Expected hidden\[0\] size"):
            kind(N, H, proj_size=2)(x, (wide, wide))
