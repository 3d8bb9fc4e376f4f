"""Sequences of different lengths as torch packs them, and where each of their steps stands in a padded tensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Padding:
    """The rows of a `PackedSequence` and those of a padded tensor, (T, B, …), in the order of the packed batch.

    Packed data hold the first step of all sequences, then the second step of those that have one, and so on:
    `batch_sizes`, (T,), says how many these are, the longest sequences first.

    >>> padding = Padding(torch.tensor([2, 1]), torch.device("cpu"))
    >>> padding.pad(torch.tensor([[1.0], [2.0], [3.0]])).squeeze(-1)
    tensor([[1., 2.],
            [3., 0.]])
    """

    batch_sizes: Tensor
    device: torch.device

    @property
    def steps(self) -> int:
        """T, the steps of the longest sequence."""
        return len(self.batch_sizes)

    @property
    def batch(self) -> int:
        """B, the number of sequences."""
        return int(self.batch_sizes[0])

    @cached_property
    def equal(self) -> bool:
        """Whether all sequences have the same length: then nothing is padded."""
        return int(self.batch_sizes[-1]) == self.batch

    @cached_property
    def _there(self) -> Tensor:
        return self.batch_sizes[:, None] > torch.arange(self.batch)

    @cached_property
    def _rows(self) -> Tensor:
        """The rows of the padded tensor that hold something, in the order of the packed data."""
        return self._there.flatten().nonzero().squeeze(1).to(self.device)

    @cached_property
    def _mirrored(self) -> Tensor:
        """The row of the padded tensor that each row changes places with when every sequence is turned around."""
        step = torch.arange(self.steps)[:, None]
        turned = torch.where(self._there, self._there.sum(0) - 1 - step, step)
        return (turned * self.batch + torch.arange(self.batch)).flatten().to(self.device)

    def pad(self, data: Tensor) -> Tensor:
        """Packed data, (sum of lengths, N), as (T, B, N): zero where a sequence has ended."""
        sizes = (self.steps, self.batch, data.shape[1])
        if self.equal:
            return data.view(sizes)
        return data.new_zeros(self.steps * self.batch, data.shape[1]).index_copy(0, self._rows, data).view(sizes)

    def pack(self, padded: Tensor) -> Tensor:
        """What `pad` makes, (T, B, N), as packed data."""
        flat = padded.flatten(0, 1)
        return flat if self.equal else flat.index_select(0, self._rows)

    def mirror(self, padded: Tensor) -> Tensor:
        """Every sequence from its last step to its first; what is padded stays at the end."""
        if self.equal:
            return padded.flip(0)
        return padded.flatten(0, 1).index_select(0, self._mirrored).view_as(padded)

    def valid(self, dtype: torch.dtype) -> Tensor | None:
        """Ones as long as a sequence lasts, (T, B, 1); None where none ends before the others."""
        return None if self.equal else self._there.to(self.device, dtype).unsqueeze(-1)
