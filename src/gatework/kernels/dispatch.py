"""Which back-end runs a cell.

`auto` picks the fastest that can; a back-end that is asked for by name raises when it cannot run, with the
reason.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gatework.errors import BackendError
from gatework.graph import Graph
from gatework.kernels.cpu.backend import Cpu
from gatework.kernels.cpu.host import refusal
from gatework.kernels.reference import Reference
from gatework.kernels.triton.backend import Triton

Ran = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
"""The first state and those that are shown after every step, and all states after the last one."""


class Backend(Protocol):
    """What runs graphs."""

    @property
    def name(self) -> str:
        """What users call it."""

    def refusal(self, graph: Graph) -> str:
        """Why it cannot run this graph; empty where it can."""

    def ready(self, graph: Graph) -> None:
        """Have at hand what running this graph asks of it, before anything traces that."""

    def unfit(self, x: Tensor) -> str:
        """Why it cannot run on this tensor's device, or with its type; empty where it can."""

    def trajectory(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> Ran:
        """Run the cell along (T, B, N)."""


BACKENDS: dict[str, Backend] = {"cpu": Cpu(), "reference": Reference(), "triton": Triton()}
"""The back-ends, fastest first."""

AUTO = ("cpu", "reference")
"""Those that `auto` picks from."""


@dataclass(frozen=True)
class Choice:
    """The back-ends that may run a cell, the best first. One alone was asked for by name."""

    backends: tuple[Backend, ...]

    def ready(self, graph: Graph) -> None:
        """Have at hand what running this graph asks of it, before anything traces that."""
        for backend in self.backends:
            backend.ready(graph)

    def pick(self, x: Tensor) -> Backend:
        """The back-end for a tensor's device and type. Raises `BackendError` where the one asked for cannot run."""
        for backend in self.backends:
            if not backend.unfit(x):
                return backend
        first = self.backends[0]
        raise BackendError(f"The back-end {first.name} cannot run this layer: {first.unfit(x)}; choose auto.")

    def run(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The first state after every step, (T, B, H), and all states after the last one, as of `trajectory`."""
        results, last = self.trajectory(graph, parameters, x, states, others)
        return results[0], last

    def trajectory(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> Ran:
        """Run the cell along (T, B, N), on the back-end that fits.

        `others` are the inputs after the first, (T, B, H), or (B, H) where an input is the same at every step.

        Under autocast it is computed in the type of its weights, where that is no less than float32.
        """
        kind = next((one.dtype for one in parameters.values()), x.dtype)
        if autocast_is_left(x, kind):
            with torch.autocast(x.device.type, enabled=False):
                begin, more = tuple(one.to(kind) for one in states), [one.to(kind) for one in others]
                return self.trajectory(graph, parameters, x.to(kind), begin, more)
        return self.pick(x).trajectory(graph, parameters, x, states, others)


def autocast_is_left(x: Tensor, kind: torch.dtype) -> bool:
    """Whether autocast is at work here, and weights of this type are computed with as they are."""
    exact, device = kind in (torch.float32, torch.float64), x.device.type
    return exact and device in ("cpu", "cuda") and torch.is_autocast_enabled(device)


def choose(backend: str, graph: Graph) -> Choice:
    """The back-ends that may run this graph. Raises `BackendError` where the one that is asked for cannot."""
    if backend == "auto":
        reasons = {name: BACKENDS[name].refusal(graph) for name in AUTO}
        if refusal():
            _tell(f"Cells run on the slow reference back-end: compiled kernels cannot run here: {refusal()}.")
        elif reasons.get("cpu"):
            _tell(f"A cell runs on the slow reference back-end: no kernel can be compiled for it: {reasons['cpu']}.")
        return Choice(tuple(BACKENDS[name] for name in AUTO if not reasons[name]))
    if backend not in BACKENDS:
        raise BackendError(f"There is no back-end {backend!r}: choose auto or one of {', '.join(BACKENDS)}.")
    reason = BACKENDS[backend].refusal(graph)
    if reason:
        raise BackendError(f"The back-end {backend} cannot run this cell: {reason}.")
    return Choice((BACKENDS[backend],))


@functools.cache
def _tell(sentence: str) -> None:
    """Say once that cells run slowly here, and why."""
    warnings.warn(sentence, stacklevel=5)
