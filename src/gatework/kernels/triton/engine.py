"""Kernels at work: memory for their arrays, the launches, and the gradients of the weights."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gatework.errors import BackendError
from gatework.graph.loop import Outer, Place
from gatework.kernels.members import by_member
from gatework.kernels.passes import Gradients, Wanted
from gatework.kernels.recurrence import Recurrence
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
    wanted: Wanted | None = None,
    members: int = 1,
) -> Gradients:
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
        if not wanted:
            return []
        asked = [key for key, want in zip(cell.keys, wanted.weights, strict=True) if want]
        found = _Sums(call).of(asked)
        # What no gradient reaches, as a weight that is rounded down, has one of zeros.
        found |= {key: torch.zeros_like(by_key[key]) for key in asked if key not in found}
        return [found.get(key) for key in cell.keys]


@dataclass(frozen=True)
class _Sums:
    """The gradients of the weights: sums over sequences and time, of each member on its own.

    All time steps are one product of matrices, but for the first, before which a vector lies elsewhere. Matrices that
    meet the same vector, with gradients side by side, are one product too.
    """

    call: Call
    _made: dict[str, Tensor] = field(default_factory=dict)

    def of(self, keys: Sequence[str]) -> dict[str, Tensor]:
        """Those of some weights."""
        found: dict[str, Tensor] = {}
        plan = self.call.cell.plan
        columns = {key: block for key, block in plan.columns.items() if key in keys}
        if columns:
            total = self._total(columns.values())
            found |= {key: self._block(total, block - min(columns.values()), -1) for key, block in columns.items()}
        for outers in runs([one for one in plan.outers if one.matrix in keys]):
            product = self._product(outers)
            for one in outers:
                part = self._block(product, one.block - outers[0].block, -2)
                found[one.matrix] = found[one.matrix] + part if one.matrix in found else part
        return {key: self._alone(one) for key, one in found.items()}

    def _total(self, blocks: Collection[int]) -> Tensor:
        """The sum of all gradients between the first and the last of some blocks, in one go."""
        H = self.call.H
        d = self._apart("d")[..., min(blocks) * H : (max(blocks) + 1) * H]
        kind = torch.promote_types(d.dtype, torch.float32)
        return d.sum((1, 2), dtype=kind).to(d.dtype)

    def _product(self, outers: Sequence[Outer]) -> Tensor:
        """The gradients of matrices whose blocks lie side by side, one below the other."""
        begin, H, kind = outers[0].block * self.call.H, self.call.H, self.call.products
        d = self._apart("d")[..., begin : begin + len(outers) * H].to(kind)
        total: Tensor | None = None
        for gradients, vectors in self._pairs(d, outers[0].vector):
            given = gradients.flatten(1, 2).mT, vectors.flatten(1, 2).to(kind)
            total = torch.bmm(*given) if total is None else total.baddbmm_(*given)
        assert total is not None, "there are pairs"
        return total

    def _pairs(self, d: Tensor, place: Place) -> Iterator[tuple[Tensor, Tensor]]:
        """Gradients beside the vectors that they meet, in parts of equal length: a shifted vector begins elsewhere."""
        vector = self._apart(place.array)
        if vector.dim() == 3:  # the same at every step
            vector = vector[:, None].expand(*d.shape[:3], vector.shape[-1])
        if not place.shift:
            yield d, vector
            return
        start = self._apart(self.call.loop.arrays[place.array].start)
        yield d[:, :1], start[:, None]
        if d.shape[1] > 1:
            yield d[:, 1:], vector[:, :-1]

    def _apart(self, name: str) -> Tensor:
        """An array with its members apart: (members, T, B, columns), or (members, B, columns)."""
        if name not in self._made:
            self._made[name] = by_member(self.call.arrays[name], self.call.members).contiguous()
        return self._made[name]

    def _block(self, found: Tensor, block: int, axis: int) -> Tensor:
        return found.narrow(axis, block * self.call.H, self.call.H)

    def _alone(self, found: Tensor) -> Tensor:
        """As the weight lies: without an axis of one member."""
        return found.contiguous() if self.call.members > 1 else found[0]


def runs(outers: Sequence[Outer]) -> list[list[Outer]]:
    """Gradients of matrices that are one product: they meet the same vector, and their blocks lie side by side."""
    found: list[list[Outer]] = []
    for one in sorted(outers, key=lambda one: (one.vector.array, one.vector.block, one.vector.shift, one.block)):
        last = found[-1][-1] if found else None
        if last and last.vector == one.vector and last.block + 1 == one.block:
            found[-1].append(one)
        else:
            found.append([one])
    return found
