"""`gatework search DATA`: whether another cell than the known ones forecasts better."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import click

from gatework.cli.compare import Names, described, settings_of_a_study
from gatework.study.options import Options
from gatework.study.search_options import SearchOptions


@click.command()
@click.argument("data")
@click.option("--candidates", type=int, help="New cells that are tried.")
@click.option("--start", type=Names(), help="Cells that are changed first.")
@click.option("--beside", type=Names(), help="Cells that what is found is compared with.")
@click.option("--found", type=int, help="How many of the best new cells are compared.")
@click.option("--time-limit", metavar="TIME", help="For the trainings of the search: 90s, 10m, 2h; none if left out.")
@click.option("--search-seed", type=int, help="Another number, other changes.")
@settings_of_a_study
@click.option("--out", type=click.Path(path_type=Path), help="The run folder; gatework-runs/NAME-… if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")
def search(data: str, out: Path | None, as_json: bool, **settings: Any) -> None:
    """Change equations at random, train what comes of it, and say whether a cell was found that is better.

    DATA is a CSV or Parquet file, or a bundled series: co2, sunspots, sine. Short trainings come first, and the
    validation part decides who goes on to longer ones. The best of the new cells is trained anew with fresh seeds
    beside the known cells, and a study judges them on the test part, at equal parameters. Found cells are written to
    found.py in the run folder, to be compared with --cells on other data. The same command goes on where it was
    interrupted.
    """
    from gatework.cli.leaderboard import show_study
    from gatework.cli.search_progress import SearchProgress
    from gatework.cli.search_tables import show_search
    from gatework.study.search import search as run

    given = {name: value for name, value in settings.items() if value is not None}
    # What a cell's file prints when it is loaded must not stand before the JSON.
    aside = redirect_stdout(sys.stderr) if as_json else nullcontext()
    with aside, SearchProgress(quiet=as_json) as progress:
        made = run(data, out=out, watch=progress, **given)
    cells = made.folder / made.record["found"][0]["file"]
    if as_json:
        places = {"cells": cells, "report": made.study.folder / "report.html"}
        study = {key: made.study.record[key] for key in ("verdict", "notes", "leaderboard", "baselines")}
        record = {**made.record, "comparison": study, **{key: str(place) for key, place in places.items()}}
        click.echo(json.dumps(record, indent=1, ensure_ascii=False))
        return
    show_search(made)
    show_study(made.study)
    click.echo("\n".join([f"cells     {cells}", *made.record["notes"], "", made.verdict()]))


search.params = [one for one in search.params if one.name != "cells"]  # --start and --beside take its place
described(search, Options(), SearchOptions())
