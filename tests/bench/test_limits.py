"""What a cell has to compute, against figures worked out by hand."""

import pytest

from gatework.bench.limits import Rates, flops, limit, moved, products
from gatework.bench.shapes import Shape
from gatework.bench.side import FORWARD, TRAINING
from gatework.cells import catalogue

SHAPE = Shape(2, 3, 5, 7)
STEPS = 2 * 3

# Forward, a step of one sequence: 2 · (rows × columns) for each matrix.
BY_HAND = {
    "rnn": 2 * (7 * 5 + 7 * 7),
    "gru": 2 * 3 * (7 * 5 + 7 * 7),
    "gru_reset_before": 2 * 3 * (7 * 5 + 7 * 7),
    "lstm": 2 * 4 * (7 * 5 + 7 * 7),
    "mgu": 2 * 2 * (7 * 5 + 7 * 7),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_operations_of_a_forward_pass(name):
    assert flops(catalogue[name].graph, SHAPE, FORWARD) == STEPS * BY_HAND[name]


def test_a_training_step_adds_a_product_for_every_gradient():
    graph = catalogue["lstm"].graph
    of_input, of_state = 2 * 4 * 7 * 5, 2 * 4 * 7 * 7
    assert flops(graph, SHAPE, TRAINING) == STEPS * (2 * of_input + 3 * of_state)
    assert flops(graph, SHAPE, TRAINING, input_grad=True) == STEPS * 3 * (of_input + of_state)


def test_products_of_one_vector_are_one():
    assert [(one.rows, one.columns, one.recurrent) for one in products(catalogue["gru"].graph, 5, 7)] == [
        (21, 5, False),
        (21, 7, True),
    ]


def test_bytes_of_a_forward_pass():
    weights = 7 * 5 + 7 * 7 + 7
    assert moved(catalogue["rnn"].graph, SHAPE, FORWARD) == 4 * (STEPS * 5 + weights + STEPS * 7)


def test_the_limit_is_the_slower_of_the_two():
    rates = Rates(1, sgemm=100.0, library="torch", torch=90.0, copy=10.0)
    assert limit(1000, 50, rates) == (10.0, "products")
    assert limit(100, 50, rates) == (5.0, "memory")
