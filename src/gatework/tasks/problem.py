"""A forecasting problem: a series, its parts, the window and the horizon, as tensors that do not leak.

Row t is an *origin*: the last row that is known. The network reads the window of rows t-L+1 … t and forecasts the
target of rows t+1 … t+h. An origin belongs to the part (training, validation, test) in which all of its h rows lie.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatework.data import Series, Split
from gatework.errors import DataError
from gatework.tasks.transform import Floats, Transform

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Problem:
    """What every cell of a study is asked. Raises `DataError` where a part holds no forecast to learn from or score."""

    series: Series
    split: Split
    window: int
    horizon: int
    transform: Transform
    _read: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_read", self.transform.read(self.series.values))
        for part in PARTS:
            if len(self.origins(part)) == 0:
                raise DataError(
                    f"{self.series.name}: its {part} part holds no window of {self.window} rows with {self.horizon} "
                    f"to forecast ({self.rows(part)} of {len(self.series.y)} rows): shorten --window or --horizon."
                )

    @property
    def columns(self) -> int:
        """C, the columns that the network reads: the target and the features."""
        return int(self.series.values.shape[1])

    def bounds(self, part: str) -> tuple[int, int]:
        """The first row of a part, and the row after its last."""
        first = {"train": 0, "validation": self.split.train_end, "test": self.split.validation_end}[part]
        last = {
            "train": self.split.train_end,
            "validation": self.split.validation_end,
            "test": self.split.rows,
        }[part]
        return first, last

    def rows(self, part: str) -> int:
        """The number of rows of a part."""
        first, last = self.bounds(part)
        return last - first

    @cached_property
    def _origins(self) -> dict[str, Ints]:
        return {part: self._find_origins(part) for part in PARTS}

    def origins(self, part: str) -> Ints:
        """The last known row of every forecast of a part, in the order of time: (n,)."""
        return self._origins[part]

    def _find_origins(self, part: str) -> Ints:
        first, last = self.bounds(part)
        origins = np.arange(max(first - 1, self.window - 1), last - self.horizon, dtype=np.int64)
        return origins[self.observed(origins).any(axis=1) & self.usable(origins)]

    def usable(self, origins: Ints) -> Mask:
        """Whether the window of an origin holds only what was known then.

        Gaps that were interpolated look ahead to the row that ends them: while a gap lasts there is no origin.
        """
        if self.series.missing != "interpolate":
            return np.ones(len(origins), dtype=np.bool_)
        return np.asarray(self.series.observed[origins].all(axis=1))

    def future(self, origins: Ints) -> Floats:
        """The truth: the target of the h rows after each origin, (n, h), in its own unit."""
        return np.asarray(self.series.y[self._ahead(origins)])

    def observed(self, origins: Ints) -> Mask:
        """Whether the truth was really in the table, (n, h): what was filled in is neither learned nor scored."""
        return np.asarray(self.series.observed[self._ahead(origins), 0])

    def history(self, origins: Ints) -> Floats:
        """The target in the window of each origin, (n, L), in its own unit."""
        return np.asarray(self.series.y[self._behind(origins)])

    def inputs(self, origins: Ints) -> Floats:
        """What the network reads, (n, L, C)."""
        return self.transform.focus(self._read[self._behind(origins)])

    def answers(self, origins: Ints) -> Floats:
        """What the network should answer, (n, h)."""
        return self.transform.encode(self.future(origins), self.history(origins))

    def forecasts(self, answers: Floats, origins: Ints) -> Floats:
        """The forecasts in the target's unit, (n, h), from the network's answers."""
        return self.transform.decode(answers, self.history(origins))

    def tensors(self, part: str) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (n, L, C), answers (n, h) and weights (n, h) of a part, in float32."""
        origins = self.origins(part)
        arrays = self.inputs(origins), self.answers(origins), self.observed(origins)
        x, y, w = (torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for array in arrays)
        return x, y, w

    def _ahead(self, origins: Ints) -> Ints:
        return np.asarray(origins[:, None] + np.arange(1, self.horizon + 1))

    def _behind(self, origins: Ints) -> Ints:
        return np.asarray(origins[:, None] + np.arange(1 - self.window, 1))
