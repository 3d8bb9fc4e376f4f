"""Kernels at work: memory for their arrays, the launches, and the gradients of the weights."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from gatework.errors import BackendError
from gatework.graph.loop import Loop, Outer, Place
from gatework.kernels.members import by_member
from gatework.kernels.passes import Wanted
from gatework.kernels.recurrence import BACKWARD, Recurrence
from gatework.kernels.triton.build import interpreted
from gatework.kernels.triton.call import Call
from gatework.kernels.triton.tuning import chosen
from gatework.kernels.triton.ways import WAYS

MOST = (1 << 16) - 1
"""Members of one launch: a GPU's limit for the third axis of a grid."""

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
    members: int = 1,
) -> None:
    """One call of a loop, and after the backward one the products that are the gradients of the weights."""
    if members > MOST:
        raise BackendError(
            f"The back-end triton runs at most {MOST:,} members at once, not {members:,}: map in chunks."
        )
    by_key = dict(zip(cell.keys, weights, strict=True))
    call = Call(cell, which, bool(wanted and wanted.inputs[0]), arrays, by_key, x, H, members)
    # A backward pass may run under the autocast of whoever asked for it.
    turn = _INTERPRETER if interpreted() else nullcontext()
    with torch.cuda.device_of(x), torch.autocast(x.device.type, enabled=False), turn:
        way = chosen(call, WAYS)
        call.allocate(way.arrays(call))
        if x.shape[1]:
            way.run(call)
        if which == BACKWARD:
            _weight_gradients(cell, arrays, d_weights, H, members)


def _weight_gradients(
    cell: Recurrence, arrays: Mapping[str, Tensor], d_weights: Sequence[Tensor | None], H: int, members: int
) -> None:
    """Sums over sequences and time, for each member one product for each matrix: all its time steps as one matrix."""
    outers: dict[str, list[Outer]] = {}
    for outer in cell.plan.outers:
        outers.setdefault(outer.matrix, []).append(outer)

    @functools.cache
    def apart(name: str) -> Tensor:
        """An array with its members apart: (members, T, B, columns), or (members, B, columns)."""
        return by_member(arrays[name], members).contiguous()

    for key, found in zip(cell.keys, d_weights, strict=False):
        if found is None:
            continue
        found = found if members > 1 else found[None]
        if key in cell.plan.columns:
            d = _block_of(apart("d"), cell.plan.columns[key], H)
            found.copy_(d.sum((1, 2), dtype=torch.float64 if d.dtype == torch.float64 else torch.float32))
            continue
        found.zero_()
        for outer in outers.get(key, []):
            for d, vector in _pairs(_block_of(apart("d"), outer.block, H), outer.vector, apart, cell.plan.backward):
                found.baddbmm_(d.flatten(1, 2).mT, vector.flatten(1, 2))


def _block_of(d: Tensor, block: int, H: int) -> Tensor:
    return d[..., block * H : (block + 1) * H]


def _pairs(d: Tensor, place: Place, apart: Callable[[str], Tensor], loop: Loop) -> list[tuple[Tensor, Tensor]]:
    """Gradients beside the vectors that they meet, in parts of equal length: a shifted vector begins elsewhere."""
    vector = apart(place.array)
    if vector.dim() == 3:  # the same at every step
        vector = vector[:, None].expand(*d.shape[:3], vector.shape[-1])
    if not place.shift:
        return [(d, vector)]
    start = apart(loop.arrays[place.array].start)
    return [(d[:, :1], start[:, None]), (d[:, 1:], vector[:, :-1])]
