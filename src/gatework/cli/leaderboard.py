"""The result of a study on a terminal, in at most 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gatework.study import Study
from gatework.study.evaluation import METRICS

WIDTH = 100
HEADINGS = {"mae": "MAE", "rmse": "RMSE", "mase": "MASE", "mape": "MAPE %"}


def show_study(study: Study) -> None:
    """Print the leaderboard, the verdict, and where the files are."""
    console = Console(highlight=False, soft_wrap=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    console.print(_table(study.record))
    console.print()
    console.print(Text(study.verdict(), style="bold"))
    for note in study.record["notes"]:
        console.print(Text(note))
    console.print()
    for name, place in (("report", "report.html"), ("model", "model"), ("forecasts", "forecasts.csv")):
        console.print(f"{name:<10}{study.folder / place}", soft_wrap=True, markup=False)


def _table(record: Mapping[str, Any]) -> Table:
    unit, n = record["unit"], record["data"]["split"]["test"]["windows"]
    title = Text(f"Test errors in {unit}, {n:,} forecasts, lowest first; ± 95 % over seeds")
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left", title_style="")
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=24)
    metrics = [metric for metric in METRICS if metric != "mape" or record["metrics_note"] is None]
    headings = [*(HEADINGS[metric] for metric in metrics)]
    for heading in ("parameters", "units", headings[0], "±", *headings[1:], "train s", "step µs"):
        table.add_column(heading, justify="right", no_wrap=True)
    cells = [(row["test"]["mae"]["mean"], _cell(row, metrics)) for row in record["leaderboard"]]
    baselines = [(row["test"]["mae"], _baseline(row, metrics)) for row in record["baselines"]]
    for _, (row, style) in sorted([*cells, *baselines], key=lambda one: one[0]):
        table.add_row(*row, style=style)
    return table


def _cell(row: Mapping[str, Any], metrics: Sequence[str]) -> tuple[list[str], str]:
    test = row["test"]
    between = test["mae"]["interval"]
    half = readable((between[1] - between[0]) / 2) if between else "-"
    means = [readable(test[metric]["mean"]) if test[metric] else "-" for metric in metrics]
    units = ",".join(str(width) for width in row["hidden"])
    name = f"{row['cell']} *" if row["beats_baseline"] else row["cell"]
    costs = [f"{row['train_seconds']:.1f}", f"{row['step_microseconds']:.0f}"]
    return [name, f"{row['parameters']:,}", units, means[0], half, *means[1:], *costs], "bold"


def _baseline(row: Mapping[str, Any], metrics: Sequence[str]) -> tuple[list[str], str]:
    test = row["test"]
    figures = [
        readable(test[metric]) if test[metric] is not None else "-" for metric in ("mae", "rmse", "mase", "mape")
    ]
    return [row["name"], "", "", figures[0], "", *figures[1:], "", ""], "dim"


def readable(number: float) -> str:
    """Four significant digits, without an exponent where that is short.

    >>> readable(581.5793), readable(0.0123456), readable(43210.9)
    ('581.6', '0.01235', '43,211')
    """
    size = abs(number)
    if size >= 1e7 or 0 < size < 1e-4:
        return f"{number:.3e}"
    if size >= 1000:
        return f"{number:,.0f}"
    return f"{number:.4g}"
