"""What a study is asked to do: every setting, its default and its bounds, in one place."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatework.data import POLICIES
from gatework.errors import UsageError
from gatework.graph import Cell
from gatework.tasks.training import LEARNING_RATES, LOSSES, OPTIMIZERS, Settings
from gatework.tasks.transform import TRANSFORMS

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """The settings of a study. Raises `UsageError` where one cannot work.

    Attributes:
        target: the column to forecast; may be left out where there is only one.
        time: the time column; found where it is left out.
        features: further columns that the cells may read.
        missing: what is done about missing values: carry the last value forward, interpolate, drop the rows, refuse.
        window: the rows that are read for one forecast.
        horizon: the steps that are forecast, all at once.
        cells: what is compared: names of the catalogue, or `./mine.py:mycell`.
        layers: the widths of the layers, the same for every cell; the budget then plays no role.
        params: the budget of trained weights that every cell spends.
        depth: the number of layers that the budget is spent on.
        seeds: how often every cell is trained, from seed 0 up.
        epochs: the most passes over the training part.
        batch: windows in a mini-batch.
        optimizer: adam, adamw, rmsprop (with Keras' constants) or sgd (momentum 0.9).
        learning_rate: the step of the optimizer; its usual one where it is left out (adam 0.002, rmsprop 0.001).
        dropout: between layers and before the read-out.
        loss: mae, mse or huber, in the units of the transform.
        patience: epochs without a better validation loss before training stops; 0 trains all epochs.
        clip: the bound on the gradient's norm; 0 for none.
        transform: auto (by rule), standard, window, difference or log-return.
        season: the rows of a season; found where it is left out.
        test: the share of the rows, or their number, that is kept for the test.
        validation: the share of the rows, or their number, that decides when to stop.
        threads: of torch; more than one helps wide layers only.
        device: where to train; on `cuda` all seeds of a cell are trained at once.
    """

    target: str | None = None
    time: str | None = None
    features: tuple[str, ...] = ()
    missing: str = "carry"
    window: int = 60
    horizon: int = 1
    cells: tuple[str | Cell, ...] = ("rnn", "gru", "lstm")
    layers: tuple[int, ...] | None = None
    params: int = 20_000
    depth: int = 2
    seeds: int = 5
    epochs: int = 50
    batch: int = 64
    optimizer: str = "adam"
    learning_rate: float | None = None
    dropout: float = 0.0
    loss: str = "mae"
    patience: int = field(default=Settings.patience)
    clip: float = field(default=Settings.clip)
    transform: str = "auto"
    season: int | None = None
    test: float = 0.2
    validation: float = 0.15
    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{flag(name)} is {value}: it must be at least {least}.")
        for name, most in _MOST.items():
            value = getattr(self, name)
            if value is not None and not value <= most:
                raise UsageError(f"{flag(name)} is {value}: it must be at most {most:,}.")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise UsageError(f"{flag(name)} is {value!r}: choose one of {', '.join(choices)}.")
        if not self.cells:
            raise UsageError("--cells is empty: name at least one cell, such as gru.")
        names = [cell.name if isinstance(cell, Cell) else cell for cell in self.cells]
        if len(set(names)) < len(names):
            raise UsageError(f"--cells names a cell twice ({', '.join(names)}): name each once.")
        if self.layers is not None and (not self.layers or min(self.layers) < 1 or max(self.layers) > _WIDEST):
            given = ",".join(map(str, self.layers)) or "empty"
            raise UsageError(f"--layers is {given}: each layer has 1 to {_WIDEST:,} units, as in 50,100.")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"--dropout is {self.dropout:g}: it is a probability from 0 to below 1.")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise UsageError(f"--learning-rate is {self.learning_rate:g}: it must be above 0.")

    @property
    def settings(self) -> Settings:
        """The part that training needs."""
        values = {name: getattr(self, name) for name in Settings.__dataclass_fields__}
        return Settings(**{**values, "learning_rate": self.learning_rate or LEARNING_RATES[self.optimizer]})

    def to_json(self) -> dict[str, Any]:
        """Every setting as plain values."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "cells"}
        record["cells"] = [cell.name if isinstance(cell, Cell) else cell for cell in self.cells]
        return record


_LEAST: dict[str, float] = {
    "window": 2,
    "horizon": 1,
    "params": 1,
    "depth": 1,
    "seeds": 1,
    "epochs": 1,
    "batch": 1,
    "patience": 0,
    "clip": 0,
    "season": 1,
    "threads": 1,
}
_MOST: dict[str, float] = {
    "params": 10**9,
    "depth": 100,
    "seeds": 10_000,
    "epochs": 10**6,
    "batch": 10**9,
    "learning_rate": 1e6,
    "clip": 1e30,
    "threads": os.cpu_count() or 1,
}
_WIDEST = 100_000
"""No layer is wider: its recurrent matrix alone would take 40 GB."""
_CHOICES: dict[str, tuple[str, ...]] = {
    "device": DEVICES,
    "optimizer": OPTIMIZERS,
    "loss": LOSSES,
    "transform": ("auto", *TRANSFORMS),
    "missing": POLICIES,
}


def flag(name: str) -> str:
    """How a setting is written on the command line."""
    return f"--{name.replace('_', '-')}"


def command(data: str, options: Options, out: Path | None) -> str:
    """The command that repeats the study: what differs from the defaults."""
    parts = ["gatework", "compare", data]
    default = Options().to_json()
    for name, value in options.to_json().items():
        if value == default[name]:
            continue
        text = ",".join(str(one) for one in value) if isinstance(value, (list, tuple)) else f"{value}"
        parts += [flag(name), text]
    if out is not None:
        parts += ["--out", str(out)]
    return shlex.join(parts)
