"""What the accuracy cost: error against training time."""

from typing import Any

import plotly.graph_objects as go

from gatework.report.figures.canvas import canvas, logarithmic, titled
from gatework.report.markup import plain
from gatework.report.numerals import duration, number
from gatework.report.palette import Pen, baseline_pens, pens
from gatework.report.results import Results
from gatework.report.standings import Standing, best_baseline, extent, standings


def cost(results: Results) -> go.Figure | None:
    """Draw each cell at its training time and its error; the best baseline is a line: it costs nothing."""
    metric = results["metric"]
    rows = [row for row in standings(results) if _seconds(row) is not None and row.mean(metric) is not None]
    if not rows:
        return None
    figure = canvas(380)
    figure.add_traces([*_baseline(results, rows), *(_dot(row, metric, pens(results)[row.name]) for row in rows)])
    figure.update_xaxes(title={"text": "Training time of one seed, seconds"}, zeroline=False, **_scale(rows))
    figure.update_yaxes(zeroline=False, nticks=7)
    titled(figure, f"{metric.upper()} on the test part")
    return figure


def _dot(row: Standing, metric: str, pen: Pen) -> go.Scatter:
    mean, interval = row.mean(metric), row.interval(metric)
    hover = f"<b>{plain(row.name)}</b><br>{number(mean)}<br>{duration(_seconds(row))} a seed<extra></extra>"
    bars = None
    if mean is not None and interval is not None:
        bars = {
            "array": [interval[1] - mean],
            "arrayminus": [mean - interval[0]],
            "color": pen.colour,
            "width": 0,
        }
    return go.Scatter(
        x=[_seconds(row)],
        y=[mean],
        mode="markers",
        error_y=bars,
        name=plain(row.name),
        marker={**pen.marker, "size": 12},
        legendgroup=row.name,
        showlegend=True,
        hovertemplate=hover,
    )


def _baseline(results: Results, rows: list[Standing]) -> list[go.Scatter]:
    row, span = best_baseline(results), extent(_seconds(row) for row in rows)
    if row is None or span is None:
        return []
    ends = [span[0] / 1.3, span[1] * 1.3] if _scale(rows)["type"] == "log" else [0.0, span[1] * 1.05]
    mean = row.mean(results["metric"])
    return [
        go.Scatter(
            x=ends,
            y=[mean, mean],
            mode="lines",
            line=baseline_pens(results)[row.name].line,
            name=plain(row.name),
            legendgroup=row.name,
            showlegend=True,
            hoverinfo="skip",
        )
    ]


def _scale(rows: list[Standing]) -> dict[str, Any]:
    bounds = extent(_seconds(row) for row in rows)
    if bounds and bounds[0] > 0 and bounds[1] > 10 * bounds[0]:
        return logarithmic(*bounds)
    return {"type": "linear", "rangemode": "tozero"}


def _seconds(row: Standing) -> float | None:
    return None if row.cell is None else row.cell["train_seconds"]
