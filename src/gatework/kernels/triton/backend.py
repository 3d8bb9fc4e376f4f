"""The back-end `triton`: kernels for GPUs from the cell's equations."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatework.graph import Graph
from gatework.kernels import operator
from gatework.kernels.early import ready, trajectory
from gatework.kernels.recurrence import unplanned
from gatework.kernels.triton import build

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Triton:
    """Kernels for NVIDIA GPUs; under Triton's interpreter, for tests, on the CPU."""

    name: str = "triton"

    def refusal(self, graph: Graph) -> str:
        """Why the back-end cannot run this graph; empty where it can."""
        why = build.refusal() or _refusal(graph)
        if not why:
            self.ready(graph)
        return why

    def ready(self, graph: Graph) -> None:
        """Have at hand what `trajectory` asks of a graph, by the time that a compiler traces it."""
        ready(graph.ahead)

    def unfit(self, x: Tensor) -> str:
        """Why it cannot run on this tensor's device, or with its type; empty where it can."""
        device = "cpu" if build.interpreted() else "cuda"
        if x.device.type != device:
            return f"it runs on {device} here, not on {x.device.type}"
        if x.is_cuda and build.too_old(x.get_device()):
            return build.too_old(x.get_device())
        kinds = (*DTYPES, torch.float64) if device == "cpu" else DTYPES
        if x.dtype not in kinds:
            return f"it computes in float32, bfloat16 and float16, not in {str(x.dtype).removeprefix('torch.')}"
        return "it is differentiated by torch.func" if operator.is_transformed() else ""

    def trajectory(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Run the cell along a sequence, as `Reference.trajectory` does.

        All products that read no state are computed before the loop, as one product for all time steps.
        """
        return trajectory(graph, graph.ahead, parameters, x, states, others, self.name)


@functools.lru_cache(maxsize=256)
def _refusal(graph: Graph) -> str:
    return unplanned(lambda: graph.ahead.core)
