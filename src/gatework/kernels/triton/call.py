"""One call of a loop: its tensors, and what all kernels are told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from gatework.graph.loop import Keeping, Loop
from gatework.graph.plan import is_other_input
from gatework.kernels.layout import of_products, width
from gatework.kernels.recurrence import BACKWARD, Recurrence
from gatework.kernels.triton.build import interpreted
from gatework.kernels.triton.chip import precision

Made = TypeVar("Made")

LEAST = 16
"""The shortest side of a matrix that the matrix units of a GPU take."""

FEW = 128
"""Bytes of a vector up to which four warps share a program; for longer ones there are eight, which have the registers
for its matrices."""

_SLOTS = {Keeping.PAIR: 2, Keeping.STEP: 2}
"""Of those that do not outlive two steps; in turns, as a program that is ahead must not write what another reads."""


@dataclass(frozen=True)
class Call:
    """What one call of a loop is given."""

    cell: Recurrence
    which: str
    input_gradient: bool
    arrays: dict[str, Tensor]
    weights: Mapping[str, Tensor]
    x: Tensor
    H: int
    members: int = 1

    @property
    def loop(self) -> Loop:
        """The loop that is called."""
        found: Loop = getattr(self.cell.plan, self.which)
        return found

    @property
    def backward(self) -> bool:
        """Whether it goes against time."""
        return self.which == BACKWARD

    @property
    def sequences(self) -> int:
        """Those of one member."""
        return self.x.shape[1] // self.members

    def made(self, way: str, make: Callable[[], Made]) -> Made:
        """What a way of launching has written for such calls."""
        key = ("triton", way, self.which, self.input_gradient)
        if key not in self.cell.made:
            self.cell.made[key] = make()
        found: Made = self.cell.made[key]
        return found

    @cached_property
    def products(self) -> torch.dtype:
        """The type that products of matrices are computed in."""
        return of_products(self.weights, self.x)

    @cached_property
    def options(self) -> dict[str, Any]:
        """The sizes and the kind of number, as all kernels take them."""
        import triton.language as tl

        given = {
            torch.float64: tl.float64,
            torch.float32: tl.float32,
            torch.bfloat16: tl.bfloat16,
            torch.float16: tl.float16,
        }[self.products]
        real = tl.float64 if self.x.dtype == torch.float64 else tl.float32
        sizes = {"N": self.x.shape[2], "H": self.H, "REAL": real}
        if interpreted():  # which multiplies neither bfloat16 nor with less than all digits
            return {**sizes, "DOT": real, "PRECISION": "ieee"}
        return {**sizes, "DOT": given, "PRECISION": precision(), "num_warps": warps(self.H * self.products.itemsize)}

    @property
    def begin(self) -> int:
        """The first time step that is computed."""
        return len(self.x) - 1 if self.backward else 0

    def given(self, name: str) -> tuple[Tensor | int, ...]:
        """An array as kernels take it: its address, and whether it goes on with time, (T, B, columns), or is the same.

        Of an input after the first also how many vectors lie side by side in the rows that hold it.
        """
        tensor = self.arrays[name]
        return tensor, int(tensor.dim() == 3), *self.width(name)

    def width(self, name: str) -> tuple[int, ...]:
        """How many vectors lie side by side in the rows that hold an input after the first; of others nothing."""
        return (width(self.arrays[name]),) if is_other_input(name) else ()

    def allocate(self, used: Iterable[str]) -> None:
        """Make the arrays that nobody has given; what passes from stage to stage is not rounded to half precision."""
        T, B, N = self.x.shape
        for name in used:
            if name not in self.arrays:
                one = self.loop.arrays[name]
                size = one.blocks * (N if one.columns == "N" else self.H)
                kind = torch.promote_types(self.x.dtype, torch.float32) if one.keeping in _SLOTS else self.x.dtype
                self.arrays[name] = self.x.new_empty(_SLOTS.get(one.keeping, T), B, size, dtype=kind)


def warps(size: int) -> int:
    """How many warps share a program whose vectors have so many bytes."""
    return 4 if size <= FEW else 8


def block(size: int) -> int:
    """The power of two that holds a vector, and that a matrix unit takes."""
    return max(LEAST, 1 << (size - 1).bit_length())
