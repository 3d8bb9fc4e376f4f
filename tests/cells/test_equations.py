"""Every cell of the catalogue against the formula of its paper, in numpy and the paper's notation, in float64.

The formulas are those of `cells.md`, written from the papers and not from the catalogue's files.
"""

import math
import re

import numpy as np
import pytest
import torch

from gatework.cells import catalogue
from gatework.graph.latex import latex
from gatework.kernels import Reference

T, B = 5, 3
SIZES = [(1, 1), (7, 1), (1, 7), (7, 63), (63, 65), (65, 7)]


def σ(a):
    return 1 / (1 + np.exp(-a))


def elman(x, h, w):
    return (np.tanh(w["W", "h"] @ x + w["U", "h"] @ h + w["b", "h"]),)


def irnn(x, h, w):
    a = w["W", "h"] @ x + w["U", "h"] @ h + w["b", "h"]
    return (np.where(a > 0, a, 0),)


def cho_v1_as_in_cudnn(x, h, w):
    r = σ(w["W", "r"] @ x + w["U", "r"] @ h + w["b", "r"])
    z = σ(w["W", "z"] @ x + w["U", "z"] @ h + w["b", "z"])
    candidate = np.tanh(w["W", "n"] @ x + w["b", "n"] + r * (w["U", "n"] @ h + w["b", "Un"]))
    return (z * h + (1 - z) * candidate,)


def cho_v3(x, h, w):
    r = σ(w["W", "r"] @ x + w["U", "r"] @ h + w["b", "r"])
    z = σ(w["W", "z"] @ x + w["U", "z"] @ h + w["b", "z"])
    candidate = np.tanh(w["W", "n"] @ x + w["U", "n"] @ (r * h) + w["b", "n"])
    return (z * h + (1 - z) * candidate,)


def gers_2000(x, h, c, w):
    i, f, o = (σ(w["W", k] @ x + w["U", k] @ h + w["b", k]) for k in "ifo")
    g = np.tanh(w["W", "g"] @ x + w["U", "g"] @ h + w["b", "g"])
    c = f * c + i * g
    return o * np.tanh(c), c


def greff_cifg(x, h, c, w):
    f, o = (σ(w["W", k] @ x + w["U", k] @ h + w["b", k]) for k in "fo")
    z = np.tanh(w["W", "g"] @ x + w["U", "g"] @ h + w["b", "g"])
    i = 1 - f  # the paper's f = 1 - i
    c = i * z + f * c
    return o * np.tanh(c), c


def zhou_2016(x, h, w):
    f = σ(w["W", "f"] @ x + w["U", "f"] @ h + w["b", "f"])
    candidate = np.tanh(w["W", "n"] @ x + w["U", "n"] @ (f * h) + w["b", "n"])
    return ((1 - f) * h + f * candidate,)


# Name → formula, its weights, and how many gate blocks and extra vectors of H numbers its count has.
PAPERS = {
    "rnn": (elman, "h", "", 1),
    "rnn_relu": (irnn, "h", "", 1),
    "gru": (cho_v1_as_in_cudnn, "rzn", ["Un"], 3),
    "gru_reset_before": (cho_v3, "rzn", "", 3),
    "lstm": (gers_2000, "ifgo", "", 4),
    "cifg": (greff_cifg, "fgo", "", 3),
    "mgu": (zhou_2016, "fn", "", 2),
}


def draw_weights(name, N, H):
    """Another random weight for every gate: one constant for all would hide swapped gates."""
    generator = np.random.default_rng(N * 100 + H)
    _, blocks, extra, _ = PAPERS[name]
    diagonal = [one.name for one in catalogue[name].graph.parameters if one.kind == "p"]
    weights = {("p", k): generator.normal(size=H) for k in diagonal}
    for k in blocks:
        weights["W", k] = generator.normal(size=(H, N)) / math.sqrt(N)
        weights["U", k] = generator.normal(size=(H, H)) / math.sqrt(H)
        weights["b", k] = generator.normal(size=H)
    for k in extra:
        weights["b", k] = generator.normal(size=H)
    return weights, generator


