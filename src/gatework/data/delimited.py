"""Read a table written as text: its encoding, its separator, its header and its rows."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from polars.exceptions import PanicException, PolarsError

from gatework.data.clock import names_time
from gatework.data.finding import Finding
from gatework.data.wording import counted, listed, shorten
from gatework.errors import DataError

_SEPARATORS = (",", ";", "\t", "|")
# Beyond this many columns only those asked for are kept: the others would cost seconds and say nothing.
_WIDE = 2000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{4}-\d\d-\d\d([ T][\d:.]+)?")


@dataclass(frozen=True)
class Delimited:
    """A text table: the columns kept, the names of all, and how it is written."""

    frame: pl.DataFrame
    names: tuple[str, ...]
    findings: tuple[Finding, ...]
    wide: bool
    decimal_comma: bool


def read_delimited(content: bytes, name: str, wanted: Sequence[str]) -> Delimited:
    """Return the table in `content`, the bytes of a file that errors call `name`.

    Raises `DataError` for bytes that are no text, an empty file, and rows of unequal length.
    """
    text, findings = _decoded(content, name)
    separator = _separator(text)
    widths = _widths(text, separator, name)
    first = _header(text, separator, name)
    headerless = _is_data(first)
    if headerless:
        header = [f"c{number + 1}" for number in range(len(first))]
        words = f"the first of {counted(len(widths), 'row')} holds numbers, so there is no header"
        findings.append(Finding("headerless", len(first), words, f"columns named {listed(header, 3)}"))
    else:
        header, renamed = _unique_names(first)
        findings += renamed
    kept = _kept(header, wanted)
    if len(kept) < len(header):
        words = f"the table has {len(header):,} columns"
        findings.append(Finding("wide", len(header), words, "only those asked for or named like a time are read"))
    frame = _parsed(text, separator, header, kept, 0 if headerless else 1, name)
    return Delimited(frame, tuple(header), tuple(findings), len(kept) < len(header), separator != ",")


def _decoded(content: bytes, name: str) -> tuple[str, list[Finding]]:
    """Return the text with plain line ends, by its mark, as UTF-8 or as Latin-1."""
    findings: list[Finding] = []
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = content.decode("utf-16")
            findings.append(Finding("encoding", 1, "the file is written in UTF-16", "decoded"))
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
        findings.append(Finding("encoding", 1, "the file is not UTF-8", "read as Latin-1"))
    if re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text):
        raise DataError(f"cannot read '{name}' as a table, its content is binary; save it as CSV or Parquet.")
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    if not text.strip():
        raise DataError(f"cannot read '{name}' as a table, the file is empty; give one with a header and rows.")
    if "\n\n" in text and any(one in text for one in _SEPARATORS):
        # A blank line is a row only where a row is one value.
        text = re.sub(r"\n+", "\n", text)
    return text + "\n", findings


def _separator(text: str) -> str:
    """Return the separator that divides the first lines most evenly; of equals the one that divides more."""
    lines = text[:65_536].split("\n")[:20]
    lines = lines[:-1] if len(lines) > 1 else lines
    head = re.sub(r'"[^"]*"', "", lines[0])
    counts = {one: [re.sub(r'"[^"]*"', "", line).count(one) for line in lines] for one in _SEPARATORS}

    def evenness(one: str) -> tuple[bool, float, int]:
        expected = head.count(one)
        return expected > 0, sum(count == expected for count in counts[one]) / len(lines), expected

    return max(_SEPARATORS, key=evenness)


def _widths(text: str, separator: str, name: str) -> np.ndarray:
    """Return the number of fields of each row (R,), all the same, or raise naming the first that differs."""
    if '"' in text:
        try:
            widths = np.array([len(row) for row in csv.reader(io.StringIO(text), delimiter=separator)])
        except csv.Error as error:
            reason = shorten(str(error), 60)
            raise DataError(f"cannot read '{name}' as a table ({reason}); check its quotes.") from error
        widths = np.maximum(widths, 1)
    else:
        letters = np.frombuffer(text.encode(), np.uint8)
        ends = np.flatnonzero(letters == ord("\n"))
        found = np.searchsorted(np.flatnonzero(letters == ord(separator)), ends)
        widths = np.diff(np.concatenate([[0], found])) + 1
    odd = np.flatnonzero(widths != widths[0])
    if len(odd):
        raise DataError(
            f"cannot read '{name}' as a table, row {odd[0] + 1} has {counted(int(widths[odd[0]]), 'field')} where the "
            f"first has {widths[0]} (separated by {separator!r}); correct that row."
        )
    return widths


def _header(text: str, separator: str, name: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text), delimiter=separator))
    except csv.Error as error:
        reason = shorten(str(error), 60)
        raise DataError(f"cannot read '{name}' as a table ({reason}); check its first row.") from error


def _is_data(first: list[str]) -> bool:
    return all(_NUMBER.fullmatch(field.strip()) for field in first)


def _unique_names(first: list[str]) -> tuple[list[str], list[Finding]]:
    """Return column names that are neither empty nor twice there, and what had to be changed."""
    taken: dict[str, None] = {}
    for number, field in enumerate(first):
        plain = field.strip() or f"column_{number + 1}"
        name, copy = plain, 2
        while name in taken:
            name, copy = f"{plain}_{copy}", copy + 1
        taken[name] = None
    names = list(taken)
    renamed = [name for name, field in zip(names, first, strict=True) if name != field.strip()]
    if not renamed:
        return names, []
    words = f"{counted(len(renamed), 'column name')} {'is' if len(renamed) == 1 else 'are'} empty or there twice"
    return names, [Finding("renamed", len(renamed), words, f"named {listed(renamed, 3)}")]


def _kept(header: list[str], wanted: Sequence[str]) -> list[str]:
    if len(header) <= _WIDE:
        return header
    # The first column stays in any case: it shows how many rows there are.
    asked = [name for name in header if name in wanted]
    named = [name for name in header[:_WIDE] if names_time(name)]
    return list(dict.fromkeys([header[0], *named, *asked]))


def _parsed(text: str, separator: str, header: list[str], kept: list[str], skipped: int, name: str) -> pl.DataFrame:
    """Parse the rows below the header; polars infers which columns are plain numbers."""
    try:
        frame = pl.read_csv(
            text.encode(),
            separator=separator,
            has_header=False,
            skip_rows_after_header=0,
            skip_rows=skipped,
            columns=None if len(kept) == len(header) else [header.index(one) for one in kept],
            infer_schema_length=None,
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame({one: pl.Series([], dtype=pl.String) for one in kept})
    except (PolarsError, PanicException) as error:
        reason = shorten(str(error).partition("\n")[0], 80)
        raise DataError(f"cannot read '{name}' as a table ({reason}); check its quotes and separators.") from error
    if frame.width != len(kept):
        raise DataError(f"cannot read '{name}' as a table, its rows do not match its header; check its quotes.")
    frame.columns = kept
    return frame
