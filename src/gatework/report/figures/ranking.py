"""The ranking: a dot and an interval for each cell, a dot for each baseline, the best baseline as a line."""

from itertools import chain
from statistics import median
from typing import Any

import plotly.graph_objects as go

from gatework.report.figures.canvas import canvas
from gatework.report.markup import plain
from gatework.report.numerals import MISSING, decimals, number
from gatework.report.palette import GREY, Pen, baseline_pens, pens
from gatework.report.results import Results
from gatework.report.standings import Standing, best_baseline, standings

FAR = 6.0
NEAR = 0.5
LONGEST = 20


def ranking(results: Results) -> go.Figure | None:
    """Draw who forecasts best; an error far beyond the others is marked at the edge with an arrow."""
    metric = results["metric"]
    rows = [row for row in standings(results) if row.mean(metric) is not None]
    if not rows:
        return None
    low, high = _span(rows, metric, _reference(results))
    figure = canvas(56 + 30 * len(rows), showlegend=False)
    for place, row in enumerate(rows):
        figure.add_traces(_row(row, place, metric, high, _pen(results, row.name, row.cell is None)))
    _axes(figure, rows, metric, (low, high))
    _line(figure, results)
    return figure


def _span(rows: list[Standing], metric: str, reference: float | None) -> tuple[float, float]:
    means = [value for row in rows if (value := row.mean(metric)) is not None]
    near = means[0] + max(FAR * (median(means) - means[0]), NEAR * abs(means[0]))
    always = [means[0], *_reach(rows[0], metric), *([reference] if reference is not None else [])]
    kept = [row for row in rows if (row.mean(metric) or 0.0) <= max(near, *always)]
    shown = list(chain(always, *(_reach(row, metric) for row in kept)))
    pad = 0.06 * (max(shown) - min(shown)) or 0.05 * abs(max(shown)) or 1.0
    return min(shown) - pad, max(shown) + pad


def _reach(row: Standing, metric: str) -> list[float]:
    mean = row.mean(metric)
    return [*(row.interval(metric) or ()), *row.seeds(metric), *([mean] if mean is not None else [])]


def _row(row: Standing, place: int, metric: str, high: float, pen: Pen) -> list[go.Scatter]:
    mean, interval = row.mean(metric), row.interval(metric)
    if mean is None or mean > high:
        return [_far(row, place, mean, high, pen)]
    seeds = row.seeds(metric) if interval else []
    faint = {"color": pen.faded(0.6), "size": 4}
    dot: dict[str, Any] = {**pen.marker, "size": 11 if row.cell else 9}
    bars = None if interval is None else _bars(mean, interval, pen)
    return [
        go.Scatter(x=seeds, y=[place + 0.27] * len(seeds), mode="markers", marker=faint, hoverinfo="skip"),
        go.Scatter(
            x=[mean],
            y=[place],
            mode="markers",
            marker=dot,
            error_x=bars,
            name=plain(row.name),
            hovertemplate=f"<b>{plain(row.name)}</b><br>{number(mean)}<extra></extra>",
        ),
    ]


def _far(row: Standing, place: int, mean: float | None, high: float, pen: Pen) -> go.Scatter:
    marker = {**pen.marker, "symbol": "triangle-right"}
    hover = f"<b>{plain(row.name)}</b><br>{number(mean)}, beyond the scale<extra></extra>"
    return go.Scatter(
        x=[high],
        y=[place],
        mode="markers",
        marker=marker,
        name=plain(row.name),
        cliponaxis=False,
        hovertemplate=hover,
    )


def _bars(mean: float, interval: tuple[float, float], pen: Pen) -> dict[str, object]:
    upper, lower = max(0.0, interval[1] - mean), max(0.0, mean - interval[0])
    return {
        "type": "data",
        "array": [upper],
        "arrayminus": [lower],
        "color": pen.colour,
        "thickness": 3,
        "width": 0,
    }


def _axes(figure: go.Figure, rows: list[Standing], metric: str, span: tuple[float, float]) -> None:
    places = list(range(len(rows)))
    figure.update_xaxes(range=list(span), nticks=6, tickangle=0, side="top", zeroline=False)
    figure.update_yaxes(
        range=[len(rows) - 0.4, -0.6],
        tickvals=places,
        zeroline=False,
        showgrid=True,
        ticktext=[_tick(row) for row in rows],
    )
    values = [row.mean(metric) for row in rows]
    digits = decimals(values)
    for place, value in zip(places, values, strict=True):
        figure.add_annotation(
            text=number(value, digits) if value is not None else MISSING,
            x=1,
            y=place,
            xref="paper",
            xanchor="left",
            xshift=12,
            showarrow=False,
        )
    figure.update_layout(margin={"r": 22 + 8 * max(len(number(value, digits)) for value in values)})


def _tick(row: Standing) -> str:
    name = plain(row.name, LONGEST)
    return f"<b>{name}</b>" if row.cell else f"<i>{name}</i>"


def _line(figure: go.Figure, results: Results) -> None:
    reference = _reference(results)
    if reference is not None:
        figure.add_vline(x=reference, line={"color": GREY, "dash": "dash", "width": 1.5}, layer="below")


def _reference(results: Results) -> float | None:
    row = best_baseline(results)
    return None if row is None else row.mean(results["metric"])


def _pen(results: Results, name: str, is_baseline: bool) -> Pen:
    return baseline_pens(results)[name] if is_baseline else pens(results)[name]
