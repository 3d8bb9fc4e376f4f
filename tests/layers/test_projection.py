"""A projection around any cell: torch's for the LSTM, the papers' sentence for the others, and what is refused."""

import pytest
import torch
from torch import nn

from gatework import LSTM, Recurrent, cell, cells
from gatework.errors import UsageError
from gatework.graph import U, W, b, tanh

N, H, P, T, B = 3, 6, 2, 5, 4


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer(name, inputs=N, units=H, num_layers=1, **options):
    torch.manual_seed(0)
    made = Recurrent(name, inputs, units, num_layers, proj_size=P, dtype=torch.float64, **options)
    with torch.no_grad():
        for k, one in enumerate(made.parameters()):
            one.add_(0.3 * random(*one.shape, seed=k))
    return made


# Torch says that its own projections are slow.
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_projected_lstm_is_torchs(bidirectional):
    ours = layer("lstm", num_layers=2, bidirectional=bidirectional)
    theirs = nn.LSTM(N, H, 2, bidirectional=bidirectional, proj_size=P, dtype=torch.float64)
    with torch.no_grad():
        for k, (w_ih, w_hh, b_ih, b_hh, w_hr) in enumerate(theirs.all_weights):
            one = ours.layer(k)
            for kind, weight in (("W", w_ih), ("U", w_hh), ("b", b_ih)):
                weight.copy_(torch.cat([getattr(one, f"{kind}_{name}") for name in "ifgo"]))
            b_hh.zero_()
            w_hr.copy_(one.U_project)
    x = random(T, B, N, seed=50)
    output, states = ours(x)
    expected, (h_n, c_n) = theirs(x)
    torch.testing.assert_close(output, expected, rtol=1e-12, atol=1e-12)
    for k, (h, c) in enumerate(states):  # ours are the states of the cell itself: theirs are projected
        torch.testing.assert_close(h @ ours.layer(k).U_project.T, h_n[k], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(c, c_n[k], rtol=1e-12, atol=1e-12)
    assert sum(one.numel() for one in ours.parameters()) == sum(
        one.numel() for name, one in theirs.named_parameters() if "bias_hh" not in name
    )


def test_a_projected_gru_reads_its_projection_by_matrices_and_all_of_its_state_otherwise():
    made, x = layer("gru"), random(T, B, N, seed=50)
    w = {name: one.detach() for name, one in made.layer(0).named_parameters()}
    assert {name: tuple(w[name].shape) for name in ("U_r", "U_z", "U_n", "U_project")} == {
        "U_r": (H, P),
        "U_z": (H, P),
        "U_n": (H, P),
        "U_project": (P, H),
    }
    output, states = made(x)
    h = torch.zeros(B, H, dtype=torch.float64)
    for t in range(T):
        p = h @ w["U_project"].T
        r, z = (torch.sigmoid(x[t] @ w[f"W_{k}"].T + p @ w[f"U_{k}"].T + w[f"b_{k}"]) for k in "rz")
        n = torch.tanh(x[t] @ w["W_n"].T + w["b_n"] + r * (p @ w["U_n"].T + w["b_Un"]))
        h = z * h + (1 - z) * n
        torch.testing.assert_close(output[t], h @ w["U_project"].T, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(states[0][0], h, rtol=1e-12, atol=1e-12)


def test_a_matrix_that_reads_something_else_keeps_its_width():
    made = layer("gru_reset_before")
    assert made.layer(0).U_n.shape == (H, H)  # it multiplies r * h
    assert made.layer(0).U_r.shape == (H, P)


REFUSED = ("clockwork", "slstm")
"""Their matrices that read h are of blocks."""


@pytest.mark.parametrize("name", [name for name in cells if name not in REFUSED])
def test_every_cell_projects(name):
    inputs = H if cells[name].graph.square else N
    made, x = layer(name, inputs).eval(), random(T, B, inputs, seed=50)  # in training a batch norm sees its batch
    whole, _ = made(x)
    assert whole.shape == (T, B, P)
    states = None
    for t in range(T):
        output, states = made.step(x[t], states)
        torch.testing.assert_close(output, whole[t], rtol=1e-12, atol=1e-12)


def test_what_goes_around_a_cell_goes_around_a_projected_one_on_both_back_ends():
    found = []
    for backend in ("cpu", "reference"):
        made = layer(
            "lstm",
            num_layers=2,
            bidirectional=True,
            backend=backend,
            layer_norm=True,
            zoneout=0.1,
            weight_dropout=0.1,
            weight_noise=0.01,
            learn_initial=True,
        )
        torch.manual_seed(3)
        output, states = made(random(T, B, N, seed=50), lengths=[5, 2, 1, 4])
        assert output.shape == (T, B, 2 * P)
        loss = output.square().sum() + sum(one.square().sum() for both in states for one in both)
        found.append([output, *torch.autograd.grad(loss, list(made.parameters()))])
    for one, other in zip(*found, strict=True):
        # Some hundred operations a step in float64; the deviation of a norm divides by what may be small.
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


def test_a_projected_layer_says_that_it_is_one():
    assert "proj_size=2" in repr(layer("lstm"))
    assert "proj_size" not in repr(Recurrent("lstm", N, H))


@pytest.mark.parametrize("kind", [Recurrent, LSTM])
def test_under_autocast_the_loop_is_computed_in_the_type_of_its_weights(kind):
    made = kind("lstm", N, H, proj_size=P) if kind is Recurrent else kind(N, H, proj_size=P)
    x = torch.randn(T, B, N)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = made(x)[0]
    # What is projected at last is rounded to bfloat16, 2^-8: the sum of six terms below one, and their factors.
    torch.testing.assert_close(output.float(), made(x)[0], rtol=0, atol=8 * 2**-8)
    output.float().sum().backward()
    assert all(one.grad.isfinite().all() for one in made.parameters())


def test_recording_sees_the_states_of_the_cell():
    made, x = layer("lstm"), random(T, B, N, seed=50)
    output, _ = made(x)
    (values,) = made.record(x)
    torch.testing.assert_close(values["h"] @ made.layer(0).U_project.T, output, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [H, -1, 1.5])
def test_a_projection_is_narrower_than_its_layers(size):
    with pytest.raises(UsageError, match="A projection has 1 to 5 entries"):
        Recurrent("lstm", N, (8, H), proj_size=size)


def test_a_cell_whose_matrices_cannot_be_narrower_is_refused():
    for name in REFUSED:
        with pytest.raises(UsageError, match=rf"{name} takes no proj_size: its weight U\.\w+, which reads h, is"):
            Recurrent(name, N, H, proj_size=P)

    @cell
    def twice(x, h, c):
        c = c + tanh(W.c @ x + U.c @ h)
        return tanh(U.c @ c + b.h), c

    with pytest.raises(UsageError, match=r"its weight U\.c, which reads h, multiplies something else too"):
        Recurrent(twice, N, H, proj_size=P)
