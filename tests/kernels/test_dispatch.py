"""Which back-end runs a cell: `auto` finds one, a name is taken at its word."""

import warnings

import pytest
import torch

from gatework.cells import catalogue
from gatework.errors import BackendError
from gatework.graph import U, W, cell, cos, tanh
from gatework.kernels import BACKENDS, Reference, choose, dispatch
from gatework.kernels.cpu import host

NUMBERS = torch.zeros(1)


class Picky(Reference):
    def refusal(self, graph):
        return "it runs no cell of two states" if len(graph.states) == 2 else ""


def test_auto_takes_the_first_that_can_run(monkeypatch):
    graph = catalogue["gru"].graph
    assert choose("auto", graph).pick(NUMBERS) is next(iter(BACKENDS.values()))
    picky = Picky("picky")
    monkeypatch.setattr(dispatch, "BACKENDS", {"picky": picky, **BACKENDS})
    assert choose("auto", graph).pick(NUMBERS) is picky
    assert choose("auto", catalogue["lstm"].graph).pick(NUMBERS).name == "cpu"


def test_a_name_raises_where_it_cannot_run(monkeypatch):
    monkeypatch.setattr(dispatch, "BACKENDS", {"picky": Picky("picky"), **BACKENDS})
    assert choose("reference", catalogue["lstm"].graph).pick(NUMBERS).name == "reference"
    with pytest.raises(BackendError) as error:
        choose("picky", catalogue["lstm"].graph)
    assert str(error.value) == "The back-end picky cannot run this cell: it runs no cell of two states."


@pytest.mark.parametrize("name", ["gpu", "Reference", ""])
def test_an_unknown_name_is_told_with_the_known_ones(name):
    with pytest.raises(BackendError) as error:
        choose(name, catalogue["gru"].graph)
    assert str(error.value) == f"There is no back-end {name!r}: choose auto or one of cpu, cudnn, triton, reference."


@pytest.mark.parametrize("name", catalogue)
def test_the_reference_refuses_no_cell(name):
    assert BACKENDS["reference"].refusal(catalogue[name].graph.whole.core) == ""


def test_what_is_taken_over_all_time_steps_is_for_a_layer():
    reason = "standard\\(…\\) is taken over all time steps, which is done by a layer"
    with pytest.raises(BackendError, match=f"^The back-end reference cannot run this cell: {reason}\\.$"):
        choose("reference", catalogue["ligru"].graph)


def test_where_kernels_cannot_be_compiled_auto_says_so_once_and_cpu_raises(monkeypatch):
    reason = "llvmlite is not installed"
    monkeypatch.setattr(dispatch, "refusal", lambda: reason)
    monkeypatch.setattr(host, "refusal", lambda: reason)
    dispatch._tell.cache_clear()
    graph = catalogue["gru"].graph
    with pytest.warns(UserWarning, match=f"^Cells run on the slow reference back-end: .*: {reason}\\.$"):
        assert choose("auto", graph).pick(NUMBERS).name == "reference"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose("auto", graph).pick(NUMBERS).name == "reference"
    with pytest.raises(BackendError, match=f"^The back-end cpu cannot run this cell: {reason}\\.$"):
        choose("cpu", graph)


def test_auto_takes_the_reference_for_a_cell_that_has_no_plan_and_cpu_says_why():
    @cell
    def odd(x, h):
        return tanh(W.h @ x + U.h @ cos(h))

    dispatch._tell.cache_clear()
    with pytest.warns(UserWarning, match=r"^A cell runs on the slow reference back-end: .*: it takes the cosine of a"):
        assert choose("auto", odd.graph).pick(NUMBERS).name == "reference"
    with pytest.raises(BackendError) as error:
        choose("cpu", odd.graph)
    expected = "it takes the cosine of a state"
    assert str(error.value) == f"The back-end cpu cannot run this cell: {expected}."
