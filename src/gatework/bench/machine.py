"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve")


def versions(extra: Iterable[str] = ()) -> dict[str, str]:
    """The versions of Python and of the packages that were measured."""
    found = {}
    for name in ("gatework", "torch", "numpy", "llvmlite", *extra):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {**found, "python": sys.version.split()[0]}


def processor() -> dict[str, Any]:
    """The processor's name, the vector instructions that matter, how many it has, and the load when asked."""
    told = _cpuinfo()
    flags = (told.get("flags") or told.get("Features") or "").split()
    return {
        "name": told.get("model name") or platform.processor() or platform.machine(),
        "features": [one for one in _FLAGS if one in flags],
        "torch": torch.backends.cpu.get_cpu_capability(),
        "count": available(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 2),
    }


def gpu(device: torch.device | int) -> dict[str, Any]:
    """A GPU's name and compute capability, the bytes of its memory, and the libraries that torch has for it."""
    one = torch.cuda.get_device_properties(device)
    return {
        "name": one.name,
        "capability": f"{one.major}.{one.minor}",
        "memory": one.total_memory,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def available() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpuinfo() -> dict[str, str]:
    """The lines of the first processor, where the system is Linux."""
    try:
        first = Path("/proc/cpuinfo").read_text(errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
