"""Compiled kernels at work: memory for their arrays, their arguments, and the call."""

from __future__ import annotations

import ctypes
import functools
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gatework.graph import Graph
from gatework.graph.build import from_json
from gatework.graph.loop import Keeping, Loop, Plan
from gatework.graph.plan import arriving_array, input_array, plan, state_array
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

INFERENCE, FORWARD, BACKWARD, STEP = "inference", "forward", "backward", "step"

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


@dataclass(frozen=True)
class Compiled:
    """A kernel in memory.

    `results` is the number of entries of its sums. `arrays` have for each array its name, those of its two arguments,
    the distance of its rows, and how many slots it needs (0: those of the ring).
    """

    kernel: Kernel
    library: Library
    entry: Entry
    results: int
    arrays: tuple[tuple[str, str, str, int, int], ...]


@dataclass(frozen=True, eq=False)
class Recurrence:
    """A cell with its plan, and the kernels that were made for it."""

    graph: Graph
    plan: Plan
    _kernels: dict[tuple[str, int, int, int, int], Compiled] = field(default_factory=dict)

    @functools.cached_property
    def keys(self) -> tuple[str, ...]:
        """The names of the weights, in the order of the graph."""
        return tuple(parameter.key for parameter in self.graph.parameters)

    def kernel(self, which: str, N: int, H: int, bits: int, rows: int) -> Compiled:
        """The kernel of one of the loops, for batches of at least `rows` sequences."""
        key = (which, N, H, bits, rows)
        found = self._kernels.get(key)
        if found is None:
            with LOCKS.kernels:
                found = self._kernels.get(key) or self._compile(*key)
                self._kernels[key] = found
        return found

    def _compile(self, which: str, N: int, H: int, bits: int, rows: int) -> Compiled:
        kernel = describe(self.plan, which, {"N": N, "H": H, "1": 1}, bits, rows)
        library = build(write(kernel), host())
        functions = entry(library, collects=which == BACKWARD)
        return Compiled(kernel, library, functions, layout(self.plan, kernel.sizes)[1], _arrays(kernel))


def _arrays(kernel: Kernel) -> tuple[tuple[str, str, str, int, int], ...]:
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


@functools.lru_cache(maxsize=256)
def recurrence(record: str) -> Recurrence:
    """The cell of a graph's record."""
    graph = from_json(json.loads(record))
    return Recurrence(graph, plan(graph))


def forward(
    cell: Recurrence,
    weights: Sequence[Tensor],
    x: Tensor,
    others: Sequence[Tensor],
    states: Sequence[Tensor],
    *,
    training: bool,
) -> list[Tensor]:
    """Run a cell along (T, B, N): its results at every step, all last states, and what else a backward pass reads.

    The results are the first state and those that are shown.

    `others` are the inputs after the first, (T, B, H), or (B, H) where one is the same at every step. The weights are
    in the order of the graph. All tensors are contiguous and of one type.
    """
    T, B, _ = x.shape
    H = states[0].shape[1]
    graph = cell.graph
    arrays = _inputs(graph, x, others)
    for k, (name, state) in enumerate(zip(graph.states, states, strict=True)):
        arrays[f"start:{name}"] = state
        if name in graph.results:
            arrays[state_array(graph, k)] = x.new_empty(T, B, H)
        else:
            arrays[state_array(graph, k)] = POOL.empty(x, T if training else 2, B, H)
    for name in cell.plan.kept if training else ():
        arrays[name] = POOL.empty(x, T, B, H)
    _run(cell, FORWARD if training else INFERENCE, arrays, weights, x, H)
    sequences = {name: arrays[state_array(graph, k)] for k, name in enumerate(graph.states)}
    last = [one[(T - 1) % len(one)].clone() for one in sequences.values()]
    results = [sequences.pop(name) for name in graph.results]
    kept = [*sequences.values(), *(arrays[name] for name in cell.plan.kept)] if training else []
    return [*results, *last, *kept]


@dataclass(frozen=True)
class Wanted:
    """Which gradients are asked for."""

    inputs: Sequence[bool]
    states: bool
    weights: Sequence[bool]


