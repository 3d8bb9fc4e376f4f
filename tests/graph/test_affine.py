"""What is said of a step's carried values is what the step computes."""

import pytest
import torch

from gatework.cells import catalogue
from gatework.graph import W, cell, maximum, p, sigmoid, tanh
from gatework.graph.affine import affine
from gatework.graph.late import is_elementwise
from gatework.graph.ops import Op
from gatework.kernels.reference import evaluate

# Some ten operations in double precision on numbers of order one.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}

CORES = {name: one.graph.ahead.core for name, one in catalogue.items() if is_elementwise(one.graph.ahead.core)}


def systems(graph):
    """The systems of a cell's states, or None."""
    leaves = {node.name: k for k, node in enumerate(graph.nodes) if node.op is Op.STATE}
    after = dict(zip(graph.states, graph.outputs, strict=True))
    return affine(graph.nodes, {leaf: after[name] for name, leaf in leaves.items()})


def names(graph):
    """The states of each system, and what it is joined by; of what does not feed back the states alone."""
    found = systems(graph)
    return found and [
        ([found.nodes[leaf].name for leaf in one.leaves], one.join.value if one.matrix else "") for one in found.systems
    ]


def test_the_systems_of_the_catalogue():
    assert {name: names(core) for name, core in CORES.items()} == {
        "indrnn": None,
        "indygru": None,
        "indylstm": None,
        "lru": [(["re", "im"], "add")],
        "mingru": [(["h"], "add")],
        "minlstm": [(["h"], "add")],
        "qrnn": [(["c"], "add")],
        "rg_lru": [(["started"], "add"), (["h"], "add")],
        "sru": [(["c"], "add")],
        "sru2": None,
        "ubru": None,
    }


@cell
def chain(x, h, c, d):
    """Two states that feed back on each other, and one that they read, which is bounded."""
    new_h = sigmoid(W.f @ x) * h - (c - h * p.a) / (2 + d * d)
    new_d = maximum(1 - W.d @ x, d - 0.25)
    return new_h, tanh(d) * h, new_d


@cell
def ring(x, h, c, d):
    """Three states that feed back on each other."""
    return 0.5 * c + W.a @ x, 0.5 * d, 0.5 * h


def test_groups_come_after_those_that_they_read():
    assert names(chain.graph.ahead.core) == [(["d"], "maximum"), (["h", "c"], "add")]
    assert names(ring.graph.ahead.core) is None


@pytest.mark.parametrize(
    "graph", [*filter(systems, CORES.values()), chain.graph.ahead.core], ids=lambda one: one.states
)
def test_coefficients_and_offsets_give_the_next_values(graph):
    generator = torch.Generator().manual_seed(0)
    numbers = {
        name: torch.randn(4, 3, generator=generator, dtype=torch.float64) for name in (*graph.inputs, *graph.states)
    }
    weights = {one.key: torch.randn(3, generator=generator, dtype=torch.float64) for one in graph.parameters}
    found = systems(graph)
    values = evaluate(found.nodes, weights, numbers)
    after = dict(zip(graph.states, (found.position[k] for k in graph.outputs), strict=True))
    zero = torch.zeros(4, 3, dtype=torch.float64)

    def value(k):
        return zero if k is None else values[k] + zero

    for system in found.systems:
        for leaf, row, offset in zip(system.leaves, system.matrix, system.offsets, strict=True):
            if system.join is Op.ADD:
                given = sum(value(k) * values[one] for k, one in zip(row, system.leaves, strict=True)) + value(offset)
            else:
                extreme = torch.minimum if system.join is Op.MINIMUM else torch.maximum
                given = extreme(values[leaf] + value(row[0]), value(offset))
            torch.testing.assert_close(given, value(after[found.nodes[leaf].name]), **CLOSE)
