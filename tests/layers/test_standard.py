"""Batch norm of what comes from the input: against torch's own, in training and after it."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gatework.errors import EquationError
from gatework.graph import U, W, b, cell, p, standard, tanh
from gatework.layers import Recurrent
from gatework.layers.standard import MOMENTUM

T, B, N, H = 6, 4, 3, 5
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
LENGTHS = [6, 2, 1, 5]


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(name, backend):
    layer = Recurrent(name, N, H, dtype=torch.float64, backend=backend)
    with torch.no_grad():
        for k, one in enumerate(layer.parameters()):
            one.copy_(0.5 * random(*one.shape, seed=k))
    return layer


class Light(nn.Module):
    """The light unit as its authors write it: torch's batch norm over the steps of all sequences, then a loop."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights
        self.norms = nn.ModuleDict({k: nn.BatchNorm1d(H, momentum=0.05, dtype=torch.float64) for k in "zn"})
        with torch.no_grad():
            for k, norm in self.norms.items():
                norm.weight.copy_(weights[f"p_{k}"])
                norm.bias.copy_(weights[f"b_{k}"])

    def forward(self, x, lengths):
        there = torch.arange(T)[:, None] < torch.tensor(lengths)
        w = {}
        for k, norm in self.norms.items():
            products = x @ self.weights[f"W_{k}"].T
            w[k] = torch.zeros_like(products)
            w[k][there] = norm(products[there])
        h, found = torch.zeros(B, H, dtype=torch.float64), []
        for t in range(T):
            z = torch.sigmoid(w["z"][t] + h @ self.weights["U_z"].T)
            n = F.relu(w["n"][t] + h @ self.weights["U_n"].T)
            h = torch.where(there[t][:, None], z * h + (1 - z) * n, h)
            found.append(h)
        return torch.stack(found) * there[..., None]


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("lengths", [[T] * B, LENGTHS], ids=str)
def test_a_light_unit_is_that_of_its_authors_in_training_and_after_it(backend, lengths):
    layer = made("ligru", backend)
    weights = {name: one.detach().clone().requires_grad_() for name, one in layer.layer(0).named_parameters()}
    peer = Light(weights)
    asked = None if lengths == [T] * B else lengths
    for training in (True, True, False):
        layer.train(training), peer.train(training)
        x, d = random(T, B, N, seed=50), random(T, B, H, seed=51)
        mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        output, _ = layer(mine, lengths=asked)
        expected = peer(theirs, lengths)
        torch.testing.assert_close(output, expected, **CLOSE)
        names = ["W_z", "U_z", "W_n", "U_n"]
        ours = [mine, *(getattr(layer.layer(0), name) for name in [*names, "p_z", "b_n"])]
        peers = [theirs, *(weights[name] for name in names), peer.norms["z"].weight, peer.norms["n"].bias]
        for one, other in zip(
            torch.autograd.grad(output, ours, d), torch.autograd.grad(expected, peers, d), strict=True
        ):
            torch.testing.assert_close(one, other, **CLOSE)
    for k, norm in peer.norms.items():
        torch.testing.assert_close(getattr(layer.layer(0).standard, f"mean_{k}"), norm.running_mean, **CLOSE)
        torch.testing.assert_close(getattr(layer.layer(0).standard, f"variance_{k}"), norm.running_var, **CLOSE)


@pytest.mark.parametrize("name", ["ligru", "sligru"])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=str)
def test_compiled_and_reference_agree_in_training(name, lengths):
    found = []
    for backend in ("cpu", "reference"):
        layer, x = made(name, backend), random(T, B, N, seed=50).requires_grad_()
        output, last = layer(x, lengths=lengths)
        d = torch.autograd.grad((output * random(T, B, H, seed=51)).sum(), [x, *layer.parameters()])
        found.append([output, *last[0], *d])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


def test_gradients_are_those_of_finite_differences():
    layer = made("sligru", "cpu")
    parameters = dict(layer.named_parameters())

    def run(x, *weights):
        return torch.func.functional_call(layer, dict(zip(parameters, weights, strict=True)), (x,))[0]

    given = [random(3, 2, N, seed=60), *(one.detach() for one in parameters.values())]
    assert torch.autograd.gradcheck(run, [one.requires_grad_() for one in given])


