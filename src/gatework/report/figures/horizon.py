"""Error at each step of the horizon."""

import plotly.graph_objects as go

from gatework.report.figures.canvas import canvas, titled
from gatework.report.markup import plain
from gatework.report.numerals import trim
from gatework.report.palette import SHOWN_CELLS, Pen, baseline_pens, pens
from gatework.report.results import Results, Values


def horizon(results: Results) -> go.Figure | None:
    """Draw the error of cells and baselines step by step; None where only one step is forecast."""
    stored = results.get("horizon")
    if not stored or len(stored["steps"]) < 2:
        return None
    figure = canvas(400, hovermode="x unified")
    groups = ((stored["baselines"], baseline_pens(results)), (stored["cells"], pens(results)))
    for values, drawn in groups:
        for name, pen in drawn.items():
            if name in values:
                figure.add_trace(_line(name, stored["steps"], values[name], pen))
    for trace in figure.data[len(stored["baselines"]) + SHOWN_CELLS :]:
        trace.visible = "legendonly"
    span = [stored["steps"][0] - 0.5, stored["steps"][-1] + 0.5]
    figure.update_xaxes(title={"text": "Steps ahead"}, zeroline=False, range=span)
    figure.update_yaxes(zeroline=False, nticks=7)
    titled(figure, f"{results['metric'].upper()}, {results['unit']}")
    return figure


def _line(name: str, steps: list[int], values: Values, pen: Pen) -> go.Scatter:
    return go.Scatter(
        x=steps,
        y=trim(values),
        mode="lines+markers",
        line=pen.line,
        name=plain(name),
        marker={**pen.marker, "size": 6},
        legendgroup=name,
        showlegend=True,
    )
