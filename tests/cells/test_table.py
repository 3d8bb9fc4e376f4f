"""Every cell in every way to run it: the page of results says of each what these tests find."""

import functools
import importlib
import re
import sys
from pathlib import Path

import pytest
import torch

from gatework.bench.timing import Effort
from gatework.cells import catalogue
from gatework.kernels import Reference

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
table = importlib.import_module("cell_table")
PAGE = (ROOT / "docs" / "results" / "table.md").read_text(encoding="utf-8")
WRITTEN = table.written(PAGE)

FORWARD, GRADIENT = 1e-13, 1e-12
"""Float64's 2e-16, for some hundred operations in a row and some thousand in a sum."""

SHARES = {"cpu": 3.0, "conv": 10.0, "torch.compile": 5.0, "double backward": 10.0}
"""What of the reference's time a step takes at most: five times what it takes, for other programs run meanwhile.

The fastest of three rounds is compared, because a round may be interrupted. The page has the times; here only a way
that has become something else is told, as a kernel that runs the reference many times.
"""


@functools.cache
def problem(name):
    return table.Problem(name)


@functools.cache
def measured(name):
    """The entries of a cell, and its times: taken together, before another cell empties the compiler's memory."""
    entries = {way: table.entry(problem(name), way) for way in table.WAYS}
    return entries, table.times(entries, Effort(seconds=0.0, least=3, most=3), of=min)


def entry(name, way):
    return measured(name)[0][way]


@pytest.mark.parametrize("way", table.WAYS)
@pytest.mark.parametrize("name", catalogue)
def test_the_page_says_which_ways_work_and_why_others_do_not(name, way):
    assert (name, way) in WRITTEN, "python scripts/cell_table.py writes the page anew"
    assert WRITTEN[name, way] == entry(name, way).why


@pytest.mark.parametrize("way", [way for way in table.WAYS if way not in ("reference", "scan")])
@pytest.mark.parametrize("name", catalogue)
def test_what_works_gives_the_reference_s_numbers(name, way):
    found = entry(name, way)
    if found.why:
        assert found.gradient is None
    else:
        assert (found.forward or 0.0) <= FORWARD
        assert found.gradient <= GRADIENT


@pytest.mark.parametrize("name", catalogue)
def test_no_way_takes_unreasonably_long(name):
    found = measured(name)[1]
    assert 0 < found["reference"] < 2.0, "seconds, of 8 steps of 4 sequences"
    assert set(found) - {"reference"} == {way for way in SHARES if not entry(name, way).why}
    for way in set(found) - {"reference"}:
        assert 0 < found[way] < SHARES[way], way


@pytest.mark.parametrize("name", ["gru", "lstm", "mgu", "slstm", "sru2", "libru"])
def test_single_precision_costs_what_is_promised(name):
    found = table.entry(problem(name), "cpu, float32")
    assert found.forward < 2e-6  # what tests/kernels promise of float32
    assert found.gradient < 1e-5


@pytest.mark.parametrize("name", catalogue)
def test_a_state_enters_elementwise_where_a_step_s_derivative_is_diagonal(name):
    """The column `scan` again, from numbers: whether an entry of a state reaches another entry in one step."""
    one = problem(name)
    graph = one.cell.graph.whole.core
    weights, others = one.dense_weights(), [each[:1, :1] for each in one.others]
    others += [torch.ones_like(one.states[0][:1]) for _ in graph.inputs[1 + len(others) :]]  # batch norm reads no state

    def step(*states):
        return Reference().run(graph, weights, one.x[:1, :1], states, others)[1]

    blocks = torch.autograd.functional.jacobian(step, tuple(state[:1] for state in one.states))
    mixed = max(float((b := block[0, :, 0]).sub(b.diag().diag()).abs().max()) for row in blocks for block in row)
    assert (mixed == 0) == (not entry(name, "scan").why)


def test_the_page_has_a_row_for_every_cell_and_no_other():
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert rows == [*catalogue] * 3
