"""Results are equal before anything is timed."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor

from gatework.bench.case import Case
from gatework.bench.side import Results
from gatework.errors import BackendError


def tolerance(case: Case) -> float:
    """How far two correct results may lie apart, relative to the largest entry.

    A pre-activation sums N + H products; the rounding errors of a sum of n terms grow with √n in the mean. The factor
    leaves room for functions that are approximated to some units in the last place, and for a gradient, which sums the
    errors of T steps that the recurrence damps. A wrong gate or a missing term is larger by orders of magnitude.
    """
    return 16 * sqrt(case.shape.N + case.shape.H) * torch.finfo(case.dtype).eps


STRETCH = 4
"""How much further from the exact results than the reference in the same precision a side may be."""


def check(
    case: Case, name: str, found: Results, expected: Results, exact: Callable[[], Results] | None = None
) -> float:
    """Compare the results of a side with the reference's: returns the largest difference.

    A difference is relative to the largest entry of its tensor. `exact` gives the reference's results in double
    precision: there are cells that stretch rounding, so that the reference itself is far from them, and a side is asked
    to be no further than some times that. Raises `BackendError`, with the side's name, where one
    is more than rounding.
    """
    wanted = {"output": expected.output, **expected.gradients}
    largest = 0.0
    for what, tensor in {"output": found.output, **found.gradients}.items():
        difference = difference_of(tensor, wanted[what])
        # Written so that a difference that is not a number fails too.
        if not difference <= tolerance(case) and not (exact and difference <= _stretched(expected, exact(), what)):
            kind = "output" if what == "output" else f"gradient of {what}"
            raise BackendError(
                f"Nothing was timed, because the results of {name} for {case.cell.name} at {case.shape} are not those "
                f"of the equations: its {kind} differs by {difference:.1e} of the largest entry, where "
                f"{tolerance(case):.1e} is rounding."
            )
        largest = max(largest, difference)
    return largest


def _stretched(expected: Results, exact: Results, what: str) -> float:
    """How far from the exact results the reference is, and some times more."""
    tensors = [one.output if what == "output" else one.gradients[what] for one in (expected, exact)]
    return STRETCH * difference_of(tensors[0].double(), tensors[1])


def difference_of(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest entry that is expected."""
    if found.shape != expected.shape:
        return float("inf")
    scale = float(expected.abs().max()) or 1.0
    return float((found - expected).abs().max()) / scale
