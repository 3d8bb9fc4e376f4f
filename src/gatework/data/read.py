"""Bring whatever holds a table into polars: a path, or any dataframe that narwhals knows."""

import difflib
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from gatework.data.bundled import BUNDLED
from gatework.data.delimited import Delimited, read_delimited
from gatework.data.finding import Finding
from gatework.data.frames import frame_of
from gatework.data.wording import shorten
from gatework.errors import DataError

_TEXT = (".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Table:
    """A table as it was read: `frame` holds the columns that matter, `names` are all of them.

    `wide` says that `frame` was cut to the columns asked for; `decimal_comma` that its file may write 1,5 for 1.5.
    """

    name: str
    frame: pl.DataFrame
    names: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    wide: bool = False
    decimal_comma: bool = False


def read(source: object, wanted: Sequence[str]) -> Table:
    """Return the table of a path or a dataframe. Of a very wide file only `wanted` and time-like columns are kept.

    Raises `DataError` where there is no table, or one without rows.
    """
    if not isinstance(source, Path):
        frame = frame_of(source)
        return _checked(Table("dataframe", frame, tuple(frame.columns)))
    ending = _ending(source)
    try:
        content = source.read_bytes()
    except PermissionError as error:
        raise DataError(f"cannot read '{_called(source)}', permission denied; make the file readable.") from error
    except OSError as error:
        reason = shorten(error.strerror or type(error).__name__)
        raise DataError(f"cannot read '{_called(source)}' ({reason}); check the path.") from error
    if ending in _PARQUET:
        frame = _parquet(content, source)
        return _checked(Table(source.stem, frame, tuple(frame.columns)))
    text = read_delimited(_unpacked(content, source), _called(source), wanted)
    return _checked(_table(source, text))


def _table(path: Path, text: Delimited) -> Table:
    name = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    return Table(name, text.frame, text.names, text.findings, text.wide, text.decimal_comma)


def _ending(path: Path) -> str:
    """Return the kind of a file by its name; refuse a folder, a missing file and an unknown kind."""
    try:
        exists, folder = path.exists(), path.is_dir()
    except (OSError, ValueError):
        # A name too long for the system, or with a NUL in it.
        exists, folder = False, False
    if not exists:
        raise DataError(
            f"there is no file '{_called(path)}'{_nearest(path)}; the bundled series are {', '.join(BUNDLED)}."
        )
    if folder:
        raise DataError(f"cannot read '{_called(path)}', it is a folder; name one CSV or Parquet file in it.")
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending not in (*_TEXT, *_PARQUET):
        raise DataError(
            f"cannot read '{_called(path)}', its kind '{shorten(ending, 12)}' is not known; "
            f"save it as {', '.join((*_TEXT, _PARQUET[0]))} (text may be gzipped)."
        )
    return ending


def _called(path: Path) -> str:
    return shorten(str(path), 60)


def _nearest(path: Path) -> str:
    """Suggest a file of the same folder, or a bundled series, whose name is close."""
    try:
        neighbours = [entry.name for _, entry in zip(range(5000), path.parent.iterdir(), strict=False)]
    except (OSError, ValueError):
        neighbours = []
    near = difflib.get_close_matches(path.name[:200], [*neighbours, *BUNDLED], n=1)
    return f" (did you mean '{shorten(near[0])}'?)" if near else ""


def _parquet(content: bytes, path: Path) -> pl.DataFrame:
    try:
        # From memory: a path would be taken for a pattern where its name holds [ or *.
        frame = pl.read_parquet(io.BytesIO(content))
        return frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    except (PolarsError, PanicException, OSError) as error:
        raise DataError(
            f"cannot read '{_called(path)}' as Parquet, its content is damaged or something else; export it again."
        ) from error


def _unpacked(content: bytes, path: Path) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot unpack '{_called(path)}', its gzip stream is damaged; compress it again.") from error


def _checked(table: Table) -> Table:
    name = shorten(table.name)
    if not table.names:
        raise DataError(f"cannot make a series of {name}, it has no columns; give a table with a header and rows.")
    if not len(table.frame):
        raise DataError(f"cannot make a series of {name}, it has a header and no rows; give a table with rows.")
    return table
