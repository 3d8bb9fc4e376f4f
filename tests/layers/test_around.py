"""What goes around a cell, each by an oracle of its own, and all of it together on both back-ends."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gatework.cells import catalogue as cells
from gatework.errors import EquationError, UsageError
from gatework.layers import Recurrent
from gatework.layers.around import coins

T, B, N, H = 7, 5, 3, 6


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer(cell="lstm", inputs=N, units=H, num_layers=1, **options):
    torch.manual_seed(0)
    made = Recurrent(cell, inputs, units, num_layers, dtype=torch.float64, **options)
    with torch.no_grad():
        for k, one in enumerate(made.parameters()):  # no zeros and no ones: they would hide what multiplies them
            one.add_(0.3 * random(*one.shape, seed=k))
    return made


LENGTHS = [7, 3, 1, 5, 2]
RESETS = torch.zeros(T, B, dtype=torch.bool)
RESETS[2, 0] = RESETS[4, 0] = RESETS[1, 3] = RESETS[0, 4] = True


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_lengths_give_what_torch_gives_for_packed_sequences(cell, bidirectional):
    ours = layer(cell, num_layers=2, bidirectional=bidirectional)
    theirs = getattr(nn, cell.upper())(N, H, 2, bidirectional=bidirectional, dtype=torch.float64)
    order = {"lstm": "ifgo", "gru": "rzn"}[cell]
    with torch.no_grad():
        for k in range(len(ours.layers)):
            weights = ours.layer(k).weights()
            suffix = f"l{k // 2}{'_reverse' * (k % 2)}" if bidirectional else f"l{k}"
            zero = torch.zeros(H, dtype=torch.float64)
            for name, kind in [("weight_ih", "W"), ("weight_hh", "U"), ("bias_ih", "b")]:
                getattr(theirs, f"{name}_{suffix}").copy_(torch.cat([weights[f"{kind}.{one}"] for one in order]))
            extra = [zero, zero, weights["b.Un"]] if cell == "gru" else [zero] * 4
            getattr(theirs, f"bias_hh_{suffix}").copy_(torch.cat(extra))
    x = random(T, B, N, seed=50)
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False)
    expected, last = theirs(packed)
    expected, _ = nn.utils.rnn.pad_packed_sequence(expected)
    output, states = ours(x, lengths=LENGTHS)
    torch.testing.assert_close(output, expected, rtol=1e-12, atol=1e-12)
    h = last[0] if cell == "lstm" else last
    torch.testing.assert_close(torch.stack([one[0] for one in states]), h, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("learnt", [False, True])
def test_a_reset_begins_a_new_sequence(learnt):
    made, x = layer("lstm", learn_initial=learnt), random(T, B, N, seed=50)
    output, states = made(x, resets=RESETS)
    for k in range(B):
        begins = [0, *(t for t in range(1, T) if RESETS[t, k])]
        pieces = [made(x[begin:end, k : k + 1]) for begin, end in zip(begins, [*begins[1:], T], strict=True)]
        torch.testing.assert_close(output[:, k : k + 1], torch.cat([one for one, _ in pieces]), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(states[0][1][k], pieces[-1][1][0][1][0], rtol=1e-12, atol=1e-12)


def test_a_reset_ends_what_comes_from_the_other_side():
    made, x = layer("gru", bidirectional=True), random(T, B, N, seed=50)
    output, _ = made(x, resets=RESETS)
    pieces = [made(x[begin:end, :1])[0] for begin, end in ((0, 2), (2, 4), (4, 7))]
    torch.testing.assert_close(output[:, :1], torch.cat(pieces), rtol=1e-12, atol=1e-12)


def test_a_learnt_beginning_has_a_gradient_and_is_stored():
    made = layer("lstm", learn_initial=True)
    made(random(T, B, N))[0].sum().backward()
    for name in ("p_initial_h", "p_initial_c"):
        weight = getattr(made.layer(0), name)
        assert weight.grad.abs().min() > 0
        assert f"layers.0.{name}" in made.state_dict()


def test_zoneout_keeps_old_units_in_training_and_takes_the_mean_afterwards():
    made = layer("lstm", zoneout={"h": 0.25, "c": 0.5})
    weights, x = made.layer(0).weights(), random(T, B, N, seed=50)

    def step(x, h, c):
        i, f, g, o = (x @ weights[f"W.{k}"].T + h @ weights[f"U.{k}"].T + weights[f"b.{k}"] for k in "ifgo")
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    made.eval()
    output, _ = made(x)
    h = c = torch.zeros(B, H, dtype=torch.float64)
    for t in range(T):
        new_h, new_c = step(x[t], h, c)
        h, c = 0.25 * h + 0.75 * new_h, 0.5 * c + 0.5 * new_c
        torch.testing.assert_close(output[t], h, rtol=1e-12, atol=1e-12)
    made.train()
    torch.manual_seed(3)
    output, _ = made(x)
    torch.manual_seed(3)
    take_h, take_c = (coins(x, (T, B, H), keep) for keep in (0.75, 0.5))
    h = c = torch.zeros(B, H, dtype=torch.float64)
    for t in range(T):
        new_h, new_c = step(x[t], h, c)
        h, c = torch.where(take_h[t] > 0, new_h, h), torch.where(take_c[t] > 0, new_c, c)
        torch.testing.assert_close(output[t], h, rtol=1e-12, atol=1e-12)
    assert 0 < (take_c == 0).double().mean() < 1


def test_recurrent_dropout_is_one_mask_for_a_sequence_and_none_afterwards():
    x = random(T, B, N, seed=50)
    made = layer("gru_reset_before", recurrent_dropout={"h": 0.3, "n": 0.4})
    plain = layer("gru_reset_before")
    assert torch.equal(made.eval()(x)[0], plain(x)[0])
    made.train()
    torch.manual_seed(3)
    output, _ = made(x)
    torch.manual_seed(3)
    drop_h, drop_n = (coins(x, (B, H), 1 - rate) / (1 - rate) for rate in (0.3, 0.4))
    weights, h = made.layer(0).weights(), torch.zeros(B, H, dtype=torch.float64)
    for t in range(T):
        r, z = (
            torch.sigmoid(x[t] @ weights[f"W.{k}"].T + (drop_h * h) @ weights[f"U.{k}"].T + weights[f"b.{k}"])
            for k in "rz"
        )
        n = drop_n * torch.tanh(x[t] @ weights["W.n"].T + (r * h) @ weights["U.n"].T + weights["b.n"])
        h = z * h + (1 - z) * n
        torch.testing.assert_close(output[t], h, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("joint", [True, "each"])
def test_layer_norm_is_that_of_ba_kiros_and_hinton(joint):
    made, x = layer("lstm", layer_norm=joint), random(T, B, N, seed=50)
    weights, output = made.layer(0).weights(), made(x)[0]
    h = c = torch.zeros(B, H, dtype=torch.float64)

    def normal(kind, vector):
        parts = [vector @ weights[f"{kind}.{k}"].T for k in "ifgo"]
        scale, shift = ([weights[f"{one}.norm_{kind}{k}"] for k in "ifgo"] for one in "pb")
        if joint is True:  # over the whole 4H vector
            return F.layer_norm(torch.cat(parts, 1), (4 * H,), torch.cat(scale), torch.cat(shift), 1e-5).chunk(4, 1)
        return [
            F.layer_norm(part, (H,), one, other, 1e-5) for part, one, other in zip(parts, scale, shift, strict=True)
        ]

    for t in range(T):
        sums = zip(normal("W", x[t]), normal("U", h), "ifgo", strict=True)
        i, f, g, o = (one + other + weights[f"b.{k}"] for one, other, k in sums)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        seen = F.layer_norm(
            c, (H,), weights["p.norm_c"], weights["b.norm_c"], 1e-5
        )  # the stored cell is not normalised
        h = torch.sigmoid(o) * torch.tanh(seen)
        torch.testing.assert_close(output[t], h, rtol=1e-10, atol=1e-10)
    assert (Recurrent("lstm", N, H, layer_norm=joint).layer(0).weights()["p.norm_c"] == 1).all()


def test_a_residual_layer_adds_its_input_where_sizes_agree():
    made, x = layer("gru", N, (H, H, 4), residual=True), random(T, B, N, seed=50)
    first, _ = made.layer(0)(x, made.layer(0).begin(x, B))
    second = made.layer(1)(first, made.layer(1).begin(x, B))[0] + first
    third, _ = made.layer(2)(second, made.layer(2).begin(x, B))
    assert torch.equal(made(x)[0], third)


def test_weight_dropout_and_noise_act_in_training_alone():
    x = random(T, B, N, seed=50)
    for options in ({"weight_dropout": 0.5}, {"weight_noise": 0.075}):
        made, plain = layer("gru", **options), layer("gru")
        assert torch.equal(made.eval()(x)[0], plain(x)[0])
        made.train()
        assert not torch.equal(made(x)[0], made(x)[0])
    dropped = layer("gru", weight_dropout=0.5).layer(0).weights()
    assert 0.2 < (dropped["U.r"] == 0).double().mean() < 0.8
    assert (dropped["W.r"] != 0).all()


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.5, 0.9, 1.0])
def test_coins_are_ones_as_often_as_they_should_be_and_know_nothing_of_each_other(keep):
    torch.manual_seed(0)
    drawn = coins(torch.zeros(1), (1000, 401), keep)
    assert set(drawn.unique().tolist()) <= {0.0, 1.0}
    deviation = (keep * (1 - keep) / drawn.numel()) ** 0.5
    assert abs(drawn.mean() - keep) <= 5 * deviation + 1 / 65536
    for shift in (1, 2, 3, 4, 401):  # neighbours share a random number
        together = (drawn.flatten()[shift:] * drawn.flatten()[:-shift]).mean()
        assert abs(together - keep**2) <= 5 * 2 * deviation + 1e-3


ALL = {
    "zoneout": 0.1,
    "weight_dropout": 0.1,
    "weight_noise": 0.01,
    "learn_initial": True,
    "bidirectional": True,
    "residual": True,
    "dropout": 0.1,
}


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru_reset_before", "lstm_peephole", "clockwork", "lmu", "rg_lru", "minlstm"])
def test_any_combination_gives_the_reference_s_numbers_and_gradients(cell, layer_norm):
    x, found = random(T, B, H, seed=50), []
    for backend in ("cpu", "reference"):
        options = {**ALL, "bidirectional": not cells[cell].graph.square}
        made = layer(cell, H, H, 2, backend=backend, layer_norm=layer_norm, **options)
        torch.manual_seed(3)
        output, states = made(x, lengths=LENGTHS, resets=RESETS)
        loss = (output * random(*output.shape, seed=9)).sum() + sum(
            one.square().sum() for both in states for one in both
        )
        gradients = torch.autograd.grad(loss, list(made.parameters()), allow_unused=True)
        found.append([output, *[torch.zeros(1) if one is None else one for one in gradients]])
    for one, other in zip(*found, strict=True):
        # Some hundred operations a step in float64; the deviation of a norm divides by what may be small.
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"zoneout": {"q": 0.1}}, "zoneout is for states, h, c, not for q"),
        ({"recurrent_dropout": {"q": 0.1}}, "recurrent dropout is for one of h, c, i, f, g, o, not for q"),
        ({"recurrent_dropout": {"c": 0.1}}, "recurrent dropout of c: no matrix multiplies it"),
    ],
)
def test_an_unknown_name_is_told_when_the_layer_is_made(options, words):
    with pytest.raises(EquationError, match=words):
        Recurrent("lstm", N, H, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"zoneout": 1.0},
        {"zoneout": -0.1},
        {"recurrent_dropout": float("nan")},
        {"weight_noise": -1},
        {"layer_norm": "both"},
    ],
)
def test_what_is_no_probability_is_refused(options):
    with pytest.raises(UsageError):
        Recurrent("lstm", N, H, **options)


def test_wrong_lengths_and_resets_are_refused():
    made, x = layer("gru"), random(T, B, N)
    for lengths in ([1, 2], [0, 1, 1, 1, 1], [8, 1, 1, 1, 1], [1.0] * B):
        with pytest.raises(UsageError, match=r"^The lengths are"):
            made(x, lengths=lengths)
    with pytest.raises(UsageError, match=r"^The resets have the shape"):
        made(x, resets=RESETS.T)


def test_under_compile_all_of_it_is_one_graph():
    made, x = layer("lstm", zoneout=0.1, layer_norm=True).eval(), random(T, B, N)
    lengths = torch.tensor(LENGTHS)
    expected, _ = made(x, lengths=lengths, resets=RESETS)  # what is asked for the first time is planned before
    compiled = torch.compile(made, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, lengths=lengths, resets=RESETS)[0], expected, rtol=0, atol=0)


def test_every_cell_takes_lengths_and_resets():
    for name in cells:
        made = layer(name, H, H)
        output, _ = made(random(T, B, H), lengths=LENGTHS, resets=RESETS)
        assert output.isfinite().all(), name
        assert not output[3:, 1].any(), name


@pytest.mark.parametrize("options", [{}, {"zoneout": 0.2}, {"layer_norm": "each"}], ids=str)
def test_a_reset_where_a_sequence_has_ended_is_none(options):
    torch.manual_seed(0)
    layer = Recurrent("gru", 3, 4, bidirectional=True, dtype=torch.float64, **options).eval()
    x, states = torch.randn(5, 2, 3, dtype=torch.float64), [(torch.ones(2, 4, dtype=torch.float64),)] * 2
    resets = torch.zeros(5, 2)
    expected = layer(x, states, lengths=[4, 2], resets=resets)[0]
    resets[4, 0] = resets[2, 1] = 1
    torch.testing.assert_close(layer(x, states, lengths=[4, 2], resets=resets)[0], expected, rtol=0, atol=0)
    alone = layer(x[:4, :1], [(one[0][:1],) for one in states])[0]
    torch.testing.assert_close(expected[:4, :1], alone, rtol=1e-12, atol=1e-12)


def test_the_first_state_that_matrices_multiply_is_dropped():
    torch.manual_seed(0)
    layer, x = Recurrent("grid_lstm", 3, 64, recurrent_dropout=0.5), torch.randn(5, 2, 3)
    assert not torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lengths": "ab"}, "The lengths are 2 whole numbers"),
        ({"lengths": [None, 2]}, "The lengths are 2 whole numbers"),
        ({"lengths": [True, True]}, "The lengths are 2 whole numbers"),
        ({"resets": "no"}, r"The resets have no numbers: true or false for each of \(5, 2\)"),
        ({"resets": torch.zeros(5)}, r"The resets have the shape \(5,\): true or false for each of \(5, 2\)"),
        ({"states": [(None,)]}, "The states are 1 tuples"),
        ({"states": iter(())}, "The states are 1 tuples"),
    ],
)
def test_what_a_call_is_given_wrongly_is_told(given, words):
    with pytest.raises(UsageError, match=words):
        Recurrent("gru", 3, 4)(torch.zeros(5, 2, 3), **given)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_layers": 1.5}, "The number of layers is a whole number from 1 on, not 1.5"),
        ({"dropout": "a"}, "Dropout is a probability from 0 to below 1, not a"),
        ({"zoneout": "h"}, "A probability is a number, or one for each name, not 'h'"),
        ({"zoneout": {"h": None}}, "A probability is a number, or one for each name"),
        ({"proj_size": True}, "A projection has 1 to 3 entries"),
    ],
)
def test_wrong_options_are_told(options, words):
    with pytest.raises(UsageError, match=words):
        Recurrent("gru", 3, 4, **options)


def test_resets_may_be_lists():
    x = torch.randn(3, 2, 3)
    layer = Recurrent("gru", 3, 4)
    given = [[0, 0], [1, 0], [0, 1]]
    torch.testing.assert_close(layer(x, resets=given)[0], layer(x, resets=torch.tensor(given))[0])
