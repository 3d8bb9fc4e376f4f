"""What a side costs besides time: the memory that one call takes, and the time until it runs for the first time.

Meant for a process of its own: what an earlier call left behind would count for a later one.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import torch

from gatework.bench.case import Case, make_case
from gatework.bench.job import Footprint
from gatework.bench.side import FORWARD, TRAINING, Runner, Side

_SELF = Path("/proc/self")


def footprint(side: Side, case: Case) -> Footprint:
    """The footprint of one training step, or of a forward pass where the side has no other.

    Compile time: how much longer the first call lasts than the second. Memory: how far the resident memory of the
    process rises above what it was before the call, whoever allocates it. The two calls for the compile time are of two
    time steps and run before the one that is watched, so that code is loaded and compiled by then; where compiled code
    fits one shape only, they are of that shape.
    """
    _start_torch()
    call = _call(side.build(case))
    before = call
    if not side.bound_to_shape:
        short = replace(case.shape, T=min(2, case.shape.T))
        before = _call(side.build(make_case(case.cell, short, dtype=case.dtype, input_grad=case.input_grad)))
    seconds = _seconds(before) - _seconds(before)
    return Footprint(peak(call), max(0.0, seconds))


def peak(call: Callable[[], object]) -> int | None:
    """Bytes of resident memory that a call adds at its highest, None where the system does not tell.

    Linux resets the high-water mark of a process on request; other systems do not.
    """
    gc.collect()
    _give_back()
    try:
        (_SELF / "clear_refs").write_text("5")
        before = _status("VmRSS")
        call()
        return max(0, _status("VmHWM") - before)
    except OSError:
        return None


def _status(field: str) -> int:
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{field}:"))


def _give_back() -> None:
    """Have the C library return the memory that it holds free: a call that used it would seem to need none."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _start_torch() -> None:
    """Start torch's threads and load what its backward pass imports: the side that is measured did not ask for them."""
    output = torch.nn.Linear(64, 64)(torch.ones(64, 64))
    torch.autograd.backward((output,), (torch.ones_like(output),))


def _call(runner: Runner) -> Callable[[], object]:
    return runner.calls.get(TRAINING, runner.calls[FORWARD])


def _seconds(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return perf_counter() - began
