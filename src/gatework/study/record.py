"""What a study found, as plain data: everything that the report, `--json` and the terminal show."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from math import isfinite
from typing import Any

import numpy as np
import torch

from gatework.graph.text import equations
from gatework.inspect.gates import record_gates
from gatework.study.entrants import Baseline, Entrant
from gatework.study.evaluation import LEVEL, METRICS, Duel, Evaluation
from gatework.study.plain import finite, numbers, stamp, stamps
from gatework.study.run_folder import FORMAT
from gatework.study.statistics import Comparison, interval
from gatework.study.verdict import BaselineResult, CellResult, Evidence, verdict
from gatework.tasks.metrics import Score
from gatework.tasks.problem import PARTS, Problem

_HISTORY = 200


def make_record(evaluation: Evaluation, *, settings: Mapping[str, Any], command: str, source: str) -> dict[str, Any]:
    """The record of a study; the report's page is drawn from it alone."""
    comparisons = evaluation.comparisons()
    duels = {one.name: evaluation.against(one) for one in evaluation.baselines}
    note = evaluation.plan.scorer.mape_note
    record = {
        "format": FORMAT,
        "gatework": version("gatework"),
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "verdict": _verdict(evaluation, comparisons, duels),
        "data": _data(evaluation, source),
        "settings": dict(settings),
        "command": command,
        "versions": versions(evaluation.plan.options.device),
        "metric": "mae",
        "unit": evaluation.problem.series.target,
        "metrics_note": f"MAPE is left out: {note}." if note else None,
        "notes": notes(evaluation, int(settings["epochs"])),
        "leaderboard": [_row(one, evaluation, duels) for one in evaluation.ranked],
        "baselines": [
            _baseline_row(one, evaluation) for one in sorted(evaluation.baselines, key=lambda b: b.score.mae)
        ],
        "comparisons": [_comparison(one) for one in comparisons],
        "curves": {one.name: _curves(one) for one in evaluation.ranked},
        "horizon": {
            "steps": list(range(1, evaluation.problem.horizon + 1)),
            "cells": {one.name: one.mean_by_step() for one in evaluation.ranked},
            "baselines": {one.name: evaluation.plan.scorer.by_step(one.forecasts) for one in evaluation.baselines},
        },
        "forecasts": _forecasts(evaluation),
        "gates": {one.name: _gates(one, evaluation.problem) for one in evaluation.ranked},
    }
    return dict(finite(record))


def notes(evaluation: Evaluation, most: int) -> list[str]:
    """What a reader should know before believing the table, a sentence each."""
    sentences = [
        f"{name} is left out: in {seeds} of {evaluation.seeds} seeds its forecasts are not finite."
        for name, seeds in evaluation.diverged.items()
    ]
    short = [
        one.name
        for one in evaluation.ranked
        if np.median([outcome.best_epoch for outcome in one.outcomes]) > 0.9 * most
    ]
    if short:
        verb = "was" if len(short) == 1 else "were"
        epochs = "1 epoch" if most == 1 else f"{most} epochs"
        sentences.append(f"{_and(short)} {verb} still improving after {epochs}: more --epochs may lower the error.")
    if evaluation.seeds == 1:
        sentences.append("Every cell was trained once: how much another seed would change is not known.")
    budgets = [one.parameters for one in evaluation.entrants]
    if max(budgets) > 1.02 * min(budgets):  # more than 1 % from the budget, both ways
        sentences.append(f"The cells differ in size, from {min(budgets):,} to {max(budgets):,} parameters.")
    return sentences


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def versions(device: str = "cpu") -> dict[str, str]:
    """The versions that the numbers depend on, and the machine, with the GPU where cells were trained on one."""
    packages = {
        name: version(name) for name in ("gatework", "torch", "numpy", "scipy", "statsmodels", "polars", "optuna")
    }
    threads = torch.get_num_threads()
    machine = f"{platform.system()} {platform.machine()}, {threads} thread{'s' if threads > 1 else ''}"
    if device == "cuda":
        machine = f"{machine}, {torch.cuda.get_device_name()}"
    return {**packages, "python": sys.version.split()[0], "machine": machine}


def _verdict(
    evaluation: Evaluation, comparisons: tuple[Comparison, ...], duels: Mapping[str, Mapping[str, Duel]]
) -> str:
    cells = tuple(
        CellResult(
            name=one.name,
            error=one.mae,
            train_seconds=_mean([outcome.train_seconds for outcome in one.outcomes]),
            parameters=one.parameters,
            p_values={baseline: found[one.name].p_value for baseline, found in duels.items()},
        )
        for one in evaluation.ranked
    )
    return verdict(
        Evidence(
            cells=cells,
            baselines=tuple(BaselineResult(one.name, one.score.mae, one.naive) for one in evaluation.baselines),
            comparisons=comparisons,
            seeds=evaluation.seeds,
            level=LEVEL,
        )
    )


def _data(evaluation: Evaluation, source: str) -> dict[str, Any]:
    problem, series = evaluation.problem, evaluation.problem.series
    return {
        "name": series.name,
        "source": source,
        "target": series.target,
        "features": list(series.features),
        "rows": len(series.y),
        "observed": int(series.observed[:, 0].sum()),
        "start": stamp(series.times[0]),
        "end": stamp(series.times[-1]),
        "step": series.step.name,
        "findings": [asdict(one) for one in series.findings],
        "season": asdict(evaluation.plan.season),
        "transform": {
            "name": problem.transform.name,
            "why": evaluation.plan.choice.why,
            "columns": dict(zip((series.target, *series.features), problem.transform.columns, strict=True)),
        },
        "split": {part: _part(problem, part) for part in PARTS},
    }


