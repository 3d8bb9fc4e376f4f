"""Which back-end runs a cell.

`auto` picks the fastest that can: on a processor the compiled kernels, on a GPU what was measured there to be the
fastest for such a call. A back-end that is asked for by name raises when it cannot run, with the reason.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gatework.errors import BackendError
from gatework.graph import Graph
from gatework.kernels.backend import Backend, Ran
from gatework.kernels.cpu.backend import Cpu
from gatework.kernels.cpu.host import refusal
from gatework.kernels.cudnn import Cudnn
from gatework.kernels.layout import LOWER, lowered
from gatework.kernels.members import transformed
from gatework.kernels.reference import Reference
from gatework.kernels.rivals import Job, fastest, known_fastest
from gatework.kernels.triton.backend import Triton

BACKENDS: dict[str, Backend] = {"cpu": Cpu(), "cudnn": Cudnn(), "triton": Triton(), "reference": Reference()}
"""The back-ends. Of those that fit, `auto` takes the first on a processor, and measures on a GPU."""

ON_A_GPU = ("cudnn", "triton")
"""Those that need a GPU."""


@dataclass(frozen=True)
class Refused:
    """What stands for a back-end that was asked for by name, where it cannot run one of a layer's graphs."""

    name: str
    reason: str

    def refusal(self, graph: Graph) -> str:
        """The reason."""
        return self.reason

    def ready(self, graph: Graph) -> None:
        """Nothing is made ahead."""

    def unfit(self, x: Tensor) -> str:
        """The reason."""
        return self.reason

    def trajectory(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> Ran:
        """Nothing runs. Raises `BackendError`."""
        raise BackendError(f"The back-end {self.name} cannot run this layer: {self.reason}; choose auto.")


@dataclass(frozen=True)
class Choice:
    """The back-ends that may run a cell, the best first. One alone was asked for by name."""

    backends: tuple[Backend, ...]
    _ran: dict[tuple[str, torch.dtype], Backend] = field(default_factory=dict, compare=False, repr=False)

    def ready(self, graph: Graph) -> None:
        """Have at hand what running this graph asks of it, before anything traces that."""
        for backend in self.backends:
            backend.ready(graph)

    def along(self, graph: Graph) -> Choice:
        """The same for another graph of the cell, with arithmetic on states and no more: only cuDNN knows no such."""
        reasons = {one.name: one.refusal(graph) for one in self.backends if one.name == Cudnn().name}
        if not any(reasons.values()):
            return self
        if len(self.backends) == 1:
            ((name, reason),) = reasons.items()
            return Choice((Refused(name, reason),))
        return Choice(tuple(one for one in self.backends if one.name not in reasons))

    def pick(self, x: Tensor) -> Backend:
        """The back-end for a tensor's device and type: on a GPU the one that ran last, before that the first that fits.

        Raises `BackendError` where the one asked for cannot run.
        """
        last = self._ran.get((x.device.type, x.dtype))
        return last if last and not last.unfit(x) else self._first(x)

    def _first(self, x: Tensor) -> Backend:
        for backend in self.backends:
            if not backend.unfit(x):
                return backend
        first = self.backends[0]
        raise BackendError(f"The back-end {first.name} cannot run this layer: {first.unfit(x)}; choose auto.")

    def _fastest(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor],
    ) -> Backend:
        """The back-end for a call: on a GPU the one that was found to be the fastest."""
        if len(self.backends) == 1 or not (x.is_cuda or is_measured(x)):
            return self._first(x)
        if torch.compiler.is_compiling() or transformed():
            return self._first(x)
        fit = [one for one in self.backends if not one.unfit(x)]
        rivals = [one for one in fit if one.name != Reference().name]
        job = Job(graph, parameters, x, states, tuple(others))
        found = fastest(rivals, job) if is_measured(x) else known_fastest(rivals, job)
        if found is None:
            return self._first(x)
        best = next(one for one in fit if one.name == found.best)
        self._ran[x.device.type, x.dtype] = best
        return best

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

        Under autocast everything is in the type of the weights, but for products of float32 on a back-end for GPUs:
        these are computed in autocast's type. States, and what is kept of them, stay float32.
        """
        if is_autocast(x):
            kind = next((one.dtype for one in parameters.values()), x.dtype)
            asked = torch.get_autocast_dtype(x.device.type)
            with torch.autocast(x.device.type, enabled=False):
                begin, more = tuple(one.to(kind) for one in states), [one.to(kind) for one in others]
                given = (x.to(kind), begin, more)
                fit = any(one.name in ON_A_GPU and not one.unfit(given[0]) for one in self.backends)
                coarse = fit and kind == torch.float32 and asked in LOWER
                weights = lowered(parameters, asked) if coarse else parameters
                best = self._fastest(graph, weights, *given)
                return best.trajectory(graph, weights if best.name in ON_A_GPU else parameters, *given)
        return self._fastest(graph, parameters, x, states, others).trajectory(graph, parameters, x, states, others)


def is_measured(x: Tensor) -> bool:
    """Whether back-ends are measured for such tensors, here and now."""
    return (
        x.is_cuda
        and x.numel() > 0
        and not torch._C._len_torch_dispatch_stack()
        and not torch.cuda.is_current_stream_capturing()
    )


def is_autocast(x: Tensor) -> bool:
    """Whether autocast is at work for such tensors."""
    return x.device.type in ("cpu", "cuda") and torch.is_autocast_enabled(x.device.type)


def choose(backend: str, graph: Graph) -> Choice:
    """The back-ends that may run this graph. Raises `BackendError` where the one that is asked for cannot."""
    if backend == "auto":
        asked = [name for name in BACKENDS if name not in ON_A_GPU or torch.cuda.is_available()]
        reasons = {name: BACKENDS[name].refusal(graph) for name in asked}
        if refusal():
            _tell(f"Cells run on the slow reference back-end: compiled kernels cannot run here: {refusal()}.")
        elif reasons["cpu"]:
            _tell(f"A cell runs on the slow reference back-end: no kernel can be compiled for it: {reasons['cpu']}.")
        if reasons.get("triton"):
            _tell(f"On a GPU a cell runs on the slow reference back-end: {reasons['triton']}.")
        return Choice(tuple(BACKENDS[name] for name in asked if not reasons[name]))
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
