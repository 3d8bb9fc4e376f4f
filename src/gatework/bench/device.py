"""The benchmark on a GPU: our kernels beside cuDNN and a loop over time, timed by the device's own clock.

All in one process, for a GPU is one. What was measured is handed on row by row, so that nothing is lost where time
runs out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from math import log2
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from gatework.bench.agreement import difference_of
from gatework.bench.case import Case, has_torch_layer
from gatework.bench.device_rates import PASSES, DeviceRates, device_turn, measure_rates
from gatework.bench.device_sides import Measured, at_shape, of_lengths, of_members
from gatework.bench.limits import flops, moved
from gatework.bench.machine import gpu
from gatework.bench.members import Ensemble
from gatework.bench.shapes import Shape
from gatework.bench.side import MODES, Results
from gatework.bench.timing import Effort, interleave, ratio, spread
from gatework.bench.uneven import Uneven
from gatework.cells import find
from gatework.errors import BackendError, UsageError
from gatework.graph import Cell


@dataclass(frozen=True)
class Kind:
    """How numbers are held and multiplied."""

    dtype: torch.dtype
    tf32: bool = False


KINDS = {"float32": Kind(torch.float32), "tf32": Kind(torch.float32, tf32=True), "bfloat16": Kind(torch.bfloat16)}

_CENTRE = (32, 256)


def _far(shape: Shape) -> tuple[float, int]:
    """How far from a batch and a length in the middle: where time runs out, every H has been measured there."""
    return sum(abs(log2(one / centre)) for one, centre in zip((shape.B, shape.T), _CENTRE, strict=True)), shape.H


_EVERY = (Shape(B, T, H, H) for H, B, T in product((64, 128, 256, 512, 1024), (1, 16, 64, 256), (64, 256, 1024)))

GRID = (Shape(16, 1024, 768, 768), *sorted(_EVERY, key=_far))
"""As many inputs as units, as in the upper layers of a stack; first a long and wide one that others have measured."""

RIVAL = "gru"
"""The cell of torch that those are measured against which torch has not."""

QUICK = (Shape(16, 256, 128, 128), Shape(64, 256, 512, 512))

FURTHER = 3
"""How many times as far from the exact results as the reference in the same kind of number a side may be."""


@dataclass(frozen=True)
class DeviceRow:
    """The times of a side: quartiles over rounds; `ratio` is cuDNN's time over it, None where there is none.

    For a cell that cuDNN lacks it is the time of cuDNN's GRU, where that was measured before.

    `floor_ms` is what the products take at the rate of torch's, or the bytes at that of a copy, or the steps that wait
    for each other at the pace of the smallest ones, whichever is most; what fits a cache may be faster than a copy.
    `difference` is how far the results are from the exact ones, of their largest entry.
    """

    cell: str
    shape: str
    kind: str
    mode: str
    side: str
    kernel: str
    ms: float
    low_ms: float
    high_ms: float
    ratio: float | None
    floor_ms: float
    difference: float


def check_device(name: str) -> torch.device:
    """The device to measure on. Raises `UsageError` where there is none."""
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device is cuda, and torch finds no GPU here: leave it out to measure on the processor.")
    return device


def measure_device(
    cells: Sequence[str],
    shapes: Sequence[Shape],
    kinds: Sequence[str],
    device: torch.device,
    effort: Effort,
    seconds: float = float("inf"),
    first: Sequence[Ensemble | Uneven] = (),
    *,
    compiled: bool = False,
) -> Iterator[DeviceRow]:
    """Row after row, until all is measured or the time is over; of cells that torch has those of `first` come first.

    `compiled` asks for the loop under torch.compile too, which takes a minute or more for every shape.

    Raises `UsageError` for what cannot be measured, before anything is, and `BackendError` where a side has wrong
    results.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"There is no dtype {kind!r} to measure in: choose from {', '.join(KINDS)}.")
    for name in cells:
        find(name)
    return _measured(cells, (*first, *shapes), kinds, device, effort, seconds, compiled)


