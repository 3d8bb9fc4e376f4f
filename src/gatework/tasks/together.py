"""Fitting many forecasters that differ in their seeds at once: one call of a kernel for all of them, which fills a GPU.

Each begins, draws its mini-batches and ends as `training.fit` would have it; only dropout draws other numbers.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from gatework.graph import Cell
from gatework.tasks.forecaster import Forecaster
from gatework.tasks.problem import Problem
from gatework.tasks.training import EVALUATED, LOSS_FUNCTIONS, Epoch, Fit, Progress, Settings, begin, make_optimizer

Stacked = dict[str, Tensor]
"""Weights of all members, one after the other along the first axis."""


def fit_together(
    problem: Problem,
    cell: Cell,
    widths: Sequence[int],
    settings: Settings,
    seeds: Sequence[int],
    *,
    device: str | torch.device = "cpu",
    on_epoch: Callable[[int, int, Epoch], None] | None = None,
) -> list[Fit]:
    """Train a forecaster for each seed, all at once on a device; the networks that come back are on the processor.

    `on_epoch` is told the position of a seed, the number of its epoch, and the epoch, whose seconds are its share. A
    member that has ended is carried along until the last one ends, and nothing is done with it.
    """
    networks = [begin(problem, cell, widths, settings, seed) for seed in seeds]
    members = _Members(networks, settings, device)
    data, held_out = (_on(problem.tensors(part), device) for part in ("train", "validation"))
    shuffles = [torch.Generator().manual_seed(seed) for seed in seeds]
    every = [Progress(settings, members.weights(k)) for k in range(len(seeds))]
    while any(one.goes_on for one in every):
        began = time.perf_counter()
        train = members.train(data, shuffles)
        seconds = (time.perf_counter() - began) / sum(one.goes_on for one in every)
        validation = members.evaluate(held_out)
        for k, one in enumerate(every):
            if one.goes_on:
                epoch = Epoch(train[k], validation[k], seconds)
                one.take(epoch, lambda k=k: members.weights(k))  # type: ignore[misc]
                if on_epoch:
                    on_epoch(k, len(one.epochs), epoch)
    return [one.end(network) for one, network in zip(every, networks, strict=True)]


class _Members:
    """Networks of one shape, their weights stacked on a device, and what changes them."""

    def __init__(self, networks: Sequence[Forecaster], settings: Settings, device: str | torch.device) -> None:
        self._count, self._settings = len(networks), settings
        weights, others = stack_module_state(list(networks))
        self._weights: Stacked = {
            key: one.detach().to(device, copy=True).requires_grad_() for key, one in weights.items()
        }
        # Fixed weights, and what batch norm keeps of the data.
        self._others: Stacked = {key: one.to(device, copy=True) for key, one in others.items()}
        self._kept = networks[0].state_dict().keys()
        # Its own weights are never read.
        self._base = copy.deepcopy(networks[0]).to(device)
        self._optimizer = make_optimizer(self._weights.values(), settings)
        self._loss = LOSS_FUNCTIONS[settings.loss]

    def train(self, data: tuple[Tensor, Tensor, Tensor], shuffles: Sequence[torch.Generator]) -> list[float]:
        """One epoch: the mean loss of each member."""
        self._base.train()
        x, y, weight = data
        total = torch.zeros(self._count, dtype=torch.float64, device=x.device)
        counted = torch.zeros_like(total)
        orders = torch.stack([torch.randperm(len(x), generator=one) for one in shuffles]).to(x.device)
        for chosen in orders.split(self._settings.batch, dim=1):
            weights = weight[chosen]
            answers = self._answers(x[chosen], each=True)
            errors = (self._loss(answers - y[chosen]) * weights).flatten(1).sum(1)
            sums = weights.flatten(1).sum(1)
            self._optimizer.zero_grad()
            (errors / sums).sum().backward()
            if self._settings.clip:
                self._clip()
            self._optimizer.step()
            total += errors.detach()
            counted += sums
        found: list[float] = (total / counted).tolist()
        return found

    def evaluate(self, data: tuple[Tensor, Tensor, Tensor]) -> list[float]:
        """The mean loss of each member on a part of the data."""
        self._base.eval()
        x, y, weight = data
        with torch.no_grad():
            answers = torch.cat([self._answers(part, each=False) for part in x.split(EVALUATED)], dim=1)
            losses = (self._loss(answers - y) * weight).flatten(1).sum(1) / weight.sum()
        found: list[float] = losses.tolist()
        return found

    def weights(self, k: int) -> Stacked:
        """Those of one member, on the processor, as a network's `state_dict` has them."""
        every = {**self._weights, **self._others}
        return {key: every[key][k].detach().cpu().clone() for key in self._kept}

    def _answers(self, x: Tensor, *, each: bool) -> Tensor:
        """The answers of all members, each to windows of its own or all to the same."""

        def call(weights: Stacked, x: Tensor) -> Tensor:
            found: Tensor = functional_call(self._base, weights, (x,))
            return found

        every = {**self._weights, **self._others}
        answers: Tensor = vmap(call, in_dims=(0, 0 if each else None), randomness="different")(every, x)
        return answers

    def _clip(self) -> None:
        """Bound the norm of each member's gradient, as `torch.nn.utils.clip_grad_norm_` does that of a network's."""
        gradients = [one.grad for one in self._weights.values() if one.grad is not None]
        norms = torch.stack([one.flatten(1).norm(dim=1) for one in gradients]).norm(dim=0)
        share = (self._settings.clip / (norms + 1e-6)).clamp(max=1.0)
        for one in gradients:
            one.mul_(share.view(-1, *[1] * (one.dim() - 1)))


def _on(data: tuple[Tensor, Tensor, Tensor], device: str | torch.device) -> tuple[Tensor, Tensor, Tensor]:
    x, y, weight = (one.to(device) for one in data)
    return x, y, weight
