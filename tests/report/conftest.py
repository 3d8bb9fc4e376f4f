"""Made-up results that look like those of a real study, in the variants a report must survive."""

import math
import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

Results = dict[str, Any]
EQUATIONS = {
    "gru": [
        "r = σ(W_r x + U_r h + b_r)",
        "z = σ(W_z x + U_z h + b_z)",
        "n = tanh(W_n x + r ⊙ (U_n h + c_n) + b_n)",
        "h = (1 − z) ⊙ n + z ⊙ h",
    ],
    "lstm": [
        "i = σ(W_i x + U_i h + b_i)",
        "f = σ(W_f x + U_f h + b_f)",
        "o = σ(W_o x + U_o h + b_o)",
        "g = tanh(W_g x + U_g h + b_g)",
        "c = f ⊙ c + i ⊙ g",
        "h = o ⊙ tanh(c)",
    ],
    "rnn": ["h = tanh(W x + U h + b)"],
}
KINDS = {
    "gru": {"r": "gate", "z": "gate", "n": "candidate", "h": "state"},
    "lstm": {"i": "gate", "f": "gate", "o": "gate", "g": "candidate", "c": "state", "h": "state"},
    "rnn": {"h": "state"},
}
TITLES = {
    "gru": "Gated recurrent unit, reset after the product",
    "lstm": "Long short-term memory",
    "rnn": "Elman network",
}
MANY = (
    "gru",
    "lstm",
    "rnn",
    "mgu",
    "ligru",
    "peephole",
    "coupled",
    "janet",
    "sru",
    "indrnn",
    "clockwork",
    "lmu",
)


def score(mean: float, rng: random.Random, seeds: int) -> dict[str, Any]:
    values = [mean * (1 + rng.gauss(0, 0.006)) for _ in range(seeds)]
    middle = sum(values) / seeds
    half = 4.3 * max(abs(value - middle) for value in values) / math.sqrt(seeds)
    return {
        "mean": middle,
        "interval": [middle - half, middle + half] if seeds > 1 else None,
        "seeds": values,
    }


def leaderboard(names: tuple[str, ...], seeds: int, rng: random.Random) -> list[dict[str, Any]]:
    rows = []
    for place, name in enumerate(names):
        mean = 585.2 * (1 + 0.013 * place)
        test = {
            "mae": score(mean, rng, seeds),
            "rmse": score(2.07 * mean, rng, seeds),
            "mase": score(mean / 581.6, rng, seeds),
            "mape": score(2.76 + 0.03 * place, rng, seeds),
        }
        rows.append(
            {
                "cell": name,
                "title": TITLES.get(name, f"The {name} cell"),
                "parameters": 19841 - 37 * place,
                "hidden": [46 + place, 47],
                "seeds": seeds,
                "test": test,
                "validation": {"mae": score(0.8 * mean, rng, seeds)},
                "train_seconds": 12.3 * (1 + 0.37 * ((place * 5) % 7)),
                "epochs": 17.3,
                "epoch_seconds": 0.7,
                "step_microseconds": 210.0 - 11 * place,
                "beats_baseline": False,
                "against_baseline": {
                    "baseline": "persistence",
                    "difference": mean - 581.6,
                    "relative": mean / 581.6 - 1,
                    "p_value": 0.41 if seeds > 1 else None,
                },
                "equations": EQUATIONS.get(name, ["z = σ(W_z x + U_z h + b_z)", "h = z ⊙ h + (1 − z) ⊙ x"]),
            }
        )
    return sorted(rows, key=lambda row: row["test"]["mae"]["mean"])


def baselines() -> list[dict[str, Any]]:
    table = (
        ("persistence", "Persistence", 1.0, "tomorrow = today"),
        ("seasonal-naive", "Seasonal naive", 3.1, "season 12"),
        ("drift", "Drift", 1.004, ""),
        ("ridge", "Ridge regression on the window", 1.045, ""),
    )
    return [
        {
            "name": name,
            "title": title,
            "note": note,
            "best": name == "persistence",
            "test": {"mae": 581.6 * k, "rmse": 1205.9 * k, "mase": 1.0 * k, "mape": 2.76 * k},
        }
        for name, title, k, note in table
    ]


