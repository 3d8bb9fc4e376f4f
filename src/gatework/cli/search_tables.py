"""What a search came to on a terminal, in at most 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gatework.cli.leaderboard import LONGEST_NAME, WIDTH, readable
from gatework.cli.progress import duration
from gatework.study.search import Search

SHOWN = 8
"""So many of the new cells stand in the table."""

COLUMNS = ("from", "changes", "epochs", "parameters", "validation")
LEAST_FIRST = ("parameters", "from", "epochs", "changes")
NARROWEST = 24
"""Fewer characters than these are none for changes, which are wrapped."""


def show_search(made: Search) -> None:
    """Print the best of the search beside what it began with, what became of the others, and the found equations."""
    console = Console(highlight=False, soft_wrap=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    record = made.record
    console.print(table(record, console.width))
    console.print(Text(funnel(record)))
    console.print()
    for one in record["found"]:
        console.print(Text(f"{one['cell']} ({one['candidate']} of the search)", style="bold"))
        for line in one["equations"]:
            console.print(Text(f"  {line}"))
        console.print()


def table(record: Mapping[str, Any], width: int) -> Table:
    """The cells that came furthest first, in as many columns as fit: the loss is always there, changes are wrapped."""
    rows = sorted(
        [*record["starts"], *record["candidates"][:SHOWN]],
        key=lambda row: (-row["rounds"], row["validation"] if row["validation"] is not None else float("inf")),
    )
    texts = [_texts(row, record["rounds"]) for row in rows]
    shown = _fitting(texts, width)
    title = Text("The search: loss in validation, who came furthest first")
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left", title_style="")
    left = width - sum(most + 2 for most in shown.values())
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=max(1, min(LONGEST_NAME, left)))
    for heading, most in shown.items():
        if heading == "changes":
            table.add_column(heading, max_width=most)
        elif heading == "from":
            table.add_column(heading, no_wrap=True, overflow="ellipsis", min_width=most, max_width=most)
        else:
            table.add_column(heading, justify="right", no_wrap=True, min_width=most)
    for row, text in zip(rows, texts, strict=True):
        table.add_row(*(Text(text[heading]) for heading in ("", *shown)), style="" if row["parent"] else "dim")
    return table


def _texts(row: Mapping[str, Any], rounds: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    error = row["validation"]
    return {
        "": row["cell"],
        "from": row["parent"],
        "changes": "; ".join(row["changes"]),
        "epochs": str(rounds[row["rounds"] - 1]["epochs"] if row["rounds"] else 0),
        "parameters": f"{row['parameters']:,}",
        "validation": "-" if error is None else readable(error),
    }


def _fitting(rows: Sequence[Mapping[str, str]], width: int) -> dict[str, int]:
    """The columns that fit, each with its width; those that matter least go first, the loss never."""
    widths = {heading: max(len(heading), *(len(row[heading]) for row in rows)) for heading in ("", *COLUMNS)}
    name = min(LONGEST_NAME, widths.pop(""))
    widths["from"] = min(LONGEST_NAME, widths["from"])
    for heading in LEAST_FIRST:
        least = {**widths, "changes": min(NARROWEST, widths["changes"])} if "changes" in widths else widths
        if name + sum(one + 2 for one in least.values()) <= width:
            break
        del widths[heading]
    if "changes" in widths:
        others = sum(one + 2 for heading, one in widths.items() if heading != "changes")
        widths["changes"] = min(widths["changes"], width - name - others - 2)
    return widths


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
