"""Many members in one call: copies of a cell that have weights of their own, and sequences of their own.

In a call's tensors the rows of one member stand after those of the other: (T, members · B, columns). Weights have the
members along an axis before their own. What `torch.func.vmap` maps over becomes members where weights differ along it;
where they do not, it is more sequences for each member, and no weight is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Dim = int | None
"""The axis of a tensor that is mapped over; None where the tensor is the same for all."""


def by_member(rows: Tensor, members: int) -> Tensor:
    """Rows of all members, (…, members · B, columns), as (members, …, B, columns)."""
    found: Tensor = rows.unflatten(-2, (members, rows.shape[-2] // members))
    return found.movedim(-3, 0)


def in_a_row(apart: Tensor) -> Tensor:
    """The way back: (members, …, B, columns) as (…, members · B, columns)."""
    return apart.movedim(0, -3).flatten(-3, -2)


def transformed() -> bool:
    """Whether a transform of torch.func is at work: then a tensor may stand for many."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def all_of(tensor: Tensor) -> Tensor:
    """The numbers of a tensor, those of all that it stands for."""
    kinds = torch._C._functorch
    while kinds.is_functorch_wrapped_tensor(tensor):
        tensor = kinds.get_unwrapped(tensor)
    return tensor


@dataclass(frozen=True)
class Axis:
    """An axis of `size` that is mapped over, around calls of some `members` with `B` sequences each.

    `weighted` says whether weights differ along it. One call for the whole axis has `every` member of all calls then,
    else the members of one call.
    """

    size: int
    members: int
    B: int
    weighted: bool

    @property
    def every(self) -> int:
        """The members of the call for the whole axis."""
        return self.size * self.members if self.weighted else self.members

    def rows(self, tensor: Tensor, dim: Dim) -> Tensor:
        """Rows of the calls, ([T,] members · B, columns) each, as those of the one call."""
        if dim is None:
            every = tensor.unsqueeze(-3).expand(*tensor.shape[:-2], self.size, *tensor.shape[-2:])
        else:
            every = tensor.movedim(dim, -3)
        found: Tensor = every.unflatten(-2, (self.members, self.B))
        return (found if self.weighted else found.transpose(-4, -3)).flatten(-4, -2)

    def apart(self, rows: Tensor) -> Tensor:
        """Rows of the one call as those of the calls, (size, [T,] members · B, columns)."""
        first, second = (self.size, self.members) if self.weighted else (self.members, self.size)
        found: Tensor = rows.unflatten(-2, (first, second, self.B))
        ordered = found if self.weighted else found.transpose(-4, -3)
        # The axis is the first: torch.export loses what comes back with another one.
        return ordered.flatten(-3, -2).movedim(-3, 0)

    def weight(self, tensor: Tensor, dim: Dim) -> Tensor:
        """A weight of the calls, ([members,] …) each, as that of the one call."""
        if not self.weighted:
            return tensor if dim is None else tensor.select(dim, 0)
        found = tensor.expand(self.size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        return found.flatten(0, 1) if self.members > 1 else found


def mapped(
    call: Callable[..., list[Tensor]],
    info: Any,
    in_dims: Sequence[Any],
    cell: str,
    x: Tensor,
    others: list[Tensor],
    states: list[Tensor],
    weights: list[Tensor],
    training: bool,
    members: int = 1,
    engine: str = "",
) -> tuple[list[Tensor], list[int]]:
    """Torch's rule for `torch.func.vmap` of `gatework::run`, which is `call`: once for the whole axis.

    `in_dims` are the axes of the arguments that are mapped over, and `info` knows the size. A tensor that stands for
    many does not say that it wants a gradient; the one in it does.
    """
    _, x_dim, other_dims, state_dims, weight_dims, *_ = in_dims
    # One member of an axis of one is no other than that of a call without the axis.
    weighted = info.batch_size != 1 and any(dim is not None for dim in weight_dims)
    B = (x if x_dim is None else x.movedim(x_dim, 0)).shape[-2] // members
    axis = Axis(info.batch_size, members, B, weighted)
    rows = [
        axis.rows(one, dim) for one, dim in zip((x, *others, *states), (x_dim, *other_dims, *state_dims), strict=True)
    ]
    weights = [axis.weight(one, dim) for one, dim in zip(weights, weight_dims, strict=True)]
    training = training or (torch.is_grad_enabled() and any(one.requires_grad for one in (*rows, *weights)))
    end = 1 + len(others)
    found = call(cell, rows[0], rows[1:end], rows[end:], weights, training, axis.every, engine)
    return [axis.apart(one) for one in found], [0] * len(found)
