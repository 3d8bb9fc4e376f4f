"""What a back-end computes before its loop over time, and after it, in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gatework.graph import Graph
from gatework.graph.early import Split
from gatework.graph.late import Late
from gatework.kernels import operator
from gatework.kernels.reference import evaluate


def early(
    graph: Graph, found: Split, parameters: Mapping[str, Tensor], inputs: Sequence[Tensor], H: int
) -> list[Tensor]:
    """What the early part gives, for the whole sequence: (T, B, H), or (B, H) where it comes from weights alone."""
    values = evaluate(found.nodes, parameters, dict(zip(graph.inputs, inputs, strict=True)))
    T, B, _ = inputs[0].shape
    return [values[k].expand(*((T, B, H) if values[k].dim() > 1 else (B, H))) for k in found.results]


def late(
    found: Late, parameters: Mapping[str, Tensor], inputs: Sequence[Tensor], states: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The states that are computed after the loop, (T, B, H) each, from those that the loop has left at every step."""
    values = evaluate(found.nodes, parameters, {**dict(zip(found.inputs, inputs, strict=True)), **states})
    return {name: values[k] for name, k in zip(found.states, found.outputs, strict=True)}


def trajectory(
    graph: Graph,
    found: Split,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    states: tuple[Tensor, ...],
    others: Sequence[Tensor],
    engine: str,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The early part of a cell, its loop on a back-end's engine, the late part: what `Reference.trajectory` gives."""
    inputs = [x, *others]
    if found.results:
        inputs += early(graph, found, parameters, inputs, states[0].shape[-1])
    core = found.core
    begin = dict(zip(graph.states, states, strict=True))
    given = dict(zip(found.late.inputs, inputs, strict=True)) if found.late else {}
    read = [given[name] for name in core.inputs[1:]] if found.late else inputs[1:]
    every = _loop(core, x, read, [begin[name] for name in core.states], parameters, engine)
    results = dict(zip(core.results, every, strict=False))
    last = dict(zip(core.states, every[len(results) :], strict=True))
    if found.late:
        computed = late(found.late, parameters, inputs, results)
        results |= computed
        last |= {name: one[-1] for name, one in computed.items()}
    return tuple(results[name] for name in graph.results), tuple(last[name] for name in graph.states)


def _loop(
    core: Graph,
    x: Tensor,
    others: Sequence[Tensor],
    states: Sequence[Tensor],
    parameters: Mapping[str, Tensor],
    engine: str,
) -> list[Tensor]:
    """The loop's results at every step, then its last states."""
    weights = [parameters[one.key] for one in core.parameters]
    training = torch.is_grad_enabled() and any(one.requires_grad for one in (x, *others, *states, *weights))
    return operator.run(core.record, x, others, states, weights, training, len(core.results), engine)
