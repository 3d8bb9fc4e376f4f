"""What happens inside a cell along one window of the test part: a heat map per named quantity."""

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gatework.report.figures.canvas import framed, time_axis, written
from gatework.report.markup import plain
from gatework.report.results import Gates, Results, Values

INPUT, MAP, GAP, EDGE = 90, 120, 34, 96
KINDS = {"gate": "gate, 0 closed, 1 open", "candidate": "candidate", "state": "state"}


def gates(results: Results) -> dict[str, go.Figure]:
    """Return one figure per cell whose gates were stored, in the order of the leaderboard."""
    stored = results.get("gates") or {}
    names = [row["cell"] for row in results["leaderboard"]]
    return {
        name: _picture(stored[name], results["unit"]) for name in names if name in stored and stored[name]["values"]
    }


def unit_order(stored: Gates) -> list[int]:
    """Return the units by their mean state, so that neighbours behave alike; the same order in every map."""
    states = [name for name, kind in stored["kinds"].items() if kind == "state" and name in stored["values"]]
    table = stored["values"][(states or list(stored["values"]))[0]]
    return sorted(range(len(table[0])), key=lambda unit: _mean([row[unit] for row in table]))


def _picture(stored: Gates, unit: str) -> go.Figure:
    names = list(stored["values"])
    heights = [INPUT, *[MAP] * len(names)]
    inner = sum(heights) + GAP * len(names)
    figure = make_subplots(rows=len(heights), shared_xaxes=True, row_heights=heights, vertical_spacing=GAP / inner)
    framed(figure, inner + EDGE, showlegend=False, margin={"b": EDGE - 24})
    line = go.Scatter(x=stored["time"], y=stored["input"], mode="lines", line={"width": 1.6}, name="input")
    figure.add_trace(line, row=1, col=1)
    _heading(figure, 1, f"{plain(unit, 30)}, before scaling")
    for row, name in enumerate(names, start=2):
        _heat(figure, row, name, stored, first=_first_of_kind(stored, name))
    figure.update_xaxes(type=time_axis(stored["time"]), showgrid=False, zeroline=False, ticks="")
    figure.update_yaxes(zeroline=False, nticks=4)
    return figure


def _heat(figure: go.Figure, row: int, name: str, stored: Gates, first: bool) -> None:
    kind, table = stored["kinds"].get(name, ""), stored["values"][name]
    order = unit_order(stored)
    order = order if len(order) == len(table[0]) else list(range(len(table[0])))
    columns = [[_rounded(values[unit]) for values in table] for unit in order]
    low, high = (0.0, 1.0) if kind == "gate" else _symmetric(columns)
    hover = f"%{{x}}, row %{{y}}: {plain(name)} = %{{z}}<extra></extra>"
    figure.add_trace(
        go.Heatmap(
            x=stored["time"],
            z=columns,
            zmin=low,
            zmax=high,
            autocolorscale=True,
            name=plain(name),
            showscale=first,
            colorbar=_bar(kind, high),
            hovertemplate=hover,
        ),
        row=row,
        col=1,
    )
    figure.update_yaxes(showticklabels=False, showgrid=False, ticks="", row=row)
    scale = "" if kind == "gate" else f", −{high:.2g} to {high:.2g}"
    _heading(figure, row, f"{name} · {KINDS.get(kind, kind)}{scale}, {len(order)} units")


def _bar(kind: str, high: float) -> dict[str, Any]:
    if kind == "gate":
        place = {"x": 0, "xanchor": "left", "tickvals": [0.12, 0.88], "ticktext": ["closed", "open"]}
    else:
        place = {
            "x": 1,
            "xanchor": "right",
            "tickvals": [-0.75 * high, 0, 0.75 * high],
            "ticktext": ["negative", "0", "positive"],
        }
    return {
        "orientation": "h",
        "y": 0,
        "yref": "container",
        "yanchor": "bottom",
        "len": 0.44,
        "thickness": 10,
        "outlinewidth": 0,
        "ypad": 4,
        **place,
    }


def _heading(figure: go.Figure, row: int, text: str) -> None:
    top = figure.layout[f"yaxis{row if row > 1 else ''}"].domain[1]
    written(figure, plain(text, 70), height=top, lift=2)


def _first_of_kind(stored: Gates, name: str) -> bool:
    """Tell whether this map has the colour bar: one for the gates, one for all that swings around zero."""
    is_gate = {other: stored["kinds"].get(other) == "gate" for other in stored["values"]}
    return next(other for other in is_gate if is_gate[other] == is_gate[name]) == name


def _symmetric(rows: list[Values]) -> tuple[float, float]:
    largest = max((abs(value) for row in rows for value in row if value is not None), default=0.0) or 1.0
    return -largest, largest


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _mean(values: Values) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0
