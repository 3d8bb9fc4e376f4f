"""Compiled kernels at work: memory for their arrays, their arguments, and the call."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatework.graph.loop import Keeping, Loop, Plan
from gatework.kernels.cpu.build import Library, build
from gatework.kernels.cpu.forking import AtFork
from gatework.kernels.cpu.host import host
from gatework.kernels.cpu.panels import Sizes, pack
from gatework.kernels.cpu.places import row_stride
from gatework.kernels.cpu.sums import layout
from gatework.kernels.cpu.team import Entry, entry, team
from gatework.kernels.cpu.tiles import MOST_ROWS
from gatework.kernels.cpu.writer import Kernel, write
from gatework.kernels.memory import POOL
from gatework.kernels.passes import Gradients, Wanted
from gatework.kernels.recurrence import BACKWARD, INFERENCE, Recurrence

STEP = "step"
"""The kernel of a few steps, which reads the weights as they lie."""

SLAB = 64
"""Rows whose states stay in cache from one time step to the next."""

RING_ROWS = 128
"""Rows of gradients that are collected before they are summed into the gradients of the weights."""

FEW = 4
"""Times that the weights are used below which packing them costs more than it brings."""

WORTH = 1 << 21
"""Multiply-adds below which a second thread costs more than it brings."""


class Locks(AtFork):
    """`kernels` is held while one is made."""

    def renew(self) -> None:
        """As at the beginning."""
        self.kernels = threading.RLock()


LOCKS = Locks()


ArrayArguments = tuple[str, str, str, int, int]
"""Of an array its name, those of its two arguments, the distance of its rows, and its slots (0: those of the ring)."""


@dataclass(frozen=True)
class Compiled:
    """A kernel in memory.

    `results` is the number of entries of its sums, `arrays` what it is told of each array.
    """

    kernel: Kernel
    library: Library
    entry: Entry
    results: int
    arrays: tuple[ArrayArguments, ...]


def compiled(cell: Recurrence, which: str, N: int, H: int, bits: int, rows: int) -> Compiled:
    """The kernel of one of a cell's loops, for batches of at least `rows` sequences."""
    key = ("cpu", which, N, H, bits, rows)
    found: Compiled | None = cell.made.get(key)
    if found is None:
        with LOCKS.kernels:
            found = cell.made.get(key) or _compile(cell, which, N, H, bits, rows)
            cell.made[key] = found
    return found


def _compile(cell: Recurrence, which: str, N: int, H: int, bits: int, rows: int) -> Compiled:
    kernel = describe(cell.plan, which, {"N": N, "H": H, "1": 1}, bits, rows)
    library = build(write(kernel), host())
    functions = entry(library, collects=which == BACKWARD)
    return Compiled(kernel, library, functions, layout(cell.plan, kernel.sizes)[1], _arrays(kernel))


