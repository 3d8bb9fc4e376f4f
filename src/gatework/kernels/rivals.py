"""Which back-end is the fastest for a call on a GPU: measured there, after a check against the reference."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from gatework.graph import Graph
from gatework.kernels.measured import Found, Kind, device, milliseconds, power, remembered
from gatework.kernels.reference import Reference

CHECKED = 8
"""Time steps that are checked."""

CLOSE = {torch.float64: 1e-6, torch.float32: 1e-3, torch.bfloat16: 1e-1, torch.float16: 2e-2}
"""How far a result may be from the reference, of the largest number beside it: some hundred roundings in that type."""

ROUNDED = 2e-2
"""The same in float32 where products may be of tf32, which has ten bits."""


class Candidate(Protocol):
    """What may run a call: a back-end."""

    @property
    def name(self) -> str:
        """What users call it."""

    def trajectory(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Run the cell along (T, B, N)."""


@dataclass(frozen=True)
class Job:
    """A call of a cell."""

    graph: Graph
    parameters: Mapping[str, Tensor]
    x: Tensor
    states: tuple[Tensor, ...]
    others: tuple[Tensor, ...]

    @property
    def training(self) -> bool:
        """Whether gradients follow."""
        every = (self.x, *self.states, *self.others, *self.parameters.values())
        return torch.is_grad_enabled() and any(one.requires_grad for one in every)

    @property
    def about(self) -> tuple[Hashable, ...]:
        """What calls of a cell have in common that are measured once: B and T count as powers of two."""
        T, B, N = self.x.shape
        sizes = (N, self.states[0].shape[-1], power(B), power(T))
        return (self.x.device, self.x.dtype, self.training, sizes, tuple(_switches()))

    @property
    def kind(self) -> Kind:
        """The same, and the cell, for those who read it elsewhere."""
        _, _, training, sizes, precision = self.about
        return {
            "cell": hashlib.sha256(self.graph.record.encode()).hexdigest(),
            "device": device(self.x),
            "cudnn": torch.backends.cudnn.version(),
            "type": str(self.x.dtype).removeprefix("torch."),
            "precision": precision,
            "training": training,
            "sizes": dict(zip("NHBT", sizes, strict=True)),  # type: ignore[call-overload]
        }

    def apart(self, steps: int) -> Job:
        """The first time steps of the same call, whose gradients are nobody else's."""

        def copied(one: Tensor) -> Tensor:
            return one.detach().requires_grad_(one.requires_grad and self.training)

        parameters = {key: copied(one) for key, one in self.parameters.items()}
        others = tuple(copied(one[:steps] if one.dim() == 3 else one) for one in self.others)
        return Job(self.graph, parameters, copied(self.x[:steps]), tuple(copied(one) for one in self.states), others)

    def run(self, candidate: Candidate) -> list[Tensor]:
        """All results, and all gradients of their sum."""
        results, last = candidate.trajectory(self.graph, self.parameters, self.x, self.states, self.others)
        found = [*results, *last]
        given = [one for one in (self.x, *self.states, *self.others, *self.parameters.values()) if one.requires_grad]
        if not given:
            return found
        outputs = [one for one in found if one.requires_grad]
        gradients = torch.autograd.grad([one.sum() for one in outputs], given, allow_unused=True)
        return [one.detach() for one in (*found, *gradients) if one is not None]


def fastest(candidates: Sequence[Candidate], job: Job) -> Found:
    """The fastest of several back-ends for a call; one that fails or is wrong is told, and is none."""
    names = [one.name for one in candidates]
    about = ("back-ends", job.graph.record, job.about)
    return remembered(about, lambda: job.kind, [*names, Reference().name], lambda: _measured(candidates, job))


def _measured(candidates: Sequence[Candidate], job: Job) -> Found:
    with torch.cuda.device_of(job.x):
        return _measured_there(candidates, job)


def _measured_there(candidates: Sequence[Candidate], job: Job) -> Found:
    failed, right = {}, []
    first = job.apart(CHECKED)
    wanted = first.run(Reference())
    for one in candidates:
        try:
            why = _difference(first.run(one), wanted, job.x.dtype)
        except Exception as error:  # noqa: BLE001 - of a compiler, a driver, or for want of memory: others may run
            why = next(iter(str(error).splitlines()), type(error).__name__)
        if why:
            failed[one.name] = why
            warnings.warn(f"The back-end {one.name} is left aside on {device(job.x)}: {why}.", stacklevel=2)
        else:
            right.append(one)
    whole = job.apart(len(job.x))
    times = {one.name: milliseconds(partial(whole.run, one), job.x.is_cuda) for one in right}
    return Found.of(times, failed, Reference().name)


def _difference(found: Sequence[Tensor], wanted: Sequence[Tensor], dtype: torch.dtype) -> str:
    """What is wrong with results; empty where they are right."""
    allowed = ROUNDED if _is_rounded(dtype) else CLOSE[dtype]
    for one, other in zip(found, wanted, strict=True):
        size = max(float(other.abs().nan_to_num().max()), 1.0) if other.numel() else 1.0
        if not torch.allclose(one, other, rtol=0, atol=allowed * size, equal_nan=True):
            worst = float((one - other).abs().nan_to_num(nan=math.inf).max())
            return f"its results differ from the reference's by {worst:.1g} where the largest is {size:.1g}"
    return ""


def _is_rounded(dtype: torch.dtype) -> bool:
    """Whether products of float32 may be of tf32."""
    return dtype == torch.float32 and bool({"tf32", True} & set(_switches()))


def _switches() -> list[object]:
    """What torch is asked for products of float32, in its matrices and in cuDNN; an old one has other switches."""
    every = (torch.backends, torch.backends.cuda.matmul, torch.backends.cudnn.rnn)
    asked: list[object] = [getattr(one, "fp32_precision", None) for one in every]
    # Asking an old one is an error once a new one was used.
    return [torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32] if None in asked else asked