def test_every_cell_of_the_catalogue_has_its_paper_here():
    assert set(PAPERS) == set(catalogue)


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize(("N", "H"), SIZES)
def test_a_cell_computes_the_formula_of_its_paper(name, N, H):
    formula = PAPERS[name][0]
    weights, generator = draw_weights(name, N, H)
    cell = catalogue[name]
    x = generator.normal(size=(T, B, N))
    begin = [generator.normal(size=(B, H)) for _ in cell.states]
    tensors = {".".join(key): torch.from_numpy(value) for key, value in weights.items()}
    assert {one.key: one.sizes(N, H) for one in cell.graph.parameters} == {
        key: tuple(value.shape) for key, value in tensors.items()
    }
    output, last = Reference().run(
        cell.graph, tensors, torch.from_numpy(x), tuple(torch.from_numpy(state) for state in begin)
    )
    assert output.shape == (T, B, H)
    # Five steps of sums of up to 65 products: 5 · 65 · 2e-16 is below 1e-13, and the recurrence may stretch it.
    close = {"rtol": 1e-11, "atol": 1e-11}
    for k in range(B):
        states = tuple(state[k] for state in begin)
        for t in range(T):
            states = formula(x[t, k], *states, weights)
            np.testing.assert_allclose(output[t, k].numpy(), states[0], **close)
        for state, expected in zip(last, states, strict=True):
            np.testing.assert_allclose(state[k].numpy(), expected, **close)


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize(("N", "H"), [(1, 100), (28, 100), (128, 128), (20, 36)])
def test_the_number_of_weights_is_that_of_the_paper(name, N, H):
    _, _, extra, blocks = PAPERS[name]
    G = N * H + H * H + H
    assert catalogue[name].count(N, H) == blocks * G + len(extra) * H


@pytest.mark.parametrize(
    ("name", "N", "H", "count"),
    [
        ("gru_reset_before", 1, 100, 30_600),  # Dey & Salem 2017, type 0
        ("gru_reset_before", 28, 100, 38_700),
        ("gru_reset_before", 128, 128, 98_688),
        ("rnn", 20, 400, 168_400),  # Chung et al. 2014, table 1, speech
        ("gru_reset_before", 20, 227, 168_888),
        ("lstm", 1, 130, 4 * (130 + 130**2 + 130)),  # Keras: LSTM(130) on one column
        ("lstm", 1, 50, 10_400),  # Keras: LSTM(50) of the usual tutorial
        ("gru", 1, 50, 7_850),  # Keras stores 7,950: 100 of its biases only ever add up
    ],
)
def test_published_numbers_of_weights(name, N, H, count):
    assert catalogue[name].count(N, H) == count


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("rnn", "NH + H² + H"),
        ("gru", "3NH + 3H² + 4H"),
        ("gru_reset_before", "3NH + 3H² + 3H"),
        ("lstm", "4NH + 4H² + 4H"),
        ("cifg", "3NH + 3H² + 3H"),
        ("mgu", "2NH + 2H² + 2H"),
    ],
)
def test_the_number_of_weights_in_letters(name, formula):
    assert catalogue[name].graph.formula() == formula


@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("rnn", ""),
        ("rnn_relu", ""),
        ("gru", "rz"),
        ("gru_reset_before", "rz"),
        ("lstm", "ifo"),
        ("cifg", "fio"),
        ("mgu", "f"),
    ],
)
def test_the_gates_of_a_cell(name, gates):
    assert catalogue[name].graph.gates == tuple(gates)


def test_the_two_gated_recurrent_units_are_two_cells():
    """r ⊙ (U h) is not U (r ⊙ h): the same weights give other numbers."""
    weights, generator = draw_weights("gru", 7, 7)
    weights["b", "Un"] = np.zeros(7)
    x, h = generator.normal(size=7), generator.normal(size=7)
    assert np.abs(cho_v1_as_in_cudnn(x, h, weights)[0] - cho_v3(x, h, weights)[0]).max() > 0.01


@pytest.mark.parametrize("name", PAPERS)
def test_the_latex_of_a_cell_is_balanced(name):
    text = latex(catalogue[name].graph)
    assert text.count("{") == text.count("}")
    assert text.count(r"\left(") == text.count(r"\right)")
    assert len(re.findall(r"&=", text)) == len(catalogue[name].graph.equations)


@pytest.mark.parametrize("name", PAPERS)
def test_a_cell_names_its_source_and_starts_its_forget_bias_as_documented(name):
    cell = catalogue[name]
    assert re.search(r"(19|20)\d\d", cell.source)
    assert cell.bias == ({"f": 1.0} if name in {"lstm", "cifg"} else {})
    assert cell.name == name
    assert cell.title
    assert not cell.title.endswith(".")
