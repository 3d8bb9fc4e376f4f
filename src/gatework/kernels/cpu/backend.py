"""The back-end `cpu`: kernels compiled from the cell's equations."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatework.errors import BackendError
from gatework.graph import Graph
from gatework.kernels.cpu import host

DTYPES = (torch.float32, torch.float64)


@dataclass(frozen=True)
class Cpu:
    """Compiled kernels for float32 and float64 on this processor."""

    name: str = "cpu"

    def refusal(self, graph: Graph) -> str:
        """Why the back-end cannot run this graph; empty where it can."""
        return host.refusal() or _refusal(graph)

    def unfit(self, x: Tensor) -> str:
        """Why it cannot run on this tensor's device, or with its type; empty where it can."""
        if x.device.type != "cpu":
            return f"it runs on the CPU, not on {x.device.type}"
        if x.dtype not in DTYPES:
            return f"it computes in float32 and float64, not in {str(x.dtype).removeprefix('torch.')}"
        return "it is transformed by torch.func" if _is_transformed() else ""

    def run(
        self, graph: Graph, parameters: Mapping[str, Tensor], x: Tensor, states: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the cell along a sequence, as `Reference.run` does."""
        from gatework.kernels.cpu import operator  # it needs llvmlite, which `refusal` has found

        weights = [parameters[one.key] for one in graph.parameters]
        training = torch.is_grad_enabled() and any(one.requires_grad for one in (x, *states, *weights))
        output, *last = operator.run(graph.record, x, states, weights, training)
        return output, tuple(last)


@functools.lru_cache(maxsize=256)
def _refusal(graph: Graph) -> str:
    from gatework.graph.plan import plan

    try:
        plan(graph)
    except BackendError as error:
        return str(error)
    return ""


def _is_transformed() -> Any:
    """Whether torch.func, or forward-mode differentiation, is at work: these need operations that torch knows."""
    if torch.compiler.is_compiling():
        return False
    return torch._C._functorch.peek_interpreter_stack() is not None or torch.autograd.forward_ad._current_level >= 0
