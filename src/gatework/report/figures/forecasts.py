"""Forecasts against the truth, and below them how far each was off."""

from collections.abc import Iterator
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gatework.report.figures.canvas import framed, time_axis, titled, written
from gatework.report.markup import plain
from gatework.report.numerals import trim
from gatework.report.palette import GREY, SHOWN_CELLS, Pen, baseline_pens, pens
from gatework.report.results import Forecasts, Results, Values
from gatework.report.standings import best_baseline

LONG, WINDOW = 300, 200


@dataclass(frozen=True)
class Series:
    """One forecast along the test part."""

    name: str
    values: Values
    pen: Pen
    visible: bool
    low: Values | None = None
    high: Values | None = None


def forecasts(results: Results) -> go.Figure | None:
    """Draw truth, the best baseline and cells; the rest starts switched off, a long series starts at its end."""
    stored = results.get("forecasts")
    if not stored or not stored["time"]:
        return None
    figure = make_subplots(rows=2, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.09)
    framed(figure, 520, hovermode="x unified", meta="zoom")
    _history(figure, stored)
    figure.add_trace(_line("truth", stored["time"], trim(stored["truth"]), {"width": 2}), row=1, col=1)
    for series in _series(results, stored):
        _forecast(figure, stored, series)
    _axes(figure, stored, results["unit"])
    return figure


def windows(results: Results) -> list[int]:
    """Return how many last points the range buttons offer, shortest first."""
    stored = results.get("forecasts")
    points = len(stored["time"]) if stored else 0
    return [size for size in (50, WINDOW, 1000) if size < points]


def _series(results: Results, stored: Forecasts) -> Iterator[Series]:
    best = best_baseline(results)
    for name, values in stored["baselines"].items():
        pen = baseline_pens(results).get(name, Pen(GREY, "dash", "diamond"))
        yield Series(name, values, pen, best is None or name == best.name)
    shown = 0
    for name, pen in pens(results).items():
        if name in stored["cells"]:
            low, high = stored["low"].get(name), stored["high"].get(name)
            yield Series(name, stored["cells"][name], pen, shown < SHOWN_CELLS, low, high)
            shown += 1


def _history(figure: go.Figure, stored: Forecasts) -> None:
    history = stored.get("history")
    if not history or not history["time"]:
        return
    # The first true value closes the gap between what was known and what was to be forecast.
    times, values = [*history["time"], stored["time"][0]], [*history["values"], stored["truth"][0]]
    past = go.Scatter(
        x=times,
        y=trim(values),
        mode="lines",
        opacity=0.45,
        line={"width": 1.5},
        name="before the test",
        legendgroup="truth",
        showlegend=False,
        hoverinfo="skip",
    )
    figure.add_trace(past, row=1, col=1)


def _forecast(figure: go.Figure, stored: Forecasts, series: Series) -> None:
    times, visible = stored["time"], True if series.visible else "legendonly"
    if series.low and series.high:
        figure.add_traces(_band(times, series, visible), rows=1, cols=1)
    figure.add_trace(_line(series.name, times, trim(series.values), series.pen.line, visible), row=1, col=1)
    missed = [_difference(value, truth) for value, truth in zip(series.values, stored["truth"], strict=True)]
    error = _line(series.name, times, trim(missed, 4), {**series.pen.line, "width": 1.2}, visible)
    figure.add_trace(error.update(showlegend=False), row=2, col=1)


def _line(
    name: str, times: list[str | int], values: Values, line: dict[str, object], visible: bool | str = True
) -> go.Scatter:
    return go.Scatter(
        x=times,
        y=values,
        mode="lines",
        line=line,
        name=plain(name),
        legendgroup=name,
        showlegend=True,
        visible=visible,
    )


def _band(times: list[str | int], series: Series, visible: bool | str) -> list[go.Scatter]:
    edges = [_line(series.name, times, trim(edge or []), {"width": 0}, visible) for edge in (series.low, series.high)]
    edges[1].update(fill="tonexty", fillcolor=series.pen.faded(0.18))
    return [edge.update(showlegend=False, hoverinfo="skip") for edge in edges]


def _difference(value: float | None, truth: float | None) -> float | None:
    return None if value is None or truth is None else value - truth


def _axes(figure: go.Figure, stored: Forecasts, unit: str) -> None:
    times = stored["time"]
    figure.update_xaxes(type=time_axis(times), showspikes=False)
    figure.update_yaxes(nticks=6, zeroline=False, row=1)
    figure.update_yaxes(nticks=4, zeroline=True, row=2)
    if len(times) > LONG:
        figure.update_xaxes(range=[times[-WINDOW], times[-1]])
    titled(figure, unit)
    written(figure, "forecast − truth", height=figure.layout.yaxis2.domain[1], lift=4)
