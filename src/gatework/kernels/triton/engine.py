"""Kernels at work: memory for their arrays, the launches, and the gradients of the weights."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from gatework.graph.loop import Loop, Outer, Place
from gatework.kernels.passes import Wanted
from gatework.kernels.recurrence import BACKWARD, Recurrence
from gatework.kernels.triton.build import interpreted
from gatework.kernels.triton.call import Call
from gatework.kernels.triton.tuning import chosen
from gatework.kernels.triton.ways import WAYS

_INTERPRETER = threading.RLock()
"""Triton's interpreter runs one kernel at a time; a GPU needs nobody to wait."""


def execute(
    cell: Recurrence,
    which: str,
    arrays: dict[str, Tensor],
    weights: Sequence[Tensor],
    x: Tensor,
    H: int,
    d_weights: Sequence[Tensor | None] = (),
    wanted: Wanted | None = None,
) -> None:
    """One call of a loop, and after the backward one the products that are the gradients of the weights."""
    by_key = dict(zip(cell.keys, weights, strict=True))
    call = Call(cell, which, bool(wanted and wanted.inputs[0]), arrays, by_key, x, H)
    # A backward pass may run under the autocast of whoever asked for it.
    turn = _INTERPRETER if interpreted() else nullcontext()
    with torch.cuda.device_of(x), torch.autocast(x.device.type, enabled=False), turn:
        way = chosen(call, WAYS)
        call.allocate(way.arrays(call))
        if x.shape[1]:
            way.run(call)
        if which == BACKWARD:
            _weight_gradients(cell, arrays, d_weights, H)


def _weight_gradients(
    cell: Recurrence, arrays: Mapping[str, Tensor], d_weights: Sequence[Tensor | None], H: int
) -> None:
    """Sums over sequences and time: one product for each matrix and vector, as a matrix of all time steps."""
    outers: dict[str, list[Outer]] = {}
    for outer in cell.plan.outers:
        outers.setdefault(outer.matrix, []).append(outer)
    for key, found in zip(cell.keys, d_weights, strict=False):
        if found is None:
            continue
        if key in cell.plan.columns:
            d = _block_of(arrays["d"], cell.plan.columns[key], H)
            found.copy_(d.sum((0, 1), dtype=torch.float64 if d.dtype == torch.float64 else torch.float32))
            continue
        found.zero_()
        for outer in outers.get(key, []):
            for d, vector in _pairs(_block_of(arrays["d"], outer.block, H), outer.vector, arrays, cell.plan.backward):
                found += d.flatten(0, 1).T @ vector.flatten(0, 1)


def _block_of(d: Tensor, block: int, H: int) -> Tensor:
    return d[..., block * H : (block + 1) * H]


def _pairs(d: Tensor, place: Place, arrays: Mapping[str, Tensor], loop: Loop) -> list[tuple[Tensor, Tensor]]:
    """Gradients beside the vectors that they meet, in parts of equal length: a shifted vector begins elsewhere."""
    vector = arrays[place.array]
    if vector.dim() == 2:  # the same at every step
        vector = vector.expand(len(d), *vector.shape)
    if not place.shift:
        return [(d, vector)]
    return [(d[:1], arrays[loop.arrays[place.array].start][None]), (d[1:], vector[:-1])]