def comparisons(names: list[str], seeds: int) -> list[dict[str, Any]]:
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    outcomes = ("equivalent", "undecided", "first", "second") if seeds > 1 else ("undecided",)
    return [
        {
            "first": a,
            "second": b,
            "relative": 0.014 if outcomes[i % len(outcomes)] == "second" else -0.012,
            "interval": [-0.019, 0.003] if seeds > 1 else None,
            "p_value": 0.04 * (i + 1) if seeds > 1 else None,
            "outcome": outcomes[i % len(outcomes)],
        }
        for i, (a, b) in enumerate(pairs)
    ]


def curves(names: list[str], seeds: int, rng: random.Random) -> dict[str, Any]:
    def run(seed: int) -> dict[str, Any]:
        epochs = rng.randint(14, 22)
        train = [0.9 * math.exp(-0.35 * e) + 0.08 - 0.001 * e + rng.gauss(0, 0.002) for e in range(epochs)]
        validation = [0.8 * math.exp(-0.3 * e) + 0.11 + 0.0004 * e * e + rng.gauss(0, 0.004) for e in range(epochs)]
        return {
            "seed": seed,
            "train": train,
            "validation": validation,
            "best_epoch": validation.index(min(validation)) + 1,
        }

    return {name: [run(seed) for seed in range(seeds)] for name in names}


def walk(length: int, rng: random.Random) -> list[float]:
    values, price = [], 9000.0
    for _ in range(length):
        price = max(900.0, price * (1 + rng.gauss(0.0008, 0.032)))
        values.append(round(price, 2))
    return values


