"""Turn a column into numbers: how its numbers are written, and which of its words mean "missing"."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gatework.data.codes import missing_codes
from gatework.data.finding import Finding
from gatework.data.wording import counted, listed, shorten
from gatework.errors import DataError

_MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "--", "---", ".", "missing", "<na>")
_READABLE = 0.95
_LARGEST = 1e100


@dataclass(frozen=True)
class Numbers:
    """A column as float64 `values` (T,), NaN where missing, and what was found in it."""

    values: np.ndarray
    findings: tuple[Finding, ...] = ()


def is_numeric(column: pl.Series, *, decimal_comma: bool = False) -> bool:
    """Say whether a column holds numbers, or text that nearly always reads as a number.

    >>> is_numeric(pl.Series(["1.5", "NA", "2"])), is_numeric(pl.Series(["NW", "SE"]))
    (True, False)
    """
    if column.dtype != pl.String:
        return column.dtype.is_numeric()
    words = _known_words(column)
    # Most text shows itself in its first rows, which spares reading them all.
    start = words.drop_nulls().head(50)
    if not len(start) or not _parse(start, decimal_comma)[0].count():
        return False
    return _parse(words, decimal_comma)[0].count() >= _READABLE * words.count()


def read_numbers(column: pl.Series, *, treated: str, decimal_comma: bool = False) -> Numbers:
    """Return `column` (T,) as numbers.

    `treated` says, for the findings, what becomes of missing values; `decimal_comma` reads "1,5" as one and a half.
    Raises `DataError` for text and for infinite values, naming the first such row (counted from 1).

    >>> read_numbers(pl.Series("y", ["1", "NA", "3"]), treated="dropped").findings[0].line()
    "1 value of y is written as 'NA': dropped"
    """
    name = shorten(column.name)
    if column.dtype == pl.String:
        values, findings = _from_text(column, treated, decimal_comma)
    elif column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        values, findings = _floats(column), []
    else:
        kind = shorten(str(column.dtype).lower(), 24)
        raise DataError(
            f"column '{name}' holds values of type {kind}, not numbers; choose another column or encode it as numbers."
        )
    _refuse_infinite(values, name)
    empty = int(np.isnan(values).sum()) - sum(f.count for f in findings if f.kind == "coded_missing")
    if empty:
        findings.append(Finding("missing_values", empty, f"{_are(empty, name)} empty", treated))
    for code, mask in missing_codes(values):
        count = int(mask.sum())
        words = f"{_are(count, name)} {code:g}, far from all others, like a code for a missing value"
        findings.append(Finding("coded_missing", count, words, treated))
        values[mask] = np.nan
    return Numbers(values, tuple(findings))


def _are(count: int, name: str) -> str:
    return f"{counted(count, 'value')} of {name} {'is' if count == 1 else 'are'}"


def _floats(column: pl.Series) -> np.ndarray:
    # A copy: polars lends read-only memory.
    return np.array(column.cast(pl.Float64).fill_null(np.nan).to_numpy(), dtype=np.float64)


def _refuse_infinite(values: np.ndarray, name: str) -> None:
    """Refuse what is infinite, or becomes so as soon as it is squared or scaled."""
    rows = np.flatnonzero(np.abs(values) > _LARGEST)
    if len(rows):
        what = "an infinite value" if np.isinf(values[rows[0]]) else f"a value as large as {values[rows[0]]:g}"
        raise DataError(
            f"column '{name}' holds {what} (row {rows[0] + 1}), which no cell can learn; "
            "replace it by a number or leave it empty."
        )


def _known_words(column: pl.Series) -> pl.Series:
    """Return stripped text (T,), null where a word stands for a missing value."""
    text = column.str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(_MISSING), None)


def _from_text(column: pl.Series, treated: str, decimal_comma: bool) -> tuple[np.ndarray, list[Finding]]:
    """Read text as numbers; words that are no number are missing where they are few, an error otherwise."""
    name = shorten(column.name)
    words = _known_words(column)
    numbers, note = _parse(words, decimal_comma)
    unread = words.is_not_null() & numbers.is_null()
    if numbers.count() < _READABLE * words.count():
        row = int(unread.arg_max() or 0)
        raise DataError(
            f"column '{name}' holds text such as '{shorten(words[row])}' (row {row + 1}), not numbers; "
            "choose another column or encode it as numbers."
        )
    findings = (
        [Finding("formatted", numbers.count(), f"{name} is written with {note}", "read as numbers")] if note else []
    )
    text = column.str.strip_chars()
    coded = text.filter((unread | (words.is_null() & (text != ""))).fill_null(False))
    if len(coded):
        spellings = [f"'{word}'" for word in coded.unique(maintain_order=True).to_list()]
        found = f"{_are(len(coded), name)} written as {listed(spellings, 3)}"
        findings.append(Finding("coded_missing", len(coded), found, treated))
    return _floats(numbers), findings


def _parse(words: pl.Series, decimal_comma: bool) -> tuple[pl.Series, str]:
    """Read words as plain numbers, else without signs of currency and thousands: the numbers, and what was seen."""
    plain = words.cast(pl.Float64, strict=False)
    if plain.count() == words.count():
        return plain, ""
    bare = words.str.replace_all(r"[$€£¥%\s\u00a0\u202f]|USD|EUR", "").str.replace_all("−", "-", literal=True)
    seen = ["signs of currency or percent, or spaces"] if (bare != words).any() else []
    if bare.str.contains(",", literal=True).any():
        bare, comma = _without_commas(bare, decimal_comma)
        seen.append(comma)
    formatted = bare.cast(pl.Float64, strict=False)
    # A few numbers such as "1,234" among plain ones count; text that merely holds a comma does not.
    return (formatted, " and ".join(seen)) if formatted.count() > plain.count() else (plain, "")


def _without_commas(words: pl.Series, decimal_comma: bool) -> tuple[pl.Series, str]:
    """Take commas for what they are: thousands ("1,234.5"), or the decimal mark ("1.234,5")."""
    point_last = words.str.contains(r"^[^,]*(,\d{3})+\.\d*$|,\d{3},").any()
    comma_last = words.str.contains(r"^[+-]?\d{1,3}(\.\d{3})+,\d*$").any()
    with_comma = words.filter(words.str.contains(",", literal=True).fill_null(False))
    thousands = bool(with_comma.str.contains(r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$").all())
    if comma_last or (not point_last and (decimal_comma or not thousands)):
        points = words.str.contains(r"^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$").fill_null(False)
        bare = pl.select(
            pl.when(points & bool(comma_last)).then(words.str.replace_all(".", "", literal=True)).otherwise(words)
        )
        return bare.to_series().str.replace(",", ".", literal=True), "decimal commas"
    grouped = words.str.contains(r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$").fill_null(False)
    bare = pl.select(pl.when(grouped).then(words.str.replace_all(",", "", literal=True)).otherwise(words))
    return bare.to_series(), "commas between thousands"
