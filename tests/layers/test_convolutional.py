"""Convolutional cells: against the papers' formulas, and against the plain cells where the two are the same."""

import pytest
import torch
from torch.nn import functional as F

from gatework.cells import catalogue as cells
from gatework.errors import UsageError
from gatework.layers import ConvRecurrent, Recurrent

T, B, N, H = 4, 3, 2, 5
MEANINGLESS = {"lmu", "clockwork", "slstm", "rg_lru", "ligru", "sligru"}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(cell, *arguments, **options):
    layer = ConvRecurrent(cell, *arguments, **options).double()
    with torch.no_grad():
        for k, one in enumerate(layer.parameters()):
            one.copy_(0.3 * random(*one.shape, seed=k))
    return layer


@pytest.mark.parametrize("name", [name for name in cells if name not in MEANINGLESS])
def test_on_a_picture_of_one_place_it_is_the_plain_cell(name):
    inputs = H if cells[name].graph.square else N
    layer, plain = made(name, inputs, H, 1), Recurrent(name, inputs, H, dtype=torch.float64, backend="reference")
    plain.layer(0).load_state_dict(
        {
            key: one.flatten(1).squeeze() if key[0] in "bp" else one.flatten(2)[..., 0]
            for key, one in layer.layers[0].state_dict().items()
        }
    )
    x = random(T, B, inputs, seed=50)
    output, states = layer(x[..., None, None])
    expected, last = plain(x)
    torch.testing.assert_close(output[..., 0, 0], expected, rtol=1e-11, atol=1e-11)
    for one, other in zip(states[0], last[0], strict=True):
        torch.testing.assert_close(one[..., 0, 0], other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("size", [None, (6, 7)])
def test_the_convolutional_lstm_of_shi(size):
    layer = made("lstm_peephole", N, H, 3, image_size=size)
    w = dict(layer.layers[0].named_parameters())
    x = random(T, B, N, 6, 7, seed=50)
    output, states = layer(x)
    h = c = torch.zeros(B, H, 6, 7, dtype=torch.float64)
    for t in range(T):
        i, f, g, o = (
            F.conv2d(x[t], w[f"W_{k}"], padding=1) + F.conv2d(h, w[f"U_{k}"], padding=1) + w[f"b_{k}"] for k in "ifgo"
        )
        i, f = torch.sigmoid(i + w["p_i"] * c), torch.sigmoid(f + w["p_f"] * c)
        c = f * c + i * torch.tanh(g)
        h = torch.sigmoid(o + w["p_o"] * c) * torch.tanh(c)
        torch.testing.assert_close(output[t], h, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(states[0][1], c, rtol=1e-11, atol=1e-11)
    count = 4 * 9 * (N + H) * H + 4 * H + 3 * H * (42 if size else 1)
    assert sum(one.numel() for one in layer.parameters()) == count


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_convolutional_gru_of_ballas_in_every_dimension(axes):
    layer = made("gru_reset_before", N, H, (3, 5, 1)[:axes])
    w = dict(layer.layers[0].named_parameters())
    shape = (4, 6, 2)[:axes]
    x = random(T, B, N, *shape, seed=50)

    def conv(a, weight):
        return (F.conv1d, F.conv2d, F.conv3d)[axes - 1](a, weight, padding=(1, 2, 0)[:axes])

    h = torch.zeros(B, H, *shape, dtype=torch.float64)
    for t in range(T):
        r, z = (torch.sigmoid(conv(x[t], w[f"W_{k}"]) + conv(h, w[f"U_{k}"]) + w[f"b_{k}"]) for k in "rz")
        n = torch.tanh(conv(x[t], w["W_n"]) + conv(r * h, w["U_n"]) + w["b_n"])
        h = z * h + (1 - z) * n
    torch.testing.assert_close(layer(x)[0][-1], h, rtol=1e-11, atol=1e-11)


def test_layers_pieces_and_the_batch_first():
    layer = made("lstm", N, (4, 3), 3, batch_first=True)
    x = random(B, T, N, 5, 5, seed=50)
    whole, end = layer(x)
    states, pieces = None, []
    for piece in x.split([1, 3], dim=1):
        output, states = layer(piece, states)
        pieces.append(output)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(states[1][1], end[1][1], rtol=1e-12, atol=1e-12)
    assert whole.shape == (B, T, 3, 5, 5)


def test_it_learns_and_starts_as_the_cell_says():
    layer = ConvRecurrent("lstm", N, H, 3)
    assert (layer.layers[0].b_f == 1).all()
    layer(torch.randn(T, B, N, 6, 6))[0].square().sum().backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in layer.parameters())


@pytest.mark.parametrize("name", sorted(MEANINGLESS))
def test_a_cell_that_means_nothing_for_pictures_is_refused(name):
    with pytest.raises(UsageError, match=rf"^{name} cannot be convolutional: it"):
        ConvRecurrent(name, H, H, 3)


def test_wrong_sizes_are_told():
    for kernel in (2, 0, (3, 3, 3, 3), (3, 2)):
        with pytest.raises(UsageError, match=r"^A kernel has an odd size"):
            ConvRecurrent("gru", N, H, kernel)
    with pytest.raises(UsageError, match=r"it must be \(T, B, 2, height, width\)"):
        ConvRecurrent("gru", N, H, 3)(torch.zeros(T, B, N, 5))
    with pytest.raises(UsageError, match=r"as many input channels as hidden ones, not 2 and 5"):
        ConvRecurrent("sru2", N, H, 3)
