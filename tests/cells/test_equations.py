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
from gatework.layers.standard import Standard
from papers import PAPERS, POSITIVE, SQUARE, cho_v1_as_in_cudnn, cho_v3

T, B = 5, 3
SIZES = [(1, 1), (7, 1), (1, 7), (7, 63), (63, 65), (65, 7)]


OF_UNITS = {"minimal_rnn": "u"}
"""Matrices that multiply what has H entries and depends on no state."""


def draw_weights(name, N, H):
    """Another random weight for every gate: one constant for all would hide swapped gates."""
    generator = np.random.default_rng(N * 100 + H)
    _, inputs, recurrent, biases, diagonal, _ = PAPERS[name]
    weights = {("W", k): generator.normal(size=(H, N)) / math.sqrt(N) for k in inputs}
    weights |= {("W", k): generator.normal(size=(H, H)) / math.sqrt(H) for k in OF_UNITS.get(name, "")}
    weights |= {("U", k): generator.normal(size=(H, H)) / math.sqrt(H) for k in recurrent}
    weights |= {("b", k): generator.normal(size=H) for k in biases}
    weights |= {("p", k): generator.normal(size=N if k == "ex" else H) for k in diagonal}
    if name == "clockwork":
        weights["p", "period"] = 2.0 ** generator.integers(0, 3, size=H)
    return weights, generator


def by_kind(weights):
    """The weights as the formulas take them."""
    return {kind: {k: value for (one, k), value in weights.items() if one == kind} for kind in "WUbp"}


def draw_state(name, state, generator, *shape):
    """A state that the cell may be in."""
    if (name, state) == ("clockwork", "t"):  # all sequences are at one time
        return np.zeros(shape)
    if (name, state) == ("rg_lru", "started"):
        return generator.integers(0, 2, size=shape).astype(float)
    return generator.uniform(0.05, 0.95, shape) if name in POSITIVE else generator.normal(size=shape)


def test_every_cell_of_the_catalogue_has_its_paper_here():
    assert set(PAPERS) == set(catalogue)


def run(cell, tensors, x, states, below):
    """The reference, after training where the cell has batch norm: running averages begin at mean 0 and variance 1."""
    whole, sizes = cell.graph.whole, {"N": x.shape[-1], "H": states[0].shape[-1]}
    standard = Standard(whole, sizes, device=None, dtype=x.dtype).eval()
    more = [*below, *standard(whole, tensors, {"x": x}, None)]
    return Reference().run(whole.core, tensors, x, states, more)


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize(("N", "H"), SIZES)
def test_a_cell_computes_the_formula_of_its_paper(name, N, H):
    if name in SQUARE:
        N = H
    formula = PAPERS[name][0]
    weights, generator = draw_weights(name, N, H)
    cell = catalogue[name]
    x = generator.normal(size=(T, B, N))
    begin = [draw_state(name, state, generator, B, H) for state in cell.states]
    tensors = {".".join(key): torch.from_numpy(value) for key, value in weights.items()}
    assert {one.key: one.sizes(N, H) for one in cell.graph.parameters} == {
        key: tuple(value.shape) for key, value in tensors.items()
    }
    below = {one: generator.normal(size=(T, B, H)) for one in cell.graph.inputs[1:]}
    states, more = ([torch.from_numpy(one) for one in some] for some in (begin, below.values()))
    output, last = run(cell, tensors, torch.from_numpy(x), tuple(states), more)
    assert output.shape == (T, B, H)
    # Five steps of sums of up to 65 products: 5 · 65 · 2e-16 is below 1e-13, and the recurrence may stretch it.
    close = {"rtol": 1e-11, "atol": 1e-11}
    for k in range(B):
        states = tuple(state[k] for state in begin)
        for t in range(T):
            read = {one: value[t, k] for one, value in below.items()}
            states = formula(x[t, k], *states, **read, **by_kind(weights))
            np.testing.assert_allclose(output[t, k].numpy(), states[0], **close)
        for state, expected in zip(last, states, strict=True):
            np.testing.assert_allclose(state[k].numpy(), expected, **close)


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize(("N", "H"), [(1, 100), (28, 100), (128, 128), (20, 36)])
def test_the_number_of_weights_is_that_of_the_paper(name, N, H):
    if name in SQUARE:
        N = H
    assert catalogue[name].count(N, H) == PAPERS[name][-1](N, H, N * H + H * H + H)


@pytest.mark.parametrize(
    ("name", "N", "H", "count"),
    [
        ("gru_reset_before", 1, 100, 30_600),  # Dey & Salem 2017, type 0
        ("gru_reset_before", 28, 100, 38_700),
        ("gru_reset_before", 128, 128, 98_688),
        ("gru1", 28, 100, 33_100),
        ("gru2", 28, 100, 32_900),
        ("gru3", 28, 100, 13_100),
        ("gru1", 1, 100, 30_400),
        ("gru2", 1, 100, 30_200),
        ("gru3", 1, 100, 10_400),
        ("gru1", 128, 128, 65_920),
        ("gru2", 128, 128, 65_664),
        ("gru3", 128, 128, 33_152),
        ("lstm_peephole", 20, 195, 169_065),  # Chung et al. 2014, table 1, speech
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
    assert catalogue[name].formula() == formula


@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("irnn", ""),
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
    one, other = cho_v1_as_in_cudnn(x, h, **by_kind(weights)), cho_v3(x, h, **by_kind(weights))
    assert np.abs(one[0] - other[0]).max() > 0.01


@pytest.mark.parametrize("name", PAPERS)
def test_the_latex_of_a_cell_is_balanced(name):
    text = latex(catalogue[name].graph)
    assert text.count("{") == text.count("}")
    assert text.count(r"\left(") == text.count(r"\right)")
    graph = catalogue[name].graph
    assert len(re.findall(r"&=", text)) == len({*graph.equations, *graph.states})


@pytest.mark.parametrize("name", PAPERS)
def test_a_cell_names_its_source_(name):
    cell = catalogue[name]
    assert re.search(r"(19|20)\d\d", cell.source)
    assert cell.name == name
    assert cell.title
    assert not cell.title.endswith(".")
