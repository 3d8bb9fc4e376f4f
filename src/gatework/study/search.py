"""A search for a cell that forecasts a table: changed equations, chosen in validation, judged by a study."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

from gatework.cells import find
from gatework.errors import TrainingError, UsageError
from gatework.graph import Cell
from gatework.graph.source import source
from gatework.graph.text import equations
from gatework.study.budget import widths_for
from gatework.study.halving import Candidate, Findings, Trained, Watcher, rounds_of
from gatework.study.halving import search as halve
from gatework.study.interruption import interruptible
from gatework.study.options import command
from gatework.study.plain import finite
from gatework.study.plan import Plan, make_plan
from gatework.study.run_folder import FORMAT
from gatework.study.search_folder import SearchFolder
from gatework.study.search_options import SearchOptions, search_command
from gatework.study.search_verdict import search_verdict
from gatework.study.soundness import flaw
from gatework.study.statistics import Comparison
from gatework.study.study import Listener, Study, make_options, run_plan, threads
from gatework.study.trial import Trial, fit_all
from gatework.tasks.forecaster import count

FILE = "found.py"
"""Where the found cells are written, if nobody changed what is there."""

_CHANGED = "{old} was changed and is left as it is: what the search found stands in {new}."


class Watch(Watcher):
    """What is told while a search runs, and by the study after it. Every method may be left as it is."""

    def prepared(self, plan: Plan, options: SearchOptions, known: int) -> None:
        """The data is read; so many trainings were finished in an earlier run."""

    def epoch(self, candidate: str, number: int, epochs: int) -> None:
        """A training has finished an epoch."""

    def judging(self) -> Listener:
        """The search is over: who listens to the study that judges what was found."""
        return Listener()


@dataclass(frozen=True, eq=False)
class Search:
    """What was found: the findings, the study that judges them, and everything of the search as plain data."""

    record: Mapping[str, Any]
    findings: Findings
    study: Study
    folder: Path

    def verdict(self) -> str:
        """Whether the search found a cell that is better than those beside it, in one sentence."""
        return str(self.record["verdict"])


def search(data: Any, *, out: str | Path | None = None, watch: Watch | None = None, **settings: Any) -> Search:
    """Look for a cell that forecasts `data` better than those beside it, and say whether it was found.

    The settings are those of `SearchOptions` and, but for the cells, those of `Options`. Equations are changed, short
    trials come first, and the validation part alone decides who goes on; the best are then trained with fresh seeds,
    and a study compares them with the cells beside them on the test part. Everything is kept in the folder `out`; the
    same call goes on where it was interrupted.

    Raises `DataError`, `UsageError`, `EquationError`, `RunFolderError`, or `TrainingError` where no new cell could be
    trained; nothing is written before the data and the settings are known to work.

    >>> import tempfile
    >>> made = search("sunspots", candidates=1, epochs=1, seeds=1, window=12, params=300, start=("rnn",),
    ...     beside=("rnn",), out=tempfile.mkdtemp())
    >>> len(made.findings.candidates), made.study.leaderboard().height
    (1, 6)
    """
    own = {key: settings.pop(key) for key in [*settings] if key in SearchOptions.__dataclass_fields__}
    if "cells" in settings:
        raise UsageError(
            "A search has no setting 'cells': name those to compare with as beside, those to change as start."
        )
    asked = SearchOptions(**{key: _listed(value) for key, value in own.items()})
    starts = asked.cells()
    named = list(dict.fromkeys([*asked.beside, *asked.start]))
    plan = make_plan(data, make_options({**settings, "cells": named}))
    folder = Path(out) if out is not None else _default_folder(plan, asked)
    watch = watch or Watch()
    findings = _look(plan, asked, starts, folder, watch)
    found, file = _write(findings, asked, folder, plan)
    beside = [plan.cells[find(one).name].name for one in asked.beside]
    cells = [*asked.beside, *(f"{folder / file}:{one.name}" for one in found)]
    judged = make_plan(data, replace(plan.options, cells=tuple(cells)))
    place = folder / "comparison"
    study = run_plan(judged, place, command(plan.source, judged.options, place), watch.judging())
    words = search_command(plan.source, asked, plan.options, Path(out) if out is not None else None)
    record = _record(findings, found, file, beside, plan, study, words)
    with SearchFolder(folder, _subject(plan, asked)) as store:
        store.write_json("search.json", record)
    return Search(record, findings, study, folder)


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, Cell) else value


def _look(plan: Plan, asked: SearchOptions, starts: Sequence[Cell], folder: Path, watch: Watch) -> Findings:
    """Run the search; trainings that are stored are not repeated."""
    inputs, options = plan.problem.columns, plan.options
    with SearchFolder(folder, _subject(plan, asked)) as store, threads(options.threads), interruptible() as stop:
        known = store.known()
        watch.prepared(plan, asked, len(known))

        def train(cell: Cell, epochs: int, seed: int) -> Trained:
            trial = _trial(plan, cell, epochs, seed)
            if trial.key not in known:
                known[trial.key] = _train(trial, plan, watch, stop)
                about = {"cell": cell.name, "widths": list(trial.widths), "epochs": epochs, "seed": seed}
                store.note(trial.key, known[trial.key], {**about, "equations": equations(cell.graph)})
                stop()
            return known[trial.key]

        def check(cell: Cell) -> str:
            stop()
            return flaw(cell, inputs) or _too_many(plan, cell)

        return halve(
            starts,
            train,
            candidates=asked.candidates,
            rounds=rounds_of(options.epochs),
            check=check,
            seed=asked.search_seed,
            seconds=asked.seconds,
            watcher=watch,
        )


def _trial(plan: Plan, cell: Cell, epochs: int, seed: int) -> Trial:
    settings = replace(plan.options.settings, epochs=epochs)
    return Trial(cell.name, cell, _widths(plan, cell), seed, settings, plan.trials[0].problem_key)


def _widths(plan: Plan, cell: Cell) -> tuple[int, ...]:
    options = plan.options
    return options.layers or widths_for(cell, plan.problem.columns, options.horizon, options.params, options.depth)


def _too_many(plan: Plan, cell: Cell) -> str:
    try:
        _widths(plan, cell)
    except UsageError:
        return "too many weights"
    return ""


def _train(trial: Trial, plan: Plan, watch: Watch, stop: Callable[[], None]) -> Trained:
    """Train a candidate; its error is the lowest validation loss of its epochs. The test part is not read."""

    def told(_trial: Trial, number: int, _epoch: object) -> None:
        watch.epoch(trial.name, number, trial.settings.epochs)
        stop()

    began = time.perf_counter()
    (result,) = fit_all([trial], plan.problem, plan.options.device, told)
    error = result.epochs[result.best_epoch - 1].validation if result.best_epoch else inf
    return Trained(error, time.perf_counter() - began)


def _subject(plan: Plan, asked: SearchOptions) -> dict[str, Any]:
    """What makes two searches the same: all but how long they go on, and what is done with what they find."""
    own = {"start": list(asked.start), "search_seed": asked.search_seed}
    return {"search": {**plan.subject, **own}}


def _default_folder(plan: Plan, asked: SearchOptions) -> Path:
    digest = hashlib.sha256(json.dumps(_subject(plan, asked), sort_keys=True).encode()).hexdigest()[:8]
    return Path("gatework-runs") / f"{plan.problem.series.name}-search-{digest}"


def _write(findings: Findings, asked: SearchOptions, folder: Path, plan: Plan) -> tuple[list[Cell], str]:
    """Write the best of the new cells to a file that anybody can name and change: the cells, and its name."""
    best = findings.best(asked.found)
    if not best:
        raise TrainingError(_nothing(findings, asked))
    taken = {cell.name for cell in plan.cells.values()}
    names = (name for k in range(1, 10_000) if (name := f"found_{k}") not in taken)
    about = f"found by gatework search in {plan.problem.series.name}"
    cells = [_named(candidate, name, about) for candidate, name in zip(best, names, strict=False)]
    with SearchFolder(folder, _subject(plan, asked)) as store:
        text = source(cells, f"Cells that gatework search found in {plan.problem.series.name}.")
        return cells, store.write_beside(FILE, text)


def _named(candidate: Candidate, name: str, about: str) -> Cell:
    return replace(
        candidate.cell, name=name, title=f"{candidate.name} of a search, from {candidate.parent}", source=about
    )


def _nothing(findings: Findings, asked: SearchOptions) -> str:
    if findings.stopped:
        more = "give it a longer --time-limit" if findings.seconds >= asked.seconds else "give other cells to --start"
        return f"The search trained no new cell, because {findings.stopped}: {more}."
    return (
        f"None of {len(findings.candidates)} new cells could be trained: their validation errors are not finite; lower "
        "--learning-rate, or try more --candidates."
    )


def _early(findings: Findings) -> str:
    """Why the search ended early, and whether no new cell was trained as long as was asked; empty where it did not."""
    before = "" if findings.funnel[-1] else " before the last round"
    return f"{findings.stopped}{before}" if findings.stopped else ""


def _record(
    findings: Findings,
    found: Sequence[Cell],
    file: str,
    beside: Sequence[str],
    plan: Plan,
    study: Study,
    words: str,
) -> dict[str, Any]:
    errors = {row["cell"]: row["test"]["mae"]["mean"] for row in study.record["leaderboard"]}
    seeds = int(study.record["settings"]["seeds"])
    pairs = [_pair(one, seeds) for one in study.record["comparisons"]]
    best = findings.best(len(found))
    record = {
        "format": FORMAT,
        "verdict": search_verdict([one.name for one in found], beside, errors, pairs, early=_early(findings)),
        "notes": [_CHANGED.format(old=FILE, new=file)] if file != FILE else [],
        "command": words,
        "rounds": [{"epochs": one.epochs, "seeds": one.seeds} for one in findings.rounds],
        "funnel": findings.funnel,
        "refused": dict(findings.refused),
        "seconds": findings.seconds,
        "stopped": findings.stopped,
        "found": [
            {"cell": cell.name, "candidate": one.name, "file": file, "equations": equations(cell.graph)}
            for cell, one in zip(found, best, strict=True)
        ],
        "starts": [_row(one, plan) for one in findings.starts],
        "candidates": [_row(one, plan) for one in sorted(findings.candidates, key=lambda one: one.order)],
    }
    return dict(finite(record))


def _row(one: Candidate, plan: Plan) -> dict[str, Any]:
    widths = _widths(plan, one.cell)
    return {
        "cell": one.name,
        "parent": one.parent,
        "changes": list(one.changes),
        "rounds": one.rounds,
        "validation": one.error,
        "hidden": list(widths),
        "parameters": count(one.cell, plan.problem.columns, widths, plan.problem.horizon),
        "equations": equations(one.cell.graph),
    }


def _pair(record: Mapping[str, Any], seeds: int) -> Comparison:
    """A comparison from the record of a study."""
    low, high = record["interval"] or (-inf, inf)
    return Comparison(
        first=record["first"],
        second=record["second"],
        difference=record["relative"],
        relative=record["relative"],
        interval_low=low,
        interval_high=high,
        p_value=record["p_value"],
        seeds=seeds,
        outcome=record["outcome"],
    )
