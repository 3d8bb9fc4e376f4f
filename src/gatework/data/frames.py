"""Bring a dataframe of another library into polars."""

from typing import Any

import narwhals as nw
import polars as pl
from narwhals.exceptions import NarwhalsError
from polars.exceptions import PolarsError

from gatework.data.wording import shorten
from gatework.errors import DataError


def frame_of(source: object) -> pl.DataFrame:
    """Return any dataframe that narwhals knows as a polars one; a pandas index that means something is a column.

    Raises `DataError` for what is no dataframe, or has two columns of one name.

    >>> frame_of(pl.DataFrame({"y": [1, 2]})).columns
    ['y']
    """
    kind = type(source).__name__
    try:
        frame = nw.from_native(_with_index(source))
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
        return _columns(frame)
    except (TypeError, ValueError, NotImplementedError, OSError, NarwhalsError, PolarsError) as error:
        reason = shorten(str(error).partition("\n")[0].removesuffix(", got:").rstrip("."), 90)
        if "allow_series" in reason:
            reason = "it is a single column"
        raise DataError(
            f"cannot read a table from a {shorten(kind, 24)} ({reason}); give a path, a bundled name or a dataframe."
        ) from error


def _with_index(source: Any) -> Any:
    """Return a pandas frame with its index as a column, unless it merely counts the rows."""
    index = getattr(source, "index", None)
    reset = getattr(source, "reset_index", None)
    if reset is None or index is None or type(index).__name__ == "RangeIndex":
        return source
    stamped = getattr(index, "to_timestamp", None)
    if stamped is not None:
        # Periods have no counterpart in polars; the start of each is its stamp.
        source = source.set_axis(stamped(), axis=0)
        reset = source.reset_index
    named = index.name is not None or str(index.dtype).startswith(("datetime", "period"))
    return reset(drop=not named)


def _columns(frame: nw.DataFrame[Any]) -> pl.DataFrame:
    """Convert column by column where the direct way needs a library that is not installed."""
    try:
        table = frame.to_polars()
    except ImportError:
        lists = {name: frame[name].to_list() for name in frame.columns}
        table = pl.DataFrame([pl.Series(name, values, strict=False) for name, values in lists.items()])
    return table.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
