"""What the pictures share: margins and axes. Colours of text and grid come from the page's theme."""

import math
from typing import Any

import plotly.graph_objects as go

from gatework.report.markup import plain
from gatework.report.results import Moment


def canvas(height: int, **layout: Any) -> go.Figure:
    """Return an empty figure of that height whose axes do not catch a finger that scrolls the page."""
    figure = go.Figure()
    return framed(figure, height, **layout)


def framed(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """Return the figure with the margins of the page; ``layout`` adds to it."""
    margin = {"l": 8, "r": 12, "t": 24, "b": 8}
    figure.update_layout(height=height, margin=margin, template={}, hovermode="closest", dragmode=False)
    figure.update_xaxes(fixedrange=True, automargin=True)
    figure.update_yaxes(fixedrange=True, automargin=True, hoverformat=",.5~r")
    figure.update_layout(**layout)
    return figure


def titled(figure: go.Figure, text: str) -> None:
    """Write what the vertical axis measures above it, where it can be read without turning the head."""
    written(figure, plain(text, 60), height=1, lift=6)


def written(figure: go.Figure, text: str, *, height: float, lift: int) -> None:
    """Write a line at the left edge, `lift` pixels above that share of the figure's height."""
    figure.add_annotation(
        text=text,
        x=0,
        y=height,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        yshift=lift,
        showarrow=False,
    )


def time_axis(times: list[Moment]) -> str:
    """Return the kind of axis for these times: dates, or plain numbers."""
    return "date" if times and isinstance(times[0], str) else "linear"


def logarithmic(low: float, high: float) -> dict[str, Any]:
    """Return a logarithmic axis with a number at 1, 2 and 5 of each power of ten; at powers alone if many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 2, 5) if len(powers) <= 4 else (1,)
    ticks = [digit * 10.0**power for power in powers for digit in digits]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
