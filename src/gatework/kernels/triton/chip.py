"""What a GPU has: memory next to its processors, their number, and how they multiply."""

from __future__ import annotations

import torch
from torch import Tensor

ON_CHIP, SHARE = 160 << 10, 0.7
"""Bytes of matrices that a program may keep on the chip; and the share of a GPU's shared memory that they may take,
where that is less: vectors on their way to the matrix units need the rest."""

THRICE = "tf32x3"
"""Products of float32 as three of 19 bits each."""


def precision() -> str:
    """How matrix units multiply float32: three times in 19 bits are as good as once in 32, and far faster."""
    if torch.cuda.get_device_capability() < (8, 0):
        return "ieee"
    # Torch has two switches, and asking the old one is an error once the new one was used.
    asked = getattr(torch.backends.cuda.matmul, "fp32_precision", None)
    if asked == "none":
        asked = getattr(torch.backends, "fp32_precision", "none")
    tf32 = torch.backends.cuda.matmul.allow_tf32 if asked is None else asked == "tf32"
    return "tf32" if tf32 else THRICE


def on_chip(x: Tensor) -> int:
    """Bytes of matrices that a program may keep."""
    if not x.is_cuda:
        return ON_CHIP
    found = torch.cuda.get_device_properties(x.device)
    return min(ON_CHIP, int(SHARE * getattr(found, "shared_memory_per_block_optin", found.shared_memory_per_block)))


def programs(x: Tensor) -> int:
    """How many programs a GPU surely runs at once: one for each of its processors."""
    return torch.cuda.get_device_properties(x.device).multi_processor_count
