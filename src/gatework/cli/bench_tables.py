"""A benchmark on a terminal: every table as soon as it is measured, in at most 100 columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gatework.bench.figures import ALL, means
from gatework.bench.limits import Rates
from gatework.bench.markdown import counted, digits, percent
from gatework.bench.measure import Listener
from gatework.bench.record import Record, Row
from gatework.bench.side import MODES
from gatework.bench.sides import OURS, PEERS
from gatework.cli.leaderboard import WIDTH

HEADINGS = ("ms", "×", "GFLOP/s", "of sgemm", "MiB", "compile s")


class Progress(Listener):
    """Prints the tables, and on a terminal what is being measured now; nothing where `quiet`."""

    def __init__(self, *, quiet: bool, console: Console | None = None) -> None:
        self._quiet = quiet
        self._console = console or _console()
        self._status = Console(stderr=True).status("")

    def __enter__(self) -> Progress:
        if not self._quiet:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def begins(self, what: str) -> None:
        """Say what is being measured."""
        self._status.update(Text(what))

    def measured(self, rows: Sequence[Row], rates: Rates) -> None:
        """Print the table of one shape on one number of threads."""
        if self._quiet:
            return
        first = rows[0]
        title = f"{first.shape} (B,T,N,H), {counted(first.threads, 'thread')}, {first.section}"
        table = _table(title, ("cell", "pass", "who"), HEADINGS)
        for row in _sorted(rows):
            table.add_row(
                *("" if row.side != OURS.name else text for text in (row.cell, row.mode)),
                row.side if row.side != OURS.name else f"{row.side} ({row.kernel})",
                *_numbers(row, rates),
                style="bold" if row.side == OURS.name else "",
            )
        self._console.print(table)
        self._console.print()


def show_summary(record: Record, out: Path | None) -> None:
    """Print the means over the shapes, what was left out, and where the page is."""
    console = _console()
    found = [one for one in means(record) if one.cell == ALL]
    if found:
        table = _table("Their time over ours, geometric mean over cells and shapes", ("peer", "pass"), ("threads", "×"))
        for one in found:
            table.add_row(PEERS[one.peer].title, one.mode, str(one.threads), f"{one.ratio:.2f}")
        console.print(table)
    for skip in record.skipped:
        where = f" at {skip.where}" if skip.where else ""
        console.print(Text(f"Not measured: {skip.side}, {skip.cell}{where}: {skip.why}."))
    if out is not None:
        console.print(f"page      {out}", soft_wrap=True, markup=False)


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(
        box=None, pad_edge=False, header_style="bold", title=Text(title), title_justify="left", title_style=""
    )
    for heading in words:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _sorted(rows: Sequence[Row]) -> list[Row]:
    """Cell by cell and mode by mode, ours first."""
    cells = list(dict.fromkeys(row.cell for row in rows))
    return sorted(rows, key=lambda row: (cells.index(row.cell), MODES.index(row.mode)))


def _numbers(row: Row, rates: Rates) -> tuple[str, ...]:
    share = percent(row.gflops * 1e9 / rates.sgemm)
    cost = "-" if row.compile_s is None else f"{row.compile_s:.2f}"
    return digits(row.ms), f"{row.ratio:.2f}", digits(row.gflops), share, digits(row.memory_mb), cost
