"""Costs, counted by hand for the four cells that everybody knows."""

from dataclasses import fields, replace

import pytest
from odd_cells import CELLS

from gatework.cells import catalogue
from gatework.graph.cost import cost
from gatework.graph.cost_text import amount, cost_sections
from gatework.graph.ops import Op
from gatework.graph.plan import plan
from gatework.graph.simplify import simplify
from gatework.graph.tally import Part, Sizes

B, T, N, H = 2, 3, 5, 7
SIZES = Sizes(B, T, N, H)
VECTOR = B * T * H * 4  # the bytes of an array (T, B, H)
ROW = B * H * 4  # the bytes of one time step


def counted(name, sizes=SIZES):
    return cost(plan(CELLS[name].graph), sizes)


# For every matrix of the input a product forward, one for its gradient, and one for the gradient of the input.
# For every recurrent one a product forward, one for its gradient, and one backward: at the last time step there is
# nothing to come back from, so that it takes place once less; that of the first step makes the gradient of the first
# state. In the MGU the product with f ⊙ h comes back within its time step, at every one.
PRODUCTS = {"rnn": (1, 1, 0), "gru": (3, 3, 0), "lstm": (4, 4, 0), "mgu": (2, 1, 1)}


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_products_of_a_cell(name):
    inputs, recurrent, within = PRODUCTS[name]
    found = counted(name)
    every = B * T * (inputs * H * N + (recurrent + within) * H * H)
    assert found.inference.multiply_adds == found.forward.multiply_adds == found.weights.multiply_adds == every
    back = B * (T - 1) * recurrent * H * H + B * T * within * H * H
    assert found.backward.multiply_adds == back
    assert found.inputs.multiply_adds == B * T * inputs * H * N
    assert found.starts.multiply_adds == B * recurrent * H * H
    assert found.training_flops() == 2 * (2 * every + back)
    asked = B * T * inputs * H * N + B * recurrent * H * H
    assert found.training_flops(inputs=True, starts=True) == found.training_flops() + 2 * asked


def test_every_product_is_counted_under_its_matrix():
    found = counted("mgu")
    assert found.forward.products == {"W.f": B * T * 35, "U.f": B * T * 49, "W.n": B * T * 35, "U.n": B * T * 49}
    assert found.backward.products == {"U.f": B * (T - 1) * 49, "U.n": B * T * 49}
    assert found.starts.products == {"U.f": B * 49}


# Forward: RNN a + b, tanh (2). GRU r and z (2 each), a + b_Un, ⊙ r, a + b_n, their sum, tanh (5), and four for h.
# LSTM the four sums (2 each), three for c, tanh(c), ⊙ o (5). MGU f and n (2 each), f ⊙ h, and four for h.
# Backward, where every d_h takes two additions: RNN h², 1 - h², ⊙ (3). GRU 1 - z, d_n, three for d_z, carry (6),
# d_a_n (3), d_r, d_a_Un (2), d_a_z, where 1 - z is there (2), d_a_r (3). LSTM tanh(c), d_o (2), d_c (5), d_i, d_g,
# d_f, carry (4), four slopes (3 each). MGU d_n, 1 - f and what waits for carry (3), d_a_n (3), what waits for d_f
# (3), and in its second stage two each for d_f and carry, and 1 - f again for d_a_f (3).
OPERATIONS = {"rnn": (2, 1, 5, 0), "gru": (13, 3, 18, 0), "lstm": (13, 5, 25, 1), "mgu": (9, 2, 18, 0)}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_elementwise_operations_of_a_cell(name):
    found, entries = counted(name), B * T * H
    numbers = found.forward.operations, found.forward.functions, found.backward.operations, found.backward.functions
    assert tuple(one / entries for one in numbers) == OPERATIONS[name]


BIASES = {"rnn": 1, "gru": 4, "lstm": 4, "mgu": 2}


@pytest.mark.parametrize("name", BIASES)
def test_the_gradient_of_a_bias_is_a_sum(name):
    assert counted(name).weights.operations == BIASES[name] * B * T * H


KEPT = {"rnn": ["y"], "mgu": ["y", "keep:f", "keep:n", "keep:v13"], "lstm": ["y", "state:c"], "gru": ["y"]}
KEPT["lstm"] += ["keep:i", "keep:f", "keep:g", "keep:o"]
KEPT["gru"] += ["keep:r", "keep:z", "keep:n", "keep:v25"]


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_between_forward_and_backward(name):
    assert counted(name).kept == dict.fromkeys(KEPT[name], VECTOR)


