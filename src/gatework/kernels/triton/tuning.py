"""Which way of launching a call is the fastest: on a GPU each is tried, once for a kind of call, and times are kept."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gatework.kernels.measured import Found, device, milliseconds, power, remembered
from gatework.kernels.triton.call import Call
from gatework.kernels.triton.ways import Way


def chosen(call: Call, ways: Sequence[Way]) -> Way:
    """The way for a call: the last that fits is for where no other can run. The arrays of the call may be written."""
    fit = [one for one in ways if one.fits(call)]
    if not is_measured(call.x):
        return fit[0]
    T, B, N = call.x.shape
    sizes = {"N": N, "H": call.H, "B": power(B // call.members), "T": power(T), "members": call.members}
    kept = (call.x.device, call.x.dtype, call.options["PRECISION"], *sizes.values())
    about = ("ways", call.cell, call.which, call.input_gradient, kept)
    names = [one.name for one in fit]
    found = remembered(about, lambda: _kind(call, sizes), names, lambda: _measured(call, fit))
    return next(one for one in fit if one.name == found.best)


def is_measured(x: Tensor) -> bool:
    """Whether ways are tried for such tensors, here and now."""
    return x.is_cuda and x.numel() > 0 and not torch.cuda.is_current_stream_capturing()


def _measured(call: Call, fit: Sequence[Way]) -> Found:
    times, failed = {}, {}
    for way in fit[:-1]:
        call.allocate(way.arrays(call))
        try:
            way.run(call)
            times[way.name] = milliseconds(partial(way.run, call), call.x.is_cuda)
        except Exception as error:  # noqa: BLE001 - of the compiler or the driver, for want of registers, say
            failed[way.name] = next(iter(str(error).splitlines()), type(error).__name__)
            told = f"Kernels of {way.name} are left aside on {device(call.x)}: {failed[way.name]}."
            warnings.warn(told, stacklevel=2)
    return Found.of(times, failed, fit[-1].name)


def _kind(call: Call, sizes: Mapping[str, int]) -> dict[str, Any]:
    """What calls have in common whose ways are tried once: B and T count as powers of two."""
    import triton

    return {
        "loop": call.which,
        "cell": hashlib.sha256(call.cell.graph.record.encode()).hexdigest(),
        "device": device(call.x),
        "triton": triton.__version__,
        "type": str(call.x.dtype).removeprefix("torch."),
        "precision": call.options["PRECISION"],
        "input gradient": call.input_gradient,
        "sizes": sizes,
    }
