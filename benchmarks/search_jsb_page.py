"""The page of `search_jsb.py`: what was searched, what was found, and how it does beside known cells."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from gatework.graph import Cell
from gatework.graph.source import source
from gatework.graph.text import equations
from gatework.study.halving import Findings
from gatework.study.record import versions
from gatework.study.search_verdict import search_verdict
from gatework.study.statistics import Comparison, compare_all, interval

PUBLISHED = {"gru": (8.54, 8.43), "lstm": (8.67, 8.45)}
"""Test losses of Chung et al. 2014, 20,000 weights in the layer, and of Bai et al. 2018, with many more."""


class Row:
    """A cell over its seeds: its units and weights, losses a frame, and test losses by piece, (seeds, pieces).

    The losses of pieces are weighed so that their mean is the loss a frame.
    """

    def __init__(
        self, cell: Cell, units: int, weights: int, validation: list[float], epochs: list[int], pieces: np.ndarray
    ) -> None:
        self.cell, self.units, self.weights = cell, units, weights
        self.validation, self.epochs, self.pieces = validation, epochs, pieces

    @property
    def test(self) -> list[float]:
        """The loss a frame on the test pieces, seed by seed."""
        return [float(one) for one in self.pieces.mean(axis=1)]


def page(task: Sequence[str], findings: Findings, found: Cell, rows: Sequence[Row], independent: float) -> str:
    """The page. `task` says in sentences what was trained and how; a row whose losses are not finite is left out."""
    sound = [one for one in rows if np.isfinite(one.pieces).all()]
    errors = {one.cell.name: float(np.mean(one.test)) for one in sound}
    pairs = compare_all({one.cell.name: one.pieces for one in sound}, horizon=1)
    beside = [one.cell.name for one in rows if one.cell.name != found.name]
    about = ", ".join(f"{key} {value}" for key, value in versions().items())
    command = shlex.join(["python", "benchmarks/search_jsb.py", *sys.argv[1:]])
    seeds = len(rows[0].validation)
    return "\n".join(
        [
            "# A search for a cell on JSB Chorales",
            "",
            f"`GATEWORK_DATA=… {command}`, {datetime.now(UTC):%Y-%m-%d}, on {about}.",
            "",
            f"**{search_verdict([found.name], beside, errors, pairs, 'nats')}**",
            "",
            *task,
            "",
            "## The search",
            "",
            *_search(findings),
            "",
            "## What was found",
            "",
            *_found(found, findings),
            "",
            f"## Beside known cells, with {seeds} fresh seeds",
            "",
            "Means over seeds ± 95 % (Student). Training stopped by validation; the test pieces were read once.",
            "",
            "| cell | units | weights | best epoch | validation | test |",
            "|---|---:|---:|---:|---:|---:|",
            *(_row(one) for one in sorted(sound, key=lambda one: errors[one.cell.name])),
            f"| independent notes | | | | | {independent:.3f} |",
            "",
            *(f"{one.cell.name} is left out: a loss is not finite.\n" for one in rows if one not in sound),
            "The found cell against each other, paired by seed and piece: the difference of the losses as a share of",
            "their mean, its 95 % interval, and the p-value after Holm's correction for all pairs of the table. Better",
            "is said of a difference of more than one per cent that chance does not explain, alike where the whole",
            "interval lies within one per cent.",
            "",
            "| pair | difference | interval | p | outcome |",
            "|---|---:|---:|---:|---|",
            *(_pair(one) for one in pairs if found.name in (one.first, one.second)),
            "",
            *_late(sound),
            "Published test losses, to check the set-up by: " + _published(errors),
            "",
        ]
    )


def _search(findings: Findings) -> list[str]:
    rounds = findings.rounds
    steps = ", ".join(f"{n} for {one.epochs}" for n, one in zip(findings.funnel, rounds, strict=True))
    refused = ", ".join(f"{why} {count}" for why, count in findings.refused.items())
    names = ", ".join(one.name for one in findings.starts)
    ended = f" It ended because {findings.stopped}." if findings.stopped else ""
    lines = [
        f"Begun with {names}. {len(findings.candidates)} new cells were trained, {steps} epochs, with "
        f"{rounds[-1].seeds} seeds in the last round; {sum(findings.refused.values())} draws were refused ({refused}). "
        f"{findings.seconds / 60:.0f} minutes of training on one thread.{ended} Only validation pieces decided.",
        "",
        "| cell | from | changes | epochs | validation |",
        "|---|---|---|---:|---:|",
    ]
    for one in sorted([*findings.starts, *findings.best(8)], key=lambda one: one.order):
        epochs = rounds[one.rounds - 1].epochs
        lines.append(f"| {one.name} | {one.parent} | {'; '.join(one.changes)} | {epochs} | {one.error:.3f} |")
    return lines


def _found(found: Cell, findings: Findings) -> list[str]:
    (best,) = findings.best(1)
    made, line = {one.name: one for one in findings.candidates}, [best.name]
    while line[-1] in made:
        line.append(made[line[-1]].parent)
    return [
        f"`{found.name}` is {best.name} of the search, made from {', from '.join(line[1:])}:",
        "",
        *(f"    {one}" for one in equations(found.graph)),
        "",
        "As a file, to be used like any cell:",
        "",
        "```python",
        source([found], "Found on JSB Chorales.").rstrip(),
        "```",
    ]


def _late(rows: Sequence[Row]) -> list[str]:
    """Which cells were best at the end of their training, so that a longer one may help them."""
    last = max(max(one.epochs) for one in rows)
    late = [one.cell.name for one in rows if np.median(one.epochs) > 0.9 * last]
    if not late:
        return []
    return [
        f"{', '.join(late)}: best in the last tenth of the epochs. What is compared is what so many epochs give, and "
        "longer trainings, or other settings for one cell, may order them anew.",
        "",
    ]


def _row(one: Row) -> str:
    epoch = f"{np.median(one.epochs):.0f}"
    return (
        f"| {one.cell.name} | {one.units} | {one.weights:,} | {epoch} | {_mean(one.validation)} | {_mean(one.test)} |"
    )


def _pair(one: Comparison) -> str:
    words = {"first": f"{one.first} is better", "second": f"{one.second} is better", "equivalent": "alike"}
    low, high = 100 * one.interval_low, 100 * one.interval_high
    outcome = words.get(one.outcome, "undecided")
    return (
        f"| {one.first} − {one.second} | {100 * one.relative:+.2f} % | {low:+.2f} to {high:+.2f} % | "
        f"{one.p_value:.2g} | {outcome} |"
    )


def _published(errors: Mapping[str, float]) -> str:
    said = [
        f"{name} {chung} (Chung et al. 2014) and {bai} (Bai et al. 2018), here {errors[name]:.2f}"
        for name, (chung, bai) in PUBLISHED.items()
        if name in errors
    ]
    return "; ".join(said) + "."


def _mean(values: Sequence[float]) -> str:
    found = interval(values)
    return f"{found.mean:.3f}" if found.low is None else f"{found.mean:.3f} ± {found.mean - found.low:.3f}"
