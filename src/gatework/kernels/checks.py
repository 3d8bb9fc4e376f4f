"""What a kernel is given is what it was compiled for: it reads memory by address, and would read anything."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gatework.errors import UsageError
from gatework.kernels.layout import LOWER, is_matrix, of_products
from gatework.kernels.recurrence import Recurrence


def check(
    cell: Recurrence,
    x: Tensor,
    others: Sequence[Tensor],
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    members: int = 1,
    lower: bool = False,
) -> None:
    """Raise `UsageError` where a tensor has not the shape, the type or the device that the others ask for.

    Weights of several members have an axis of these before their own. Matrices may be of a `lower` type, all of the
    same, where everything else is float32.
    """
    if x.dim() != 3 or not x.shape[0]:
        raise UsageError(f"The input has shape {tuple(x.shape)}: it must be (T, B, N), with T at least 1.")
    if members < 1 or x.shape[1] % members:
        raise UsageError(f"{x.shape[1]} sequences are not those of {members} members, each with as many.")
    names, keys = cell.graph.states, cell.keys
    if len(states) != len(names) or len(weights) != len(keys):
        raise UsageError(
            f"{len(states)} states and {len(weights)} weights were given for a cell of {len(names)} and {len(keys)}."
        )
    _, B, N = x.shape
    if states[0].dim() != 2:
        raise UsageError(f"State {names[0]} has shape {tuple(states[0].shape)}: it must be (B, H).")
    H = states[0].shape[1]
    if len(others) != len(cell.graph.inputs) - 1:
        raise UsageError(f"{1 + len(others)} inputs were given for a cell of {len(cell.graph.inputs)}.")
    for name, other in zip(cell.graph.inputs[1:], others, strict=True):
        _same(f"The input {name}", other, x, (B, H) if other.dim() == 2 else (x.shape[0], B, H))
    for name, state in zip(names, states, strict=True):
        _same(f"State {name}", state, x, (B, H))
    axis = (members,) if members > 1 else ()
    apart = lower and x.dtype == torch.float32
    products = of_products(dict(zip(keys, weights, strict=True)), x) if apart else x.dtype
    for parameter, weight in zip(cell.graph.parameters, weights, strict=True):
        kind = products if products in LOWER and is_matrix(parameter.key) else x.dtype
        _same(f"The weight {parameter.key}", weight, x, (*axis, *parameter.sizes(N, H)), kind)


def check_kept(
    cell: Recurrence,
    x: Tensor,
    states: Sequence[Tensor],
    kept: Sequence[Tensor],
    d_results: Sequence[Tensor | None],
) -> None:
    """Raise `UsageError` where what a forward pass kept, or a gradient that arrives, is not what it left."""
    (T, B, _), H = x.shape, states[0].shape[1]
    count, results = len(states) + len(cell.plan.kept), len(cell.graph.results)
    if len(kept) != count or len(d_results) != results + len(states):
        raise UsageError(f"A backward pass reads {count} kept tensors and {results + len(states)} gradients.")
    for one in kept:
        _same("A kept tensor", one, x, (T, B, H))
    for k, d in enumerate(d_results):
        if d is not None:
            _same("A gradient", d, x, (T, B, H) if k < results else (B, H))


def _same(what: str, tensor: Tensor, x: Tensor, shape: tuple[int, ...], kind: torch.dtype | None = None) -> None:
    if tensor.shape != shape:
        raise UsageError(f"{what} has shape {tuple(tensor.shape)}, not {shape}.")
    if tensor.dtype != (kind or x.dtype) or tensor.device != x.device:
        raise UsageError(
            f"{what} is {_kind(tensor)} and the input {_kind(x)}: convert one of them, as with layer.to(x.dtype)."
        )


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} on {tensor.device}"
