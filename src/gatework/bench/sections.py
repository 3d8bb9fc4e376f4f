"""The sections of the page with the tables of times."""

from __future__ import annotations

from gatework.bench.figures import ALL, Mean, means
from gatework.bench.markdown import counted, digits, percent, table
from gatework.bench.record import SHAPES, Gap, Record, Row
from gatework.bench.side import MODES, TRAINING
from gatework.bench.sides import OURS, PEERS

NAMES = {"forward": "Forward", TRAINING: "Training step"}


def summary(record: Record) -> list[str]:
    """The geometric means over the shapes of every peer's time over ours."""
    found = {(one.peer, one.cell, one.mode, one.threads): one for one in means(record)}
    if not found:
        return []
    columns = _columns(record)
    keys = dict.fromkeys((peer, cell) for peer, cell, _, _ in found)
    rows = [
        (PEERS[peer].title, cell, *(_mean(found.get((peer, cell, *column))) for column in columns))
        for peer, cell in sorted(keys, key=lambda key: (list(PEERS).index(key[0]), key[1] != ALL))
    ]
    headings = ("peer", "cell", *(f"{mode}, {counted(threads, 'thread')}" for mode, threads in columns))
    about = "Their time over ours, geometric mean over the shapes below: above 1, ours is the faster."
    return ["## In one table", "", about, "", *table(headings, rows, text=2)]


def times(record: Record) -> list[str]:
    """Every time, a table for each mode and number of threads."""
    lines = []
    for mode, threads in _columns(record):
        rows = [row for row in record.of(SHAPES) if (row.mode, row.threads) == (mode, threads)]
        peers = [name for name in PEERS if any(row.side == name for row in rows)]
        headings = ("B,T,N,H", "cell", "ours, ms", "GFLOP/s", "of sgemm", *(f"{name}, ms (×)" for name in peers))
        found = {(row.shape, row.cell, row.side): row for row in rows}
        body = [
            (
                str(row.shape),
                row.cell,
                digits(row.ms),
                digits(row.gflops),
                percent(record.share(row)),
                *(_theirs(found.get((row.shape, row.cell, name))) for name in peers),
            )
            for row in rows
            if row.side == OURS.name
        ]
        lines += [f"## {NAMES[mode]}, {counted(threads, 'thread')}", "", *table(headings, body, text=2), ""]
    return lines[:-1]


def limits(record: Record) -> list[str]:
    """The limit of every shape beside our time, and what lies between them."""
    if not record.gaps:
        return []
    about = (
        "Limit: the floating-point operations of the products over the sgemm rate, or the bytes that have to be moved "
        "over the rate of a large copy, whichever takes longer. What our time consists of is found by taking parts "
        "away from the equations, in the same run and on the same back-end. Products: what is saved where a vector, "
        "entry by entry, stands in place of every matrix; beyond the limit they lose because they are small and wait "
        "for the step before. Functions: what is saved where a comparison with zero stands in place of sigmoid, tanh "
        "and so on. The rest: additions, memory, and the start of every call and step."
    )
    headings = ("B,T,N,H", "cell", "limit, ms", "set by", "ours, ms", "× limit", "products", "functions", "rest")
    lines = ["## The limit, and what the gap consists of", "", about]
    for mode, threads in _columns(record):
        gaps = [_gap(record, gap) for gap in record.gaps if (gap.mode, gap.threads) == (mode, threads)]
        title = f"### {NAMES[mode]}, {counted(threads, 'thread')}"
        lines += ["", title, "", *table(headings, gaps, text=2)] if gaps else []
    return lines


def costs(record: Record) -> list[str]:
    """Peak memory and compile time."""
    rows = [row for row in record.of(SHAPES) if row.compile_s is not None]
    if not rows:
        return []
    about = (
        "Memory: MiB by which one training step (for ONNX Runtime a forward pass) raises the resident memory of a "
        "fresh process, whoever allocates it, after a step of the same batch over two time steps, which loads and "
        "compiles the code; for peers that compile for one shape after two whole steps. Compile time: seconds by which "
        "the first call lasts longer than the second, with nothing found on disk."
    )
    sides = [name for name in (OURS.name, *PEERS) if any(row.side == name for row in rows)]
    found = {(row.shape, row.cell, row.side): row for row in rows}
    keys = dict.fromkeys((row.shape, row.cell) for row in rows)
    headings = ("B,T,N,H", "cell", *(f"{side}, MiB" for side in sides), *(f"{side}, s" for side in sides))
    body = []
    for key in keys:
        one = [found.get((*key, side)) for side in sides]
        memory = (digits(None if row is None else row.memory_mb) for row in one)
        seconds = ("-" if row is None or row.compile_s is None else f"{row.compile_s:.2f}" for row in one)
        body.append((str(key[0]), key[1], *memory, *seconds))
    return ["## Memory and compile time", "", about, "", *table(headings, body, text=2)]


def _columns(record: Record) -> list[tuple[str, int]]:
    """What there is a table for: mode and number of threads."""
    found = {(row.mode, row.threads) for row in record.of(SHAPES)}
    threads = dict.fromkeys(row.threads for row in record.of(SHAPES))
    return [(mode, count) for count in threads for mode in MODES if (mode, count) in found]


def _mean(one: Mean | None) -> str:
    return "-" if one is None else f"{one.ratio:.2f}"


def _theirs(row: Row | None) -> str:
    return "-" if row is None else f"{digits(row.ms)} ({row.ratio:.2f})"


def _gap(record: Record, gap: Gap) -> tuple[str, ...]:
    milliseconds, cause = record.limit_ms(gap)
    times = f"{gap.ours_ms / milliseconds:.1f}"
    parts = (gap.products_ms, gap.functions_ms, gap.rest_ms)
    return (str(gap.shape), gap.cell, digits(milliseconds), cause, digits(gap.ours_ms), times, *map(digits, parts))
