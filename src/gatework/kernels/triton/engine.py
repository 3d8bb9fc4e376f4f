"""Kernels at work: memory for their arrays, the launches, and the gradients of the weights."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatework.graph.loop import Keeping, Loop, Outer, Place
from gatework.kernels.passes import Wanted
from gatework.kernels.recurrence import BACKWARD, Recurrence
from gatework.kernels.triton import sequence, stages
from gatework.kernels.triton.build import function, interpreted

LEAST = 16
"""The shortest side of a matrix that the matrix units of a GPU take."""

ROWS = 16
"""Sequences of a program."""

COLUMNS, INNER = 64, 32
"""Units of a program, and entries that are summed at a time, where a stage is a launch."""

FEW = 64
"""Units up to which four warps share a program; more take eight."""

WIDEST, ON_CHIP, SHARE = 256, 160 << 10, 0.7
"""Units, and bytes of matrices, up to which a whole sequence is one launch; and the share of a GPU's shared memory that
matrices may take, where that is less: vectors on their way to the matrix units need the rest."""


_INTERPRETER = threading.RLock()
"""Triton's interpreter runs one kernel at a time; a GPU needs nobody to wait."""


@dataclass(frozen=True)
class Call:
    """What one call of a loop is given."""

    loop: Loop
    backward: bool
    input_gradient: bool
    arrays: dict[str, Tensor]
    weights: Mapping[str, Tensor]
    x: Tensor
    H: int

    @property
    def options(self) -> dict[str, Any]:
        """The sizes and the kind of number, as all kernels take them."""
        import triton.language as tl

        given = {
            torch.float64: tl.float64,
            torch.float32: tl.float32,
            torch.bfloat16: tl.bfloat16,
            torch.float16: tl.float16,
        }[self.x.dtype]
        real = tl.float64 if given == tl.float64 else tl.float32
        sizes = {"N": self.x.shape[2], "H": self.H, "BLOCK_B": ROWS, "REAL": real}
        if interpreted():  # which multiplies neither bfloat16 nor with less than all digits
            return {**sizes, "DOT": real, "PRECISION": "ieee"}
        return {**sizes, "DOT": given, "PRECISION": _precision(), "num_warps": 4 if self.H <= FEW else 8}


def _precision() -> str:
    """How matrix units multiply float32: three times in 19 bits are as good as once in 32, and far faster."""
    if torch.cuda.get_device_capability() < (8, 0):
        return "ieee"
    # Torch has two switches, and asking the old one is an error once the new one was used.
    asked = getattr(torch.backends.cuda.matmul, "fp32_precision", None)
    if asked == "none":
        asked = getattr(torch.backends, "fp32_precision", "none")
    tf32 = torch.backends.cuda.matmul.allow_tf32 if asked is None else asked == "tf32"
    return "tf32" if tf32 else "tf32x3"


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
    call = Call(getattr(cell.plan, which), which == BACKWARD, bool(wanted and wanted.inputs[0]), arrays, by_key, x, H)
    whole = _whole(cell, which, call)
    fits = _fits(whole, x, H)
    used = whole.arrays if fits else [array for one in _launches(cell, which, call) for array, _ in one.arrays]
    _allocate(call, used)
    # A backward pass may run under the autocast of whoever asked for it.
    turn = _INTERPRETER if interpreted() else nullcontext()
    with torch.cuda.device_of(x), torch.autocast(x.device.type, enabled=False), turn:
        if x.shape[1] and fits:
            _launch(call, whole)
        elif x.shape[1]:
            _step_by_step(cell, which, call)
        if which == BACKWARD:
            _weight_gradients(cell, arrays, d_weights, H)


def _whole(cell: Recurrence, which: str, call: Call) -> sequence.Sequence:
    key = ("triton", which, call.input_gradient)
    if key not in cell.made:
        cell.made[key] = sequence.write(call.loop, backward=call.backward, input_gradient=call.input_gradient)
    found: sequence.Sequence = cell.made[key]
    return found


