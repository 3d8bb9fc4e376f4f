"""`gatework compare DATA`: the main job."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import click

from gatework.cells.catalogue import split_names
from gatework.data import POLICIES
from gatework.errors import UsageError
from gatework.study.options import DEVICES, Options
from gatework.tasks.training import LOSSES, OPTIMIZERS
from gatework.tasks.transform import TRANSFORMS


class Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between them."""

    name = "A,B,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names, without the blanks around them."""
        if isinstance(value, tuple):
            return value
        return tuple(one for one in split_names(str(value)) if one)


class _Widths(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between them."""

    name = "H,H,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            return tuple(int(one) for one in str(value).split(","))
        except ValueError:
            raise UsageError(
                f"--layers is {value!r}: write whole numbers with commas between them, as in 50,100."
            ) from None


def settings_of_a_study(command: Callable[..., None]) -> Callable[..., None]:
    """Every setting of `Options` as an option, with its default."""
    choice = click.Choice
    options = [
        click.option("--target", help="The column to forecast; found where there is only one."),
        click.option("--time", help="The time column; found if left out."),
        click.option("--features", type=Names(), help="Further columns that the cells may read."),
        click.option("--missing", type=choice(POLICIES), help="What to do about missing values."),
        click.option("--window", type=int, help="Rows read for one forecast."),
        click.option("--horizon", type=int, help="Steps forecast, all at once."),
        click.option("--cells", type=Names(), help="Cells to compare; a file as ./mine.py:mycell."),
        click.option("--layers", type=_Widths(), help="Widths of the layers, equal for all cells; no budget then."),
        click.option("--params", type=int, help="Trained weights that every cell spends."),
        click.option("--depth", type=int, help="Layers that the weights are spent on."),
        click.option("--seeds", type=int, help="How often every cell is trained."),
        click.option("--epochs", type=int, help="The most passes over the training part."),
        click.option("--batch", type=int, help="Windows in a mini-batch."),
        click.option("--optimizer", type=choice(OPTIMIZERS), help="How weights are updated."),
        click.option("--learning-rate", type=float, help="Step of the optimizer; its usual one if left out."),
        click.option("--dropout", type=float, help="Between layers and before the read-out."),
        click.option("--loss", type=choice(LOSSES), help="What training makes small."),
        click.option("--patience", type=int, help="Epochs without progress before stopping; 0 trains all."),
        click.option("--clip", type=float, help="Bound on the gradient's norm; 0 for none."),
        click.option("--transform", type=choice(("auto", *TRANSFORMS)), help="How values are scaled."),
        click.option("--season", type=int, help="Rows in a season; found if left out."),
        click.option("--test", type=float, help="Share or number of rows kept for the test."),
        click.option("--validation", type=float, help="Share or number of rows that decide when to stop."),
        click.option("--threads", type=int, help="Threads of torch; more help wide layers only."),
        click.option(
            "--device", type=choice(DEVICES), help="Where to train; a study on cuda trains all seeds of a cell at once."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def described(command: click.Command, *defaults: object) -> click.Command:
    """Put the defaults of options into the help, so that they stand in one place."""
    for parameter in command.params:
        default = next(
            (found for one in defaults if (found := getattr(one, parameter.name or "", None)) is not None), None
        )
        if isinstance(parameter, click.Option) and default not in (None, ()):
            parameter.default = default
            parameter.show_default = ",".join(map(str, default)) if isinstance(default, tuple) else True
    return command


@click.command()
@click.argument("data")
@settings_of_a_study
@click.option("--out", type=click.Path(path_type=Path), help="The run folder; gatework-runs/NAME-… if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")
def compare(data: str, out: Path | None, as_json: bool, **settings: Any) -> None:
    """Train each cell with several seeds at an equal number of parameters, and say which forecasts DATA best.

    DATA is a CSV or Parquet file, or a bundled series: co2, sunspots, sine. The run folder keeps the trials, the best
    model, the test forecasts and the report; the same command goes on where it was interrupted.
    """
    from gatework.cli.leaderboard import show_study
    from gatework.cli.progress import Progress
    from gatework.study import compare as run

    given = {name: value for name, value in settings.items() if value is not None}
    # What a cell's file prints when it is loaded must not stand before the JSON.
    aside = redirect_stdout(sys.stderr) if as_json else nullcontext()
    with aside, Progress(quiet=as_json) as progress:
        study = run(data, out=out, listener=progress, **given)
    if as_json:
        keys = ("verdict", "notes", "leaderboard", "baselines")
        places = {"report": str(study.folder / "report.html"), "model": str(study.folder / "model")}
        record = {**{key: study.record[key] for key in keys}, **places}
        click.echo(json.dumps(record, indent=1, ensure_ascii=False))
    else:
        show_study(study)


described(compare, Options())
