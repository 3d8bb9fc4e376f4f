"""Learning curves: one small picture per cell, all on the same scale."""

import math
from itertools import chain

import plotly.graph_objects as go

from gatework.report.figures.canvas import canvas, logarithmic
from gatework.report.numerals import trim
from gatework.report.palette import Pen, pens
from gatework.report.results import Curve, Results
from gatework.report.standings import extent

STEEP = 5.0


def curves(results: Results) -> dict[str, go.Figure]:
    """Return one figure per cell that has curves, in the order of the leaderboard."""
    stored = results.get("curves") or {}
    drawn = {name: stored[name] for name in pens(results) if stored.get(name)}
    layout = _common(list(chain.from_iterable(drawn.values())))
    return {name: _picture(runs, pens(results)[name], layout) for name, runs in drawn.items()}


def _picture(runs: list[Curve], pen: Pen, layout: dict[str, object]) -> go.Figure:
    figure = canvas(210, showlegend=False, **layout)
    for run in runs:
        figure.add_traces([*_lines(run, pen), _kept(run, pen)])
    return figure


def _lines(run: Curve, pen: Pen) -> list[go.Scatter]:
    styles = (("training", run["train"], "dot", 0.75), ("validation", run["validation"], "solid", 0.95))
    return [_line(what, run, losses, pen.faded(opacity), dash) for what, losses, dash, opacity in styles if losses]


def _line(what: str, run: Curve, losses: list[float | None], colour: str, dash: str) -> go.Scatter:
    label = f"{what}, seed {run['seed']}: %{{y}}<extra></extra>"
    return go.Scatter(
        x=list(range(1, len(losses) + 1)),
        y=trim(losses, 4),
        mode="lines",
        hovertemplate=label,
        line={"color": colour, "dash": dash, "width": 1.5},
        name=what,
    )


def _kept(run: Curve, pen: Pen) -> go.Scatter:
    epoch, losses = run["best_epoch"], run["validation"]
    known = epoch is not None and 1 <= epoch <= len(losses)
    points = [(epoch, losses[epoch - 1])] if known and epoch is not None else []
    hover = f"seed {run['seed']}: epoch %{{x}} kept<extra></extra>"
    return go.Scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="markers",
        name="kept",
        marker={"color": pen.colour, "size": 8},
        hovertemplate=hover,
    )


def _common(runs: list[Curve]) -> dict[str, object]:
    bounds = extent(chain.from_iterable((*run["train"], *run["validation"]) for run in runs)) or (0.0, 1.0)
    longest = max((len(run["validation"]) for run in runs), default=1)
    steep = bounds[0] > 0 and bounds[1] > STEEP * bounds[0]
    return {
        "yaxis": _logarithmic(*bounds) if steep else _linear(*bounds),
        "margin": {"t": 6},
        "xaxis": {"range": [0.5, longest + 0.5], "nticks": 6, "zeroline": False},
    }


def _linear(low: float, high: float) -> dict[str, object]:
    return {"nticks": 5, "zeroline": False, "range": _padded(low, high)}


def _logarithmic(low: float, high: float) -> dict[str, object]:
    return logarithmic(low, high) | {"range": _padded(math.log10(low), math.log10(high)), "zeroline": False}


def _padded(low: float, high: float) -> list[float]:
    pad = 0.05 * (high - low) or 0.1
    return [low - pad, high + pad]
