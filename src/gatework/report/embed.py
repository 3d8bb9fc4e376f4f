"""A Plotly figure inside the page: its data as JSON, a legend of buttons, and a sentence on how to read it.

No string in the data can break out of the script element that holds the JSON.
"""

import itertools
import json
from typing import Any

import plotly.graph_objects as go

from gatework.report.markup import Child, Markup, element

_UNSAFE: dict[str, str | int | None] = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_STROKES = {"solid": None, "dash": "6 4", "dot": "2 3", "dashdot": "6 3 2 3", "longdash": "9 4"}


def picture(figure: go.Figure, label: str, reading: Child = None, controls: Child = None) -> Markup:
    """Return the figure as HTML: ``label`` is read aloud, ``reading`` says below how to read it."""
    return element(
        "figure",
        legend(figure),
        controls,
        element("div", class_="plot", role="img", aria_label=label, style=f"height:{figure.layout.height}px"),
        Markup(f'<script type="application/json">{payload(figure)}</script>'),
        element("figcaption", reading) if reading else None,
    )


def payload(figure: go.Figure) -> str:
    """Return the figure as JSON for a script element; an ``x`` shared with the trace before is left out."""
    spec = figure.to_plotly_json()
    layout = {key: value for key, value in spec["layout"].items() if key != "template"}
    content = {"data": _without_repeats(spec["data"]), "layout": layout | {"showlegend": False}}
    return _safe(json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def legend(figure: go.Figure) -> Markup | None:
    """Return buttons that switch the traces of one group on and off, or None for a figure without groups."""
    entries = {trace.legendgroup: trace for trace in figure.data if trace.showlegend and trace.legendgroup}
    if not entries:
        return None
    return element("div", *map(_entry, entries.values()), class_="legend", role="group", aria_label="Show and hide")


def _entry(trace: go.Scatter) -> Markup:
    shown = "false" if trace.visible == "legendonly" else "true"
    return element(
        "button",
        _sample(trace),
        trace.legendgroup,
        type="button",
        class_="chip",
        data_group=trace.legendgroup,
        aria_pressed=shown,
    )


def _sample(trace: go.Scatter) -> Markup:
    if trace.mode == "markers":
        return element("span", class_=f"dot {trace.marker.symbol}", style=f"--pen:{trace.marker.color}")
    colour, dash = trace.line.color or "currentColor", _STROKES.get(trace.line.dash or "solid")
    line = element("path", d="M0 5H26", stroke=colour, stroke_width="2.5", stroke_dasharray=dash)
    return element("svg", line, width=26, height=10, aria_hidden="true")


def _without_repeats(traces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = traces[:1]
    for before, trace in itertools.pairwise(traces):
        same = "x" in trace and before.get("x") == trace["x"]
        kept.append({key: value for key, value in trace.items() if not (same and key == "x")})
    return kept


def _safe(text: str) -> str:
    return text.translate(str.maketrans(_UNSAFE))
