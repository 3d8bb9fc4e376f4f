"""How long each sequence of a batch lasts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gatework.errors import UsageError
from gatework.kernels.members import all_of


def as_tensor(given: object, device: torch.device) -> Tensor | None:
    """What is a tensor, or can be made one; None for what cannot."""
    if isinstance(given, Tensor):
        return given.to(device)
    try:
        return torch.as_tensor(given, device=device)
    except (TypeError, ValueError, RuntimeError):
        return None


def lasting(lengths: Tensor | Sequence[int], T: int, B: int, device: torch.device, *, of: str = "the input") -> Tensor:
    """True as long as a sequence lasts, (T, B), from the `lengths`, (B,); `of` says what they are the lengths of.

    Raises `UsageError` where these are no whole numbers, or not from 1 to T.
    """
    ends = as_tensor(lengths, device)
    if ends is None or ends.shape != (B,) or ends.dtype == torch.bool or ends.is_floating_point() or ends.is_complex():
        raise UsageError(f"The lengths are {B} whole numbers, one for each sequence.")
    if not torch.compiler.is_compiling() and B:
        known = all_of(ends)
        if not (int(known.min()) >= 1 and int(known.max()) <= T):
            raise UsageError(f"The lengths are from 1 to {T}, the steps of {of}, not {known.tolist()}.")
    return torch.arange(T, device=device)[:, None] < ends
