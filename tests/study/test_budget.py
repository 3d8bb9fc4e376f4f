"""Equal parameters: every cell comes within one per cent of the budget."""

import pytest

from gatework.cells import catalogue
from gatework.errors import UsageError
from gatework.study.budget import TOLERANCE, widths_for
from gatework.tasks.forecaster import Forecaster, count

FREE = [name for name, cell in catalogue.items() if not cell.graph.square and not cell.graph.below]
"""Cells whose layers may be of any width."""


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("budget", [5_000, 20_000, 100_000])
@pytest.mark.parametrize(("inputs", "horizon"), [(1, 1), (1, 24), (8, 1)])
def test_two_layers_come_within_one_per_cent(name, budget, inputs, horizon):
    widths = widths_for(catalogue[name], inputs, horizon, budget, depth=2)
    network = Forecaster(name, inputs, widths, horizon)
    absent = sum(int((~one).sum()) for key, one in network.named_buffers() if key.endswith("_mask"))
    made = sum(one.numel() for one in network.parameters()) - absent
    assert abs(made - budget) <= TOLERANCE * budget


@pytest.mark.parametrize("name", list(catalogue))
def test_one_layer_comes_as_near_as_one_unit_allows(name):
    (width,) = widths_for(catalogue[name], 1, 1, 20_000, depth=1)
    errors = [abs(count(catalogue[name], 1, (H,), 1) - 20_000) for H in (width - 1, width, width + 1)]
    assert min(errors) == errors[1]


@pytest.mark.parametrize("name", ["depth_gated_lstm", "grid_lstm"])
def test_layers_that_read_the_one_below_are_of_the_width_that_comes_nearest(name):
    cell = catalogue[name]
    width, other = widths_for(cell, 1, 1, 20_000, depth=2)
    assert width == other
    errors = [abs(count(cell, 1, (H, H), 1) - 20_000) for H in (width - 1, width, width + 1)]
    assert min(errors) == errors[1]


def test_equal_widths_are_taken_where_they_fit():
    cell = catalogue["gru"]
    assert widths_for(cell, 1, 1, count(cell, 1, (30, 30, 30), 1), depth=3) == (30, 30, 30)


def test_too_small_a_budget_is_refused():
    with pytest.raises(UsageError, match="needs at least 26"):
        widths_for(catalogue["lstm"], 1, 1, 20, depth=2)
