"""The sections of the page that compare our own times, and the growth curves."""

from __future__ import annotations

from collections.abc import Callable

from gatework.bench.figures import Versus, gru_to_lstm, threads_to_one, time_per_flop
from gatework.bench.markdown import counted, digits, percent, table
from gatework.bench.record import SHAPES, Record, Row
from gatework.bench.shapes import GROWTH, MIDDLE
from gatework.bench.side import FORWARD, MODES
from gatework.bench.sides import OURS, PEERS

WIDE, FULL = 256, 16
"""From which H on a layer is wide, and from which B on a batch is full."""


def own(record: Record) -> list[str]:
    """Our own times beside each other."""
    parts = (
        _versus("GRU over LSTM, training step, equal H", "GRU : LSTM", gru_to_lstm(record), cell=False),
        _wide(record),
        _versus("Several threads over one", "time over one thread's", threads_to_one(record)),
        _versus("Time per FLOP of every cell, over that of our LSTM", "× lstm", time_per_flop(record)),
    )
    lines = [line for part in parts if part for line in ("", *part)]
    return ["## Ours beside ours", *lines] if lines else []


def growth(record: Record) -> list[str]:
    """The growth curves, a table for each letter and mode."""
    lines: list[str] = []
    for letter in GROWTH:
        rows = record.of(f"growth {letter}")
        for mode in MODES if rows else ():
            title = f"### {mode.capitalize()} over {letter}, {counted(rows[0].threads, 'thread')}"
            lines += ["", title, "", *_curve(letter, [row for row in rows if row.mode == mode])]
    about = (
        f"Milliseconds of ours, and in brackets each peer's time over ours. The other sizes are those of {MIDDLE}. "
        "Peers that compile for one shape alone are left out."
    )
    return ["## Growth", "", about, *lines] if lines else []


def skipped(record: Record) -> list[str]:
    """What was not measured, and why."""
    whys: dict[tuple[str, str, str], list[str]] = {}
    for one in record.skipped:
        whys.setdefault((one.side, one.why, one.where), []).append(one.cell)
    lines = [
        f"- {side}, {', '.join(cells)}{f' at {where}' if where else ''}: {why}."
        for (side, why, where), cells in whys.items()
    ]
    return ["## Not measured", "", *lines] if lines else []


def _versus(title: str, heading: str, found: tuple[Versus, ...], *, cell: bool = True) -> list[str]:
    if not found:
        return []
    keep: Callable[[tuple[str, ...]], tuple[str, ...]] = lambda row: row if cell else (row[0], *row[2:])  # noqa: E731
    rows = [keep((str(one.shape), one.cell, one.mode, str(one.threads), f"{one.ratio:.2f}")) for one in found]
    headings = keep(("B,T,N,H", "cell", "pass", "threads", heading))
    return [f"### {title}", "", *table(headings, rows, text=3 if cell else 2)]


def _wide(record: Record) -> list[str]:
    rows = [
        (str(row.shape), row.cell, str(row.threads), digits(row.gflops), percent(record.share(row)))
        for row in record.of(SHAPES)
        if row.side == OURS.name and row.mode == FORWARD and row.shape.H >= WIDE and row.shape.B >= FULL
    ]
    headings = ("B,T,N,H", "cell", "threads", "GFLOP/s", "of sgemm")
    title = f"### Forward from H = {WIDE} and B = {FULL} on, as a share of sgemm"
    return [title, "", *table(headings, rows, text=2)] if rows else []


def _curve(letter: str, rows: list[Row]) -> list[str]:
    cells = list(dict.fromkeys(row.cell for row in rows))
    points = dict.fromkeys(row.shape for row in rows)
    found = {(row.shape, row.cell, row.side): row for row in rows}
    body = []
    for shape in points:
        values = []
        for cell in cells:
            theirs = [found[shape, cell, name] for name in PEERS if (shape, cell, name) in found]
            ratios = ", ".join(f"{row.side} {row.ratio:.2f}" for row in theirs)
            values.append(f"{digits(found[shape, cell, OURS.name].ms)}{f' ({ratios})' if ratios else ''}")
        body.append((f"{getattr(shape, letter):,}", *values))
    return table((letter, *cells), body)
