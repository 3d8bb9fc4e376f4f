"""What a back-end computes before its loop over time, in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gatework.graph import Graph
from gatework.graph.early import Split
from gatework.kernels import operator
from gatework.kernels.reference import evaluate


def early(
    graph: Graph, found: Split, parameters: Mapping[str, Tensor], inputs: Sequence[Tensor], H: int
) -> list[Tensor]:
    """What the early part gives, for the whole sequence: (T, B, H), or (B, H) where it comes from weights alone."""
    values = evaluate(found.nodes, parameters, dict(zip(graph.inputs, inputs, strict=True)))
    T, B, _ = inputs[0].shape
    return [values[k].expand(*((T, B, H) if values[k].dim() > 1 else (B, H))) for k in found.results]


def trajectory(
    graph: Graph,
    found: Split,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    states: tuple[Tensor, ...],
    others: Sequence[Tensor],
    engine: str,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The early part of a cell, then its loop on a back-end's engine: what `Reference.trajectory` gives."""
    if found.results:
        others = [*others, *early(graph, found, parameters, (x, *others), states[0].shape[-1])]
    weights = [parameters[one.key] for one in found.core.parameters]
    training = torch.is_grad_enabled() and any(one.requires_grad for one in (x, *others, *states, *weights))
    results = len(graph.results)
    every = operator.run(found.core.record, x, others, states, weights, training, results, engine)
    return tuple(every[:results]), tuple(every[results:])
