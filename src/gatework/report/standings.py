"""Cells and baselines in one ranking by the study's measure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from gatework.report.results import BaselineResult, CellResult, Results, Score


@dataclass(frozen=True)
class Standing:
    """One row of the ranking: a cell, or a baseline (then ``cell`` is None)."""

    name: str
    title: str
    scores: dict[str, Score | None]
    cell: CellResult | None = None
    note: str = ""

    def mean(self, metric: str) -> float | None:
        """Return the mean error, or None where it could not be measured."""
        score = self.scores.get(metric)
        return None if score is None else score["mean"]

    def interval(self, metric: str) -> tuple[float, float] | None:
        """Return the interval of the mean error, where there is one."""
        score = self.scores.get(metric)
        bounds = None if score is None else score.get("interval")
        return (bounds[0], bounds[1]) if bounds else None

    def seeds(self, metric: str) -> list[float]:
        """Return the error of each seed that could be measured."""
        score = self.scores.get(metric)
        return [] if score is None else [value for value in score.get("seeds", []) if value is not None]


def standings(results: Results) -> list[Standing]:
    """Return cells and baselines together, best first; those without a measure come last."""
    metric = results["metric"]
    rows = [*map(_of_cell, results["leaderboard"]), *map(_of_baseline, results["baselines"])]
    return sorted(rows, key=lambda row: lowest(row.mean(metric)))


def best_baseline(results: Results) -> Standing | None:
    """Return the baseline to beat, or None in a study without baselines."""
    chosen = [row for row in results["baselines"] if row["best"]] or results["baselines"]
    rows = sorted(map(_of_baseline, chosen), key=lambda row: lowest(row.mean(results["metric"])))
    return rows[0] if rows else None


def metrics(results: Results) -> list[str]:
    """Return the measures in the results, that of the study first, without those nobody has."""
    rows = standings(results)
    names = dict.fromkeys([results["metric"], *(name for row in rows for name in row.scores)])
    return [name for name in names if any(row.mean(name) is not None for row in rows)]


def extent(values: Iterable[float | None]) -> tuple[float, float] | None:
    """Return the smallest and the largest of the values that exist."""
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None


def lowest(value: float | None) -> float:
    """Return a key that sorts missing values last."""
    return math.inf if value is None else value


def _of_cell(row: CellResult) -> Standing:
    return Standing(row["cell"], row["title"], row["test"], row)


def _of_baseline(row: BaselineResult) -> Standing:
    scores: dict[str, Score | None] = {name: {"mean": value} for name, value in row["test"].items()}
    return Standing(row["name"], row["title"], scores, None, row["note"])
