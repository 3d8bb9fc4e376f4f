"""Cells with parts of their equations taken away: what is left, and that it runs where the cell runs."""

import pytest

from gatework.bench.ablation import FUNCTIONLESS, FUNCTIONS, PRODUCTLESS, WHOLE, variants
from gatework.bench.case import make_case
from gatework.bench.limits import products
from gatework.bench.shapes import Shape
from gatework.bench.torch_sides import Ours
from gatework.cells import catalogue

WITH_PRODUCTS = [name for name in catalogue if any(one.recurrent for one in products(catalogue[name].graph, 1, 5))]


@pytest.mark.parametrize("name", WITH_PRODUCTS)
def test_what_is_taken_away_is_gone_and_the_rest_is_there(name):
    graph = catalogue[name].graph
    found = {key: cell.graph for key, cell in variants(catalogue[name]).items()}
    assert found[WHOLE] == graph
    assert not {node.op for node in found[FUNCTIONLESS].nodes} & FUNCTIONS
    assert len(found[FUNCTIONLESS].nodes) == len(found[PRODUCTLESS].nodes) == len(graph.nodes)
    assert products(found[FUNCTIONLESS], 3, 5) == products(graph, 3, 5)
    assert not any(one.recurrent for one in products(found[PRODUCTLESS], 1, 5))
    assert any(one.recurrent for one in products(graph, 1, 5))


def test_the_variants_run_on_the_back_end_of_the_cell():
    for name, cell in variants(catalogue["mgu"]).items():
        runner = Ours().build(make_case(cell, Shape(2, 3, 1, 5)))
        assert runner.kernel == Ours().build(make_case(catalogue["mgu"], Shape(2, 3, 1, 5))).kernel, name
        assert runner.results().output.shape == (3, 2, 5)
