"""A study from its question to its answer: `compare` runs what is missing and returns what was found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch

from gatework.cells import find
from gatework.data import Series, load, split
from gatework.errors import DataError, UsageError
from gatework.graph import Cell
from gatework.report import write as write_report
from gatework.study import findings as found
from gatework.study.budget import widths_for
from gatework.study.entrants import Entrant, Scorer, make_baselines, season_of
from gatework.study.options import Options, command
from gatework.study.run_folder import RunFolder
from gatework.study.trial import Outcome, Trial, run
from gatework.tasks.choice import Choice, choose_transform
from gatework.tasks.forecaster import Forecaster, count
from gatework.tasks.model import Columns, Model, conformal_reach
from gatework.tasks.problem import Problem
from gatework.tasks.season import Season
from gatework.tasks.training import Epoch
from gatework.tasks.transform import fit


class Listener:
    """What is told while a study runs. Every method may be left as it is."""

    def prepared(self, plan: Plan, finished: int) -> None:
        """The data is read and the trials are known; so many of them were finished in an earlier run."""

    def started(self, trial: Trial) -> None:
        """A trial begins."""

    def epoch(self, trial: Trial, number: int, epoch: Epoch) -> None:
        """A trial has finished an epoch."""

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        """A trial is finished and stored."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A study before anything is trained: the problem, and every trial."""

    source: str
    options: Options
    problem: Problem
    choice: Choice
    season: Season
    cells: Mapping[str, Cell]
    widths: Mapping[str, tuple[int, ...]]
    trials: tuple[Trial, ...]

    @property
    def subject(self) -> dict[str, Any]:
        """What makes two studies the same: all but the cells and the number of seeds, which may grow."""
        settings = {key: value for key, value in self.options.to_json().items() if key not in ("cells", "seeds")}
        return {"data": self.problem.series.fingerprint[:20], **settings}


@dataclass(frozen=True, eq=False)
class Study:
    """What was found. `record` holds everything as plain data, `folder` the files."""

    record: Mapping[str, Any]
    folder: Path
    _model: Model

    def verdict(self) -> str:
        """The answer in one sentence."""
        return str(self.record["verdict"])

    def leaderboard(self) -> pl.DataFrame:
        """One row for each cell and baseline, lowest mean absolute error first."""
        rows = [_flat_cell(row) for row in self.record["leaderboard"]]
        rows += [_flat_baseline(row) for row in self.record["baselines"]]
        return pl.DataFrame(rows, infer_schema_length=None).sort("mae")

    def best(self) -> Model:
        """The cell with the lowest test error, in the seed with the lowest validation error."""
        return self._model

    def report(self, path: str | Path) -> None:
        """Write the page of pictures to another place."""
        write_report(dict(self.record), Path(path))


def compare(data: Any, *, out: str | Path | None = None, listener: Listener | None = None, **settings: Any) -> Study:
    """Train each cell with several seeds at an equal number of parameters, and say which forecasts `data` best.

    `data` is a path to a CSV or Parquet file, the name of a bundled series, or any dataframe that narwhals knows; the
    settings are those of `Options`. Results, models and the report are kept in the folder `out`
    (`gatework-runs/NAME-…` where it is left out); the same call goes on where it was interrupted.

    Raises `DataError`, `UsageError`, `EquationError` or `RunFolderError`; nothing is written before the data and the
    settings are known to work.

    >>> import gatework, tempfile
    >>> study = gatework.compare("sunspots", cells=("rnn",), seeds=2, epochs=1, window=12, out=tempfile.mkdtemp())
    >>> study.leaderboard().height
    5
    """
    plan = make_plan(data, _options(settings))
    folder = Path(out) if out is not None else default_folder(plan)
    return run_plan(plan, folder, command(plan.source, plan.options, Path(out) if out is not None else None), listener)


def make_plan(data: Any, options: Options) -> Plan:
    """Read the data, choose the transform, solve the widths: everything before training. Writes nothing."""
    cells = _cells(options)
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
    return Plan(_source(data, series), options, problem, choice, season, cells, widths, trials)


def run_plan(plan: Plan, folder: Path, words: str, listener: Listener | None = None) -> Study:
    """Run the trials that are not finished yet, in the order of the plan, and write everything that is found."""
    listener = listener or Listener()
    with RunFolder(folder, plan.subject) as store, _threads(plan.options.threads):
        outcomes = store.finished(list(plan.trials))
        listener.prepared(plan, len(outcomes))
        for trial in plan.trials:
            if trial.key not in outcomes:
                listener.started(trial)
                outcomes[trial.key] = run(trial, plan.problem, _epochs(listener, trial))
                store.keep(trial, outcomes[trial.key])
                listener.finished(trial, outcomes[trial.key])
        evaluation = evaluate(plan, outcomes)
        record = found.findings(evaluation, settings=_all_settings(plan), command=words, source=plan.source)
        model = best_model(plan, evaluation)
        store.write_json("results.json", record)
        store.write_text("forecasts.csv", forecasts_table(evaluation).write_csv())
        model.save(folder / "model")
        write_report(record, folder / "report.html")
    return Study(record, folder, model)


