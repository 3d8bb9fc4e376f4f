"""`gatework predict MODEL DATA`: forecasts beyond the end of the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gatework.study.plain import stamps
from gatework.tasks.model import load_model


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def predict(model: Path, data: str, as_json: bool) -> None:
    """Forecast the steps after the last row of DATA with the model in the folder MODEL.

    MODEL is a folder that compare left, RUN/model, or the run folder itself. DATA has the columns that the model was
    trained on; the forecasts begin after its last row.
    """
    folder = model / "model" if (model / "model" / "config.json").is_file() else model
    found = load_model(folder)
    frame = found.predict(data)
    clock = frame.columns[1]
    times = stamps(frame[clock].to_numpy())
    rows = [{**row, clock: time} for row, time in zip(frame.to_dicts(), times, strict=True)]
    if as_json:
        record = {"cell": found.cell.name, "target": found.columns.target, "level": 0.9, "forecasts": rows}
        click.echo(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False))
    else:
        _print(rows, clock, found.columns.target)


def _print(rows: list[dict[str, Any]], clock: str, target: str) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("step", clock, target, "90 % from", "to"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(str(row["step"]), str(row[clock]), *(f"{row[key]:,.6g}" for key in ("forecast", "low", "high")))
    Console().print(table)