def _arrays(kernel: Kernel) -> tuple[ArrayArguments, ...]:
    slots = {Keeping.RING: 0, Keeping.PAIR: 2}
    return tuple(
        (
            one.name,
            f"array:{one.name}",
            f"step:{one.name}",
            row_stride(one, kernel.sizes, kernel.bits // 8),
            slots.get(one.keeping, 1),
        )
        for one in kernel.loop.arrays.values()
    )


def describe(made: Plan, which: str, sizes: Sizes, bits: int, rows: int) -> Kernel:
    """What has to be written for one of a plan's loops, for batches of at least `rows` sequences."""
    loop: Loop = made.inference if which == STEP else getattr(made, which)
    packing = pack(loop, sizes, 0 if which == STEP else rows, host(), bits // 8)
    sums = layout(made, sizes)[0] if which == BACKWARD else None
    title = f"{which} N={sizes['N']} H={sizes['H']}"
    return Kernel(loop, packing, sizes, host(), bits, title, which == STEP, made, sums)


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
    """Calls of a kernel, for one member after the other; threads share the sequences of each."""
    T, B, N = x.shape[0], x.shape[1] // members, x.shape[2]
    size = x.element_size()
    by_key = dict(zip(cell.keys, weights, strict=True))
    asked = zip(by_key.items(), wanted.weights, strict=True) if wanted else ()
    gradients = {key: torch.empty_like(weight) for (key, weight), want in asked if want}
    d_weights = [gradients.get(key) for key in cell.keys]
    if not B:
        for one in gradients.values():
            one.zero_()
        return d_weights
    work = T * B * H * (N + H)
    threads = max(1, min(torch.get_num_threads(), B // MOST_ROWS, work // WORTH))
    share = B // threads
    if which == INFERENCE and T * B <= FEW:
        which = STEP
    made = compiled(cell, which, N, H, size * 8, min(MOST_ROWS, share))
    kernel = made.kernel
    slab = min(share, max(SLAB, kernel.packing.rows))
    ring = _ring(T, slab)
    packed = POOL.empty(x, kernel.packing.vectors * host().lanes(size) + 64 // size)
    sums = POOL.empty(x, threads * made.results if gradients else 0)
    values = dict.fromkeys(kernel.frame.names, 0)
    values |= {"T": T, "B": B, "threads": threads, "slab": slab, "ring": ring - 1}
    values["sums size"] = made.results if gradients else 0
    values["packed"] = -(-packed.data_ptr() // 64) * 64
    values["sums"] = sums.data_ptr()
    if wanted:
        values |= {
            "want dx": wanted.inputs[0],
            "want begin": wanted.states,
            "want sums": _masks(cell, kernel, gradients),
        }
    held = {f"weight:{key}": one for key, one in by_key.items()}
    held |= {f"gradient:{key}": one for key, one in gradients.items()}
    for key, one in gradients.items():
        if f"gradient:{key}" not in values:
            one.zero_()
    apart = _place(values, made.arrays, arrays, (x, ring, B))
    for name in held.keys() & values.keys():
        values[name], apart[name] = held[name].data_ptr(), held[name].nbytes // members
    for frame in _frames(values, apart, members):
        team().run(made.entry, frame, threads)
    return d_weights


def _place(
    values: dict[str, int], wanted: Iterable[ArrayArguments], arrays: dict[str, Tensor], new: tuple[Tensor, int, int]
) -> dict[str, int]:
    """Enter the addresses of arrays and the entries from step to step; of `new` ones the like, the slots, the rows.

    Returns for each address the bytes to that of the next member, but for new ones, which all members use in turn.
    """
    x, ring, B = new
    apart = {}
    for name, pointer, step, stride, slots in wanted:
        if name in arrays:
            apart[pointer] = B * stride * x.element_size()
        else:
            arrays[name] = POOL.empty(x, slots or ring, B, stride)
        tensor = arrays[name]
        values[pointer] = tensor.data_ptr()
        values[step] = tensor.shape[1] * stride if tensor.dim() == 3 else 0
    return apart


def _frames(values: Mapping[str, int], apart: Mapping[str, int], members: int) -> Iterator[Any]:
    """The kernel's argument for each member: the first one's, and the same with addresses so many bytes further."""
    table = ctypes.c_int64 * len(values)
    yield table(*values.values())
    for member in range(1, members):
        yield table(*(value + member * apart.get(name, 0) for name, value in values.items()))


def _masks(cell: Recurrence, kernel: Kernel, gradients: Mapping[str, Tensor]) -> int:
    """One bit for every sum that some wanted gradient is part of."""
    bits = 0
    for index, one in enumerate(kernel.sums or ()):
        blocks = range(one.block, one.block + one.count)
        keys = [outer.matrix for outer in cell.plan.outers if outer.vector == one.vector and outer.block in blocks]
        keys += [key for key, block in cell.plan.columns.items() if one.vector is None and block in blocks]
        bits |= any(key in gradients for key in keys) << index
    return bits


def _ring(T: int, slab: int) -> int:
    """Slots of the ring: a power of two, so that a slab's slots hold some hundred rows."""
    ring = 2
    while ring * slab < RING_ROWS and ring < T + 1:
        ring *= 2
    return ring
