"""A study from its question to its answer: `compare` runs what is missing and returns what was found."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch

from gatework.errors import UsageError
from gatework.graph import Cell
from gatework.report import write as write_report
from gatework.study.evaluation import evaluate
from gatework.study.handover import best_model, forecasts_table
from gatework.study.interruption import interruptible
from gatework.study.options import Options, command
from gatework.study.plan import Plan, make_plan
from gatework.study.record import make_record
from gatework.study.run_folder import RunFolder
from gatework.study.trial import Outcome, Trial, fit_all, outcome, together
from gatework.tasks.model import Model
from gatework.tasks.training import Epoch


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
    plan = make_plan(data, make_options(settings))
    folder = Path(out) if out is not None else default_folder(plan)
    return run_plan(plan, folder, command(plan.source, plan.options, Path(out) if out is not None else None), listener)


def run_plan(plan: Plan, folder: Path, words: str, listener: Listener | None = None) -> Study:
    """Run the trials that are not finished yet, in the order of the plan, and write everything that is found."""
    listener = listener or Listener()
    with RunFolder(folder, plan.subject) as store, threads(plan.options.threads), interruptible() as check:
        outcomes = store.finished(list(plan.trials))
        listener.prepared(plan, len(outcomes))
        device, missing = plan.options.device, [trial for trial in plan.trials if trial.key not in outcomes]
        for group in together(missing, device):
            for trial in group:
                listener.started(trial)
            fits = fit_all(group, plan.problem, device, _epochs(listener, check))
            for trial, fit in zip(group, fits, strict=True):
                outcomes[trial.key] = outcome(fit, plan.problem)
                store.keep(trial, outcomes[trial.key])
                listener.finished(trial, outcomes[trial.key])
                check()
        evaluation = evaluate(plan, outcomes)
        record = make_record(evaluation, settings=_all_settings(plan), command=words, source=plan.source)
        model = best_model(evaluation)
        store.write_json("results.json", record)
        store.write_text("forecasts.csv", forecasts_table(evaluation).write_csv())
        model.save(folder / "model")
        write_report(record, folder / "report.html")
    return Study(record, folder, model)


def default_folder(plan: Plan) -> Path:
    """`gatework-runs/NAME-…`: the same data and settings, the same folder."""
    digest = hashlib.sha256(json.dumps(plan.subject, sort_keys=True).encode()).hexdigest()[:8]
    return Path("gatework-runs") / f"{plan.problem.series.name}-{digest}"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch on so many threads, for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def make_options(settings: Mapping[str, Any]) -> Options:
    """The options of a study from settings by name. Raises `UsageError`."""
    unknown = settings.keys() - Options.__dataclass_fields__.keys()
    if unknown:
        raise UsageError(
            f"compare has no setting {sorted(unknown)[0]!r}: it knows {', '.join(Options.__dataclass_fields__)}."
        )
    try:
        return Options(**{key: _plain(key, value) for key, value in settings.items()})
    except TypeError as error:
        raise UsageError(f"A setting of compare has a value of the wrong kind: {error}.") from error


def _plain(key: str, value: Any) -> Any:
    """A setting as `Options` keeps it: one name or number of a list alone, lists and numpy's numbers as Python's."""
    if key in ("cells", "features", "layers") and value is not None:
        alone = isinstance(value, (str, Cell)) or not hasattr(value, "__iter__")
        return tuple(_plain("", one) for one in ([value] if alone else value))
    kind = Options.__dataclass_fields__[key].type if key else ""
    whole = kind == "int" or (kind == "int | None" and value is not None)
    return operator.index(value) if whole else _number(value)


def _number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _all_settings(plan: Plan) -> dict[str, Any]:
    chosen = {"transform": plan.problem.transform.name, "season": plan.season.length}
    return {**plan.options.to_json(), **chosen, "target": plan.problem.series.target}


def _epochs(listener: Listener, check: Callable[[], None]) -> Callable[[Trial, int, Epoch], None]:
    def told(trial: Trial, number: int, epoch: Epoch) -> None:
        listener.epoch(trial, number, epoch)
        check()

    return told


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
