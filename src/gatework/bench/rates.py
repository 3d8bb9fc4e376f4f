"""How fast the processor multiplies and copies, measured in the same run."""

from __future__ import annotations

import numpy as np
import torch

from gatework.bench.limits import Rates
from gatework.bench.timing import fastest

SIZES = (256, 512, 1024)
"""Widths of the square matrices that are multiplied."""

COPIED = 128 << 20
"""Bytes of the block that is copied: several times the last cache."""


def measure_rates(threads: int, dtype: torch.dtype) -> Rates:
    """The best rates of a matrix product and of a large copy.

    A library's product may be far from what the processor can do: those of torch, of numpy and, in single precision, of
    oneDNN are tried.
    """
    source = torch.ones(COPIED // dtype.itemsize, dtype=dtype)
    target = torch.empty_like(source)
    copy = 2 * COPIED / fastest(lambda: target.copy_(source))
    rates: dict[str, float] = {}
    for size in SIZES:
        for library, rate in _product_rates(size, dtype).items():
            rates[library] = max(rate, rates.get(library, 0.0))
    library = max(rates, key=lambda name: rates[name])
    return Rates(threads, sgemm=rates[library], library=library, torch=rates["torch"], copy=copy)


def _product_rates(size: int, dtype: torch.dtype) -> dict[str, float]:
    """Operations a second of a square product, by the library that computes it."""
    a, b, out = (torch.randn(size, size, dtype=dtype) for _ in range(3))
    left, right, result = a.numpy(), b.numpy(), out.numpy()
    seconds = {
        "torch": fastest(lambda: torch.mm(a, b, out=out)),
        "numpy": fastest(lambda: np.matmul(left, right, out=result)),
    }
    if dtype == torch.float32 and torch.backends.mkldnn.is_available():
        packed, weight = a.to_mkldnn(), b.to_mkldnn()
        seconds["oneDNN"] = fastest(lambda: torch.ops.aten.mkldnn_linear(packed, weight, None))
    return {library: 2 * size**3 / one for library, one in seconds.items()}
