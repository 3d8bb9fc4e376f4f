"""What stands in the table: cells with the errors of every seed, and baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gatework.data import Series
from gatework.graph import Cell
from gatework.study.trial import Outcome, Trial
from gatework.tasks import baselines
from gatework.tasks.choice import fit_ridge, flat
from gatework.tasks.forecaster import Forecaster
from gatework.tasks.metrics import Score, by_step, mape_means_something, mase_scale, score
from gatework.tasks.problem import Mask, Problem
from gatework.tasks.season import Season, find_season
from gatework.tasks.transform import Floats


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores forecasts of the test part. `mape_note` is empty where errors in per cent mean something."""

    truth: Floats
    observed: Mask
    mase_scale: float
    mape_note: str

    @classmethod
    def of(cls, problem: Problem, season: Season) -> Scorer:
        """The scorer of a problem: its scales come from the training part."""
        origins = problem.origins("test")
        train = problem.series.y[: problem.split.train_end]
        seen = problem.series.observed[: problem.split.train_end, 0]
        known = np.where(seen, train, np.nan)  # what was filled in is no measure of how much the series changes
        sensible, why = mape_means_something(train)
        return cls(
            problem.future(origins),
            problem.observed(origins),
            mase_scale(known, min(season.length, len(train) - 1)),
            "" if sensible else why,
        )

    def score(self, forecasts: Floats) -> Score:
        """MAE, RMSE, MASE and MAPE of forecasts (n, h)."""
        return score(self.truth, forecasts, self.observed, scale=self.mase_scale, mape_ok=not self.mape_note)

    def by_step(self, forecasts: Floats) -> list[float | None]:
        """The mean absolute error of every step of the horizon; None where a step was never observed."""
        return [None if np.isnan(one) else float(one) for one in by_step(self.truth, forecasts, self.observed)]

    def losses(self, forecasts: Floats) -> Floats:
        """The mean absolute error of every origin, (n,), over the steps that were observed."""
        errors = np.where(self.observed, np.abs(forecasts - self.truth), 0.0)
        return np.asarray(errors.sum(axis=1) / self.observed.sum(axis=1))


@dataclass(frozen=True, eq=False)
class Entrant:
    """A cell in the table: its trials, seed by seed, and what they gave."""

    name: str
    cell: Cell
    widths: tuple[int, ...]
    parameters: int
    trials: tuple[Trial, ...]
    outcomes: tuple[Outcome, ...]
    scorer: Scorer

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        """The scores of the test part, seed by seed."""
        return tuple(self.scorer.score(outcome.test) for outcome in self.outcomes)

    @cached_property
    def losses(self) -> Floats:
        """The mean absolute error of every seed at every origin: (S, n)."""
        return np.stack([self.scorer.losses(outcome.test) for outcome in self.outcomes])

    @cached_property
    def mae(self) -> float:
        """The mean absolute error over seeds, in the target's unit."""
        return float(np.mean([one.mae for one in self.scores]))

    @property
    def best_seed(self) -> int:
        """The position of the seed with the lowest validation error."""
        return int(np.argmin([outcome.validation_error for outcome in self.outcomes]))

    def best_network(self, problem: Problem) -> Forecaster:
        """The network of the best seed, as its best epoch left it."""
        network = Forecaster(self.cell, problem.columns, self.widths, problem.horizon)
        network.load_state_dict(self.outcomes[self.best_seed].weights)
        return network.eval()

    def mean_forecast(self) -> Floats:
        """The forecasts of the test part, averaged over seeds: (n, h)."""
        return np.asarray(np.mean([outcome.test for outcome in self.outcomes], axis=0))

    def mean_by_step(self) -> list[float | None]:
        """The error of every step, averaged over seeds."""
        rows = [self.scorer.by_step(outcome.test) for outcome in self.outcomes]
        return [None if None in column else float(np.mean(column)) for column in zip(*rows, strict=True)]


@dataclass(frozen=True, eq=False)
class Baseline:
    """A forecast that needs no network: its place in the table."""

    name: str
    title: str
    note: str
    naive: bool
    forecasts: Floats
    scorer: Scorer

    @cached_property
    def score(self) -> Score:
        """The scores of the test part."""
        return self.scorer.score(self.forecasts)

    @cached_property
    def losses(self) -> Floats:
        """The mean absolute error at every origin: (n,)."""
        return self.scorer.losses(self.forecasts)


BASELINES = ("persistence", "seasonal naive", "drift", "ridge autoregression")
"""The names of the baselines, simplest first."""


def make_baselines(problem: Problem, season: Season, scorer: Scorer) -> tuple[Baseline, ...]:
    """Persistence, seasonal naive, drift and the ridge autoregression, forecasting the test part."""
    y, origins, h = problem.series.y, problem.origins("test"), problem.horizon
    ridge = fit_ridge(problem)
    linear = problem.forecasts(ridge.predict(flat(problem.inputs(origins))), origins)
    season_note = season.why if season.found else f"{season.why}: as persistence"
    entries: Sequence[tuple[str, str, str, bool, Floats]] = (
        ("persistence", "Persistence", "the last known value", True, baselines.persistence(y, origins, h)),
        (
            "seasonal naive",
            "Seasonal naive",
            season_note,
            True,
            baselines.seasonal_naive(y, origins, h, season.length),
        ),
        (
            "drift",
            "Drift",
            "the line from the first to the last known value",
            True,
            baselines.drift(y, origins, h),
        ),
        (
            "ridge autoregression",
            "Ridge autoregression",
            f"linear in the same windows, penalty {ridge.penalty:.3g} chosen in validation",
            False,
            linear,
        ),
    )
    return tuple(Baseline(*entry, scorer) for entry in entries)


def season_of(series: Series, train_end: int, asked: int | None) -> Season:
    """The season that is given, or that the training part shows."""
    if asked is not None:
        return Season(asked, True, f"a season of {asked} rows was given")
    return find_season(series.y[:train_end], series.step.seasons)
