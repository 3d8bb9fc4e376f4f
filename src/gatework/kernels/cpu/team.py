"""The threads that run a kernel's shares: torch's own, so that the two never compete for a core.

Torch's products run on the threads of its OpenMP library, which wait for work by spinning. A second set of threads
beside them would find the cores taken. So kernels are handed to the same library; where it is not found, to threads
of Python, whose lock a kernel does not hold.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gatework.kernels.cpu.build import Library
from gatework.kernels.cpu.forking import AtFork

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
Parallel = Callable[[int, int, int], None]
"""Calls the function at an address with an argument, from a number of threads at once."""


@dataclass(frozen=True)
class Entry:
    """The functions of a kernel, and the address of the one that threads call together."""

    pack: Callable[[int], None]
    shares: Callable[[int], None]
    collect: Callable[[int], None] | None
    address: int


def entry(library: Library, *, collects: bool) -> Entry:
    """The functions of a library that a kernel's IR became."""

    def function(name: str) -> Any:
        return _FUNCTION(library.address(name))

    return Entry(
        function("pack"), function("shares"), function("collect") if collects else None, library.address("shares")
    )


@dataclass(frozen=True)
class Team:
    """`name` says whose threads they are."""

    name: str
    parallel: Parallel

    def run(self, entry: Entry, frame: Any, threads: int) -> None:
        """Pack the weights, run all shares, and collect the gradients where the kernel has some to collect."""
        address = ctypes.addressof(frame)
        entry.pack(address)
        if threads == 1:
            entry.shares(address)
        else:
            self.parallel(entry.address, address, threads)
        if entry.collect:
            entry.collect(address)


class _Threads(AtFork):
    def renew(self) -> None:
        """A forked process has none of its parent's threads."""
        team.cache_clear()


@functools.cache
def team() -> Team:
    """The threads of this process."""
    openmp = _openmp()
    return Team("OpenMP", openmp) if openmp else Team("Python", _python())


def _openmp() -> Parallel | None:
    """GNU's OpenMP as torch has loaded it; None where torch has another, or none."""
    if not sys.platform.startswith("linux") or not torch.backends.openmp.is_available():
        return None
    for path in _loaded("libgomp"):
        try:
            function = ctypes.CDLL(path).GOMP_parallel
        except (OSError, AttributeError):
            continue
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        function.restype = None
        return lambda code, frame, threads: function(code, frame, threads, 0)
    return None


def _loaded(name: str) -> list[str]:
    """The files of a library that this process has loaded."""
    lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    paths = {line.split(maxsplit=5)[5] for line in lines if len(line.split(maxsplit=5)) == 6}
    return sorted(path for path in paths if Path(path).name.startswith(name))


def _python() -> Parallel:
    pool = ThreadPoolExecutor(thread_name_prefix="gatework")

    def parallel(code: int, frame: int, threads: int) -> None:
        waiting = [pool.submit(_FUNCTION(code), frame) for _ in range(threads - 1)]
        _FUNCTION(code)(frame)
        for one in waiting:
            one.result()

    return parallel


_threads = _Threads()