def _measured(
    cells: Sequence[str],
    places: Sequence[Ensemble | Uneven | Shape],
    kinds: Sequence[str],
    device: torch.device,
    effort: Effort,
    seconds: float,
    compiled: bool,
) -> Iterator[DeviceRow]:
    end, wrong = perf_counter() + seconds, []
    theirs: Theirs = {}
    rates: dict[str, DeviceRates] = {}
    for where, kind, name in product(places, kinds, cells):
        if perf_counter() > end:
            break
        dtype, cell = KINDS[kind].dtype, find(name)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = KINDS[kind].tf32
        if kind not in rates:
            rates[kind] = measure_rates(device, dtype)
        measured = _made(cell, where, dtype, device, compiled)
        if measured:
            try:
                yield from _timed(measured, kind, device, effort, rates[kind], theirs)
            except BackendError as error:  # others are measured all the same
                wrong.append(str(error))
    if wrong:
        further = f" So it is {len(wrong) - 1} times more." if len(wrong) > 1 else ""
        raise BackendError(wrong[0] + further)


def _made(
    cell: Cell, where: Ensemble | Uneven | Shape, dtype: torch.dtype, device: torch.device, compiled: bool
) -> Measured | None:
    """What is measured of a cell at a place; None where that is for cells that torch has, and this is none."""
    if isinstance(where, Shape):
        return at_shape(cell, where, dtype, device, compiled)
    if not has_torch_layer(cell):
        return None
    if isinstance(where, Uneven):
        return of_lengths(cell, where, dtype, device)
    return of_members(cell, where, dtype, device)


Theirs = dict[tuple[str, str, str], Sequence[float]]
"""The times of torch's GRU, by shape, kind and mode."""


def _timed(
    measured: Measured, kind: str, device: torch.device, effort: Effort, rates: DeviceRates, theirs: Theirs
) -> Iterator[DeviceRow]:
    case = measured.case
    differences = {
        name: _checked(measured.short, name, build(measured.short).results(), measured.rough, measured.precise)
        for name, build in measured.sides.items()
    }
    sides = {name: build(case) for name, build in measured.sides.items()}
    turn = partial(device_turn, device) if device.type == "cuda" else None
    for mode in MODES:
        calls = {name: one.calls[mode] for name, one in sides.items() if mode in one.calls}
        found = interleave(calls, effort, turn)
        where = (measured.name, kind, mode)
        if "torch" in found and case.cell.name == RIVAL:
            theirs[where] = found["torch"]
        rival = found.get("torch") or theirs.get(where)
        work = measured.times * flops(case.cell.graph, case.shape, mode)
        traffic = measured.times * moved(case.cell.graph, case.shape, mode, itemsize=case.dtype.itemsize)
        for name, times in found.items():
            low, middle, high = (1e3 * one for one in spread(times))
            yield DeviceRow(
                case.cell.name,
                *where,
                name,
                sides[name].kernel,
                middle,
                low,
                high,
                ratio(rival, times) if rival else None,
                1e3 * max(work / rates.product, traffic / rates.copy, case.shape.T * rates.step * PASSES[mode]),
                differences[name],
            )


def _checked(case: Case, name: str, found: Results, rough: Results, precise: Results) -> float:
    """How far results are from the exact ones. Raises `BackendError` where rounding does not explain it."""
    largest = 0.0
    for what in ("output", *found.gradients):
        ours, theirs = (difference_of(_one(some, what).double(), _one(precise, what)) for some in (found, rough))
        rounding = torch.finfo(case.dtype).eps
        # Tensor cores round the factors of tf32 to eleven bits.
        if torch.backends.cuda.matmul.allow_tf32 and case.dtype == torch.float32:
            rounding = 2.0**-10
        if not ours <= FURTHER * theirs + 8 * rounding:
            raise BackendError(
                f"{case.cell.name} was not timed at {case.shape}, because the results of {name} are not those of the "
                f"equations: {what} differs by {ours:.1e} of the largest entry, the reference by {theirs:.1e}."
            )
        largest = max(largest, ours)
    return largest


def _one(results: Results, what: str) -> Tensor:
    return results.output if what == "output" else results.gradients[what]


def about(device: torch.device) -> dict[str, Any]:
    """What the numbers were measured on."""
    if device.type != "cuda":
        return {"device": device.type}
    told = gpu(device)
    return {"device": told["name"], **{name: told[name] for name in ("capability", "cuda", "cudnn")}}


def plain(rows: Sequence[DeviceRow]) -> list[dict[str, Any]]:
    """The rows for programs, numbers with four digits."""

    def short(value: Any) -> Any:
        return float(f"{value:.4g}") if isinstance(value, float) else value

    return [{key: short(value) for key, value in asdict(row).items()} for row in rows]
