"""Read one column as moments in time."""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from gatework.data.spacing import find_spacing

# Fewer readable stamps than this, and the column is something else.
_READABLE = 0.95
# The years 1 and 10000, in seconds since 1970.
_FIRST, _END = -62_135_596_800, 253_402_300_800
_CLOCK = r"[ T]+\d{1,2}:\d{2}"
_CLOCKS = (" %H:%M:%S%.f", " %H:%M")


@dataclass(frozen=True)
class Stamps:
    """Moments read from a column: `values` (T,) datetime64[us] with NaT, and how they were read ("" if plainly)."""

    values: np.ndarray
    note: str = ""


@dataclass(frozen=True)
class _Layout:
    """One way of writing a date: the pattern of its text and the formats to try, the first that reads most wins."""

    pattern: str
    dates: tuple[str, ...]


_LAYOUTS = (
    _Layout(r"\d{4}-\d{1,2}-\d{1,2}", ("%Y-%m-%d",)),
    _Layout(r"\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
    _Layout(r"\d{4}\.\d{1,2}\.\d{1,2}", ("%Y.%m.%d",)),
    _Layout(r"\d{1,2}/\d{1,2}/\d{4}", ("%m/%d/%Y", "%d/%m/%Y")),
    _Layout(r"\d{1,2}-\d{1,2}-\d{4}", ("%m-%d-%Y", "%d-%m-%Y")),
    _Layout(r"\d{1,2}\.\d{1,2}\.\d{4}", ("%d.%m.%Y",)),
    _Layout(r"\d{1,2}/\d{1,2}/\d{2}", ("%m/%d/%y", "%d/%m/%y")),
    _Layout(r"\d{1,2}\.\d{1,2}\.\d{2}", ("%d.%m.%y",)),
    _Layout(r"\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{4}", ("%d %b %Y", "%d %B %Y")),
    _Layout(r"[A-Za-z]{3,9} \d{1,2},? \d{4}", ("%b %d %Y", "%B %d %Y")),
)
# Whole numbers such as 2015013112, by their digits; polars wants minutes beside hours.
_COMPACT = {10: "YYYYMMDDHH", 12: "YYYYMMDDHHMM", 14: "YYYYMMDDHHMMSS"}
_NONE = ("", "na", "n/a", "nan", "nat", "null", "none", "?", "-")
_MONTH_ONLY = re.compile(r"\d{4}[-/.]\d{1,2}|[A-Za-z]{3,9}[- ]\d{4}")
_QUARTER = re.compile(r"(\d{4})[- ]?[Qq]([1-4])")


def read_stamps(column: pl.Series, *, named: bool) -> Stamps | None:
    """Return `column` (T,) as stamps, or None when it does not hold any.

    `named` says that the column's name, or the user, promises a time: only then are plain numbers taken as years,
    dates (20150131) or seconds since 1970. Zoned stamps become UTC.

    >>> read_stamps(pl.Series(["31/01/2015", "01/02/2015"]), named=True).note
    'read as day/month/year'
    """
    if column.dtype == pl.Date:
        return Stamps(_moments(column.cast(pl.Datetime("us"))))
    if isinstance(column.dtype, pl.Datetime):
        return _from_datetime(column)
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        if named and _share(text.str.contains(r"^\d+(\.0+)?$"), text) >= _READABLE:
            return _from_numbers(text.cast(pl.Float64, strict=False))
        return _from_text(text)
    if named and column.dtype.is_numeric():
        return _from_numbers(column.cast(pl.Float64, strict=False))
    return None


def _microseconds(column: pl.Series) -> np.ndarray:
    return np.asarray(column.to_numpy()).astype("datetime64[us]")


def _moments(column: pl.Series) -> np.ndarray:
    """Return a column of datetimes in any unit as stamps (T,), NaT outside the years that a calendar can name."""
    ticks = column.to_physical()
    per_second = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[getattr(column.dtype, "time_unit", "us")]
    seconds = ticks // per_second
    named = (seconds >= _FIRST) & (seconds < _END)
    known = ticks.set(~named, None).fill_null(0).to_numpy()
    stamps = (known // 1000 if per_second > 1_000_000 else known * (1_000_000 // per_second)).astype("datetime64[us]")
    stamps[~named.fill_null(False).to_numpy()] = np.datetime64("NaT")
    return stamps


def _share(mask: pl.Series, column: pl.Series) -> float:
    """Return the share of the values of `column` that are not null and not empty for which `mask` is True."""
    filled = column.is_not_null() & (column != "")
    count = int(filled.sum())
    return float((mask & filled).sum()) / count if count else 0.0


def _from_datetime(column: pl.Series) -> Stamps:
    zone = getattr(column.dtype, "time_zone", None)
    if zone is None:
        return Stamps(_moments(column))
    # What polars stores is UTC already.
    return Stamps(_moments(column), "" if zone == "UTC" else f"converted from {zone} to UTC")


def _from_numbers(column: pl.Series) -> Stamps | None:
    """Read whole numbers as years, months (YYYYMM), dates (YYYYMMDD) or time since 1970, by their size."""
    numbers = column.fill_null(np.nan).to_numpy()
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return None
    low, high = known.min(), known.max()
    whole = bool((known == np.floor(known)).all())
    if whole and low >= 1000 and high < 3000:
        return _from_text(_digits(numbers, 4) + "-01-01", "read as years")
    if whole and low >= 100_001 and high <= 299_912:
        digits = _digits(numbers, 6)
        return _from_text(digits.str.head(4) + "-" + digits.str.tail(2) + "-01", "read as YYYYMM")
    if whole and low >= 10_000_101 and high <= 29_991_231:
        digits = _digits(numbers, 8)
        text = digits.str.head(4) + "-" + digits.str.slice(4, 2) + "-" + digits.str.tail(2)
        return _from_text(text, "read as YYYYMMDD")
    if whole:
        for width, written in _COMPACT.items():
            if low >= 10 ** (width - 1) and high < 10**width:
                text = _digits(numbers, width)
                full = text + "0" * (14 - width)
                read = full.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us")
                # Seconds since 1970 hardly ever read as dates without an exception.
                if read.count() == text.count():
                    return Stamps(_microseconds(read), f"read as {written}")
    for unit, size, name in (
        (1e6, 1e8, "seconds"),
        (1e3, 1e11, "milliseconds"),
        (1.0, 1e14, "microseconds"),
        (1e-3, 1e17, "nanoseconds"),
    ):
        if size <= low and high < 1e3 * size / (10 if unit == 1e6 else 1):
            ticks = np.where(np.isfinite(numbers), np.rint(numbers * unit), 0).astype(np.int64)
            values = ticks.astype("datetime64[us]")
            values[~np.isfinite(numbers)] = np.datetime64("NaT")
            return Stamps(values, f"read as {name} since 1970")
    return None


def _digits(numbers: np.ndarray, width: int) -> pl.Series:
    """Write whole numbers (T,) as text of `width` digits, null where there is none."""
    return pl.Series([f"{int(n):0{width}d}" if np.isfinite(n) else None for n in numbers], dtype=pl.String)


def _from_text(text: pl.Series, note: str = "") -> Stamps | None:
    """Read text by the layout of its first value; None when nearly all of it cannot be read so."""
    text = text.set(text.str.to_lowercase().is_in(_NONE), None)
    first = next((value for value in text.head(1000).to_list() if value), "")
    if _MONTH_ONLY.fullmatch(first):
        text = text.str.replace_all(r"[-/.]", " ")
        return _best(text + " 1", ("%Y %m %d", "%b %Y %d", "%B %Y %d"), note)
    if _QUARTER.fullmatch(first):
        parts = text.str.extract_groups(f"^{_QUARTER.pattern}$")
        year, quarter = parts.struct.field("1"), parts.struct.field("2").cast(pl.Int64, strict=False)
        dates = year + "-" + (quarter * 3 - 2).cast(pl.String) + "-1"
        return _best(dates, ("%Y-%m-%d",), "read as quarters")
    for layout in _LAYOUTS:
        if re.fullmatch(rf"{layout.pattern}({_CLOCK}.*)?", first):
            return _best(_uniform(text), _formats(layout, first), note)
    return None


def _uniform(text: pl.Series) -> pl.Series:
    """Bring the many ways of joining date, clock and zone to one: "2015-01-31 12:00:00+00:00"."""
    text = text.str.replace(r"(\d)[ T]+(\d{1,2}:)", "${1} ${2}").str.replace(r"\s?(Z|UTC|GMT)$", "+00:00")
    named = text.str.replace(r"^(\d{1,2})-([A-Za-z]+)-", "${1} ${2} ")
    return named.str.replace(r"^([A-Za-z]+ \d{1,2}),", "${1}").str.replace(r"(\d) ([+-]\d{2}:?\d{2})$", "${1}${2}")


def _formats(layout: _Layout, first: str) -> tuple[str, ...]:
    """Return the full formats to try for a layout, given one example."""
    if not re.search(_CLOCK, first):
        return layout.dates
    if re.search(r"[AaPp][Mm]$", first):
        return tuple(f"{date} {clock}" for date in layout.dates for clock in ("%I:%M:%S %p", "%I:%M %p"))
    zone = "%z" if re.search(r"(Z|UTC|GMT|:\d{2}(\.\d+)?\s?[+-]\d{2}:?\d{2})$", first) else ""
    return tuple(f"{date}{clock}{zone}" for date in layout.dates for clock in _CLOCKS)


def _best(text: pl.Series, formats: tuple[str, ...], note: str) -> Stamps | None:
    """Read `text` by each date order; where two read equally much, take the one with the steadier step."""
    orders: dict[str, pl.Series] = {}
    for written in formats:
        order = written.split(" %H")[0].split(" %I")[0]
        read = text.str.to_datetime(written, strict=False, time_unit="us")
        # Some rows of a file leave out the seconds: the formats of one date order fill in for each other.
        orders[order] = orders[order].fill_null(read) if order in orders else read
    read_most = max(int(column.is_not_null().sum()) for column in orders.values())
    if read_most == 0 or _share(text.is_not_null(), text) * len(text.drop_nulls()) * _READABLE > read_most:
        return None
    readable = {order: column for order, column in orders.items() if column.is_not_null().sum() == read_most}
    order = max(readable, key=lambda key: _steadiness(readable[key]))
    column = readable[order]
    notes = [note] if note else []
    if "%z" in formats[0]:
        notes.append("converted to UTC")
    if len([key for key in orders if key[:2] in {"%m", "%d"} and "%b" not in key and "%B" not in key]) > 1:
        words = "month/day/year" if order.startswith("%m") else "day/month/year"
        notes.append(f"assumed to be {words}, the file would allow both" if len(readable) > 1 else f"read as {words}")
    if column.dtype == pl.Datetime("us", "UTC"):
        column = column.dt.replace_time_zone(None)
    return Stamps(_microseconds(column), ", ".join(notes))


def _steadiness(column: pl.Series) -> float:
    """Return the share of differences that the best step explains, once sorted."""
    stamps = np.unique(_microseconds(column.drop_nulls()))
    spacing = find_spacing(stamps)
    return spacing.share if spacing.step.unit != "row" else 0.0
