"""`gatework report DIR`: draw the page of a run folder again."""

from __future__ import annotations

from pathlib import Path

import click

from gatework.errors import RunFolderError
from gatework.report import write
from gatework.study.run_folder import read_record


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Write the report of the run folder DIR again, from its stored results."""
    results = folder / "results.json"
    if not results.is_file():
        raise RunFolderError(f"There is no finished study in {folder}: it has no results.json; run gatework compare.")
    try:
        write(read_record(results), folder / "report.html")
    except (KeyError, TypeError) as error:
        raise RunFolderError(f"{results} is damaged: run the same gatework compare again to write it anew.") from error
    click.echo(str(folder / "report.html"))
