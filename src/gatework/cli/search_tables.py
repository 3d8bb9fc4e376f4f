"""What a search came to on a terminal, in at most 100 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gatework.cli.leaderboard import WIDTH, readable
from gatework.cli.progress import duration
from gatework.study.search import Search

SHOWN = 8
"""So many of the new cells stand in the table."""


def show_search(made: Search) -> None:
    """Print the best of the search beside what it began with, what became of the others, and the found equations."""
    console = Console(highlight=False, soft_wrap=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    record = made.record
    console.print(_table(record))
    console.print(Text(funnel(record)))
    console.print()
    for one in record["found"]:
        console.print(Text(f"{one['cell']} ({one['candidate']} of the search)", style="bold"))
        for line in one["equations"]:
            console.print(Text(f"  {line}"))
        console.print()


def _table(record: Mapping[str, Any]) -> Table:
    rows = sorted(
        [*record["starts"], *record["candidates"][:SHOWN]],
        key=lambda row: (-row["rounds"], row["validation"] if row["validation"] is not None else float("inf")),
    )
    title = Text("The search: loss in validation, who came furthest first")
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left", title_style="")
    for heading in ("", "from"):
        table.add_column(heading, no_wrap=True, min_width=max(len(row["cell"]) for row in rows))
    table.add_column("changes", overflow="ellipsis", no_wrap=True, ratio=1)
    for heading in ("epochs", "parameters", "validation"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    for row in rows:
        error = row["validation"]
        epochs = record["rounds"][row["rounds"] - 1]["epochs"] if row["rounds"] else 0
        table.add_row(
            row["cell"],
            row["parent"],
            Text("; ".join(row["changes"])),
            str(epochs),
            f"{row['parameters']:,}",
            "-" if error is None else readable(error),
            style="" if row["parent"] else "dim",
        )
    return table


def funnel(record: Mapping[str, Any]) -> str:
    """How many new cells went how far, how many draws were none, and what it cost, in a sentence.

    >>> record = {"candidates": [{}] * 9, "funnel": [9, 3], "rounds": [{"epochs": 4}, {"epochs": 12}],
    ...     "refused": {"no cell": 5, "it grows": 1}, "seconds": 30.0, "stopped": ""}
    >>> funnel(record)
    '9 new cells: 9 trained for 4 epochs, 3 for 12; 6 draws refused (no cell 5, it grows 1); 30 s of training.'
    """
    steps = [f"{n} for {one['epochs']}" for n, one in zip(record["funnel"], record["rounds"], strict=True)]
    first, *rest = steps
    unit = "epoch" if record["rounds"][0]["epochs"] == 1 else "epochs"
    trained = ", ".join([f"{first.replace(' for ', ' trained for ')} {unit}", *rest])
    refused = record["refused"]
    why = ", ".join(f"{reason} {n}" for reason, n in refused.items())
    draws = f"{sum(refused.values())} draws refused ({why})" if refused else "no draw refused"
    ended = f"; ended early, because {record['stopped']}" if record["stopped"] else ""
    count = len(record["candidates"])
    cells = "1 new cell" if count == 1 else f"{count} new cells"
    return f"{cells}: {trained}; {draws}; {duration(record['seconds'])} of training{ended}."
