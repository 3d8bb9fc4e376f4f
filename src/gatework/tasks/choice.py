"""Which transform suits a series: a rule, and the reason in words.

Each transform is tried with a ridge autoregression, fitted to the training part and scored on the validation part:
seconds of work, and no cell is favoured. Two transforms are not tried where they cannot work: logarithms of what is not
positive, and levels where the validation part leaves the range of the training part, which a linear model survives and
a cell, whose gates saturate, does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gatework.data import Series, Split
from gatework.errors import UsageError
from gatework.tasks.baselines import RidgeAutoregression
from gatework.tasks.problem import Problem
from gatework.tasks.transform import TRANSFORMS, Floats, fit

OUT_OF_RANGE = 0.01
"""The share of validation rows that may lie outside the training range before levels are left out."""
_MOST_WINDOWS = 3000
"""The trial of a transform uses the latest windows of the training part, so many at most."""


@dataclass(frozen=True)
class Choice:
    """The transform of every column, and why."""

    columns: tuple[str, ...]
    why: str


def choose_transform(series: Series, split: Split, window: int, horizon: int, asked: str = "auto") -> Choice:
    """The transform of the target and of every feature.

    `asked` is a name of `TRANSFORMS`, or `"auto"` for the rule. A feature is read as the target is, save that
    `log-return` becomes `difference` where the feature is not positive.

    Raises `UsageError` where the transform asked for does not exist or cannot work.
    """
    if asked != "auto":
        if asked not in TRANSFORMS:
            raise UsageError(f"There is no transform {asked!r}: choose auto or one of {', '.join(TRANSFORMS)}.")
        return Choice(_columns(series, split, asked), "asked for")
    train = series.values[: split.train_end]
    reasons, candidates = [], list(TRANSFORMS)
    if series.y[: split.validation_end].min() <= 0:
        candidates.remove("log-return")
        reasons.append("log-return needs a positive series")
    outside = _share_outside(series, split)
    if outside > OUT_OF_RANGE:
        candidates.remove("standard")
        reasons.append(f"standard is ruled out, {outside:.0%} of the validation part lies outside the training range")
    errors: dict[str, float] = {}
    for name in candidates:
        columns = _columns(series, split, name)
        problem = Problem(series, split, window, horizon, fit(train, columns, horizon))
        errors[name] = _ridge_error(problem)
    best = min(errors, key=lambda name: errors[name])
    figures = ", ".join(f"{name} {error:.4g}" for name, error in sorted(errors.items(), key=lambda item: item[1]))
    reasons.insert(0, f"the lowest error of a ridge autoregression in validation ({figures})")
    return Choice(_columns(series, split, best), "; ".join(reasons))


def _columns(series: Series, split: Split, name: str) -> tuple[str, ...]:
    if name != "log-return":
        return (name,) * int(series.values.shape[1])
    features = [
        "log-return" if column.min() > 0 else "difference" for column in series.values[: split.validation_end].T[1:]
    ]
    return (name, *features)


def _share_outside(series: Series, split: Split) -> float:
    train, held_out = series.y[: split.train_end], series.y[split.train_end : split.validation_end]
    return float(np.mean((held_out < train.min()) | (held_out > train.max())))


def _ridge_error(problem: Problem) -> float:
    """The mean absolute error in validation, in the target's unit."""
    origins = problem.origins("validation")
    ridge = fit_ridge(problem, latest=_MOST_WINDOWS)
    forecasts = problem.forecasts(ridge.predict(flat(problem.inputs(origins))), origins)
    return float(np.abs(forecasts - problem.future(origins))[problem.observed(origins)].mean())


def fit_ridge(problem: Problem, latest: int | None = None) -> RidgeAutoregression:
    """A ridge autoregression on what the cells read, its penalty chosen in validation."""
    train, held_out = problem.origins("train"), problem.origins("validation")
    train = train[-latest:] if latest else train
    return RidgeAutoregression.fit(
        flat(problem.inputs(train)),
        problem.answers(train),
        problem.observed(train),
        valid_inputs=flat(problem.inputs(held_out)),
        valid_targets=problem.answers(held_out),
        valid_observed=problem.observed(held_out),
    )


def flat(inputs: Floats) -> Floats:
    """Windows (n, L, C) as rows (n, L·C)."""
    return np.asarray(inputs.reshape(len(inputs), -1))
