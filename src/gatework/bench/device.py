"""The benchmark on a GPU: our kernels beside cuDNN and a loop over time, timed by the device's own clock.

All in one process, for a GPU is one. What was measured is handed on row by row, so that nothing is lost where time
runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from gatework.bench.agreement import difference_of
from gatework.bench.case import THEIRS, Case, has_torch_layer, make_case, our_layer
from gatework.bench.limits import flops, moved
from gatework.bench.members import Ensemble, exact_together, in_turn, make_cases, together
from gatework.bench.shapes import Shape
from gatework.bench.side import MODES, Results, Runner
from gatework.bench.timing import Effort, interleave, ratio, spread
from gatework.bench.torch_sides import eager, exact, from_layers, reference
from gatework.cells import find
from gatework.errors import BackendError, UsageError
from gatework.graph import Cell


@dataclass(frozen=True)
class Kind:
    """How numbers are held and multiplied."""

    dtype: torch.dtype
    tf32: bool = False


KINDS = {"float32": Kind(torch.float32), "tf32": Kind(torch.float32, tf32=True), "bfloat16": Kind(torch.bfloat16)}

GRID = tuple(Shape(B, T, H, H) for H, B, T in product((64, 128, 256, 512, 1024), (1, 16, 64, 256), (64, 256, 1024)))
"""As many inputs as units, as in the upper layers of a stack."""

QUICK = (Shape(16, 256, 128, 128), Shape(64, 256, 512, 512))

EAGER_STEPS = 256
"""Time steps up to which the loop is measured too: it takes a launch for every operation of every step."""

FURTHER = 3
"""How many times as far from the exact results as the reference in the same kind of number a side may be."""


@dataclass(frozen=True)
class DeviceRates:
    """The operations and the bytes of a second: torch's large product, and a large copy."""

    product: float
    copy: float


@dataclass(frozen=True)
class DeviceRow:
    """The times of a side: quartiles over rounds; `ratio` is cuDNN's time over it, None where there is none.

    `floor_ms` is what the products take at the rate of torch's, or the bytes at that of a copy, whichever is more: what
    fits a cache may be faster, and steps that wait for each other are slower;
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
    ensemble: Ensemble | None = None,
) -> Iterator[DeviceRow]:
    """Row after row, until all is measured or the time is over; of cells that torch has first those of an `ensemble`.

    Raises `UsageError` for what cannot be measured, before anything is, and `BackendError` where a side has wrong
    results.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"There is no dtype {kind!r} to measure in: choose from {', '.join(KINDS)}.")
    for name in cells:
        find(name)
    return _measured(cells, shapes, kinds, device, effort, seconds, ensemble)


def _measured(
    cells: Sequence[str],
    shapes: Sequence[Shape],
    kinds: Sequence[str],
    device: torch.device,
    effort: Effort,
    seconds: float,
    ensemble: Ensemble | None,
) -> Iterator[DeviceRow]:
    end = perf_counter() + seconds
    places: list[Ensemble | Shape] = [*([ensemble] if ensemble else []), *shapes]
    for kind in kinds:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = KINDS[kind].tf32
        rates = measure_rates(device, KINDS[kind].dtype)
        for where, name in product(places, cells):
            if perf_counter() > end:
                return
            cell = find(name)
            if isinstance(where, Shape):
                measured = _case(cell, where, kind, device)
            elif has_torch_layer(cell):
                measured = _cases(cell, where, kind, device)
            else:
                continue
            yield from _timed(measured, kind, device, effort, rates)


@dataclass(frozen=True)
class _Measured:
    """What is measured: the sides with what they are given, its name, and what their results have to be near.

    It is so many times the work of a `case` alone.
    """

    case: Case
    name: str
    times: int
    sides: Mapping[str, Callable[[Case], Runner]]
    precise: Results
    rough: Results


def _case(cell: Cell, shape: Shape, kind: str, device: torch.device) -> _Measured:
    case = _on(make_case(cell, shape, dtype=KINDS[kind].dtype), device)
    return _Measured(case, str(shape), 1, _sides(case, device), exact(case), reference(case).results())


def _cases(cell: Cell, ensemble: Ensemble, kind: str, device: torch.device) -> _Measured:
    case = _on(make_cases(cell, ensemble, dtype=KINDS[kind].dtype), device)
    rough = together(case, "reference", "reference").results()
    return _Measured(case, str(ensemble), ensemble.count, _sides_of_many(device), exact_together(case), rough)


