"""Many members of one cell, as the seeds of a study: trained together in one call, and one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from gatework.bench.case import Case, make_case, our_layer
from gatework.bench.shapes import Shape
from gatework.bench.side import FORWARD, TRAINING, Results, Runner
from gatework.bench.torch_sides import runner
from gatework.graph import Cell


@dataclass(frozen=True)
class Ensemble:
    """So many members, each with weights and sequences of its own, at one shape."""

    count: int
    shape: Shape

    def __str__(self) -> str:
        return f"{self.count} × {self.shape}"


SEEDS = Ensemble(64, Shape(64, 60, 1, 50))
"""Small networks that one after the other leave a GPU idle."""


def make_cases(cell: Cell, ensemble: Ensemble, *, dtype: torch.dtype) -> Case:
    """A case whose tensors have an axis of members before their own."""
    every = [make_case(cell, ensemble.shape, dtype=dtype, seed=seed) for seed in range(ensemble.count)]
    first = every[0]
    return replace(
        first,
        weights={name: torch.stack([one.weights[name] for one in every]) for name in first.weights},
        x=torch.stack([one.x for one in every]),
        cotangent=torch.stack([one.cotangent for one in every]),
    )


def together(case: Case, kernel: str, backend: str) -> Runner:
    """All members in one call of our layer, under `torch.func.vmap`."""
    layer = our_layer(case.cell, case.shape, case.dtype, backend=backend).to(case.x.device)
    weights = {name: nn.Parameter(one.clone()) for name, one in case.weights.items()}

    def one(weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        output: Tensor = functional_call(layer, dict(weights), (x,))[0]
        return output

    def call(x: Tensor) -> Tensor:
        return vmap(one)(weights, x)

    return runner(case, kernel, call, call, weights)


def exact_together(case: Case) -> Results:
    """The results of the reference back-end in double precision."""
    return together(case.to(torch.float64), "reference", "reference").results()


def in_turn(case: Case, kernel: str, make: Callable[[], nn.Module]) -> Runner:
    """Every member in a layer of its own, one after the other."""
    evaluate, train = ([_loaded(make(), case, k) for k in range(len(case.x))] for _ in range(2))
    inputs, cotangents = case.x.unbind(), case.cotangent.unbind()

    def forward() -> list[Tensor]:
        with torch.no_grad():
            return [layer.eval()(x)[0] for layer, x in zip(evaluate, inputs, strict=True)]

    def training() -> None:
        for layer, x, cotangent in zip(train, inputs, cotangents, strict=True):
            layer.zero_grad()
            layer(x)[0].backward(cotangent)

    def results() -> Results:
        training()
        gradients = {name: torch.stack([_gradient(layer, name) for layer in train]) for name in case.weights}
        return Results(torch.stack(forward()), gradients)

    return Runner(kernel, {FORWARD: forward, TRAINING: training}, results)


def _loaded(layer: nn.Module, case: Case, k: int) -> nn.Module:
    """A layer with the weights of member `k`."""
    layer.load_state_dict({name: one[k] for name, one in case.weights.items()})
    return layer


def _gradient(layer: nn.Module, name: str) -> Tensor:
    found = layer.get_parameter(name).grad
    assert found is not None, f"{name} has no gradient"
    return found
