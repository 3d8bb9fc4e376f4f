"""Where training ends and the test begins."""

from dataclasses import dataclass

import numpy as np

from gatework.data.series import Series
from gatework.errors import UsageError


@dataclass(frozen=True)
class Split:
    """Row indices: train is [0, train_end), validation [train_end, validation_end), test [validation_end, rows)."""

    train_end: int
    validation_end: int
    rows: int


def split(series: Series, *, test: float = 0.2, validation: float = 0.15) -> Split:
    """Cut `series` in time order, counting only rows whose target was really observed, from the end.

    `test` and `validation` are each a fraction (0 < f < 1) of all observed rows, or a whole number (≥ 1) of them; the
    validation part lies directly before the test part. Raises `UsageError` for values that cannot work.

    >>> from gatework.data import load
    >>> split(load("sine"), test=500, validation=0.1)
    Split(train_end=1300, validation_end=1500, rows=2000)
    """
    observed = np.flatnonzero(series.observed[:, 0])
    tested = _count(test, len(observed), "test")
    validated = _count(validation, len(observed), "validation")
    if tested + validated >= len(observed):
        raise UsageError(
            f"cannot split {len(observed)} observed rows of {series.target}: test takes {tested} and validation "
            f"{validated}, which leaves none to train on; choose smaller parts."
        )
    return Split(
        train_end=int(observed[-(tested + validated)]),
        validation_end=int(observed[-tested]),
        rows=len(series.values),
    )


def _count(part: float, observed: int, name: str) -> int:
    """Return a part as a number of rows: a fraction is rounded to the nearest row."""
    number = isinstance(part, int | float | np.integer | np.floating) and not isinstance(part, bool | np.bool_)
    if number and 0 < part < 1:
        count = round(float(part) * observed)
        if count >= 1:
            return count
        raise UsageError(f"{name}={part} of {observed} observed rows is less than one row; choose a larger part.")
    if number and 1 <= part < float("inf") and part == int(part):
        return int(part)
    raise UsageError(f"{name}={part!r} is neither a fraction between 0 and 1 nor a whole number of rows; try 0.2.")