def _stages(cell: Recurrence, which: str, call: Call) -> tuple[tuple[stages.Launch, ...], stages.Launch | None]:
    key = ("triton, by stages", which)
    if key not in cell.made:
        cell.made[key] = stages.write(call.loop)
    found: tuple[tuple[stages.Launch, ...], stages.Launch | None] = cell.made[key]
    return found


def _launches(cell: Recurrence, which: str, call: Call) -> list[stages.Launch]:
    """The launches of a call, each once."""
    made, last = _stages(cell, which, call)
    return [*(one for one in made if call.input_gradient or not one.optional), *([last] if last else [])]


def _fits(whole: sequence.Sequence, x: Tensor, H: int) -> bool:
    """Whether a program can hold what the kernel for the whole sequence keeps: its vectors and its matrices."""
    blocks = {"H": block(H), "N": block(x.shape[2])}
    held = sum(blocks[rows] * blocks[columns] for rows, columns in whole.tiles) * x.element_size()
    return whole.scan or (H <= WIDEST and held <= _on_chip(x))


def _on_chip(x: Tensor) -> int:
    """Bytes of matrices that a program may keep."""
    if not x.is_cuda:
        return ON_CHIP
    found = torch.cuda.get_device_properties(x.device)
    return min(ON_CHIP, int(SHARE * getattr(found, "shared_memory_per_block_optin", found.shared_memory_per_block)))


def _allocate(call: Call, used: Iterable[str]) -> None:
    """Make the arrays that nobody has given; what passes from stage to stage is not rounded to half precision."""
    T, B, N = call.x.shape
    slots = {Keeping.PAIR: 2, Keeping.STEP: 1}
    for name in used:
        if name not in call.arrays:
            one = call.loop.arrays[name]
            size = one.blocks * (N if one.columns == "N" else call.H)
            kind = torch.promote_types(call.x.dtype, torch.float32) if one.keeping in slots else call.x.dtype
            call.arrays[name] = call.x.new_empty(slots.get(one.keeping, T), B, size, dtype=kind)


def _launch(call: Call, whole: sequence.Sequence) -> None:
    """The whole sequence at once."""
    T, B, N = call.x.shape
    given: list[object] = []
    for name in whole.arrays:
        tensor = call.arrays[name]
        given += [tensor, tensor.stride(0) if tensor.dim() == 3 else 0]
    given += [call.weights[key] for key in whole.weights]
    columns = min(block(call.H), COLUMNS) if whole.scan else block(call.H)
    run = function(whole.text)[(-(-B // ROWS), -(-call.H // columns))]
    begin = T - 1 if call.backward else 0
    run(*given, begin, T, B, **call.options, BLOCK_N=block(N), BLOCK_H=columns)


def _step_by_step(cell: Recurrence, which: str, call: Call) -> None:
    """A launch for every stage of every step."""
    (T, B, N), H = call.x.shape, call.H
    made, last = _stages(cell, which, call)
    sizes = {"N": N, "H": H}
    options = {**call.options, "BLOCK_C": COLUMNS, "BLOCK_K": INNER, "BLOCK_H": block(H)}

    def launch(one: stages.Launch, t: int) -> None:
        given = [_at(call, array, t + shift) for array, shift in one.arrays]
        grid = (-(-B // ROWS), -(-sizes[one.columns] // COLUMNS))
        function(one.text)[grid](*given, *(call.weights[key] for key in one.weights), B, **options)

    for t in reversed(range(T)) if call.backward else range(T):
        for one in made:
            if call.input_gradient or not one.optional:
                launch(one, t)
    if last:
        launch(last, -1)


def _at(call: Call, name: str, t: int) -> Tensor:
    """What an array holds at a time, (B, columns); outside the sequence what it begins with."""
    tensor, array = call.arrays[name], call.loop.arrays[name]
    if array.keeping is Keeping.START or tensor.dim() == 2:
        return tensor
    if array.keeping is Keeping.STEP:
        return tensor[0]
    if not 0 <= t < len(call.x):
        return call.arrays[array.start] if array.start else torch.zeros_like(tensor[0])
    return tensor[t & 1 if array.keeping is Keeping.PAIR else t]


def block(size: int) -> int:
    """The power of two that holds a vector, and that a matrix unit takes."""
    return max(LEAST, 1 << (size - 1).bit_length())


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
