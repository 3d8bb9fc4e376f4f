"""Which back-end runs a cell: `auto` finds one, a name is taken at its word."""

import pytest

from gatework.cells import catalogue
from gatework.errors import BackendError
from gatework.kernels import BACKENDS, Reference, choose, dispatch


class Picky(Reference):
    def refusal(self, graph):
        return "it runs no cell of two states" if len(graph.states) == 2 else ""


def test_auto_takes_the_first_that_can_run(monkeypatch):
    graph = catalogue["gru"].graph
    assert choose("auto", graph) is next(iter(BACKENDS.values()))
    picky = Picky("picky")
    monkeypatch.setattr(dispatch, "BACKENDS", {"picky": picky, **BACKENDS})
    assert choose("auto", graph) is picky
    assert choose("auto", catalogue["lstm"].graph).name == "reference"


def test_a_name_raises_where_it_cannot_run(monkeypatch):
    monkeypatch.setattr(dispatch, "BACKENDS", {"picky": Picky("picky"), **BACKENDS})
    assert choose("reference", catalogue["lstm"].graph).name == "reference"
    with pytest.raises(BackendError) as error:
        choose("picky", catalogue["lstm"].graph)
    assert str(error.value) == "The back-end picky cannot run this cell: it runs no cell of two states."


@pytest.mark.parametrize("name", ["gpu", "Reference", ""])
def test_an_unknown_name_is_told_with_the_known_ones(name):
    with pytest.raises(BackendError) as error:
        choose(name, catalogue["gru"].graph)
    assert str(error.value) == f"There is no back-end {name!r}: choose auto or one of reference."


@pytest.mark.parametrize("name", catalogue)
def test_the_reference_refuses_no_cell(name):
    assert BACKENDS["reference"].refusal(catalogue[name].graph) == ""
