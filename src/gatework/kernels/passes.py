"""The two passes of a cell, whatever runs its loops: which tensors are its arrays, and what is handed back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gatework.graph import Graph
from gatework.graph.plan import arriving_array, input_array, state_array
from gatework.kernels.memory import room
from gatework.kernels.recurrence import BACKWARD, FORWARD, INFERENCE, Recurrence


@dataclass(frozen=True)
class Wanted:
    """Which gradients are asked for."""

    inputs: Sequence[bool]
    states: bool
    weights: Sequence[bool]


Gradients = list[Tensor | None]
"""Those of some tensors, in their order."""


class Execute(Protocol):
    """One call of a loop, with the tensors of its arrays by their names."""

    def __call__(
        self,
        cell: Recurrence,
        which: str,
        arrays: dict[str, Tensor],
        weights: Sequence[Tensor],
        x: Tensor,
        H: int,
        wanted: Wanted | None = None,
        members: int = 1,
    ) -> Gradients:
        """Run the loop `which`. `arrays` are those that outlive it and those that it reads; it makes the others.

        Returns the gradients of the weights, of a backward loop: of those that are `wanted`, None for the others. Of
        several `members` each has an entry of the first axis of all weights, and as many rows of all arrays, one
        member's after the other's.
        """


def forward(
    cell: Recurrence,
    weights: Sequence[Tensor],
    x: Tensor,
    others: Sequence[Tensor],
    states: Sequence[Tensor],
    *,
    training: bool,
    execute: Execute,
    members: int = 1,
) -> list[Tensor]:
    """Run a cell along (T, B, N): its results at every step, all last states, and what else a backward pass reads.

    The results are the first state and those that are shown.

    `others` are the inputs after the first, (T, B, H), or (B, H) where one is the same at every step. The weights are
    in the order of the graph. All tensors are of one type, and contiguous, but that an engine may take others which are
    blocks. B counts the sequences of all members.
    """
    T, B, _ = x.shape
    H = states[0].shape[1]
    graph = cell.graph
    arrays = _inputs(graph, x, others)
    for k, (name, state) in enumerate(zip(graph.states, states, strict=True)):
        arrays[f"start:{name}"] = state
        if name in graph.results:
            arrays[state_array(graph, k)] = x.new_empty(T, B, H)
        else:
            arrays[state_array(graph, k)] = room(x, T if training else 2, B, H)
    for name in cell.plan.kept if training else ():
        arrays[name] = room(x, T, B, H)
    execute(cell, FORWARD if training else INFERENCE, arrays, weights, x, H, members=members)
    sequences = {name: arrays[state_array(graph, k)] for k, name in enumerate(graph.states)}
    last = [one[(T - 1) % len(one)].clone() for one in sequences.values()]
    results = [sequences.pop(name) for name in graph.results]
    kept = [*sequences.values(), *(arrays[name] for name in cell.plan.kept)] if training else []
    return [*results, *last, *kept]


def backward(
    cell: Recurrence,
    weights: Sequence[Tensor],
    x: Tensor,
    others: Sequence[Tensor],
    states: Sequence[Tensor],
    kept: Sequence[Tensor],
    d_results: Sequence[Tensor | None],
    d_last: Sequence[Tensor | None],
    wanted: Wanted,
    execute: Execute,
    members: int = 1,
) -> tuple[Gradients, list[Tensor] | None, Gradients]:
    """The gradients of the inputs, of the first states and of the weights.

    `kept` is what `forward` gives but for the last states. `d_results` are the gradients of its results at every step,
    (T, B, H) each, or (B, H) for the same one at every step.
    """
    (T, B, _), H = x.shape, states[0].shape[1]
    graph = cell.graph
    zeros = x.new_zeros(B, H)
    hidden = [name for name in graph.states if name not in graph.results]
    keys = [state_array(graph, graph.states.index(name)) for name in (*graph.results, *hidden)]
    arrays = {**_inputs(graph, x, others), **dict(zip([*keys, *cell.plan.kept], kept, strict=True))}
    for name, d_result in zip(graph.results, d_results, strict=True):
        arrays[arriving_array(graph, name)] = zeros if d_result is None else d_result
    for name, state, d_state in zip(graph.states, states, d_last, strict=True):
        arrays[f"start:{name}"] = state
        arrays[f"end:{name}"] = zeros if d_state is None else d_state
        arrays[f"begin:{name}"] = x.new_empty(B, H) if wanted.states else zeros
    gradients = [input_array(graph, name, "dx") for name in graph.inputs]
    for k, (name, want) in enumerate(zip(gradients, wanted.inputs, strict=True)):
        if name in cell.plan.backward.arrays:
            # One that nobody asked for is written to the same place at every step.
            shape = ((T, B, H) if k else x.shape) if want else (B, H)
            arrays[name] = x.new_empty(shape)
    d_weights = execute(cell, BACKWARD, arrays, weights, x, H, wanted, members)
    begin = [arrays[f"begin:{name}"] for name in graph.states] if wanted.states else None
    d_inputs = [
        _gradient(one, arrays.get(name)) if want else None
        for one, name, want in zip((x, *others), gradients, wanted.inputs, strict=True)
    ]
    return d_inputs, begin, d_weights


def _inputs(graph: Graph, x: Tensor, others: Sequence[Tensor]) -> dict[str, Tensor]:
    """The inputs by the names of their arrays."""
    return {input_array(graph, name): one for name, one in zip(graph.inputs, (x, *others), strict=True)}


def _gradient(one: Tensor, found: Tensor | None) -> Tensor:
    """The gradient of an input, which is a sum over time where the input is the same at every step."""
    if found is None:
        return torch.zeros_like(one)
    return found if found.dim() == one.dim() else found.sum(0)
