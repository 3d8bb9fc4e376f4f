"""Cells that read a state of the layer below: stacks against loops over the papers' formulas."""

import numpy as np
import pytest
import torch

from gatework.cells import catalogue, find
from gatework.errors import EquationError, UsageError
from gatework.graph import U, W, b, cell, sigmoid, standard, tanh
from gatework.graph.around import ground
from gatework.layers import ConvRecurrent, Recurrent
from gatework.tasks.forecaster import Forecaster, count
from papers import kalchbrenner_2015, yao_2015

T, B, N, H, L = 5, 3, 4, 6, 3
CLOSE = {"rtol": 1e-11, "atol": 1e-12}
FORMULAS = {
    "depth_gated_lstm": yao_2015,
    "grid_lstm": kalchbrenner_2015,
    "grid_lstm(priority=True)": lambda *args, **given: kalchbrenner_2015(*args, priority=True, **given),
}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(name, **options):
    layer = Recurrent(name, N, (H,) * L, dtype=torch.float64, **options)
    with torch.no_grad():
        for k, one in enumerate(layer.parameters()):
            one.copy_(0.5 * random(*one.shape, seed=k))
    return layer


def weights_of(layer, cell):
    """The weights by kind, for the whole cell: those that the first layer has not got are of no account."""
    found = {kind: {} for kind in "WUbp"}
    for one in cell.graph.parameters:
        zero = np.zeros(one.sizes(layer.input_size, H))
        held = layer.weights().get(one.key)
        found[one.kind][one.name] = zero if held is None else held.detach().numpy()
    return found


def loop(layer, name, x, lengths):
    """One sequence after another, one step after another, one layer above the other."""
    whole, formula = find(name), FORMULAS[name]
    (state_below,) = whole.graph.below.values()
    output = np.zeros((T, B, H))
    for k in range(B):
        states = [[np.zeros(H)] * len(whole.states) for _ in range(L)]
        for t in range(lengths[k]):
            value, below = x[t, k].numpy(), np.zeros(H)
            for level in range(L):
                given = {f"{state_below}_below": below, **weights_of(layer.layer(level), whole)}
                states[level] = formula(value, *states[level], **given)
                value, below = states[level][0], states[level][whole.states.index(state_below)]
            output[t, k] = value
    return output


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("lengths", [[T] * B, [2, 5, 1]], ids=str)
def test_a_stack_is_a_loop_over_the_formula_of_the_paper(name, backend, lengths):
    layer, x = made(name, backend=backend), random(T, B, N, seed=50)
    asked = None if lengths == [T] * B else lengths
    np.testing.assert_allclose(layer(x, lengths=asked)[0].detach(), loop(layer, name, x, lengths), **CLOSE)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"zoneout": 0.1, "residual": True}], ids=str)
def test_gradients_go_through_all_layers(name, options):
    found = []
    for backend in ("cpu", "reference"):
        layer, x = made(name, backend=backend, **options), random(T, B, N, seed=50).requires_grad_()
        torch.manual_seed(0)
        output, last = layer(x, lengths=[2, 5, 1])
        loss = (output * random(*output.shape, seed=51)).sum() + sum(one.square().sum() for one in last[-1])
        found.append([output, *torch.autograd.grad(loss, [x, *layer.parameters()])])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_gradients_are_those_of_finite_differences(backend):
    layer = Recurrent("depth_gated_lstm", 2, (3, 3), dtype=torch.float64, backend=backend)
    x, h, c = (random(*shape, seed=k).requires_grad_() for k, shape in enumerate([(3, 2, 2), (2, 3), (2, 3)]))
    assert torch.autograd.gradcheck(lambda x, h, c: layer(x, [(h, c), (c, h)])[0], (x, h, c))
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], (x[:2, :1].detach().requires_grad_(),))


def test_the_first_layer_has_nothing_below_and_no_weights_for_it():
    first = ground(catalogue["depth_gated_lstm"])
    assert first.formula() == catalogue["lstm_peephole"].formula()
    assert ground(catalogue["gru"]) is catalogue["gru"]
    layer = made("depth_gated_lstm")
    assert not hasattr(layer.layer(0), "p_below")
    assert layer.layer(1).p_below.shape == (H,)
    x = random(T, B, N)
    plain = Recurrent("lstm_peephole", N, H, dtype=torch.float64)
    plain.layer(0).load_state_dict(layer.layer(0).state_dict())
    alone = Recurrent("depth_gated_lstm", N, H, dtype=torch.float64)
    alone.layer(0).load_state_dict(layer.layer(0).state_dict())
    torch.testing.assert_close(alone(x)[0], plain(x)[0], **CLOSE)


