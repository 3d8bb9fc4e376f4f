"""Fitting a forecaster: mini-batches, early stopping on the validation part, the best epoch kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite

import numpy as np
import torch
from torch import Tensor

from gatework.graph import Cell
from gatework.tasks.forecaster import Forecaster
from gatework.tasks.problem import Ints, Problem
from gatework.tasks.transform import Floats

LEARNING_RATES = {"adam": 0.002, "adamw": 0.002, "rmsprop": 0.001, "sgd": 0.01}
"""The usual step of each optimizer; that of rmsprop is Keras' own."""
OPTIMIZERS = tuple(LEARNING_RATES)
LOSSES = ("mae", "mse", "huber")

EVALUATED = 512
"""Windows whose answers are computed at once; larger batches are as large as they are trained."""


@dataclass(frozen=True)
class Settings:
    """How every cell of a study is trained.

    `patience` is the number of epochs without a better validation loss after which training stops; 0 never stops.
    `clip` bounds the norm of the gradient; 0 leaves it alone.
    """

    dropout: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = LEARNING_RATES["adam"]
    batch: int = 64
    epochs: int = 50
    patience: int = 10
    loss: str = "mae"
    clip: float = 1.0


@dataclass(frozen=True)
class Epoch:
    """The mean losses of one epoch, in the units of the network's answers, and the seconds it took to train."""

    train: float
    validation: float
    seconds: float


@dataclass(frozen=True)
class Fit:
    """A trained network, the weights of its best epoch, and how it came about.

    `best_epoch` counts from 1; it is 0 where the loss was never finite, and the network is then untrained.
    """

    network: Forecaster
    epochs: tuple[Epoch, ...]
    best_epoch: int


def fit(
    problem: Problem,
    cell: Cell,
    widths: Sequence[int],
    settings: Settings,
    seed: int,
    *,
    on_epoch: Callable[[int, Epoch], None] | None = None,
) -> Fit:
    """Train a forecaster. The same arguments on the same machine, with the same threads, give the same weights."""
    network = begin(problem, cell, widths, settings, seed)
    optimizer = make_optimizer(network.parameters(), settings)
    loss = LOSS_FUNCTIONS[settings.loss]
    data, held_out = problem.tensors("train"), problem.tensors("validation")
    shuffle = torch.Generator().manual_seed(seed)
    progress = Progress(settings, _weights(network))
    while progress.goes_on:
        began = time.perf_counter()
        train_loss = _train_epoch(network, optimizer, loss, data, settings, shuffle)
        seconds = time.perf_counter() - began
        epoch = Epoch(train_loss, _evaluate(network, loss, held_out, settings.batch), seconds)
        progress.take(epoch, lambda: _weights(network))
        if on_epoch:
            on_epoch(len(progress.epochs), epoch)
    return progress.end(network)


def begin(problem: Problem, cell: Cell, widths: Sequence[int], settings: Settings, seed: int) -> Forecaster:
    """The network before it is trained."""
    torch.manual_seed(seed)
    return Forecaster(cell, problem.columns, widths, problem.horizon, dropout=settings.dropout)


@dataclass
class Progress:
    """What has become of a training so far: `kept` are the weights of the best epoch, at first those of none."""

    settings: Settings
    kept: dict[str, Tensor]
    best: int = 0
    epochs: list[Epoch] = field(default_factory=list)

    def take(self, epoch: Epoch, weights: Callable[[], dict[str, Tensor]]) -> None:
        """Another epoch is over; its weights are asked for if it is the best."""
        self.epochs.append(epoch)
        least = self.epochs[self.best - 1].validation if self.best else inf
        if epoch.validation < least and isfinite(epoch.validation):
            self.best, self.kept = len(self.epochs), weights()

    @property
    def goes_on(self) -> bool:
        """Whether there is another epoch to train: the loss is finite, and was the least not too long ago."""
        patience, number = self.settings.patience, len(self.epochs)
        if number >= self.settings.epochs or (number and not isfinite(self.epochs[-1].validation)):
            return False
        return not patience or number - self.best < patience

    def end(self, network: Forecaster) -> Fit:
        """The network with the best weights."""
        network.load_state_dict(self.kept)
        network.eval()
        return Fit(network, tuple(self.epochs), self.best)


def predict(network: Forecaster, problem: Problem, origins: Ints, batch: int = EVALUATED) -> Floats:
    """The forecasts at these origins, (n, h), in the target's unit."""
    network.eval()
    inputs = torch.from_numpy(problem.inputs(origins).astype(np.float32))
    with torch.no_grad():
        answers = torch.cat([network(part) for part in inputs.split(batch)])
    return problem.forecasts(answers.double().numpy(), origins)


def _train_epoch(
    network: Forecaster,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Tensor], Tensor],
    data: tuple[Tensor, Tensor, Tensor],
    settings: Settings,
    shuffle: torch.Generator,
) -> float:
    network.train()
    x, y, weight = data
    total, counted = 0.0, 0.0
    for chosen in torch.randperm(len(x), generator=shuffle).split(settings.batch):
        weights = weight[chosen]
        errors = (loss(network(x[chosen]) - y[chosen]) * weights).sum()
        optimizer.zero_grad()
        (errors / weights.sum()).backward()
        if settings.clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimizer.step()
        total += errors.item()
        counted += weights.sum().item()
    return total / counted


def _evaluate(
    network: Forecaster, loss: Callable[[Tensor], Tensor], data: tuple[Tensor, Tensor, Tensor], batch: int
) -> float:
    network.eval()
    x, y, weight = data
    with torch.no_grad():
        answers = torch.cat([network(part) for part in x.split(max(batch, EVALUATED))])
    return float((loss(answers - y) * weight).sum() / weight.sum())


def _weights(network: Forecaster) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


def make_optimizer(parameters: Iterable[Tensor], settings: Settings) -> torch.optim.Optimizer:
    """What changes the weights: each entry by its own gradient alone."""
    rate = settings.learning_rate
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam(parameters, lr=rate)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate)
        case "rmsprop":
            # Keras' constants, which the guides use; torch's own are alpha=0.99, eps=1e-8.
            return torch.optim.RMSprop(parameters, lr=rate, alpha=0.9, eps=1e-7)
        case _:
            return torch.optim.SGD(parameters, lr=rate, momentum=0.9)


LOSS_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "mae": torch.abs,
    "mse": torch.square,
    "huber": lambda error: torch.nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none"),
}
"""The loss of each entry from its error."""
