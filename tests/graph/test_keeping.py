"""What the forward pass keeps: enough for every gradient, and nothing that is cheap to compute again."""

import pytest
from hypothesis import given, settings
from odd_cells import CELLS
from random_cells import cells

from gatework.graph import U, W, b, cell, mean, softplus, tanh
from gatework.graph.build import build
from gatework.graph.derivative import derive
from gatework.graph.keeping import BYTE, ITEM, PRICES, keep
from gatework.graph.ops import ELEMENTWISE, LEAVES, PRODUCTS, REDUCTIONS, Op


@cell
def one_softplus(x, h):
    """The value that h is multiplied with costs 30 elementary operations: less than to write it and read it back."""
    n = tanh(W.n @ x + U.n @ h)
    s = softplus(n)
    return s * h


@cell
def two_softplus(x, h):
    """It costs 61, and none of the values on the way is needed, so it is kept."""
    n = tanh(W.n @ x + U.n @ h)
    s = softplus(n) + softplus(n * 2)
    return s * h


PRICED = {"one_softplus": one_softplus, "two_softplus": two_softplus}
EXPECTED = {
    # the slope of tanh follows from the state itself
    "rnn": [],
    # and so does that of relu
    "rnn_relu": [],
    # i, f, g, o for their own slopes and each other's; tanh(c) is computed from the state c
    "lstm": ["i", "f", "g", "o"],
    # i is 1 - f, which is cheap
    "cifg": ["f", "g", "o"],
    # the sum U h + b is what r is multiplied with, so it stands in the gradient of r
    "gru": ["r", "z", "add = U.n h + b.Un", "n"],
    # r h is what U.n multiplies
    "gru_reset_before": ["r", "z", "multiply = r h", "n"],
    # f h is what U.n multiplies
    "mgu": ["f", "multiply = f h", "n"],
    # m is a sum over the units; the numbers that follow from it are cheap
    "one_number": ["m", "n"],
    "one_softplus": ["n"],
    "two_softplus": ["n", "s"],
}


def described(nodes, k):
    """The name of a node, or its operation and operands."""
    node = nodes[k]

    def word(arg):
        inner = nodes[arg]
        return inner.name or " ".join(map(word, inner.args))

    if node.name:
        return node.name
    return f"{node.op.value} = {(' + ' if node.op is Op.ADD else ' ').join(map(word, node.args))}"


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_cell_keeps(name):
    gradient = derive((CELLS | PRICED)[name].graph)
    assert [described(gradient.nodes, k) for k in keep(gradient)] == EXPECTED[name]


def test_the_hyperbolic_tangent_of_the_lstm_is_computed_again():
    gradient = derive(CELLS["lstm"].graph)
    c = gradient.forward.outputs[1]
    (squashed,) = [k for k, node in enumerate(gradient.forward.nodes) if node.op is Op.TANH and node.args == (c,)]
    assert squashed in needed(gradient)
    assert squashed not in keep(gradient)


def needed(gradient):
    """The forward values that the gradient reads, with the leaves."""
    end = len(gradient.forward.nodes)
    stack, seen = list(gradient.roots), set()
    while stack:
        k = stack.pop()
        if k not in seen:
            seen.add(k)
            stack.extend(gradient.nodes[k].args if k >= end else ())
    return {k for k in seen if k < end}


def beside_matrices(gradient):
    """The forward values that stand as rows in the gradient of a matrix."""
    return {node.args[1] for node in gradient.nodes if node.op is Op.OUTER}


def computable(gradient, there):
    """All forward values that follow elementwise from those that are there."""
    known = {k for k, node in enumerate(gradient.forward.nodes) if node.op in LEAVES} | set(there)
    for k, node in enumerate(gradient.forward.nodes):
        if node.op not in PRODUCTS | REDUCTIONS and known.issuperset(node.args):
            known.add(k)
    return known


def assert_kept_is_right(gradient):
    kept = keep(gradient)
    forward = gradient.forward
    assert len(set(kept)) == len(kept)
    assert not set(kept) & set(forward.outputs), "a state is kept anyway"
    assert all(forward.nodes[k].op not in LEAVES for k in kept)
    assert set(kept) <= needed(gradient)
    there = {*kept, *forward.outputs}
    assert needed(gradient) <= computable(gradient, there)
    assert {k for k in beside_matrices(gradient) if forward.nodes[k].op not in LEAVES} <= there
    for k in set(kept) - beside_matrices(gradient):
        assert price(gradient, k, there - {k}) > 2 * ITEM * BYTE, "a cheap value is kept"


def price(gradient, k, there):
    """What it costs to compute one value from the leaves and from those that are there; more than all with products."""
    seen, stack, total = set(), [k], 0.0
    while stack:
        one = stack.pop()
        node = gradient.nodes[one]
        if one in seen or one in there or node.op in LEAVES:
            continue
        seen.add(one)
        total += 1e9 if node.op in PRODUCTS | REDUCTIONS else PRICES[node.op]
        stack.extend(node.args)
    return total


@pytest.mark.parametrize("name", CELLS)
def test_every_gradient_of_a_cell_follows_without_products(name):
    assert_kept_is_right(derive(CELLS[name].graph))


@settings(max_examples=150, deadline=None)
@given(cells())
def test_every_gradient_of_a_random_cell_follows_without_products(drawn):
    outputs, named, _ = drawn
    assert_kept_is_right(derive(build(("h", "c"), outputs, named)))


def test_prices_are_those_of_elementwise_work_alone():
    assert set(PRICES) == ELEMENTWISE | {Op.SPREAD}
    assert all(0 <= price < 2 * ITEM * BYTE for price in PRICES.values()), "one operation alone is never kept"


def test_a_kept_value_that_only_a_matrix_meets_is_kept_though_it_is_cheap():
    @cell
    def shifted(x, h):
        return tanh(W.n @ x + U.n @ (h + b.k) + U.m @ (mean(h) - h))

    gradient = derive(shifted.graph)
    kept = keep(gradient)
    assert {gradient.nodes[k].op for k in kept} == {Op.ADD, Op.SUBTRACT}
    assert set(kept) == beside_matrices(gradient) - {
        k for k in range(len(gradient.nodes)) if not gradient.nodes[k].args
    }
