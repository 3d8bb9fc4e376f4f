"""What a GPU does in a second, as far as it bounds a recurrent layer, and how calls are timed on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from gatework.bench.case import our_layer
from gatework.bench.shapes import Shape
from gatework.bench.side import FORWARD, TRAINING
from gatework.bench.timing import Effort, interleave
from gatework.cells import catalogue
from gatework.kernels.measured import by_device


@dataclass(frozen=True)
class DeviceRates:
    """The operations and the bytes of a second: torch's large product, and a large copy.

    `step` are the seconds of one step of the smallest network, which waits for the step before and has no work to do.
    """

    product: float
    copy: float
    step: float


PASSES = {FORWARD: 1, TRAINING: 2}
"""How often a mode goes through time."""

LONG = 512, 4096
"""Time steps of two sequences: what the longer one takes more is steps alone."""


def measure_rates(device: torch.device, dtype: torch.dtype) -> DeviceRates:
    """The rates of a large product, of a large copy, and of steps that only wait for each other."""
    cuda = device.type == "cuda"
    turn = partial(device_turn, device) if cuda else None
    size, entries = (4096, 64 << 20) if cuda else (256, 1 << 20)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    source = torch.ones(entries, device=device, dtype=dtype)
    target = torch.empty_like(source)

    def fastest(call: Callable[[], object]) -> float:
        return min(interleave({"": call}, Effort(0.2, least=5, most=100), turn)[""])

    multiplied = fastest(lambda: torch.mm(a, b))
    copied = fastest(lambda: target.copy_(source))
    layer = our_layer(catalogue["rnn"], Shape(1, 1, 16, 16), dtype, backend="triton").to(device)
    few, many = LONG if cuda else (1, 3)

    def along(steps: int) -> float:
        x = torch.zeros(steps, 1, 16, device=device, dtype=dtype)
        with torch.no_grad():
            return fastest(lambda: layer(x))

    step = max(along(many) - along(few), 0.0) / (many - few)
    return DeviceRates(2 * size**3 / multiplied, 2 * entries * dtype.itemsize / copied, step)


def device_turn(device: torch.device, call: Callable[[], object], repeats: int) -> float:
    """Seconds of one call by the device's own clock."""
    with torch.cuda.device(device):
        return by_device(call, repeats) / 1e3 / repeats