def forecasts(names: list[str], points: int, step: int, integer: bool, rng: random.Random) -> dict[str, Any]:
    series, past = walk(points + 60, rng), 60
    start = date(2019, 7, 13) - timedelta(days=past)
    times: list[Any] = [2900 + i if integer else str(start + timedelta(days=i)) for i in range(points + past)]
    lagged = series[past - step : -step]
    truth: list[float | None] = [*series[past:]]
    truth[points // 2] = None
    cells = {
        name: [value * (1 + rng.gauss(0.001 * (k + 1), 0.006)) for value in lagged] for k, name in enumerate(names)
    }
    best = names[0]
    return {
        "time": times[past:],
        "step": step,
        "truth": truth,
        "cells": cells,
        "low": {best: [value * 0.95 for value in cells[best]]} if step > 1 else {},
        "high": {best: [value * 1.05 for value in cells[best]]} if step > 1 else {},
        "baselines": {"persistence": lagged},
        "history": {"time": times[:past], "values": series[:past]},
    }


def gates(names: list[str], integer: bool, rng: random.Random) -> dict[str, Any]:
    T, H = 60, 47
    start = date(2021, 4, 20)
    times = [4000 + t if integer else str(start + timedelta(days=t)) for t in range(T)]
    wave = [math.sin(t / 7) + 0.4 * math.sin(t / 2.3) + rng.gauss(0, 0.1) for t in range(T)]

    tastes = [rng.gauss(0, 1) for _ in range(H)]

    def table(kind: str, scale: float) -> list[list[float]]:
        slopes = [(1.4 * taste + rng.gauss(0, 0.3), taste + rng.gauss(0, 0.3)) for taste in tastes]
        if kind == "gate":
            return [[1 / (1 + math.exp(-a * x - b)) for a, b in slopes] for x in wave]
        return [[scale * math.tanh(a * x + b / 2) for a, b in slopes] for x in wave]

    def one(name: str) -> dict[str, Any]:
        kinds = KINDS.get(name, {"z": "gate", "h": "state"})
        values = {key: table(kind, 3.4 if key == "c" else 0.9) for key, kind in kinds.items()}
        return {"layer": 2, "time": times, "input": wave, "values": values, "kinds": kinds}

    return {name: one(name) for name in names}


def horizon(names: list[str], steps: int) -> dict[str, Any]:
    ahead = list(range(1, steps + 1))
    return {
        "steps": ahead,
        "cells": {name: [(585 + 9 * k) * math.sqrt(s) * 0.97 for s in ahead] for k, name in enumerate(names)},
        "baselines": {
            "persistence": [581 * math.sqrt(s) for s in ahead],
            "drift": [584 * math.sqrt(s) * 1.02 for s in ahead],
        },
    }


def data(features: list[str], integer: bool, points: int) -> dict[str, Any]:
    parts = (
        ("train", "2011-09-13", "2018-01-01", 2300, 2240),
        ("validation", "2018-01-02", "2019-07-12", 557, 497),
        ("test", "2019-07-13", "2021-06-20", points, points),
    )
    return {
        "name": "BCHARTS-BITSTAMPUSD",
        "source": "bitstamp.csv",
        "target": "Close",
        "features": features,
        "rows": 3569,
        "observed": 3539,
        "start": 1 if integer else "2011-09-13",
        "end": 3569 if integer else "2021-06-20",
        "step": "1" if integer else "1 day",
        "findings": [
            {
                "kind": "outage",
                "count": 21,
                "found": "21 rows are all zero (2015-01-05 to 2015-01-09 and others)",
                "did": "treated as missing, carried forward",
            },
            {"kind": "order", "count": 1, "found": "The newest row comes first", "did": "sorted by time"},
            {
                "kind": "gap",
                "count": 9,
                "found": "9 days are missing",
                "did": "added as missing, carried forward",
            },
        ],
        "season": {"length": 1, "found": False, "why": "no season stands out of the autocorrelation"},
        "transform": {
            "name": "log-return",
            "why": "the series spans four orders of magnitude and has a unit root",
        },
        "split": {
            name: {
                "start": 1 if integer else start,
                "end": 9 if integer else end,
                "rows": rows,
                "windows": windows,
            }
            for name, start, end, rows, windows in parts
        },
    }


def make(
    cells: tuple[str, ...] = ("gru", "lstm", "rnn"),
    seeds: int = 3,
    steps: int = 1,
    points: int = 709,
    integer: bool = False,
    features: tuple[str, ...] = (),
) -> Results:
    """Return the results of a study that never happened; the same arguments give the same results."""
    rng = random.Random(7)
    rows = leaderboard(cells, seeds, rng)
    names = [row["cell"] for row in rows]
    return {
        "format": 1,
        "gatework": "0.1.0",
        "created": "2026-01-01T12:00:00Z",
        "verdict": f"No cell beats “tomorrow = today”: {names[0]}, the best of {len(names)}, is 0.6 % worse "
        "than persistence, and the difference is within noise.",
        "data": data(list(features), integer, points),
        "metric": "mae",
        "unit": "Close",
        "metrics_note": None,
        "settings": {
            "window": 60,
            "horizon": steps,
            "cells": names,
            "layers": [50, 100],
            "seeds": seeds,
            "epochs": 50,
            "batch": 64,
            "optimizer": "adam",
            "learning_rate": 0.001,
            "patience": 8,
            "tune": None,
            "jobs": 2,
        },
        "command": f"gatework compare bitstamp.csv --target Close --cells {','.join(names)} --seeds {seeds}",
        "versions": {
            "gatework": "0.1.0",
            "python": "3.11.7",
            "torch": "2.13.0+cpu",
            "numpy": "2.4.1",
            "machine": "x86_64, 2 threads",
        },
        "leaderboard": rows,
        "baselines": baselines(),
        "comparisons": comparisons(names, seeds),
        "curves": curves(names, seeds, rng),
        "horizon": horizon(names, steps),
        "forecasts": forecasts(names, points, steps, integer, rng),
        "gates": gates(names, integer, rng),
    }


@pytest.fixture
def make_results() -> Callable[..., Results]:
    return make


@pytest.fixture
def results() -> Results:
    return make()


@pytest.fixture
def many_cells() -> tuple[str, ...]:
    return MANY