def test_the_bytes_of_a_gru():
    found = counted("gru")
    before = {"y": VECTOR - ROW, "start:h": ROW}
    kept = dict.fromkeys(["keep:r", "keep:z", "keep:v25", "keep:n"], VECTOR)
    assert found.forward.read == found.inference.read == {"x": B * T * N * 4, **before}
    assert found.inference.written == {"y": VECTOR}
    assert found.forward.written == {"y": VECTOR, **kept}
    # Three of the four blocks of d meet matrices of the state; what the last step begins with comes from `end:h`.
    carried = {"d": 3 * (VECTOR - ROW), "carry:h": VECTOR - ROW, "end:h": ROW}
    assert found.backward.read == {"dy": VECTOR, **kept, **before, **carried}
    assert found.backward.written == {"d": 4 * VECTOR, "carry:h": VECTOR}
    # x and h meet three blocks each, and every block is summed for its bias.
    assert found.weights.read == {"d": 10 * VECTOR, "x": B * T * N * 4, **before}
    assert found.inputs.read == {"d": 3 * VECTOR}
    assert found.inputs.written == {"dx": B * T * N * 4}
    assert found.starts.read == {"d": 3 * ROW, "carry:h": ROW}
    assert found.starts.written == {"begin:h": ROW}
    assert found.forward.weights == found.weights.weights == 4 * 3 * (H * N + H * H)
    assert found.backward.weights == 4 * 3 * H * H
    assert found.forward.moved == B * T * N * 4 + 6 * VECTOR


def test_a_sequence_of_one_step():
    found = counted("gru", replace(SIZES, T=1))
    assert found.backward.multiply_adds == 0
    assert found.backward.read.keys() >= {"start:h", "end:h"}
    assert not found.backward.read.keys() & {"y", "d", "carry:h"}
    assert found.starts.multiply_adds == 3 * B * H * H


@pytest.mark.parametrize("name", CELLS)
def test_every_product_of_the_equations_is_counted_once(name):
    graph = simplify(CELLS[name].graph)
    shapes = [graph.nodes[node.args[0]].shape for node in graph.nodes if node.op is Op.MATMUL]
    entries = sum(SIZES[rows] * SIZES[columns] for rows, columns in shapes)
    assert counted(name).forward.multiply_adds == B * T * entries


@pytest.mark.parametrize("name", CELLS)
def test_twice_the_batch_costs_twice(name):
    once, twice = counted(name), counted(name, replace(SIZES, B=2 * B))
    assert twice.kept == {array: 2 * size for array, size in once.kept.items()}
    for part in (one.name for one in fields(once) if one.name != "kept"):
        assert getattr(twice, part) == doubled(getattr(once, part)), part


def doubled(part):
    maps = {name: {key: 2 * n for key, n in getattr(part, name).items()} for name in ("products", "read", "written")}
    return Part(operations=2 * part.operations, functions=2 * part.functions, weights=part.weights, **maps)


def test_twice_the_bytes_of_a_number():
    once, twice = counted("lstm"), counted("lstm", replace(SIZES, itemsize=8))
    assert twice.backward.moved == 2 * once.backward.moved
    assert twice.forward.weights == 2 * once.forward.weights
    assert twice.forward.products == once.forward.products


def test_costs_as_tables():
    sections = dict(cost_sections(plan(catalogue["gru"].graph), Sizes(64, 60, 16, 100)))
    head, *rows = sections["cost at B=64, T=60, N=16, H=100, 4 bytes a number"]
    assert head.split()[1:] == ["inference", "forward", "backward", "d_weights", "d_input", "d_start"]
    table = {" ".join(row.split()[:-6]): row.split()[-6:] for row in rows}
    assert table["U_n H×H"] == ["38.4M", "38.4M", "37.8M", "38.4M", "·", "640k"]
    assert table["of all products"] == ["134M", "134M", "113M", "134M", "18.4M", "1.92M"]
    assert table["bytes written"] == ["1.54M", "7.68M", "7.68M", "·", "246k", "25.6k"]
    assert sections["a training step"] == [
        "floating-point operations of products: 267M forward, 494M backward",
        "where they are asked for: 36.9M for d_input, 3.84M for d_start",
        "kept between the two: 7.68M bytes in 5 arrays",
    ]


AMOUNTS = [(1000, "1.00k"), (9_999, "10.0k"), (1_234_567_890, "1.23G"), (5 * 10**20, "500E"), (10**24, "1.00e+24")]


@pytest.mark.parametrize(("number", "text"), AMOUNTS)
def test_amounts(number, text):
    assert amount(number) == text
