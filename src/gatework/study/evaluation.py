"""A finished study before it becomes data: every cell and every baseline, scored and tested against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatework.study.entrants import Baseline, Entrant, Scorer, make_baselines
from gatework.study.plan import Plan
from gatework.study.statistics import Comparison, compare_all, compare_pair, diebold_mariano, holm
from gatework.study.trial import Outcome
from gatework.study.verdict import hardest
from gatework.tasks.choice import Choice
from gatework.tasks.forecaster import count
from gatework.tasks.problem import Problem
from gatework.tasks.season import Season

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
    """A finished study before it becomes data: its problem, its entrants and its baselines."""

    problem: Problem
    choice: Choice
    season: Season
    scorer: Scorer
    entrants: tuple[Entrant, ...]
    baselines: tuple[Baseline, ...]

    @property
    def ranked(self) -> tuple[Entrant, ...]:
        """The cells, lowest test error first."""
        return tuple(sorted(self.entrants, key=lambda one: one.mae))

    @property
    def best_baseline(self) -> Baseline:
        """The baseline that is hardest to beat on the test part."""
        return self.baselines[hardest([one.score.mae for one in self.baselines])]

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
    return Evaluation(plan.problem, plan.choice, plan.season, scorer, tuple(entrants), baselines)