def _part(problem: Problem, part: str) -> dict[str, Any]:
    first, last = problem.bounds(part)
    times = problem.series.times
    return {
        "start": stamp(times[first]),
        "end": stamp(times[last - 1]),
        "rows": last - first,
        "windows": len(problem.origins(part)),
    }


def _row(one: Entrant, evaluation: Evaluation, duels: Mapping[str, Mapping[str, Duel]]) -> dict[str, Any]:
    best = evaluation.best_baseline
    duel = duels[best.name][one.name]
    difference = one.mae - best.score.mae
    epochs = [len(outcome.epochs) for outcome in one.outcomes]
    seconds = [outcome.train_seconds for outcome in one.outcomes]
    return {
        "cell": one.name,
        "title": one.cell.title,
        "source": one.cell.source,
        "parameters": one.parameters,
        "hidden": list(one.widths),
        "seeds": len(one.outcomes),
        "test": {metric: _metric([getattr(score, metric) for score in one.scores]) for metric in METRICS},
        "validation": {"mae": _metric([outcome.validation_error for outcome in one.outcomes])},
        "train_seconds": _mean(seconds),
        "epochs": _mean(epochs),
        "epoch_seconds": sum(seconds) / sum(epochs),
        "step_microseconds": _mean([outcome.step_microseconds for outcome in one.outcomes]),
        "beats_baseline": bool(difference < 0 and duel.p_value < 1 - LEVEL),
        "against_baseline": {
            "baseline": best.name,
            "difference": difference,
            "relative": difference / best.score.mae if best.score.mae else None,
            "p_value": duel.p_value,
            "diebold_mariano": {"statistic": duel.statistic, "p_value": duel.dm_p_value},
        },
        "equations": equations(one.cell.graph),
    }


def _metric(values: Sequence[float | None]) -> dict[str, Any] | None:
    known = [one for one in values if one is not None]
    if len(known) < len(values):
        return None
    found = interval(known, LEVEL)
    between = None if found.low is None or found.high is None else [found.low, found.high]
    return {"mean": found.mean, "interval": between, "seeds": known}


def _baseline_row(one: Baseline, evaluation: Evaluation) -> dict[str, Any]:
    score: Score = one.score
    return {
        "name": one.name,
        "title": one.title,
        "test": {metric: getattr(score, metric) for metric in METRICS},
        "best": one is evaluation.best_baseline,
        "naive": one.naive,
        "note": one.note,
    }


def _comparison(one: Comparison) -> dict[str, Any]:
    between = [one.interval_low, one.interval_high]
    return {
        "first": one.first,
        "second": one.second,
        "relative": one.relative,
        "interval": between if all(isfinite(edge) for edge in between) else None,
        "p_value": one.p_value,
        "outcome": one.outcome,
    }


def _curves(one: Entrant) -> list[dict[str, Any]]:
    return [
        {
            "seed": trial.seed,
            "train": [epoch.train for epoch in outcome.epochs],
            "validation": [epoch.validation for epoch in outcome.epochs],
            "best_epoch": outcome.best_epoch,
        }
        for trial, outcome in zip(one.trials, one.outcomes, strict=True)
    ]


def _forecasts(evaluation: Evaluation) -> dict[str, Any]:
    """The one-step forecasts along the test part: means over seeds, and the spread of the seeds."""
    problem, series = evaluation.problem, evaluation.problem.series
    rows = problem.origins("test") + 1
    seen = series.observed[rows, 0]
    first = int(rows[0])
    history = slice(max(0, first - _HISTORY), first)
    truth = [float(value) if known else None for value, known in zip(series.y[rows], seen, strict=True)]
    spread = {one.name: np.stack([outcome.test[:, 0] for outcome in one.outcomes]) for one in evaluation.ranked}
    return {
        "time": stamps(series.times[rows]),
        "step": 1,
        "truth": truth,
        "cells": {name: numbers(all_seeds.mean(axis=0)) for name, all_seeds in spread.items()},
        "low": {name: numbers(all_seeds.min(axis=0)) for name, all_seeds in spread.items()},
        "high": {name: numbers(all_seeds.max(axis=0)) for name, all_seeds in spread.items()},
        "baselines": {one.name: numbers(one.forecasts[:, 0]) for one in evaluation.baselines},
        "history": {"time": stamps(series.times[history]), "values": numbers(series.y[history])},
    }


def _gates(one: Entrant, problem: Problem) -> dict[str, Any]:
    """The named values of the top layer along the last test window, in the seed that is best in validation."""
    origin = problem.origins("test")[-1:]
    values, kinds = record_gates(one.best_network(problem), problem.inputs(origin))
    window = slice(int(origin[0]) - problem.window + 1, int(origin[0]) + 1)
    return {
        "layer": len(one.widths),
        "time": stamps(problem.series.times[window]),
        "input": numbers(problem.series.y[window]),
        "values": {name: np.round(value, 3).tolist() for name, value in values.items()},
        "kinds": kinds,
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
