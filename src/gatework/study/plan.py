"""A study before anything is trained: the data read, the transform chosen, the widths solved, the trials listed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from gatework.cells import find
from gatework.data import Series, load, split
from gatework.errors import DataError, UsageError
from gatework.graph import Cell
from gatework.study.budget import widths_for
from gatework.study.entrants import BASELINES, Baseline, Scorer, make_baselines, season_of
from gatework.study.options import Options
from gatework.study.trial import Trial
from gatework.tasks.choice import Choice, choose_transform
from gatework.tasks.problem import Problem
from gatework.tasks.season import Season
from gatework.tasks.transform import fit

RESERVED = frozenset({"origin", "time", "step", "truth", *BASELINES})
"""Columns of forecasts.csv that are not cells."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A study before anything is trained: the problem, and every trial."""

    source: str
    options: Options
    problem: Problem
    choice: Choice
    season: Season
    scorer: Scorer
    baselines: tuple[Baseline, ...]
    cells: Mapping[str, Cell]
    widths: Mapping[str, tuple[int, ...]]
    trials: tuple[Trial, ...]

    @property
    def subject(self) -> dict[str, Any]:
        """What makes two studies the same: all but the cells and the number of seeds, which may grow."""
        settings = {key: value for key, value in self.options.to_json().items() if key not in ("cells", "seeds")}
        return {"data": self.problem.series.fingerprint[:20], **settings}


def make_plan(data: Any, options: Options) -> Plan:
    """Read the data, choose the transform, solve the widths: everything before training. Writes nothing."""
    cells = _cells(options)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device is cuda, and torch finds no GPU here: leave it out to train on the processor.")
    series = load(data, target=options.target, time=options.time, features=options.features, missing=options.missing)
    _check_length(series, len(series.y), options)
    parts = split(series, test=options.test, validation=options.validation)
    _check_length(series, parts.train_end, options)
    choice = choose_transform(series, parts, options.window, options.horizon, options.transform)
    transform = fit(series.values[: parts.train_end], choice.columns, options.horizon)
    problem = Problem(series, parts, options.window, options.horizon, transform)
    inputs = series.values.shape[1]
    widths = {
        name: options.layers or widths_for(cell, inputs, options.horizon, options.params, options.depth)
        for name, cell in cells.items()
    }
    key = _problem_key(problem)
    trials = tuple(
        Trial(name, cell, widths[name], seed, options.settings, key)
        for seed in range(options.seeds)
        for name, cell in cells.items()
    )
    season = season_of(series, parts.train_end, options.season)
    if season.length >= parts.train_end:
        raise UsageError(f"--season is {season.length}: the training part has only {parts.train_end} rows.")
    scorer = Scorer.of(problem, season)
    baselines = make_baselines(problem, season, scorer)
    return Plan(
        source=_source(data, series),
        options=options,
        problem=problem,
        choice=choice,
        season=season,
        scorer=scorer,
        baselines=baselines,
        cells=cells,
        widths=widths,
        trials=trials,
    )


def _cells(options: Options) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    for one in options.cells:
        cell = find(one)
        if cell.name in RESERVED:
            raise UsageError(f"A cell cannot be called {cell.name!r}, a column of forecasts.csv: give it another name.")
        others = [name for name in cell.graph.inputs[1:] if name not in cell.graph.below]
        if cell.graph.square or others:
            why = "as many inputs as units" if cell.graph.square else f"further inputs ({others[0]})"
            raise UsageError(f"{cell.name} needs {why}, which a table has not: leave it out of --cells.")
        if cell.graph.below and options.layers and len(set(options.layers)) > 1:
            states = ", ".join(cell.graph.below.values())
            raise UsageError(f"{cell.name} reads {states} of the layer below: make all of --layers of one width.")
        if cell.name in cells:
            raise UsageError(f"Two cells are called {cell.name}: give one of them another name.")
        cells[cell.name] = cell
    return cells


def _check_length(series: Series, train_end: int, options: Options) -> None:
    if train_end < options.window + options.horizon:
        trained = f", {train_end} of them to train on" if train_end < len(series.y) else ""
        raise DataError(
            f"{series.name} has {len(series.y)} rows{trained}: too few for a window of {options.window} rows and "
            f"{options.horizon} to forecast; shorten --window or --horizon."
        )


def _problem_key(problem: Problem) -> str:
    record = [
        problem.series.fingerprint,
        asdict(problem.split),
        problem.window,
        problem.horizon,
        problem.transform.to_json(),
        problem.series.missing,
    ]
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()


def _source(data: Any, series: Series) -> str:
    return str(data) if isinstance(data, (str, Path)) else series.name