def test_weights_are_counted_layer_by_layer():
    whole = catalogue["grid_lstm"]
    network = Forecaster(whole, N, (H, H), 1)
    assert count(whole, N, (H, H), 1) == sum(one.numel() for one in network.parameters())


def test_a_stream_and_a_recording_are_the_sequence():
    layer, x = made("grid_lstm"), random(T, B, N)
    output, last = layer(x)
    states, steps = None, []
    for x_t in x:
        one, states = layer.step(x_t, states)
        steps.append(one)
    torch.testing.assert_close(torch.stack(steps), output, **CLOSE)
    recorded = layer.record(x)
    torch.testing.assert_close(recorded[-1]["hd"], output, **CLOSE)
    torch.testing.assert_close(recorded[1]["md"][-1], last[1][1], **CLOSE)


def test_a_recording_of_both_directions_reads_each_its_own():
    layer, x = made("depth_gated_lstm", bidirectional=True), random(T, B, N)
    recorded = layer.record(x)
    torch.testing.assert_close(torch.cat([recorded[-2]["h"], recorded[-1]["h"]], -1), layer(x)[0], **CLOSE)


def test_further_inputs_and_a_state_of_the_layer_below_together():
    @cell
    def both(x, h, c, *, drive, c_below):
        c = sigmoid(W.f @ x + b.f) * c + c_below + drive
        return tanh(U.h @ h + c), c

    layer = Recurrent(both, N, H, dtype=torch.float64)
    x, drive = random(T, B, N), random(T, B, H)
    assert layer(x, others={"drive": drive})[0].shape == (T, B, H)
    with pytest.raises(UsageError, match=r"both takes others=\{'drive': …\}, and was given none"):
        layer(x)


def test_layers_of_other_widths_do_not_fit():
    with pytest.raises(UsageError, match=r"reads c of the layer below: all layers have the same width, not \(6, 5\)"):
        Recurrent("depth_gated_lstm", N, (6, 5))


def test_one_layer_of_pictures_does_without_the_layer_below():
    torch.manual_seed(0)
    layer = ConvRecurrent("depth_gated_lstm", 1, 2, 3)
    plain = ConvRecurrent("lstm_peephole", 1, 2, 3)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(T, B, 1, 5, 5)
    torch.testing.assert_close(layer(x)[0], plain(x)[0])
    with pytest.raises(UsageError, match="cannot be convolutional: it reads a state of the layer below, which one"):
        ConvRecurrent("depth_gated_lstm", 1, 2, 3, num_layers=2)


def test_a_state_below_that_there_is_not_is_told():
    def wrong(x, h, *, c_below):
        return tanh(W.h @ x + U.h @ h + c_below)

    with pytest.raises(
        EquationError, match="c_below is a state of the layer below, and there is no state c: there is h"
    ):
        cell(wrong)


def test_what_is_projected_is_not_read_entry_by_entry_from_below():
    @cell
    def reads_h(x, h, c, *, h_below):
        c = sigmoid(W.f @ x + U.f @ h) * c + h_below
        return tanh(c) + 0.1 * h, c

    assert Recurrent(reads_h, N, (H, H))(torch.zeros(T, B, N))[0].shape == (T, B, H)
    with pytest.raises(UsageError, match="takes no proj_size: it reads h of the layer below, entry by entry"):
        Recurrent(reads_h, N, (H, H), proj_size=2)


def test_batch_norm_of_the_layer_below_is_nothing_in_the_first_layer():
    @cell
    def normal(x, h, c, *, c_below):
        c = sigmoid(W.f @ x + U.f @ h + b.f) * c + tanh(W.g @ x) + standard(W.q @ c_below)
        return tanh(c), c

    layer = Recurrent(normal, N, (H, H), dtype=torch.float64)
    assert layer.layer(0).standard is None
    assert layer(random(T, B, N))[0].isfinite().all()


def test_states_that_nothing_reads_stand_first():
    def wrong(x, h, c, n):
        return tanh(U.h @ h + W.h @ x), c * 0.5, tanh(W.n @ x)

    with pytest.raises(EquationError, match="state n is never read"):
        cell(wrong)
