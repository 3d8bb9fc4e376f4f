"""A finished study before it becomes data: every cell and every baseline, scored and tested against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatework.errors import TrainingError
from gatework.study.entrants import Baseline, Entrant
from gatework.study.plan import Plan
from gatework.study.statistics import Comparison, compare_all, compare_pair, diebold_mariano, holm
from gatework.study.trial import Outcome, Trial
from gatework.study.verdict import hardest
from gatework.tasks.forecaster import count
from gatework.tasks.problem import Problem

METRICS = ("mae", "rmse", "mase", "mape")
LEVEL = 0.95


@dataclass(frozen=True)
class Duel:
    """A cell against a baseline.

    `statistic` and `dm_p_value` are those of the Diebold–Mariano test on the losses averaged over seeds. That test
    knows nothing of how much seeds differ; `p_value`, which decides, is the larger of it and of the paired comparison
    that does, Holm-adjusted over the cells.
    """

    statistic: float
    dm_p_value: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A finished study before it becomes data: its plan, and what its cells gave.

    `diverged` says of cells that are left out, because some of their forecasts are not finite, in how many seeds.
    """

    plan: Plan
    entrants: tuple[Entrant, ...]
    diverged: Mapping[str, int]

    @property
    def problem(self) -> Problem:
        """What every cell was asked."""
        return self.plan.problem

    @property
    def baselines(self) -> tuple[Baseline, ...]:
        """The baselines, simplest first."""
        return self.plan.baselines

    @property
    def ranked(self) -> tuple[Entrant, ...]:
        """The cells, lowest test error first."""
        return tuple(sorted(self.entrants, key=lambda one: one.mae))

    @property
    def best_baseline(self) -> Baseline:
        """The baseline that is hardest to beat on the test part."""
        return self.baselines[hardest([one.score.mae for one in self.baselines])]

    @property
    def seeds(self) -> int:
        """How often every cell was trained."""
        return len(self.entrants[0].outcomes)

    def against(self, baseline: Baseline) -> dict[str, Duel]:
        """Every cell against a baseline. The p-values are Holm-adjusted over the cells."""
        horizon = self.problem.horizon
        tests = [diebold_mariano(one.losses.mean(axis=0), baseline.losses, horizon) for one in self.ranked]
        p_values = [test.p_value for test in tests]
        for k, one in enumerate(self.ranked):
            if len(one.losses) > 1:
                paired = compare_pair(one.losses, baseline.losses[None], horizon=horizon)
                p_values[k] = max(p_values[k], paired.p_value)
        adjusted = holm(p_values)
        return {
            one.name: Duel(test.statistic, test.p_value, p)
            for one, test, p in zip(self.ranked, tests, adjusted, strict=True)
        }

    def comparisons(self) -> tuple[Comparison, ...]:
        """Every two cells, paired by seed and origin."""
        return compare_all({one.name: one.losses for one in self.ranked}, horizon=self.problem.horizon)


def evaluate(plan: Plan, outcomes: Mapping[str, Outcome]) -> Evaluation:
    """Score every cell and every baseline on the test part. Raises `TrainingError` where every cell diverged."""
    results = {name: _of_cell(name, plan, outcomes) for name in plan.cells}
    diverged = {name: sum(one.diverged for one in found) for name, (_, found) in results.items()}
    entrants = tuple(
        Entrant(
            name,
            plan.cells[name],
            plan.widths[name],
            count(plan.cells[name], plan.problem.columns, plan.widths[name], plan.problem.horizon),
            trials,
            found,
            plan.scorer,
        )
        for name, (trials, found) in results.items()
        if not diverged[name]
    )
    if not entrants:
        raise TrainingError(
            f"No cell could be trained: the forecasts of {', '.join(diverged)} are not finite; lower --learning-rate, "
            "or look whether the equations can grow without bound."
        )
    left_out = {name: seeds for name, seeds in diverged.items() if seeds}
    return Evaluation(plan, entrants, left_out)


def _of_cell(name: str, plan: Plan, outcomes: Mapping[str, Outcome]) -> tuple[tuple[Trial, ...], tuple[Outcome, ...]]:
    trials = tuple(trial for trial in plan.trials if trial.name == name)
    return trials, tuple(outcomes[trial.key] for trial in trials)
