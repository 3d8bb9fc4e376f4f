"""What a study hands over: the best model, and the test forecasts as a table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import polars as pl

from gatework.study.evaluation import Evaluation
from gatework.study.plain import stamp, stamps
from gatework.study.record import versions
from gatework.tasks.model import Columns, Model, conformal_reach


def best_model(evaluation: Evaluation) -> Model:
    """The model of the cell that leads the table, in the seed that is best in validation."""
    plan, problem, entrant = evaluation.plan, evaluation.problem, evaluation.ranked[0]
    outcome = entrant.outcomes[entrant.best_seed]
    held_out = problem.origins("validation")
    history = problem.history(held_out)
    errors = problem.answers(held_out) - problem.transform.encode(outcome.validation, history)
    series, options = problem.series, plan.options
    return Model(
        cell=entrant.cell,
        widths=entrant.widths,
        window=problem.window,
        transform=problem.transform,
        columns=Columns(series.target, options.time, series.features, options.missing, series.step.name),
        reach=conformal_reach(errors, problem.observed(held_out)),
        network=entrant.best_network(problem),
        provenance={
            "data": plan.source,
            "data_fingerprint": series.fingerprint,
            "trained_on_rows_before": stamp(series.times[problem.split.train_end]),
            "seed": entrant.trials[entrant.best_seed].seed,
            "validation_error": outcome.validation_error,
            "test_error_of_the_cell": entrant.mae,
            "settings": asdict(options.settings),
            "versions": versions(evaluation.plan.options.device),
        },
    )


def forecasts_table(evaluation: Evaluation) -> pl.DataFrame:
    """The test forecasts: a row for each origin and step, the truth, every cell (mean over seeds), every baseline."""
    problem, scorer = evaluation.problem, evaluation.plan.scorer
    origins, h = problem.origins("test"), problem.horizon
    rows = origins.repeat(h) + list(range(1, h + 1)) * len(origins)
    times = problem.series.times
    truth = [value if seen else None for value, seen in zip(scorer.truth.ravel(), scorer.observed.ravel(), strict=True)]
    columns: dict[str, Any] = {
        "origin": stamps(times[origins.repeat(h)]),
        "time": stamps(times[rows]),
        "step": list(range(1, h + 1)) * len(origins),
        "truth": truth,
    }
    columns |= {one.name: one.mean_forecast().ravel() for one in evaluation.ranked}
    columns |= {one.name: one.forecasts.ravel() for one in evaluation.baselines}
    return pl.DataFrame(columns)
