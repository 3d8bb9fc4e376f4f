"""The back-end `cudnn`: torch's own kernels on a GPU, for the cells that they are written for."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatework.cells import catalogue
from gatework.graph import Graph
from gatework.kernels import operator
from gatework.kernels.backend import Ran
from gatework.kernels.layout import of_products
from gatework.kernels.members import transformed
from gatework.kernels.recurrence import recurrence
from gatework.kernels.torch_layout import LAYOUTS, TorchLayout

DEVICE = "cuda"
"""Where tensors have to be."""

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Cudnn:
    """GRU, LSTM and the Elman network by cuDNN; what it refuses to differentiate goes through the reference."""

    name: str = "cudnn"

    def refusal(self, graph: Graph) -> str:
        """Why the back-end cannot run this graph; empty where it can."""
        if not _mode(graph.record):
            return f"it has kernels for {', '.join(one.cell for one in LAYOUTS.values())} and for no other cell"
        return _missing()

    def ready(self, graph: Graph) -> None:
        """Nothing is made ahead."""

    def unfit(self, x: Tensor) -> str:
        """Why it cannot run on this tensor's device, or with its type; empty where it can."""
        if x.device.type != DEVICE:
            return f"it runs on {DEVICE}, not on {x.device.type}"
        if x.dtype not in DTYPES:
            return f"it computes with real numbers, not in {str(x.dtype).removeprefix('torch.')}"
        if x.dim() == 3 and not x.numel():
            return "there is no sequence to run along"
        if torch.compiler.is_compiling():
            return "a compiler traces it"
        if torch.are_deterministic_algorithms_enabled():
            return "torch is asked for deterministic results, which it does not promise"
        return "it is transformed by torch.func" if transformed() or operator.is_transformed() else ""

    def trajectory(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> Ran:
        """Run the cell along a sequence, as `Reference.trajectory` does; with matrices of a lower type all in that."""
        kind = of_products(parameters, x)
        if kind != x.dtype:
            lower = {key: one.to(kind) for key, one in parameters.items()}
            results, ends = self.trajectory(graph, lower, x.to(kind), tuple(one.to(kind) for one in states))
            return tuple(one.to(x.dtype) for one in results), tuple(one.to(x.dtype) for one in ends)
        given = (x, *states, *(parameters[one.key] for one in graph.parameters))
        if torch.is_grad_enabled() and any(one.requires_grad for one in given):
            output, *last = _Differentiable.apply(graph, *given)  # type: ignore[no-untyped-call]
        else:
            output, *last = _run(graph, given, training=False)
        return (output,), tuple(last)


def _missing() -> str:
    """Why cuDNN cannot run here; empty where it can."""
    if not torch.cuda.is_available():
        return "torch finds no GPU here"
    return "" if torch.backends.cudnn.is_available() and torch.backends.cudnn.enabled else "torch has no cuDNN here"


@functools.lru_cache(maxsize=256)
def _mode(record: str) -> str:
    """Torch's name for the cell of a graph's record; empty where torch has no kernel for it."""
    return next((mode for mode, one in LAYOUTS.items() if catalogue[one.cell].graph.record == record), "")


def _run(graph: Graph, given: Sequence[Tensor], *, training: bool) -> list[Tensor]:
    """The output at every step, and all last states."""
    x, *rest = given
    mode = _mode(graph.record)
    layout: TorchLayout = LAYOUTS[mode]
    states, weights = rest[: len(graph.states)], rest[len(graph.states) :]
    stored = layout.stored({one.key: weight for one, weight in zip(graph.parameters, weights, strict=True)})
    begin = [one.contiguous()[None] for one in states]
    # Biases, one layer, no dropout, whether gradients follow, one direction, time first.
    options = (stored, True, 1, 0.0, training, False, False)
    call = getattr(torch._VF, mode.lower())
    output, *last = call(x, begin if mode == "LSTM" else begin[0], *options)
    return [output, *(one[0] for one in last)]


class _Differentiable(torch.autograd.Function):
    """Torch's kernels with a gradient that can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, graph: Graph, *given: Tensor) -> tuple[Tensor, ...]:
        ctx.graph = graph
        ctx.leaves, ctx.results = _recorded(graph, given, ctx.needs_input_grad[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*given)
        return tuple(one.detach() for one in ctx.results)

    @staticmethod
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Tensor | None, ...]:
        given = ctx.saved_tensors  # which tells where one was changed meanwhile
        graph: Graph = ctx.graph
        if torch.is_grad_enabled():
            end = 1 + len(graph.states)
            operands = (list(given[:1]), list(given[1:end]), list(given[end:]))
            found = operator.through_reference(recurrence(graph.record), *operands, list(d_results))
            return None, *(one for group in found for one in group)
        if ctx.results is None:  # a second time
            ctx.leaves, ctx.results = _recorded(graph, given, ctx.needs_input_grad[1:])
        leaves: list[Tensor] = ctx.leaves
        pairs = [(y, d) for y, d in zip(ctx.results, d_results, strict=True) if d is not None]
        # What they keep is large, and a loss may be kept for long.
        ctx.leaves = ctx.results = None
        asked = [one for one in leaves if one.requires_grad]
        outputs, arriving = [y for y, _ in pairs], [d for _, d in pairs]
        gradients = iter(torch.autograd.grad(outputs, asked, arriving, allow_unused=True))
        return None, *(next(gradients) if one.requires_grad else None for one in leaves)


def _recorded(graph: Graph, given: Sequence[Tensor], wanted: Sequence[bool]) -> tuple[list[Tensor], list[Tensor]]:
    """Copies of what is given, and the results with their way back to these."""
    with torch.enable_grad(), torch.autocast(given[0].device.type, enabled=False):
        leaves = [one.detach().requires_grad_(want) for one, want in zip(given, wanted, strict=True)]
        return leaves, _run(graph, leaves, training=True)
