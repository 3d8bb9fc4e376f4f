"""Sequences of many lengths in one batch, as torch packs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gatework.bench.case import Case, our_layer
from gatework.bench.shapes import Shape
from gatework.bench.side import Results, Runner
from gatework.bench.torch_sides import from_layers


@dataclass(frozen=True)
class Uneven:
    """A batch whose sequences have a quarter of T steps, all of them, and everything between."""

    shape: Shape

    def __str__(self) -> str:
        return f"{self.shape} uneven"

    @property
    def lengths(self) -> Tensor:
        """The steps of each sequence, on the processor, where torch wants them.

        >>> Uneven(Shape(4, 100, 1, 8)).lengths.tolist()
        [25, 50, 75, 100]
        """
        T = self.shape.T
        return torch.linspace(T, max(T / 4, 1), self.shape.B).round().long().flip(0)

    @property
    def share(self) -> float:
        """How much of an even batch's work there is."""
        return float(self.lengths.sum()) / (self.shape.B * self.shape.T)


UNEVEN = (Uneven(Shape(16, 256, 256, 256)), Uneven(Shape(64, 256, 128, 128)))


def packed(case: Case, uneven: Uneven, kernel: str, make: Callable[[], nn.Module]) -> Runner:
    """A layer of torch's kind that is given packed sequences and whose output is padded again."""
    lengths = uneven.lengths

    def call(layer: nn.Module, x: Tensor) -> Tensor:
        output, _ = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
        padded, _ = pad_packed_sequence(output, total_length=len(x))
        return padded

    return from_layers(case, kernel, make, call)


def packed_reference(case: Case, uneven: Uneven, dtype: torch.dtype) -> Results:
    """The results of the reference back-end, computed in another type."""

    def make() -> nn.Module:
        return our_layer(case.cell, case.shape, dtype, backend="reference").to(case.x.device)

    return packed(case.to(dtype), uneven, "reference", make).results()
