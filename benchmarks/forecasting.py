"""Run the study on real series and write the table of docs/results/forecasting.md.

Every study is kept in its run folder under gatework-runs/results: what is finished is not trained again.
Usage: GATEWORK_DATA=… python benchmarks/forecasting.py [--seeds 3] [--only bitcoin]
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import gatework
from gatework.study import Listener, Options
from gatework.study.options import command
from gatework.study.record import versions

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "results" / "forecasting.md"
RUNS = ROOT / "gatework-runs" / "results"
CELLS = ("rnn", "lstm", "gru")
BASELINES = ("persistence", "seasonal naive", "drift", "ridge autoregression")


@dataclass(frozen=True)
class Case:
    """One series and what is asked of it; everything else is the default."""

    path: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return Path(self.path).stem

    def command(self, seeds: int) -> str:
        """The study as it is written on the command line."""
        return command(Path(self.path).name, Options(**self.settings, cells=CELLS, seeds=seeds), None)


CASES = (
    Case("bitcoin/BCHARTS-BITSTAMPUSD.csv", {"target": "Close", "window": 60}),
    Case("small_series/airline-passengers.csv", {"window": 24}),
    Case("small_series/monthly-sunspots.csv", {"window": 60}),
    Case("small_series/daily-min-temperatures.csv", {"window": 60}),
    Case(
        "small_series/pollution.csv",
        {"target": "pm2.5", "features": ("DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"), "window": 24},
    ),
    Case("ett/ETTh1.csv", {"target": "OT", "horizon": 24, "window": 60}),
)


class Told(Listener):
    """A line for each finished trial."""

    def finished(self, trial: Any, outcome: Any) -> None:
        print(
            f"  {trial.name} seed {trial.seed}: {len(outcome.epochs)} epochs, {outcome.train_seconds:.0f} s",
            flush=True,
        )


def row(case: Case, record: dict[str, Any]) -> str:
    """A line of the table: errors, best first within cells, the baselines, and how long one model trains."""
    cells = {one["cell"]: one["test"]["mae"] for one in record["leaderboard"]}
    baselines = {one["name"]: one["test"]["mae"] for one in record["baselines"]}
    best = min(cells, key=lambda name: cells[name]["mean"])
    figures = [_figure(cells[name], bold=name == best) for name in CELLS]
    figures += [f"{baselines[name]:.4g}" for name in BASELINES]
    seconds = " / ".join(
        f"{one['train_seconds']:.0f}" for name in CELLS for one in record["leaderboard"] if one["cell"] == name
    )
    n = record["data"]["split"]["test"]["windows"]
    return f"| {case.name} | {n:,} | {record['data']['transform']['name']} | {' | '.join(figures)} | {seconds} |"


def _figure(mae: dict[str, Any], *, bold: bool) -> str:
    half = f" ± {(mae['interval'][1] - mae['interval'][0]) / 2:.2g}" if mae["interval"] else ""
    text = f"{mae['mean']:.4g}{half}"
    return f"**{text}**" if bold else text


def page(rows: list[str], verdicts: list[str], seeds: int) -> str:
    about = ", ".join(f"{key} {value}" for key, value in versions().items())
    head = [
        "# Recurrent cells on real series",
        "",
        f"`GATEWORK_DATA=… python benchmarks/forecasting.py --seeds {seeds}` on {about}.",
        "",
        "Mean absolute error on the untouched last fifth of each series, in its own unit: mean over seeds ± 95 %, at",
        "equal parameters, with default settings save those named below. Bold: the cell with the lowest error.",
        "Training: seconds for one model, in the order of the cells.",
        "",
        f"| {' | '.join(['series', 'forecasts', 'transform', *CELLS, *BASELINES, 'training'])} |",
        f"|---|---:|---|{'---:|' * (len(CELLS) + len(BASELINES))}---|",
    ]
    return "\n".join([*head, *rows, "", "## What the studies say", "", *verdicts, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="run one series and leave the page as it is")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = Path(os.environ["GATEWORK_DATA"])
    rows, verdicts = [], []
    for case in CASES:
        if options.only and options.only not in case.path:
            continue
        print(case.name, flush=True)
        settings = {**case.settings, "cells": CELLS, "seeds": options.seeds}
        study = gatework.compare(folder / case.path, out=RUNS / case.name, listener=Told(), **settings)
        rows.append(row(case, dict(study.record)))
        verdicts.append(f"- **{case.name}** (`{case.command(options.seeds)}`): {study.verdict()}")
        print(f"  {study.verdict()}", flush=True)
    if not options.only:
        PAGE.write_text(page(rows, verdicts, options.seeds), encoding="utf-8")


if __name__ == "__main__":
    main()
