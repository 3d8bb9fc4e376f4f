"""The back-end `cpu`: kernels compiled from the cell's equations."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from gatework.graph import Graph
from gatework.kernels import operator
from gatework.kernels.cpu import host
from gatework.kernels.early import ready, trajectory
from gatework.kernels.recurrence import unplanned

DTYPES = (torch.float32, torch.float64)


@dataclass(frozen=True)
class Cpu:
    """Compiled kernels for float32 and float64 on this processor."""

    name: str = "cpu"

    def refusal(self, graph: Graph) -> str:
        """Why the back-end cannot run this graph; empty where it can."""
        why = host.refusal() or _refusal(graph)
        if not why:
            self.ready(graph)
        return why

    def ready(self, graph: Graph) -> None:
        """Have at hand what `trajectory` asks of a graph, by the time that a compiler traces it."""
        ready(graph.parts)

    def unfit(self, x: Tensor) -> str:
        """Why it cannot run on this tensor's device, or with its type; empty where it can."""
        if x.device.type != "cpu":
            return f"it runs on the CPU, not on {x.device.type}"
        if x.dtype not in DTYPES:
            return f"it computes in float32 and float64, not in {str(x.dtype).removeprefix('torch.')}"
        if not torch.compiler.is_compiling() and torch._C._is_tracing():
            return "torch.jit traces it, which keeps no operator of ours: use torch.export"
        return "it is differentiated by torch.func" if operator.is_transformed() else ""

    def trajectory(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Run the cell along a sequence, as `Reference.trajectory` does."""
        found = graph.ahead if _products_first(graph, x, states[0].shape[-1]) else graph.parts
        return trajectory(graph, found, parameters, x, states, others, self.name)


@functools.lru_cache(maxsize=256)
def _refusal(graph: Graph) -> str:
    return unplanned(lambda: graph.parts.core)


FEW, LONG, LARGE = 4, 16, 1 << 19
"""Sequences up to which, time steps and bytes of weights from which products are computed before the loop."""


def _products_first(graph: Graph, x: Tensor, H: int) -> bool:
    """Whether the products that read no state are worth a pass of their own, as one product for all time steps.

    In the loop they cost no memory for their results; but few sequences use a weight too few times for what it costs
    to fetch it again at every step, where it does not stay in cache.
    """
    T, B, N = x.shape
    if torch.compiler.is_compiling() or T < LONG or B > FEW:
        return False
    return _entries(graph, N, H) * x.element_size() >= LARGE


@functools.lru_cache(maxsize=1024)
def _entries(graph: Graph, N: int, H: int) -> int:
    return sum(prod(one.sizes(N, H)) for one in graph.parameters)
