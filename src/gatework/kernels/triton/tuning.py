"""Which way of launching a call is the fastest: on a GPU each is tried, once for a kind of call, and times are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gatework.errors import first_line
from gatework.graph.loop import Keeping
from gatework.kernels.measured import Found, device, known, largest, milliseconds, named, power, remembered
from gatework.kernels.triton.call import Call
from gatework.kernels.triton.ways import Way

APART = {torch.float64: 1e-6, torch.float32: 2e-2, torch.bfloat16: 2e-1, torch.float16: 5e-2}
"""How far results of two ways may be apart, of the largest: they round differently, and long sequences stretch that."""


def chosen(call: Call, ways: Sequence[Way]) -> Way:
    """The way for a call: the last that fits is for where no other can run. The arrays of the call may be written."""
    fit = [one for one in ways if one.fits(call)]
    if not call.x.is_cuda and not is_measured(call.x):
        return fit[0]
    T, B, N = call.x.shape
    sizes = {"N": N, "H": call.H, "B": power(B // call.members), "T": power(T), "members": call.members}
    kept = (call.x.device, call.x.dtype, call.products, call.options["PRECISION"], *sizes.values())
    about = ("ways", call.cell, call.which, call.input_gradient, kept)
    asked = (about, lambda: _kind(call, sizes), [one.name for one in fit])
    if is_measured(call.x):
        found = remembered(*asked, lambda: _measured(call, fit), what="The kernel of")
    else:
        found = known(*asked) or Found(fit[0].name)
    return next(one for one in fit if one.name == found.best)


def is_measured(x: Tensor) -> bool:
    """Whether ways are tried for such tensors, here and now."""
    return x.is_cuda and x.numel() > 0 and not torch.cuda.is_current_stream_capturing()


def _measured(call: Call, fit: Sequence[Way]) -> Found:
    """The times of all but the last. Where two differ in their results, the last says which of them is right."""
    times, failed = {}, {}
    results: dict[str, dict[str, Tensor]] = {}
    for way in fit[:-1]:
        try:
            results[way.name] = _ran(call, way)
            times[way.name] = milliseconds(partial(way.run, call), call.x.is_cuda)
        except Exception as error:  # noqa: BLE001 - of the compiler or the driver, for want of registers, say
            failed[way.name] = first_line(error)
    first = next(iter(results.values()), {})
    if any(_differ(call, one, first) for one in results.values()):
        judge = _ran(call, fit[-1])
        for name in [name for name, one in results.items() if _differ(call, one, judge)]:
            failed[name] = f"its results differ from those of {fit[-1].name}"
            times.pop(name, None)
    return Found.of(times, failed, fit[-1].name)


def _ran(call: Call, way: Way) -> dict[str, Tensor]:
    """What a way writes to the arrays that outlive the loop."""
    call.allocate(way.arrays(call))
    way.run(call)
    stages = (*call.loop.stages, *([call.loop.last] if call.loop.last else []))
    written = {store.place.array for one in stages if call.input_gradient or not one.optional for store in one.stores}
    lasting = (Keeping.SEQUENCE, Keeping.START, Keeping.RING)
    names = (name for name in written if call.loop.arrays[name].keeping in lasting)
    return {name: call.arrays[name].clone() for name in names if name in call.arrays}


def _differ(call: Call, one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether results are further apart than roundings explain."""
    return any(
        not torch.allclose(tensor, other[name], rtol=0, atol=_allowed(call, other[name]), equal_nan=True)
        for name, tensor in one.items()
        if name in other
    )


def _allowed(call: Call, tensor: Tensor) -> float:
    return APART[call.products] * max(largest(tensor), 1e-3)


def _kind(call: Call, sizes: Mapping[str, int]) -> dict[str, Any]:
    """What calls have in common whose ways are tried once: B and T count as powers of two."""
    import triton

    return {
        "loop": call.which,
        "cell": hashlib.sha256(call.cell.graph.record.encode()).hexdigest(),
        "device": device(call.x),
        "triton": triton.__version__,
        "type": named(call.x.dtype, call.products),
        "precision": call.options["PRECISION"],
        "input gradient": call.input_gradient,
        "sizes": sizes,
    }
