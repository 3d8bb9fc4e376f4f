"""What a back-end computes before its loop over time, in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from gatework.graph import Graph
from gatework.graph.early import Split
from gatework.kernels.reference import evaluate


def early(
    graph: Graph, found: Split, parameters: Mapping[str, Tensor], inputs: Sequence[Tensor], H: int
) -> list[Tensor]:
    """What the early part gives, for the whole sequence: (T, B, H), or (B, H) where it comes from weights alone."""
    values = evaluate(found.nodes, parameters, dict(zip(graph.inputs, inputs, strict=True)))
    T, B, _ = inputs[0].shape
    return [values[k].expand(*((T, B, H) if values[k].dim() > 1 else (B, H))) for k in found.results]
