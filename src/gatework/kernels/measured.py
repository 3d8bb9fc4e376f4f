"""What was measured on this device, once for a kind of call, and is kept.

It stays in this process and, as a file of a few numbers for each kind of call, in the folder of what can be made
again. Nothing about that folder is ever an error: what cannot be kept is measured again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import statistics
import time
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from gatework.kernels.folder import default_folder, opened, read, write

FORMAT = 2
"""Another number whenever kernels become faster or slower, or files mean something else."""

TIMES = 5
"""How often a call is timed."""

Kind = Mapping[str, Any]
"""What calls have in common that are measured once, in numbers, texts and lists of them."""

_OURS = re.compile(r"[0-9a-f]{64}\.choice")


@dataclass(frozen=True)
class Found:
    """What was measured: the name of the fastest, the milliseconds of those that are right, and what others say."""

    best: str
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(times: Mapping[str, float], failed: Mapping[str, str], otherwise: str) -> Found:
        """The fastest of those that are right, or else another."""
        return Found(min(times, key=times.__getitem__) if times else otherwise, times, failed)


_known: dict[Hashable, Found] = {}


def remembered(
    about: Hashable, kind: Callable[[], Kind], names: Sequence[str], measure: Callable[[], Found], *, what: str
) -> Found:
    """What is known of a kind of call, or else is measured now; `names` are those that may be the fastest.

    `about` stands for the kind in this process: it is asked for at every call. `what` says what the names are names
    of, where one has failed and a warning says so.
    """
    about = (about, tuple(names))
    found = _known.get(about)
    if found is None:
        # No lock is held: on a GPU a backward pass runs in another thread, and may have something to measure too.
        found = _known.setdefault(about, _looked_up(kind(), names, measure))
        for name, why in found.failed.items():
            where = kind().get("device", "this device")
            warnings.warn(f"{what} {name} is left aside on {where}: {why}.", stacklevel=3)
    return found


def known(about: Hashable, kind: Callable[[], Kind], names: Sequence[str]) -> Found | None:
    """What was measured of a kind of call, in this process or another; None where that is not known."""
    about = (about, tuple(names))
    if about not in _known:
        kept = _kept(_key(_told(kind(), names)), names)
        if kept:
            _known[about] = kept
    return _known.get(about)


def _looked_up(kind: Kind, names: Sequence[str], measure: Callable[[], Found]) -> Found:
    told = _told(kind, names)
    key = _key(told)
    found = _kept(key, names)
    if not found:
        found = measure()
        _keep(key, told, found)
    return found


def _told(kind: Kind, names: Sequence[str]) -> dict[str, Any]:
    ours = {"format": FORMAT, "gatework": version("gatework"), "torch": torch.__version__, "names": list(names)}
    return {**ours, **kind}


def _key(told: Kind) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def forget() -> None:
    """Measure anew in this process."""
    _known.clear()


def everything() -> list[tuple[dict[str, Any], Found]]:
    """All that is kept on disk: the kinds of calls, and what was found."""
    found: list[tuple[dict[str, Any], Found]] = []
    folder = default_folder()
    with suppress(OSError):
        if folder and folder.is_dir():
            with opened(folder) as place:
                for name in sorted(os.listdir(place)):
                    content = _content(read(place, name) or b"") if _OURS.fullmatch(name) else None
                    if content:
                        found.append(content)
    return found


def largest(numbers: Tensor) -> float:
    """The size of the largest finite number; 0 where there is none."""
    return float(numbers.abs().nan_to_num(nan=0.0, posinf=0.0).max()) if numbers.numel() else 0.0


def milliseconds(call: Callable[[], object], on_gpu: bool) -> float:
    """The median time of a call that was made before."""
    timed = by_device if on_gpu else _by_processor
    return statistics.median([timed(call) for _ in range(TIMES)])


def _by_processor(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - began)


def by_device(call: Callable[[], object], repeats: int = 1) -> float:
    """The milliseconds of some calls by the clock of the GPU that is the present one."""
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    for _ in range(repeats):
        call()
    ended.record()
    ended.synchronize()
    return float(began.elapsed_time(ended))


def device(x: Tensor) -> str:
    """The name of what a tensor is on."""
    return torch.cuda.get_device_name(x.device) if x.is_cuda else x.device.type


def named(kind: torch.dtype, products: torch.dtype) -> str:
    """What numbers a kind of call has: where products have another type, that too."""
    both = [str(one).removeprefix("torch.") for one in (kind, products)]
    return both[0] if both[0] == both[1] else f"{both[0]} with products in {both[1]}"


def power(size: int) -> int:
    """The least power of two that is no less."""
    return 1 << max(size - 1, 0).bit_length()


def _kept(key: str, names: Sequence[str]) -> Found | None:
    """What an earlier process has measured; None where that is not there, or is nothing of ours."""
    folder = default_folder()
    if folder is None:
        return None
    try:
        with opened(folder) as place:
            content = _content(read(place, f"{key}.choice") or b"")
    except OSError:  # it is measured again
        return None
    return content[1] if content and content[1].best in names else None


def _content(text: bytes) -> tuple[dict[str, Any], Found] | None:
    """What a file says; None where it is damaged."""
    try:
        content = json.loads(text)
        kind, best = content["kind"], content["best"]
        times = {str(name): float(one) for name, one in content["milliseconds"].items()}
        sizes = {str(name): int(one) for name, one in kind["sizes"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    words = {name: one for name, one in kind.items() if isinstance(one, str | bool)}
    right = isinstance(best, str) and all(isfinite(one) for one in times.values())
    return ({**words, "sizes": sizes}, Found(best, times)) if right else None


def _keep(key: str, kind: Kind, found: Found) -> None:
    """Keep what was measured, if that can be done; what has failed is tried again by the next process."""
    folder = default_folder()
    if folder is None or found.failed:
        return
    content = {"kind": kind, "best": found.best, "milliseconds": found.milliseconds}
    with suppress(OSError), opened(folder) as place:  # the next process measures again
        write(place, f"{key}.choice", json.dumps(content).encode())