def test_a_stream_in_training_is_taken_as_after_it_where_there_is_one_row():
    layer = made("ligru", "cpu")
    x = random(1, 1, N)
    trained = layer(x)[0]
    torch.testing.assert_close(trained, layer.eval()(x)[0], **CLOSE)


def test_the_averages_are_stored_with_the_weights_and_begin_anew_with_them():
    layer, other = made("ligru", "cpu"), made("ligru", "cpu")
    layer(random(T, B, N))
    mean = layer.layer(0).standard.mean_z
    assert MOMENTUM == 0.05
    assert mean.abs().min() > 0
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.layer(0).standard.mean_z, mean)
    layer.layer(0).reset_parameters()
    assert not mean.any()
    assert layer.layer(0).standard.variance_z.eq(1).all()


def test_it_goes_with_what_stands_around_a_cell():
    options = {"zoneout": 0.1, "recurrent_dropout": {"n": 0.2}, "bidirectional": True, "residual": True}
    layer = Recurrent("ligru", N, (H, 2 * H), dtype=torch.float64, **options)
    output, _ = layer(random(T, B, N), lengths=LENGTHS, resets=torch.zeros(T, B))
    assert output.shape == (T, B, 4 * H)
    assert output.isfinite().all()


def test_a_recording_has_the_values_of_the_loop():
    layer = made("ligru", "cpu").eval()
    x = random(T, B, N)
    (found,) = layer.record(x)
    torch.testing.assert_close(found["h"], layer(x)[0], **CLOSE)
    assert {"z", "n", "h"} <= set(found)


def test_an_equation_may_be_normal_before_a_product():
    @cell
    def early(x, h):
        v = standard(x)
        return tanh(W.h @ v + U.h @ h + b.h)

    layer = Recurrent(early, N, H, dtype=torch.float64)
    x = random(T, B, N) * 3 + 2
    rows = x.flatten(0, 1)
    plain = Recurrent("rnn", N, H, dtype=torch.float64)
    plain.layer(0).load_state_dict({k: v for k, v in layer.layer(0).state_dict().items() if k[1] == "_"})
    normal = (rows - rows.mean(0)) / torch.sqrt(rows.var(0, unbiased=False) + 1e-5)
    torch.testing.assert_close(layer(x)[0], plain(normal.view_as(x))[0], **CLOSE)


def test_of_a_state_or_of_no_input_there_is_no_such_mean():
    def of_a_state(x, h):
        return tanh(W.h @ x + standard(U.h @ h))

    def of_a_weight(x, h):
        return tanh(W.h @ x + U.h @ h + standard(p.h * 2))

    with pytest.raises(EquationError, match=r"standard\(…\) is taken over all time steps at once, so not of what"):
        cell(of_a_state)
    with pytest.raises(EquationError, match=r"standard\(…\) is taken of something that reads the input"):
        cell(of_a_weight)


@pytest.mark.parametrize(("B", "lengths"), [(0, []), (1, [1])])
def test_fewer_than_two_rows_teach_nothing_with_lengths_and_without(B, lengths):
    x = random(T if B != 1 else 1, B, N)
    found = []
    for asked in (None, torch.tensor(lengths, dtype=torch.long)):
        layer = made("ligru", "cpu")
        found.append(layer(x, lengths=asked)[0])
        assert layer.layer(0).standard.mean_z.eq(0).all()
        assert layer.layer(0).standard.variance_n.eq(1).all()
    torch.testing.assert_close(*found, **CLOSE)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=str)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_autocast_leaves_the_averages_in_the_type_of_the_weights(lengths, kind):
    layer, x = made("ligru", "cpu").float(), (random(T, B, N).float() * 100 + 300).to(kind)
    expected = copy.deepcopy(layer)(x.float(), lengths=lengths)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = layer(x, lengths=lengths)[0]
    assert output.dtype == torch.float32
    torch.testing.assert_close(output, expected, rtol=0, atol=0)
