"""Find the time column of a table, in one column or in several."""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from gatework.data.finding import Finding
from gatework.data.stamps import Stamps, read_stamps
from gatework.data.wording import counted, guess, listed, shorten
from gatework.errors import DataError

_PARTS = ("year", "month", "day", "hour", "minute", "second")
_NAMED = re.compile(r"date|time|stamp|^(ds|ts|day|week|month|quarter|year|yr|period|epoch|unix|index)$", re.IGNORECASE)


# Names that say nothing but time, unlike "response_time": their numbers need not be in order to be believed.
_ONLY_TIME = re.compile(r"^(date|time|date[ _]?time|time[ _]?stamp|ds|ts|year|yr|period|epoch|unix)$", re.IGNORECASE)


@dataclass(frozen=True)
class Clock:
    """The columns that tell the time and what they say.

    `stamps` (T,) is datetime64[us] with NaT, int64 when the column only numbers the rows, or None without a clock.
    """

    columns: tuple[str, ...]
    stamps: np.ndarray | None
    findings: tuple[Finding, ...]


def names_time(name: str) -> bool:
    """Say whether a column's name promises a time.

    >>> names_time("Timestamp"), names_time("Close")
    (True, False)
    """
    return bool(_NAMED.search(name))


def find_clock(frame: pl.DataFrame, names: tuple[str, ...], time: str | None, target: str | None) -> Clock:
    """Return the clock of `frame`: the column `time`, or the first that can be read as a time.

    `names` are all columns of the table, of which `frame` may hold only some. Raises `DataError` when `time` is no
    column, or cannot be read.
    """
    if time is not None:
        return _asked_for(frame, names, time)
    candidates = [name for name in frame.columns if name != target]
    # Dates in one column first, the promising names before the others; then dates in several columns; then numbers.
    dated = [name for name in candidates if frame[name].dtype.is_temporal()]
    texts = [name for name in candidates if frame[name].dtype == pl.String]
    for name in sorted(dated, key=_unnamed) + sorted(texts, key=_unnamed):
        stamps = read_stamps(frame[name], named=names_time(name))
        if stamps is not None and not np.isnat(stamps.values).all():
            return _single(name, stamps)
    parts = _split_columns(frame, candidates)
    joined = _joined(frame, parts) if parts else None
    if joined is not None:
        return joined
    numbers = [name for name in candidates if names_time(name) and frame[name].dtype.is_numeric()]
    for name in numbers:
        stamps = read_stamps(frame[name], named=True)
        if stamps is not None and _mostly_unique(stamps.values) and (_ONLY_TIME.search(name) or _sorted(stamps.values)):
            return _single(name, stamps)
    return Clock((), None, (Finding("time", 0, "no column holds a time", "rows taken as consecutive, in file order"),))


def _unnamed(name: str) -> bool:
    return not names_time(name)


def _asked_for(frame: pl.DataFrame, names: tuple[str, ...], time: str) -> Clock:
    """Read the column that the user named, with its sister columns where it is one part of a date."""
    if time not in frame.columns:
        raise DataError(
            f"no column is named '{shorten(time)}'{guess(time, names)}, so it cannot be the time; "
            f"the columns are {listed(names)}."
        )
    parts = _split_columns(frame, frame.columns)
    joined = _joined(frame, parts) if time in parts else None
    if joined is not None:
        return joined
    column = frame[time]
    stamps = read_stamps(column, named=True)
    if stamps is not None:
        return _single(time, stamps)
    if column.dtype.is_integer() and not column.null_count():
        note = Finding("time", len(column), f"column {shorten(time)} counts the rows", "rows are ordered by it")
        return Clock((time,), column.cast(pl.Int64).to_numpy(), (note,))
    example = next((str(value) for value in column.drop_nulls().head(1).to_list()), "")
    raise DataError(
        f"cannot read column '{shorten(time)}' as a time, because it holds values such as '{shorten(example)}'; "
        f"write its stamps like 2015-01-31 or 2015-01-31 12:00:00."
    )


def _single(name: str, stamps: Stamps) -> Clock:
    """Make a clock of one column, and say how it was read."""
    note = f", {stamps.note}" if stamps.note else ""
    return _clock((name,), stamps.values, f"column {shorten(name)} holds the time{note}")


def _clock(columns: tuple[str, ...], stamps: np.ndarray, found: str) -> Clock:
    findings = [Finding("time", len(stamps), found, "used as the clock")]
    unread = int(np.isnat(stamps).sum())
    if unread:
        words = f"{counted(unread, 'row')} {'has' if unread == 1 else 'have'} no stamp that can be read"
        findings.append(Finding("no_stamp", unread, words, "left out"))
    return Clock(columns, stamps, tuple(findings))


def _split_columns(frame: pl.DataFrame, candidates: list[str]) -> list[str]:
    """Return the columns that spell a date together (year, month, …), as far as they go without a gap."""
    by_name = {name.casefold(): name for name in reversed(candidates) if frame[name].dtype.is_numeric()}
    found: list[str] = []
    for part in _PARTS:
        if part not in by_name:
            break
        found.append(by_name[part])
    return found if len(found) > 1 else []


def _joined(frame: pl.DataFrame, parts: list[str]) -> Clock | None:
    """Put a date together from its numbers; a row with a part out of range has no stamp, None where all are so."""
    starts = (1970, 1, 1, 0, 0, 0)
    limits = ((1000, 2999), (1, 12), (1, 31), (0, 24), (0, 59), (0, 60))
    stamps = np.zeros(len(frame), "datetime64[Y]")
    valid = np.ones(len(frame), bool)
    for part, start, (low, high), unit in zip(parts, starts, limits, "YMDhms", strict=False):
        numbers = frame[part].cast(pl.Float64).fill_null(np.nan).to_numpy()
        valid &= (numbers >= low) & (numbers <= high)
        counts = np.where(valid, numbers, start).astype(np.int64) - start
        before = stamps
        stamps = stamps.astype(f"datetime64[{unit}]") + counts.astype(f"timedelta64[{unit}]")
        if unit == "D":
            # The 30th of February would become a day of March.
            valid &= stamps.astype("datetime64[M]") == before
    moments = stamps.astype("datetime64[us]")
    moments[~valid] = np.datetime64("NaT")
    if not valid.any():
        return None
    return _clock(tuple(parts), moments, f"columns {listed(parts, 6)} hold the time")


def _sorted(stamps: np.ndarray) -> bool:
    known = stamps[~np.isnat(stamps)]
    return bool((known[1:] >= known[:-1]).all() or (known[1:] <= known[:-1]).all())


def _mostly_unique(stamps: np.ndarray) -> bool:
    """Say whether numbers tell rows apart, as a clock does; a year that repeats through a table does not."""
    return 2 * len(np.unique(stamps)) > len(stamps)
