"""What the cells' files say of libraries, where it can be checked by running: torch is here, the others are not."""

import importlib
import itertools

import pytest
import torch

from gatework.cells import catalogue
from gatework.graph.document import DIFFERENCES
from gatework.kernels import Reference

T, B, N, H = 4, 3, 2, 5
CLOSE = {"rtol": 1e-12, "atol": 1e-12}  # float64, some hundred operations on numbers of order one


def draw(name):
    graph, random = catalogue[name].graph, torch.Generator().manual_seed(1)
    weights = {
        one.key: torch.randn(*one.sizes(N, H), generator=random, dtype=torch.float64) for one in graph.parameters
    }
    x = torch.randn(T, B, N, generator=random, dtype=torch.float64)
    return weights, x, tuple(torch.rand(B, H, generator=random, dtype=torch.float64) for _ in graph.states)


def run(name, weights, x, states):
    return Reference().run(catalogue[name].graph, weights, x, states)[0]


@pytest.mark.parametrize("name", catalogue)
def test_what_is_said_of_libraries_is_a_list_below_its_heading(name):
    doc = importlib.import_module(f"gatework.cells.{name}").__doc__
    assert "librar" not in doc.partition(DIFFERENCES)[0].lower()
    items = doc.partition(DIFFERENCES)[2].strip()
    assert not items or items.startswith("- ")


def test_torch_has_the_gates_of_the_lstm_as_i_f_g_o_and_two_biases_of_which_the_sum_acts():
    layer = torch.nn.LSTM(N, H, dtype=torch.float64)
    weights, x, states = draw("lstm")
    first, second = layer.bias_ih_l0.chunk(4), layer.bias_hh_l0.chunk(4)
    for k, gate in enumerate("ifgo"):
        weights[f"W.{gate}"], weights[f"U.{gate}"] = layer.weight_ih_l0.chunk(4)[k], layer.weight_hh_l0.chunk(4)[k]
        weights[f"b.{gate}"] = first[k] + second[k]
    expected, _ = layer(x, tuple(one[None] for one in states))
    torch.testing.assert_close(run("lstm", weights, x, states), expected, **CLOSE)
    assert layer.bias_ih_l0.abs().max() <= H**-0.5, "the forget gate starts half open"


def test_torch_has_the_gru_that_resets_after_the_product_in_the_order_r_z_n():
    layer = torch.nn.GRU(N, H, dtype=torch.float64)
    weights, x, states = draw("gru")
    first, second = layer.bias_ih_l0.chunk(3), layer.bias_hh_l0.chunk(3)
    for k, gate in enumerate("rzn"):
        weights[f"W.{gate}"], weights[f"U.{gate}"] = layer.weight_ih_l0.chunk(3)[k], layer.weight_hh_l0.chunk(3)[k]
        weights[f"b.{gate}"] = first[k] + second[k] if gate != "n" else first[k]
    weights["b.Un"] = second[2]
    expected, _ = layer(x, states[0][None])
    torch.testing.assert_close(run("gru", weights, x, states), expected, **CLOSE)
    assert not torch.allclose(run("gru_reset_before", weights, x, states), expected, rtol=1e-2)


@pytest.mark.parametrize(("name", "gate"), [("gru", "z"), ("gru_reset_before", "z"), ("mgu", "f")])
def test_a_gate_that_keeps_and_one_that_writes_are_one_cell_unless_it_stands_in_the_candidate(name, gate):
    """The old state and the candidate change places where the signs of the gate's weights change."""
    weights, x, (h,) = draw(name)
    other = {key: -one if key[2:] == gate else one for key, one in weights.items()}
    x_t = x[0]

    def gate_of(w):
        return torch.sigmoid(x_t @ w[f"W.{gate}"].T + h @ w[f"U.{gate}"].T + w[f"b.{gate}"])

    kept, written = gate_of(weights), gate_of(other)
    torch.testing.assert_close(kept, 1 - written, **CLOSE)
    after = run(name, weights, x[:1], (h,))[0]
    if name == "mgu":
        candidate = torch.tanh(x_t @ weights["W.n"].T + (written * h) @ weights["U.n"].T + weights["b.n"])
        swapped = written * h + (1 - written) * candidate
        assert not torch.allclose(after, swapped, rtol=1e-3)
    else:
        candidate = (after - kept * h) / (1 - kept)
        torch.testing.assert_close(after, (1 - written) * h + written * candidate, **CLOSE)


def test_the_gate_of_janet_is_written_in_two_ways():
    s = torch.linspace(-5, 5, 11, dtype=torch.float64)
    torch.testing.assert_close(1 - torch.sigmoid(s - 1), torch.sigmoid(1 - s), **CLOSE)


def test_only_one_form_in_logarithms_is_the_bayesian_unit():
    """With other signs of its weights `libru_log` is `libru`; with none is `libru_code`."""
    weights, x, (h,) = draw("libru")
    expected = run("libru", weights, x, (h,))
    groups = [("W.z", "b.z"), ("U.z",), ("W.n", "b.n"), ("U.n",)]

    def signed(signs):
        flipped = {key for group, sign in zip(groups, signs, strict=True) if sign < 0 for key in group}
        return {key: -one if key in flipped else one for key, one in weights.items()}

    same = run("libru_log", signed((1, -1, -1, 1)), x, (-h.log(),)).neg().exp()
    torch.testing.assert_close(same, expected, rtol=1e-6, atol=1e-9)  # libru adds 1e-11 to h, and takes the logarithm
    for signs in itertools.product((1, -1), repeat=len(groups)):
        for sign in (1, -1):
            code = (sign * run("libru_code", signed(signs), x, (sign * h.log(),))).exp()
            assert not torch.allclose(code, expected, rtol=1e-2)
