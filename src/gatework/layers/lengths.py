"""How long each sequence of a batch lasts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gatework.errors import UsageError


def lasting(lengths: Tensor | Sequence[int], T: int, B: int, device: torch.device) -> Tensor:
    """True as long as a sequence lasts, (T, B), from the `lengths`, (B,).

    Raises `UsageError` where these are no whole numbers, or not from 1 to T.
    """
    ends = torch.as_tensor(lengths, device=device)
    if ends.shape != (B,) or ends.is_floating_point() or ends.is_complex():
        raise UsageError(f"The lengths are {B} whole numbers, one for each sequence.")
    if not torch.compiler.is_compiling() and B and not (int(ends.min()) >= 1 and int(ends.max()) <= T):
        raise UsageError(f"The lengths are from 1 to {T}, the steps of the input, not {ends.tolist()}.")
    return torch.arange(T, device=device)[:, None] < ends
