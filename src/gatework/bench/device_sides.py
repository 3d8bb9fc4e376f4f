"""What stands beside our kernels on a GPU, at a shape, for many members, and for sequences of many lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from gatework.bench.case import THEIRS, Case, has_torch_layer, make_case, our_layer
from gatework.bench.members import Ensemble, exact_together, in_turn, make_cases, together
from gatework.bench.shapes import Shape
from gatework.bench.side import Results, Runner
from gatework.bench.torch_sides import Compiled, eager, exact, from_layers, reference
from gatework.bench.uneven import Uneven, packed, packed_reference
from gatework.graph import Cell

EAGER_STEPS = 256
"""Time steps up to which the loop is measured too: it takes a launch for every operation of every step."""

CHECKED_STEPS = 64
"""Time steps along which results are checked: the reference takes a launch for every operation of each."""

COMPILED_STEPS = 64
"""Time steps up to which it is compiled, where that is asked for: the compiler unrolls it."""


@dataclass(frozen=True)
class Measured:
    """What is measured: the sides with what they are given, its name, and what their results have to be near.

    These are those of a `short` case, the first steps of the same.

    It is so many times the work of a `case` alone.
    """

    case: Case
    short: Case
    name: str
    times: float
    sides: Mapping[str, Callable[[Case], Runner]]
    precise: Results
    rough: Results


def at_shape(cell: Cell, shape: Shape, dtype: torch.dtype, device: torch.device, compiled: bool) -> Measured:
    """A cell at a shape; where `compiled`, beside the compiled loop too."""
    case = make_case(cell, shape, dtype=dtype).to(device)
    short = _first(case)
    sides = _sides(case, device, compiled)
    return Measured(case, short, str(shape), 1, sides, exact(short), reference(short).results())


def _first(case: Case) -> Case:
    """The first steps of a case: what is right along them is right along more."""
    steps = min(case.shape.T, CHECKED_STEPS)
    return replace(
        case, shape=replace(case.shape, T=steps), x=case.x[:steps].clone(), cotangent=case.cotangent[:steps].clone()
    )


def of_lengths(cell: Cell, uneven: Uneven, dtype: torch.dtype, device: torch.device) -> Measured:
    """A cell that torch has, with packed sequences."""
    case = make_case(cell, uneven.shape, dtype=dtype).to(device)
    sides = {
        "ours": lambda case: packed(case, uneven, "triton", _our_layer(case, device)),
        "torch": lambda case: packed(case, uneven, _who(device), partial(_torch_layer, case, device)),
    }
    precise, rough = (packed_reference(case, uneven, one) for one in (torch.float64, dtype))
    return Measured(case, case, str(uneven), uneven.share, sides, precise, rough)


def of_members(cell: Cell, ensemble: Ensemble, dtype: torch.dtype, device: torch.device) -> Measured:
    """Many members of a cell that torch has."""
    case = make_cases(cell, ensemble, dtype=dtype).to(device)
    rough = together(case, "reference", "reference").results()
    return Measured(case, case, str(ensemble), ensemble.count, _sides_of_many(device), exact_together(case), rough)


def _sides_of_many(device: torch.device) -> Mapping[str, Callable[[Case], Runner]]:
    """All members in one call of ours; by torch's layer one after the other; and in one loop over time."""

    def theirs(case: Case) -> Runner:
        return in_turn(case, f"{_who(device)}, in turn", partial(_torch_layer, case, device))

    return {
        "ours": lambda case: together(case, "triton, together", "triton"),
        "torch": theirs,
        "eager": lambda case: together(case, "reference loop, together", "reference"),
    }


def _torch_layer(case: Case, device: torch.device) -> nn.Module:
    """Torch's layer for a case."""
    layer = THEIRS[case.cell.name](case.shape.N, case.shape.H, dtype=case.dtype)
    return layer.to(device)


def _who(device: torch.device) -> str:
    """Who runs torch's layer on a device."""
    return "cudnn" if device.type == "cuda" else "torch"


def _our_layer(case: Case, device: torch.device) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        return our_layer(case.cell, case.shape, case.dtype, backend="triton").to(device)

    return make


def _sides(case: Case, device: torch.device, compiled: bool) -> Mapping[str, Callable[[Case], Runner]]:
    """Ours; torch's layer, which on a GPU is cuDNN's; and where it is not too long the loop, as it is and compiled."""

    def ours(case: Case) -> Runner:
        return from_layers(case, "triton", _our_layer(case, device))

    def theirs(case: Case) -> Runner:
        return from_layers(case, _who(device), partial(_torch_layer, case, device))

    found: dict[str, Callable[[Case], Runner]] = {"ours": ours}
    if has_torch_layer(case.cell):
        found["torch"] = theirs
    if case.shape.T <= EAGER_STEPS:
        found["eager"] = eager
    if compiled and case.shape.T <= COMPILED_STEPS and not Compiled().refusal(case.cell, ""):
        found["compile"] = Compiled().build
    return found