def backward(
    cell: Recurrence,
    weights: Sequence[Tensor],
    x: Tensor,
    others: Sequence[Tensor],
    states: Sequence[Tensor],
    kept: Sequence[Tensor],
    d_results: Sequence[Tensor | None],
    d_last: Sequence[Tensor | None],
    wanted: Wanted,
) -> tuple[list[Tensor | None], list[Tensor] | None, list[Tensor | None]]:
    """The gradients of the inputs, of the first states and of the weights.

    `kept` is what `forward` gives but for the last states. `d_results` are the gradients of its results at every step,
    (T, B, H) each, or (B, H) for the same one at every step.
    """
    (T, B, _), H = x.shape, states[0].shape[1]
    graph = cell.graph
    zeros = x.new_zeros(B, H)
    hidden = [name for name in graph.states if name not in graph.results]
    keys = [state_array(graph, graph.states.index(name)) for name in (*graph.results, *hidden)]
    arrays = {**_inputs(graph, x, others), **dict(zip([*keys, *cell.plan.kept], kept, strict=True))}
    for name, d_result in zip(graph.results, d_results, strict=True):
        arrays[arriving_array(graph, name)] = zeros if d_result is None else d_result
    for name, state, d_state in zip(graph.states, states, d_last, strict=True):
        arrays[f"start:{name}"] = state
        arrays[f"end:{name}"] = zeros if d_state is None else d_state
        arrays[f"begin:{name}"] = x.new_empty(B, H) if wanted.states else zeros
    gradients = [input_array(graph, name, "dx") for name in graph.inputs]
    for k, (name, want) in enumerate(zip(gradients, wanted.inputs, strict=True)):
        if name in cell.plan.backward.arrays:
            # One that nobody asked for is written to the same place at every step.
            shape = ((T, B, H) if k else x.shape) if want else (B, H)
            arrays[name] = x.new_empty(shape)
    d_weights = [
        torch.empty_like(weight) if want else None for weight, want in zip(weights, wanted.weights, strict=True)
    ]
    _run(cell, BACKWARD, arrays, weights, x, H, d_weights, wanted)
    begin = [arrays[f"begin:{name}"] for name in graph.states] if wanted.states else None
    d_inputs = [
        _gradient(one, arrays.get(name)) if want else None
        for one, name, want in zip((x, *others), gradients, wanted.inputs, strict=True)
    ]
    return d_inputs, begin, d_weights


def _inputs(graph: Graph, x: Tensor, others: Sequence[Tensor]) -> dict[str, Tensor]:
    """The inputs by the names of their arrays."""
    return {input_array(graph, name): one for name, one in zip(graph.inputs, (x, *others), strict=True)}


def _gradient(one: Tensor, found: Tensor | None) -> Tensor:
    """The gradient of an input, which is a sum over time where the input is the same at every step."""
    if found is None:
        return torch.zeros_like(one)
    return found if found.dim() == one.dim() else found.sum(0)


def _run(
    cell: Recurrence,
    which: str,
    arrays: dict[str, Tensor],
    weights: Sequence[Tensor],
    x: Tensor,
    H: int,
    d_weights: Sequence[Tensor | None] = (),
    wanted: Wanted | None = None,
) -> None:
    """One call of a kernel: `arrays` are those that outlive it, and those that it reads."""
    T, B, N = x.shape
    size = x.element_size()
    keys = cell.keys
    gradients = {key: one for key, one in zip(keys, d_weights, strict=False) if one is not None}
    if not B:
        for one in gradients.values():
            one.zero_()
        return
    work = T * B * H * (N + H)
    threads = max(1, min(torch.get_num_threads(), B // MOST_ROWS, work // WORTH))
    share = B // threads
    if which == INFERENCE and T * B <= FEW:
        which = STEP
    made = cell.kernel(which, N, H, size * 8, min(MOST_ROWS, share))
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
    for name, pointer, step, stride, slots in made.arrays:
        tensor = arrays.get(name)
        if tensor is None:
            tensor = arrays[name] = POOL.empty(x, slots or ring, B, stride)
        values[pointer] = tensor.data_ptr()
        values[step] = B * stride if tensor.dim() == 3 else 0
    for key, weight in zip(keys, weights, strict=True):
        if f"weight:{key}" in values:
            values[f"weight:{key}"] = weight.data_ptr()
    for key, one in gradients.items():
        if f"gradient:{key}" in values:
            values[f"gradient:{key}"] = one.data_ptr()
        else:
            one.zero_()
    team().run(made.entry, (ctypes.c_int64 * len(values))(*values.values()), threads)


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
