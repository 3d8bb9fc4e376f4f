"""Each picture shows the numbers of the results, in their order and in the colours of the cells."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gatework.report.embed import legend, payload
from gatework.report.figures.cost import cost
from gatework.report.figures.curves import curves
from gatework.report.figures.forecasts import forecasts, windows
from gatework.report.figures.gates import gates, unit_order
from gatework.report.figures.horizon import horizon
from gatework.report.figures.ranking import ranking
from gatework.report.palette import baseline_pens, pens
from gatework.report.standings import best_baseline, standings

Make = Callable[..., dict[str, Any]]


def test_the_ranking_is_in_the_order_of_the_errors(results: dict[str, Any]) -> None:
    names = [row.name for row in standings(results)]
    assert names == ["persistence", "drift", "gru", "lstm", "rnn", "ridge", "seasonal-naive"]
    figure = ranking(results)
    assert figure is not None
    ticks = [tick.strip("</bi>") for tick in figure.layout.yaxis.ticktext]
    assert ticks == names
    dots = {trace.name: trace for trace in figure.data if trace.name}
    gru = results["leaderboard"][0]["test"]["mae"]
    assert list(dots["gru"].x) == [gru["mean"]]
    assert dots["gru"].error_x.array[0] == pytest.approx(gru["interval"][1] - gru["mean"])
    assert dots["gru"].error_x.arrayminus[0] == pytest.approx(gru["mean"] - gru["interval"][0])


def test_an_error_far_off_is_marked_at_the_edge(results: dict[str, Any]) -> None:
    figure = ranking(results)
    assert figure is not None
    far = next(trace for trace in figure.data if trace.name == "seasonal-naive")
    assert far.marker.symbol == "triangle-right"
    assert far.x[0] == figure.layout.xaxis.range[1] < 1000


def test_the_dashed_line_is_the_best_baseline(results: dict[str, Any]) -> None:
    figure, best = ranking(results), best_baseline(results)
    assert figure is not None
    assert best is not None
    assert figure.layout.shapes[0].x0 == best.mean("mae") == 581.6


def test_one_seed_has_no_interval(make_results: Make) -> None:
    figure = ranking(make_results(seeds=1))
    assert figure is not None
    assert all(trace.error_x.array is None for trace in figure.data)


def test_a_cell_has_one_colour_everywhere(make_results: Make) -> None:
    results = make_results(steps=24)
    colour = {name: pen.colour for name, pen in pens(results).items()}
    for figure in (cost(results), horizon(results), forecasts(results)):
        assert figure is not None
        drawn = {trace.legendgroup: trace for trace in figure.data if trace.legendgroup in colour}
        assert drawn.keys() == colour.keys()
        for name, trace in drawn.items():
            assert (trace.line.color or trace.marker.color) == colour[name]
    for name, figure in curves(results).items():
        assert figure.data[2].marker.color == colour[name]


def test_many_cells_are_told_apart(make_results: Make, many_cells: tuple[str, ...]) -> None:
    drawn = pens(make_results(cells=many_cells))
    assert len(set(drawn.values())) == len(many_cells) == 12


def test_baselines_are_grey_and_told_apart(results: dict[str, Any]) -> None:
    drawn = baseline_pens(results).values()
    assert len({pen.colour for pen in drawn}) == 1
    assert len({pen.dash for pen in drawn}) == 4


def test_cost_puts_time_below_and_error_above(results: dict[str, Any]) -> None:
    figure = cost(results)
    assert figure is not None
    row = results["leaderboard"][0]
    dot = next(trace for trace in figure.data if trace.legendgroup == row["cell"])
    assert (dot.x[0], dot.y[0]) == (row["train_seconds"], row["test"]["mae"]["mean"])


def test_cost_is_left_out_without_times(results: dict[str, Any]) -> None:
    for row in results["leaderboard"]:
        row["train_seconds"] = None
    assert cost(results) is None


def test_forecasts_show_the_truth_and_how_far_each_was_off(results: dict[str, Any]) -> None:
    figure, stored = forecasts(results), results["forecasts"]
    assert figure is not None
    above = {trace.legendgroup: trace for trace in figure.data if trace.showlegend}
    below = {trace.legendgroup: trace for trace in figure.data if trace.yaxis == "y2"}
    assert list(above) == ["truth", "persistence", "gru", "lstm", "rnn"]
    assert above["gru"].y[5] == pytest.approx(stored["cells"]["gru"][5], rel=1e-5)
    assert below["gru"].y[5] == pytest.approx(stored["cells"]["gru"][5] - stored["truth"][5], rel=1e-3)
    gap = stored["truth"].index(None)
    assert above["truth"].y[gap] is None
    assert below["gru"].y[gap] is None


def test_a_long_series_starts_at_its_end(make_results: Make) -> None:
    results = make_results(points=5000, integer=True)
    figure = forecasts(results)
    assert figure is not None
    assert figure.layout.xaxis.type == "linear"
    assert list(figure.layout.xaxis.range) == [
        results["forecasts"]["time"][-200],
        results["forecasts"]["time"][-1],
    ]
    assert windows(results) == [50, 200, 1000]
    assert windows(make_results(points=40)) == []


def test_only_the_best_of_many_cells_start_visible(make_results: Make, many_cells: tuple[str, ...]) -> None:
    results = make_results(cells=many_cells, steps=24)
    for figure in (forecasts(results), horizon(results)):
        assert figure is not None
        shown = {
            trace.legendgroup for trace in figure.data if trace.visible is not False and trace.visible != "legendonly"
        }
        assert shown & set(many_cells) == {"gru", "lstm", "rnn"}


def test_intervals_become_a_band(make_results: Make) -> None:
    figure = forecasts(make_results(steps=24))
    assert figure is not None
    assert [trace.legendgroup for trace in figure.data if trace.fill == "tonexty"] == ["gru"]


def test_curves_dot_the_epoch_that_was_kept(results: dict[str, Any]) -> None:
    drawn = curves(results)
    assert list(drawn) == ["gru", "lstm", "rnn"]
    run, figure = results["curves"]["gru"][0], drawn["gru"]
    train, validation, kept = figure.data[:3]
    assert train.y[3] == pytest.approx(run["train"][3], rel=1e-3)
    assert (validation.x[0], kept.x[0]) == (1, run["best_epoch"])
    assert kept.y[0] == pytest.approx(min(run["validation"]), rel=1e-3)
    assert len({figure.layout.yaxis.range for figure in drawn.values()}) == 1


def test_the_error_by_horizon_needs_more_than_one_step(make_results: Make) -> None:
    assert horizon(make_results(steps=1)) is None
    figure = horizon(make_results(steps=24))
    assert figure is not None
    assert [trace.legendgroup for trace in figure.data] == ["persistence", "drift", "gru", "lstm", "rnn"]
    assert list(figure.data[0].x) == list(range(1, 25))


def test_gates_are_one_map_per_name_under_the_input(results: dict[str, Any]) -> None:
    figure, stored = gates(results)["lstm"], results["gates"]["lstm"]
    assert [trace.name for trace in figure.data] == ["input", "i", "f", "o", "g", "c", "h"]
    ranges = {trace.name: (trace.zmin, trace.zmax) for trace in figure.data[1:]}
    assert ranges["i"] == (0, 1)
    assert ranges["c"][0] == -ranges["c"][1] < -1
    order = unit_order(stored)
    assert figure.data[1].z[4][7] == pytest.approx(stored["values"]["i"][7][order[4]], abs=6e-4)
    assert [trace.name for trace in figure.data[1:] if trace.showscale] == ["i", "g"]


def test_units_are_sorted_by_their_mean_state(results: dict[str, Any]) -> None:
    stored = results["gates"]["gru"]
    table, order = stored["values"]["h"], unit_order(stored)
    means = [sum(row[unit] for row in table) for unit in order]
    assert means == sorted(means)
    assert sorted(order) == list(range(len(table[0])))


def test_a_map_of_another_size_keeps_its_own_units(results: dict[str, Any]) -> None:
    stored = results["gates"]["gru"]
    stored["values"]["r"] = [row[:5] for row in stored["values"]["r"]]
    assert len(gates(results)["gru"].data[1].z) == 5


def test_the_payload_writes_a_shared_time_axis_once(results: dict[str, Any]) -> None:
    figure = forecasts(results)
    assert figure is not None
    spec = json.loads(payload(figure))
    assert sum("x" in trace for trace in spec["data"]) == 2
    assert spec["layout"]["showlegend"] is False


def test_names_are_text_in_the_legend_and_in_the_picture(results: dict[str, Any]) -> None:
    name = "<b>%{x}</script>"
    results["leaderboard"][0]["cell"] = name
    figure = cost(results)
    assert figure is not None
    assert "</script>" not in payload(figure)
    assert "<b>%{x}" not in figure.data[1].name
    assert "&lt;b&gt;%{x}&lt;/script&gt;" in str(legend(figure))


def test_times_of_very_different_size_share_a_logarithmic_axis(results: dict[str, Any]) -> None:
    results["leaderboard"][0]["train_seconds"] = 9000.0
    figure = cost(results)
    assert figure is not None
    assert figure.layout.xaxis.type == "log"
    assert {"50", "1000"} <= set(figure.layout.xaxis.ticktext)