def _timed(
    measured: _Measured, kind: str, device: torch.device, effort: Effort, rates: DeviceRates
) -> Iterator[DeviceRow]:
    case = measured.case
    sides = {name: build(case) for name, build in measured.sides.items()}
    differences = {
        name: _checked(case, name, one.results(), measured.rough, measured.precise) for name, one in sides.items()
    }
    turn = partial(_device_turn, device) if device.type == "cuda" else None
    for mode in MODES:
        calls = {name: one.calls[mode] for name, one in sides.items() if mode in one.calls}
        found = interleave(calls, effort, turn)
        work = measured.times * flops(case.cell.graph, case.shape, mode)
        traffic = measured.times * moved(case.cell.graph, case.shape, mode, itemsize=case.dtype.itemsize)
        for name, times in found.items():
            low, middle, high = (1e3 * one for one in spread(times))
            yield DeviceRow(
                case.cell.name,
                measured.name,
                kind,
                mode,
                name,
                sides[name].kernel,
                middle,
                low,
                high,
                ratio(found["torch"], times) if "torch" in found else None,
                1e3 * max(work / rates.product, traffic / rates.copy),
                differences[name],
            )


def _on(case: Case, device: torch.device) -> Case:
    weights = {name: one.to(device) for name, one in case.weights.items()}
    return replace(case, weights=weights, x=case.x.to(device), cotangent=case.cotangent.to(device))


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


def _sides(case: Case, device: torch.device) -> Mapping[str, Callable[[Case], Runner]]:
    """Ours; torch's layer, which on a GPU is cuDNN's; and the loop, where it does not take too long."""

    def ours(case: Case) -> Runner:
        def make() -> nn.Module:
            return our_layer(case.cell, case.shape, case.dtype, backend="triton").to(device)

        return from_layers(case, "triton", make)

    def theirs(case: Case) -> Runner:
        return from_layers(case, _who(device), partial(_torch_layer, case, device))

    found: dict[str, Callable[[Case], Runner]] = {"ours": ours}
    if has_torch_layer(case.cell):
        found["torch"] = theirs
    if case.shape.T <= EAGER_STEPS:
        found["eager"] = eager
    return found


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
                f"Nothing was timed, because the results of {name} for {case.cell.name} at {case.shape} are not those "
                f"of the equations: {what} differs by {ours:.1e} of the largest entry, the reference by {theirs:.1e}."
            )
        largest = max(largest, ours)
    return largest


def _one(results: Results, what: str) -> Tensor:
    return results.output if what == "output" else results.gradients[what]


def measure_rates(device: torch.device, dtype: torch.dtype) -> DeviceRates:
    """The rates of a large product and of a large copy."""
    cuda = device.type == "cuda"
    turn = partial(_device_turn, device) if cuda else None
    size, entries = (4096, 64 << 20) if cuda else (256, 1 << 20)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    source = torch.ones(entries, device=device, dtype=dtype)
    target = torch.empty_like(source)

    def fastest(call: Callable[[], object]) -> float:
        return min(interleave({"": call}, Effort(0.2, least=5, most=100), turn)[""])

    multiplied = fastest(lambda: torch.mm(a, b))
    copied = fastest(lambda: target.copy_(source))
    return DeviceRates(2 * size**3 / multiplied, 2 * entries * dtype.itemsize / copied)


def _device_turn(device: torch.device, call: Callable[[], object], repeats: int) -> float:
    """Seconds of one call by the device's own clock."""
    with torch.cuda.device(device):
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        for _ in range(repeats):
            call()
        ended.record()
        ended.synchronize()
        return float(began.elapsed_time(ended)) / 1e3 / repeats


def about(device: torch.device) -> dict[str, Any]:
    """What the numbers were measured on."""
    if device.type != "cuda":
        return {"device": device.type}
    one = torch.cuda.get_device_properties(device)
    return {
        "device": one.name,
        "capability": f"{one.major}.{one.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def plain(rows: Sequence[DeviceRow]) -> list[dict[str, Any]]:
    """The rows for programs, numbers with four digits."""

    def short(value: Any) -> Any:
        return float(f"{value:.4g}") if isinstance(value, float) else value

    return [{key: short(value) for key, value in asdict(row).items()} for row in rows]
