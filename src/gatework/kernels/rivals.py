"""Which back-end is the fastest for a call on a GPU: measured there, after a check against the reference."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gatework.errors import first_line
from gatework.graph import Graph
from gatework.kernels.backend import Backend
from gatework.kernels.layout import of_products
from gatework.kernels.measured import Found, Kind, device, known, largest, milliseconds, named, power, remembered
from gatework.kernels.reference import Reference

CHECKED = 72
"""Time steps that are checked: more than two chunks of a scan."""

LEAST = 0.02
"""Of the largest number of all results, what counts as one's largest at least."""

CLOSE = {torch.float64: 1e-6, torch.float32: 1e-3, torch.bfloat16: 1e-1, torch.float16: 2e-2}
"""How far a result may be from the reference, of the largest number beside it: some hundred roundings in that type."""

ROUNDED = 2e-2
"""The same in float32 where products may be of tf32, which has ten bits."""


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
    def products(self) -> torch.dtype:
        """The type that products of matrices are computed in."""
        return of_products(self.parameters, self.x)

    @property
    def about(self) -> tuple[Hashable, ...]:
        """What calls of a cell have in common that are measured once: B and T count as powers of two."""
        T, B, N = self.x.shape
        sizes = (N, self.states[0].shape[-1], power(B), power(T))
        return (self.x.device, (self.x.dtype, self.products), self.training, sizes, tuple(_switches()))

    @property
    def kind(self) -> Kind:
        """The same, and the cell, for those who read it elsewhere."""
        _, _, training, sizes, precision = self.about
        return {
            "cell": hashlib.sha256(self.graph.record.encode()).hexdigest(),
            "device": device(self.x),
            "cudnn": torch.backends.cudnn.version(),
            "type": named(self.x.dtype, self.products),
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

    def run(self, backend: Backend) -> list[Tensor]:
        """All results, and all gradients of their sum."""
        results, last = backend.trajectory(self.graph, self.parameters, self.x, self.states, self.others)
        found = [*results, *last]
        given = [one for one in (self.x, *self.states, *self.others, *self.parameters.values()) if one.requires_grad]
        if not given:
            return found
        sums = [one.sum() for one in found if one.requires_grad]
        # What nothing depends on has a gradient of zeros for some back-ends, and none for others.
        gradients = torch.autograd.grad(sums, given, materialize_grads=True)
        return [one.detach() for one in (*found, *gradients)]


def known_fastest(candidates: Sequence[Backend], job: Job) -> Found | None:
    """What was found earlier; None where that is not known, and nothing is measured."""
    return known(*_asked(candidates, job))


def fastest(candidates: Sequence[Backend], job: Job) -> Found:
    """The fastest of several back-ends for a call; one that fails or is wrong is told, and is none."""
    return remembered(*_asked(candidates, job), lambda: _measured(candidates, job), what="The back-end")


def _asked(candidates: Sequence[Backend], job: Job) -> tuple[Hashable, Callable[[], Kind], Sequence[str]]:
    names = [*(one.name for one in candidates), Reference().name]
    return ("back-ends", job.graph.record, job.about), lambda: job.kind, names


def _measured(candidates: Sequence[Backend], job: Job) -> Found:
    # What is saved for these gradients is not for whoever watches what a training saves.
    with torch.cuda.device_of(job.x), torch.autograd.graph.saved_tensors_hooks(_same, _same):
        first, whole = job.apart(CHECKED), job.apart(len(job.x))
        wanted = first.run(Reference())
        times, failed = {}, {}
        for one in candidates:
            try:
                why = _difference(first.run(one), wanted, job.products)
                if not why:
                    whole.run(one)
                    times[one.name] = milliseconds(partial(whole.run, one), job.x.is_cuda)
            except Exception as error:  # noqa: BLE001 - of a compiler, a driver, or for want of memory: others may run
                why = first_line(error)
            if why:
                failed[one.name] = why
        return Found.of(times, failed, Reference().name)


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _difference(found: Sequence[Tensor], wanted: Sequence[Tensor], dtype: torch.dtype) -> str:
    """What is wrong with results; empty where they are right."""
    of_all = max((largest(other) for other in wanted), default=0.0)
    for one, other in zip(found, wanted, strict=True):
        if one.shape != other.shape:
            return f"a result is {tuple(one.shape)} and not {tuple(other.shape)}"
        # Sums that nearly cancel are as exact as what they are of.
        size = max(largest(other), LEAST * of_all)
        if not torch.allclose(one, other, rtol=0, atol=allowed(dtype) * size, equal_nan=True):
            worst = float((one - other).abs().nan_to_num(nan=math.inf).max())
            return f"its results differ from the reference's by {worst:.1g} where the largest is {size:.1g}"
    return ""


def allowed(dtype: torch.dtype) -> float:
    """How far a result may be from the reference, of the largest number beside it."""
    return ROUNDED if _is_rounded(dtype) else CLOSE[dtype]


def _is_rounded(dtype: torch.dtype) -> bool:
    """Whether products of float32 may be of tf32."""
    return dtype == torch.float32 and bool({"tf32", True} & set(_switches()))


def _switches() -> list[object]:
    """What torch is asked for products of float32, in its matrices and in cuDNN; an old one has other switches."""
    every = (torch.backends, torch.backends.cuda.matmul, torch.backends.cudnn.rnn)
    asked: list[object] = [getattr(one, "fp32_precision", None) for one in every]
    # Asking an old one is an error once a new one was used.
    return [torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32] if None in asked else asked
