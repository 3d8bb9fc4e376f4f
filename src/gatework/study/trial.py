"""A trial: one cell, its widths, one seed. A frozen record and a pure function of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from math import inf
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatework.graph import Cell
from gatework.tasks.forecaster import Forecaster
from gatework.tasks.problem import Problem
from gatework.tasks.together import fit_together
from gatework.tasks.training import Epoch, Fit, Settings, fit, predict
from gatework.tasks.transform import Floats

MEMBERS = 64
"""The most trials that are trained at once: they are stored when all have ended."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What is trained. `key` names the trial by its content: the same key, the same result."""

    name: str
    cell: Cell
    widths: tuple[int, ...]
    seed: int
    settings: Settings
    problem_key: str

    @cached_property
    def key(self) -> str:
        """Twenty hexadecimal digits of the SHA-256 of everything that the result depends on."""
        record = {
            "graph": self.cell.graph.to_json()["nodes"],
            "outputs": self.cell.graph.outputs,
            "weights": self.cell.fingerprint,
            "widths": self.widths,
            "seed": self.seed,
            "settings": asdict(self.settings),
            "problem": self.problem_key,
        }
        for node in record["graph"]:  # the line of an equation in its file changes nothing
            node.pop("line")
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:20]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a trial gave.

    `test` and `validation` are forecasts (n, h) in the target's unit, `weights` those of the best epoch,
    `step_microseconds` the median time of one step of one sequence through the recurrent layers.
    """

    validation_error: float
    epochs: tuple[Epoch, ...]
    best_epoch: int
    step_microseconds: float
    test: Floats
    validation: Floats
    weights: Mapping[str, Tensor]

    @property
    def train_seconds(self) -> float:
        """The time spent training, evaluation excluded."""
        return sum(epoch.seconds for epoch in self.epochs)

    @property
    def diverged(self) -> bool:
        """Whether training went astray: the loss was never finite, or some forecast is not."""
        return self.best_epoch == 0 or not (np.isfinite(self.test).all() and np.isfinite(self.validation).all())

    def summary(self) -> dict[str, Any]:
        """Everything but the arrays, as plain numbers."""
        return {
            "validation_error": self.validation_error,
            "epochs": [[epoch.train, epoch.validation, epoch.seconds] for epoch in self.epochs],
            "best_epoch": self.best_epoch,
            "step_microseconds": self.step_microseconds,
        }

    def arrays(self) -> dict[str, Tensor]:
        """The forecasts and the weights, by name."""
        forecasts = {"test": torch.from_numpy(self.test), "validation": torch.from_numpy(self.validation)}
        return {**forecasts, **{f"weights.{key}": value.contiguous() for key, value in self.weights.items()}}

    @classmethod
    def restore(cls, summary: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Outcome:
        """What `summary` and `arrays` were made from."""
        return cls(
            validation_error=float(summary["validation_error"]),
            epochs=tuple(Epoch(*(float(one) for one in epoch)) for epoch in summary["epochs"]),
            best_epoch=int(summary["best_epoch"]),
            step_microseconds=float(summary["step_microseconds"]),
            test=arrays["test"].numpy(),
            validation=arrays["validation"].numpy(),
            weights={
                key.removeprefix("weights."): value for key, value in arrays.items() if key.startswith("weights.")
            },
        )


OnEpoch = Callable[[Trial, int, Epoch], None]
"""What is told of a trial's epoch: its number, from 1, and how it went."""


def fit_all(trials: Sequence[Trial], problem: Problem, device: str, on_epoch: OnEpoch) -> list[Fit]:
    """Train, on a GPU all at once: trials of one cell and one kind of training, which differ in their seeds."""
    if device == "cpu":
        return [
            fit(problem, one.cell, one.widths, one.settings, one.seed, on_epoch=partial(on_epoch, one))
            for one in trials
        ]
    first, seeds = trials[0], [one.seed for one in trials]

    def told(k: int, number: int, epoch: Epoch) -> None:
        on_epoch(trials[k], number, epoch)

    return fit_together(problem, first.cell, first.widths, first.settings, seeds, device=device, on_epoch=told)


def together(trials: Iterable[Trial], device: str) -> list[list[Trial]]:
    """The trials in the groups that are trained at once: each alone, on a GPU those of a cell."""
    if device == "cpu":
        return [[one] for one in trials]
    groups: dict[str, list[Trial]] = {}
    for one in trials:
        groups.setdefault(one.name, []).append(one)
    return [group[k : k + MEMBERS] for group in groups.values() for k in range(0, len(group), MEMBERS)]


def outcome(result: Fit, problem: Problem) -> Outcome:
    """The forecasts of the validation and the test part. The test part is read here only, after training."""
    held_out = problem.origins("validation")
    validation = predict(result.network, problem, held_out)
    errors = np.abs(validation - problem.future(held_out))[problem.observed(held_out)]
    return Outcome(
        validation_error=float(errors.mean()) if np.isfinite(errors).all() else inf,
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        step_microseconds=step_microseconds(result.network),
        test=predict(result.network, problem, problem.origins("test")),
        validation=validation,
        weights=result.network.state_dict(),
    )


def step_microseconds(network: Forecaster, repeats: int = 100) -> float:
    """The median time in which the recurrent layers advance one sequence by one step."""
    x = torch.zeros(1, 1, network.recurrent.input_size)
    times = []
    with torch.inference_mode():
        _, states = network.recurrent(x)
        for _ in range(repeats):
            began = perf_counter()
            network.recurrent(x, states)
            times.append(perf_counter() - began)
    return 1e6 * median(times)
