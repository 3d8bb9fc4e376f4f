"""A trained forecaster as a thing to keep: its network, and all that is needed to feed it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from gatework.data import Series, load
from gatework.errors import DataError, EquationError, ModelError
from gatework.graph import Cell
from gatework.graph.build import from_json
from gatework.graph.weights import Weight
from gatework.tasks.forecaster import Forecaster
from gatework.tasks.transform import Floats, Transform

FORMAT = 2
LARGEST = 10**6
"""No window and no layer of a sound model is larger."""
CONFIG, WEIGHTS = "config.json", "weights.safetensors"


@dataclass(frozen=True)
class Columns:
    """Which columns of a table the model reads, how far its rows are apart, and what is done about missing values."""

    target: str
    time: str | None
    features: tuple[str, ...]
    missing: str
    step: str


@dataclass(frozen=True, eq=False)
class Model:
    """A trained forecaster.

    `reach` holds for each step of the horizon how far, in the network's units, the truth was from the answer in 90 %
    of the validation forecasts (split conformal: Vovk et al. 2005): the half-width of the forecast's interval.
    `provenance` says how the model came about; it is kept and never read back.
    """

    cell: Cell
    widths: tuple[int, ...]
    window: int
    transform: Transform
    columns: Columns
    reach: tuple[float, ...]
    network: Forecaster
    provenance: Mapping[str, Any]

    def predict(self, source: Any) -> pl.DataFrame:
        """Forecast the steps after the last row of `source`: a path, a bundled series' name, or a dataframe.

        Returns one row a step: `step` (1, 2, …), the time (under the time column's name, or `row`), `forecast`, and
        the interval `low` … `high` that held 90 % of the truth in validation, in the target's unit.

        Raises `DataError` where the columns that the model reads are not there, or there are too few rows.
        """
        one = self.columns
        series = load(source, target=one.target, time=one.time, features=one.features, missing=one.missing)
        return self.forecast(series)

    def forecast(self, series: Series) -> pl.DataFrame:
        """As `predict`, for a series that is loaded already."""
        if series.step.name != self.columns.step:
            raise DataError(
                f"{series.name} has rows {series.step.name} apart, and the model was trained on rows "
                f"{self.columns.step} apart: give it data with the same step."
            )
        if len(series.y) < self.window:
            raise DataError(
                f"{series.name} has {len(series.y)} rows, and the model reads a window of {self.window}: give it more."
            )
        inputs = self.transform.focus(self.transform.read(series.values)[None, -self.window :])
        with torch.no_grad():
            answer = self.network(torch.from_numpy(inputs.astype(np.float32))).double().numpy()
        history, reach = series.y[None, -self.window :], np.array(self.reach)
        rows = {
            "forecast": self.transform.decode(answer, history)[0],
            "low": self.transform.decode(answer - reach, history)[0],
            "high": self.transform.decode(answer + reach, history)[0],
        }
        horizon = self.transform.horizon
        clock = "time" if series.has_clock else "row"
        times = series.step.after(series.times[-1], horizon)
        return pl.DataFrame({"step": np.arange(1, horizon + 1), clock: times, **rows})

    def save(self, folder: str | Path) -> None:
        """Write `config.json` and `weights.safetensors` into a folder, each at once or not at all."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = folder / f"{WEIGHTS}.part"
        save_file({key: value.contiguous() for key, value in self.network.state_dict().items()}, weights)
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        os.replace(weights, folder / WEIGHTS)
        config = folder / f"{CONFIG}.part"
        config.write_text(json.dumps(self._config(digest), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(config, folder / CONFIG)

    def _config(self, digest: str) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "cell": {
                "name": self.cell.name,
                "title": self.cell.title,
                "source": self.cell.source,
                "weights": {key: weight.to_json() for key, weight in self.cell.weights.items()},
                "graph": self.cell.graph.to_json(),
            },
            "widths": self.widths,
            "window": self.window,
            "transform": self.transform.to_json(),
            "columns": asdict(self.columns),
            "reach": self.reach,
            "weights_sha256": digest,
            "provenance": dict(self.provenance),
        }


def load_model(folder: str | Path) -> Model:
    """Read a model that `Model.save` wrote. Nothing in the files can run code.

    Raises `ModelError` where the folder holds no model, one of another format, or a damaged one.
    """
    folder = Path(folder)
    config = _config(folder)
    try:
        record, columns = config["cell"], config["columns"]
        cell = Cell(
            str(record["name"]),
            str(record["title"]),
            str(record["source"]),
            from_json(record["graph"]),
            {str(key): Weight.from_json(one) for key, one in record["weights"].items()},
        )
        transform = Transform.from_json(config["transform"])
        widths = tuple(int(width) for width in config["widths"])
        reach = tuple(float(one) for one in config["reach"])
        features = tuple(str(one) for one in columns["features"])
        if not (columns["time"] is None or isinstance(columns["time"], str)):
            raise ValueError("its time column has no name")
        if (
            not all(isfinite(one) for one in reach)
            or not all(1 <= size <= LARGEST for size in (int(config["window"]), *widths))
            or len(reach) != transform.horizon
            or len(transform.columns) != 1 + len(features)
        ):
            raise ValueError("its sizes do not fit each other, or are out of bounds")
        return Model(
            cell=cell,
            widths=widths,
            window=int(config["window"]),
            transform=transform,
            columns=Columns(
                str(columns["target"]), columns["time"], features, str(columns["missing"]), str(columns["step"])
            ),
            reach=reach,
            network=_network(folder, config, cell, widths, transform),
            provenance=config["provenance"],
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, EquationError) as error:
        raise ModelError(f"The model in {folder} is damaged: {CONFIG}: {error}.") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"it holds {name}")


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        raise ModelError(f"There is no model in {folder}: it has no {CONFIG}; name the folder `model` of a run.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except (OSError, ValueError) as error:
        raise ModelError(f"The model in {folder} is damaged: {CONFIG} is not JSON ({error}).") from error
    if not isinstance(config, dict) or "format" not in config:
        raise ModelError(f"The model in {folder} is damaged: {CONFIG} is not that of a Gatework model.")
    if config["format"] != FORMAT:
        raise ModelError(
            f"The model in {folder} has format {config['format']}, this version of Gatework reads format {FORMAT}: "
            "load it with the version that wrote it, or train it again."
        )
    return config


def _network(
    folder: Path, config: Mapping[str, Any], cell: Cell, widths: tuple[int, ...], transform: Transform
) -> Forecaster:
    path = folder / WEIGHTS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model in {folder} is damaged: {WEIGHTS} cannot be read ({error.strerror}).") from error
    if hashlib.sha256(content).hexdigest() != config["weights_sha256"]:
        raise ModelError(f"The model in {folder} is damaged: {WEIGHTS} is not the file that was saved; train it again.")
    network = Forecaster(cell, len(transform.columns), widths, transform.horizon)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise ModelError(f"The model in {folder} is damaged: its weights do not fit its cell.") from error
    network.eval()
    return network


def conformal_reach(
    errors: Floats, observed: np.ndarray[Any, np.dtype[np.bool_]], level: float = 0.9
) -> tuple[float, ...]:
    """The half-width that held a share `level` of validation errors, (n, h) in the network's units, for each step."""
    reach = []
    for error, seen in zip(np.abs(errors).T, observed.T, strict=True):
        known = error[seen] if seen.any() else error
        rank = min(1.0, np.ceil((len(known) + 1) * level) / len(known))
        reach.append(float(np.quantile(known, rank, method="higher")))
    return tuple(reach)
