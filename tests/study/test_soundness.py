"""Which made-up cells are worth training."""

import pytest
import torch

from gatework.cells import catalogue
from gatework.graph import U, W, b, cell, p, relu, sigmoid, softplus, tanh
from gatework.study.soundness import flaw


@cell
def grows(x, h):
    return softplus(h + h) + W.a @ x


@cell
def forgets(x, h):
    return tanh(W.a @ x + b.a) + relu(sigmoid(h) - 2)


@cell
def idle(x, h):
    return tanh(W.a @ x + U.a @ h + p.a * relu(sigmoid(h) - 2))


@pytest.mark.parametrize("name", ["gru", "lstm", "mgu", "rnn", "mut1", "mut2", "mut3", "mingru"])
def test_cells_that_people_use_are_sound(name):
    assert flaw(catalogue[name], 1) == ""
    assert flaw(catalogue[name], 5) == ""


@pytest.mark.parametrize(
    ("one", "why"), [(grows, "it grows"), (forgets, "it forgets at once"), (idle, "a weight has no effect")]
)
def test_cells_that_are_not(one, why):
    assert flaw(one, 3) == why


def test_the_answer_does_not_depend_on_the_random_state_and_leaves_it_alone():
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    assert flaw(catalogue["gru"], 2) == ""
    assert torch.equal(torch.random.get_rng_state(), before)
