"""How the numbers of a tensor lie in memory, as kernels take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

LOWER = (torch.bfloat16, torch.float16)
"""Types that matrices may have beside vectors of float32: their products are then computed in that type."""


def is_matrix(key: str) -> bool:
    """Whether the weight of this key is one that multiplies vectors."""
    return key[0] in "WU"


def lowered(weights: Mapping[str, Tensor], kind: torch.dtype) -> dict[str, Tensor]:
    """The weights with their matrices in another type."""
    return {key: one.to(kind) if is_matrix(key) else one for key, one in weights.items()}


def of_products(weights: Mapping[str, Tensor], x: Tensor) -> torch.dtype:
    """The type that products are computed in: that of the matrices, or of `x` where there are none."""
    return next((one.dtype for key, one in weights.items() if is_matrix(key)), x.dtype)


def dense(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The numbers as they lie in memory: row after row, and no sign that is only noted."""
    return [(one.resolve_neg() if one.is_neg() else one).contiguous() for one in tensors]


def blocks(tensors: Iterable[Tensor], widest: int) -> list[Tensor]:
    """The same, but a tensor may stay a block of one whose rows are up to `widest` such vectors side by side."""
    found = list(tensors)
    return [one if 1 < width(one) <= widest and not one.is_neg() else dense([one])[0] for one in found]


def width(tensor: Tensor) -> int:
    """How many vectors, (T, B, H), lie side by side in the rows of the tensor that this one is a block of.

    1 where it is a whole tensor, and 0 where it is no such block.

    >>> import torch
    >>> [width(one) for one in torch.zeros(5, 3, 8).split(2, -1)]
    [4, 4, 4, 4]
    """
    if tensor.is_contiguous():
        return 1
    if tensor.dim() != 3 or tensor.stride(2) != 1:
        return 0
    T, B, H = tensor.shape
    row = tensor.stride(1) if B > 1 else tensor.stride(0)
    even = row % H == 0 and (T == 1 or tensor.stride(0) == B * row)
    return row // H if even else 0
