"""The result of a study on a terminal, in at most 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gatework.study import Study

WIDTH = 100
LONGEST_NAME = 24
COLUMNS = ("parameters", "units", "MAE", "±", "RMSE", "MASE", "MAPE %", "train s", "step µs")
LEAST_FIRST = ("units", "step µs", "MAPE %", "parameters", "MASE", "RMSE", "train s", "±")
HEADINGS = {"mae": "MAE", "rmse": "RMSE", "mase": "MASE", "mape": "MAPE %"}


def show_study(study: Study) -> None:
    """Print the leaderboard, the verdict, and where the files are."""
    console = Console(highlight=False, soft_wrap=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    console.print(_table(study.record, console.width))
    console.print()
    console.print(Text(study.verdict(), style="bold"))
    for note in study.record["notes"]:
        console.print(Text(note))
    console.print()
    for name, place in (("report", "report.html"), ("model", "model"), ("forecasts", "forecasts.csv")):
        console.print(f"{name:<10}{study.folder / place}", soft_wrap=True, markup=False)


def _table(record: Mapping[str, Any], width: int) -> Table:
    """Cells and baselines, lowest error first, in as many columns as fit: a number is never cut."""
    unit, n = record["unit"], record["data"]["split"]["test"]["windows"]
    title = Text(f"Test errors in {unit}, {n:,} forecasts, lowest first; ± 95 % over seeds")
    cells = [(row["test"]["mae"]["mean"], _cell(row), "bold") for row in record["leaderboard"]]
    baselines = [(row["test"]["mae"], _baseline(row), "dim") for row in record["baselines"]]
    rows = sorted([*cells, *baselines], key=lambda one: float(one[0]))
    shown = _fitting([row for _, row, _ in rows], width)
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left", title_style="")
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=LONGEST_NAME)
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for _, row, style in rows:
        table.add_row(Text(row["name"]), *(row.get(heading, "") for heading in shown), style=style)
    return table


def _fitting(rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """The columns that fit, in their order; those that matter least go first, and those that nobody fills."""
    shown = [heading for heading in COLUMNS if any(row.get(heading, "-") != "-" for row in rows)]
    for heading in LEAST_FIRST:
        widths = [max(len(one), *(len(row.get(one, "")) for row in rows)) + 2 for one in shown]
        name = min(LONGEST_NAME, max(len(row["name"]) for row in rows))
        if name + sum(widths) <= width:
            break
        shown = [one for one in shown if one != heading]
    return shown


def _cell(row: Mapping[str, Any]) -> dict[str, str]:
    between = row["test"]["mae"]["interval"]
    means = {HEADINGS[metric]: _number(value and value["mean"]) for metric, value in row["test"].items()}
    return {
        "name": f"{row['cell']} *" if row["beats_baseline"] else row["cell"],
        "parameters": f"{row['parameters']:,}",
        "units": ",".join(str(width) for width in row["hidden"]),
        **means,
        "±": _number(between and (between[1] - between[0]) / 2),
        "train s": f"{row['train_seconds']:.1f}",
        "step µs": f"{row['step_microseconds']:.0f}",
    }


def _baseline(row: Mapping[str, Any]) -> dict[str, str]:
    return {"name": row["name"], **{HEADINGS[metric]: _number(value) for metric, value in row["test"].items()}}


def _number(value: float | None) -> str:
    return "-" if value is None else readable(value)


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
