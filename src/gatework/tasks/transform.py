"""How a series becomes what a network reads, and how what it says becomes a forecast.

A network sees numbers near zero. Which ones matters more than the cell: a price that leaves the range of its training
part cannot be forecast from its level. Four transforms, all with statistics of the training part alone:

- `standard`: the level, centred and scaled; right where the level keeps to its range.
- `window`: each window less its last value, in units of its own spread; right where the level wanders.
- `difference`: the change from row to row; right where changes matter and do not grow with the level.
- `log-return`: the change of the logarithm; right for prices and for whatever grows by per cents.

The answer of the network is read as a change from the last known value (`standard` excepted), in units of the typical
change over as many steps: an answer of zero is the persistence forecast.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatework.errors import DataError

Floats = NDArray[np.float64]

TRANSFORMS = ("standard", "window", "difference", "log-return")
_MINIMUM_SPREAD = 0.05
"""The least unit of a window, as a share of the training part's spread: a flat window must not blow up noise."""


@dataclass(frozen=True)
class Transform:
    """A transform and its statistics.

    `columns` holds for each column of the series how it is read: a name of `TRANSFORMS`; the first is the target.
    `center` and `scale` are those of each column as it is read; `units` are the typical change of the target over
    1, 2, … steps, in its own unit or in logarithms; they have the length of the horizon.
    """

    columns: tuple[str, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]
    units: tuple[float, ...]

    @property
    def name(self) -> str:
        """How the target is read."""
        return self.columns[0]

    @property
    def horizon(self) -> int:
        """The number of steps that are forecast."""
        return len(self.units)

    def read(self, values: Floats) -> Floats:
        """The series as the network reads it: (T, C) → (T, C).

        Pointwise or from one row to the next, so that no row depends on a later one. The first row of a difference is
        zero. Raises `DataError` where a logarithm is asked of what is not positive.
        """
        columns = [_read(values[:, k], how) for k, how in enumerate(self.columns)]
        return np.asarray((np.stack(columns, axis=1) - np.array(self.center)) / np.array(self.scale))

    def focus(self, windows: Floats) -> Floats:
        """Windows (n, L, C) of what `read` gave, each on its own scale where a column is read by window."""
        chosen = [k for k, how in enumerate(self.columns) if how == "window"]
        if not chosen:
            return windows
        focused = windows.copy()
        part = windows[:, :, chosen]
        spread = np.maximum(part.std(axis=1, keepdims=True), _MINIMUM_SPREAD)
        focused[:, :, chosen] = (part - part[:, -1:, :]) / spread
        return focused

    def encode(self, future: Floats, history: Floats) -> Floats:
        """What the network should answer: truth (n, h) after the windows (n, L) of the target, both in its unit."""
        base, unit = self._frame(history)
        if self.name == "log-return":
            return np.asarray(np.log(future / base) / unit)
        return np.asarray((future - base) / unit)

    def decode(self, answer: Floats, history: Floats) -> Floats:
        """The forecasts (n, h) in the target's unit: the inverse of `encode`."""
        base, unit = self._frame(history)
        if self.name == "log-return":
            return np.asarray(base * np.exp(unit * answer))
        return np.asarray(base + unit * answer)

    def _frame(self, history: Floats) -> tuple[Floats, Floats]:
        """The value that an answer of zero means, and the unit of the answer: (n, 1) or (1, h) each."""
        last = history[:, -1:]
        if self.name == "standard":
            return np.full_like(last, self.center[0]), np.full_like(last, self.scale[0])
        if self.name == "window":
            floor = _MINIMUM_SPREAD * self.scale[0]
            return last, np.maximum(history.std(axis=1, keepdims=True), floor)
        return last, np.array(self.units)[None, :]

    def to_json(self) -> dict[str, Any]:
        """The statistics as plain lists."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Any) -> Transform:
        """What `to_json` wrote. Raises `ValueError`, `KeyError` or `TypeError` where the record is damaged."""
        columns = tuple(str(one) for one in record["columns"])
        numbers = [tuple(float(one) for one in record[key]) for key in ("center", "scale", "units")]
        if not all(isfinite(one) for row in numbers for one in row) or min((*numbers[1], *numbers[2])) <= 0:
            raise ValueError("a statistic of the transform is not a finite number, or a spread is not positive")
        unknown = set(columns) - set(TRANSFORMS)
        if unknown or not (len(columns) == len(numbers[0]) == len(numbers[1])) or not numbers[2]:
            raise ValueError(f"unknown transform {sorted(unknown)} or unequal lengths")
        return cls(columns, numbers[0], numbers[1], numbers[2])


def fit(train: Floats, columns: tuple[str, ...], horizon: int) -> Transform:
    """The statistics of the training part `train`, (T, C), for forecasts of `horizon` steps.

    Raises `DataError` where a logarithm is asked of values that are not positive.
    """
    read = np.stack([_read(train[:, k], how) for k, how in enumerate(columns)], axis=1)
    center = np.array(
        [column.mean() if how in ("standard", "window") else 0.0 for column, how in zip(read.T, columns, strict=True)]
    )
    scale = np.array([_positive(column.std()) for column in read.T])
    level = np.log(train[:, 0]) if columns[0] == "log-return" else train[:, 0]
    steps = range(1, horizon + 1)
    units = tuple(
        _positive((level[k:] - level[:-k]).std()) if k < len(level) - 1 else _positive(level.std()) for k in steps
    )
    return Transform(columns, tuple(center.tolist()), tuple(scale.tolist()), units)


def _read(column: Floats, how: str) -> Floats:
    if how == "difference":
        return np.diff(column, prepend=column[:1])
    if how == "log-return":
        if column.min() <= 0:
            raise DataError(
                f"A log-return needs values above zero, and there is {column.min():g}: choose another --transform."
            )
        logarithm = np.log(column)
        return np.diff(logarithm, prepend=logarithm[:1])
    return column


def _positive(spread: float) -> float:
    return float(spread) if spread > 0 else 1.0