def evaluate(plan: Plan, outcomes: Mapping[str, Outcome]) -> found.Evaluation:
    """Score every cell and every baseline on the test part."""
    scorer = Scorer.of(plan.problem, plan.season)
    inputs = plan.problem.series.values.shape[1]
    entrants = []
    for name, cell in plan.cells.items():
        trials = tuple(trial for trial in plan.trials if trial.name == name)
        widths = plan.widths[name]
        parameters = count(cell, inputs, widths, plan.problem.horizon)
        results = tuple(outcomes[trial.key] for trial in trials)
        entrants.append(Entrant(name, cell, widths, parameters, trials, results, scorer))
    baselines = make_baselines(plan.problem, plan.season, scorer)
    return found.Evaluation(plan.problem, plan.choice, plan.season, scorer, tuple(entrants), baselines)


def best_model(plan: Plan, evaluation: found.Evaluation) -> Model:
    """The model of the cell that leads the table, in the seed that is best in validation."""
    entrant, problem = evaluation.ranked[0], plan.problem
    outcome = entrant.outcomes[entrant.best_seed]
    network = Forecaster(entrant.cell, problem.series.values.shape[1], entrant.widths, problem.horizon)
    network.load_state_dict(outcome.weights)
    network.eval()
    held_out = problem.origins("validation")
    history = problem.history(held_out)
    errors = problem.answers(held_out) - problem.transform.encode(outcome.validation, history)
    series, options = problem.series, plan.options
    return Model(
        cell=entrant.cell,
        widths=entrant.widths,
        window=problem.window,
        transform=problem.transform,
        columns=Columns(series.target, options.time, series.features, options.missing),
        reach=conformal_reach(errors, problem.observed(held_out)),
        network=network,
        provenance={
            "data": plan.source,
            "data_fingerprint": series.fingerprint,
            "trained_on_rows_before": found.stamp(series.times[problem.split.train_end]),
            "seed": entrant.trials[entrant.best_seed].seed,
            "validation_error": outcome.validation_error,
            "test_error_of_the_cell": entrant.mae,
            "settings": asdict(options.settings),
            "versions": found.versions(),
        },
    )


def forecasts_table(evaluation: found.Evaluation) -> pl.DataFrame:
    """The test forecasts: a row for each origin and step, the truth, every cell (mean over seeds), every baseline."""
    problem, scorer = evaluation.problem, evaluation.scorer
    origins, h = problem.origins("test"), problem.horizon
    rows = origins.repeat(h) + list(range(1, h + 1)) * len(origins)
    times = problem.series.times
    truth = [value if seen else None for value, seen in zip(scorer.truth.ravel(), scorer.observed.ravel(), strict=True)]
    columns: dict[str, Any] = {
        "origin": found.stamps(times[origins.repeat(h)]),
        "time": found.stamps(times[rows]),
        "step": list(range(1, h + 1)) * len(origins),
        "truth": truth,
    }
    columns |= {one.name: one.mean_forecast().ravel() for one in evaluation.ranked}
    columns |= {one.name: one.forecasts.ravel() for one in evaluation.baselines}
    return pl.DataFrame(columns)


def default_folder(plan: Plan) -> Path:
    """`gatework-runs/NAME-…`: the same data and settings, the same folder."""
    digest = hashlib.sha256(json.dumps(plan.subject, sort_keys=True).encode()).hexdigest()[:8]
    return Path("gatework-runs") / f"{plan.problem.series.name}-{digest}"


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Torch on so many threads, for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _options(settings: Mapping[str, Any]) -> Options:
    unknown = settings.keys() - Options.__dataclass_fields__.keys()
    if unknown:
        raise UsageError(
            f"compare has no setting {sorted(unknown)[0]!r}: it knows {', '.join(Options.__dataclass_fields__)}."
        )
    values: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in settings.items()}
    return Options(**values)


def _cells(options: Options) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    for one in options.cells:
        cell = find(one)
        if cell.name in cells:
            raise UsageError(f"Two cells are called {cell.name}: give one of them another name.")
        cells[cell.name] = cell
    return cells


def _check_length(series: Series, train_end: int, options: Options) -> None:
    if train_end < options.window + options.horizon:
        trained = f", {train_end} of them to train on" if train_end < len(series.y) else ""
        raise DataError(
            f"{series.name} has {len(series.y)} rows{trained}: too few for a window of {options.window} rows and "
            f"{options.horizon} to forecast; shorten --window."
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


def _all_settings(plan: Plan) -> dict[str, Any]:
    chosen = {"transform": plan.problem.transform.name, "season": plan.season.length}
    return {**plan.options.to_json(), **chosen, "target": plan.problem.series.target}


def _epochs(listener: Listener, trial: Trial) -> Callable[[int, Epoch], None]:
    return lambda number, epoch: listener.epoch(trial, number, epoch)


def _flat_cell(row: Mapping[str, Any]) -> dict[str, Any]:
    mae = row["test"]["mae"]
    low, high = mae["interval"] or (None, None)
    means = {metric: (value or {}).get("mean") for metric, value in row["test"].items()}
    return {
        "name": row["cell"],
        "kind": "cell",
        "parameters": row["parameters"],
        "hidden": ",".join(str(width) for width in row["hidden"]),
        "mae": means["mae"],
        "mae_low": low,
        "mae_high": high,
        "rmse": means["rmse"],
        "mase": means["mase"],
        "mape": means["mape"],
        "train_seconds": row["train_seconds"],
        "step_microseconds": row["step_microseconds"],
        "beats_baseline": row["beats_baseline"],
    }


def _flat_baseline(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": row["name"], "kind": "baseline", **row["test"]}
