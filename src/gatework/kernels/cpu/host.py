"""What this processor can do: its vectors, its registers, its caches, and whether kernels can be compiled for it.

Kernels are written for one processor: `Host` holds what their shape depends on, and what LLVM has to be told. Compiled
kernels run on x86-64 with AVX2 and fused multiply-add, and on 64-bit ARM. `GATEWORK_CPU_FEATURES` lowers what is used
(`avx512`, `avx2`, `baseline`), never raises it.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gatework.errors import BackendError

LEVELS = {"avx512": 64, "avx2": 32, "baseline": 16}
"""The sets of instructions that can be asked for, and the bytes of their vectors."""

_VARIABLE = "GATEWORK_CPU_FEATURES"
_X86 = ("x86_64", "amd64")
_ARM = ("aarch64", "arm64")
# Where the system does not say, what the smallest processors of the last ten years have.
_L1, _L2 = 32 << 10, 512 << 10


@dataclass(frozen=True)
class Host:
    """A processor, in LLVM's words and in numbers.

    `name`, `features` and `triple` go to LLVM; `vector_bytes` and `registers` say how large a vector is and how many
    there are; `l1` and `l2` are bytes of data cache that one core has for itself.

    >>> Host("generic", "", "aarch64-unknown-linux-gnu", vector_bytes=16, registers=32).lanes(itemsize=4)
    4
    """

    name: str
    features: str
    triple: str
    vector_bytes: int
    registers: int
    l1: int = _L1
    l2: int = _L2

    @property
    def architecture(self) -> str:
        """The first part of the triple."""
        return self.triple.partition("-")[0]

    def lanes(self, itemsize: int) -> int:
        """How many numbers of so many bytes a vector holds."""
        return self.vector_bytes // itemsize


@functools.cache
def host() -> Host:
    """This processor, lowered where the environment says so. Raises `BackendError` where that names no level."""
    if reason := _unknown_level():
        raise BackendError(f"The processor's features cannot be chosen: {reason}.")
    level = os.environ.get(_VARIABLE)
    return lowered(_native(), level) if level else _native()


def lowered(host: Host, level: str) -> Host:
    """The same processor without the instructions above a level of `LEVELS`; as it is where it has none above.

    >>> wide = Host("skylake-avx512", "+fma,+avx2,+avx512f", "x86_64-unknown-linux-gnu", vector_bytes=64, registers=32)
    >>> narrow = lowered(wide, "avx2")
    >>> narrow.features, narrow.vector_bytes, narrow.registers
    ('+fma,+avx2,+avx512f,-avx512f', 32, 16)
    """
    if LEVELS[level] >= host.vector_bytes:
        return host
    # LLVM reads from left to right, and a feature that is taken away takes along all that need it.
    without = {"avx2": "-avx512f", "baseline": "-avx"}[level]
    return replace(host, features=f"{host.features},{without}", vector_bytes=LEVELS[level], registers=16)


def described(name: str, features: str, triple: str, *, l1: int = _L1, l2: int = _L2) -> Host:
    """A processor from LLVM's words for it.

    >>> described("haswell", "+fma,+avx2,-avx512f", "x86_64-unknown-linux-gnu").lanes(itemsize=4)
    8
    """
    one = Host(name, features, triple, vector_bytes=16, registers=16, l1=l1, l2=l2)
    if one.architecture in _ARM:
        return replace(one, registers=32)
    has = set(features.split(","))
    if not {"+avx2", "+fma"} <= has:
        return one
    if "+avx512f" not in has:
        return replace(one, vector_bytes=32)
    # Some processors are set up to halve vectors of 512 bits; kernels are written for whole ones.
    return replace(one, features=f"{features},-prefer-256-bit", vector_bytes=64, registers=32)


def refusal() -> str:
    """Why compiled kernels cannot run here; empty where they can. Never raises."""
    try:
        import llvmlite.binding as llvm
    except ModuleNotFoundError as error:
        return "llvmlite is not installed" if error.name == "llvmlite" else _broken(error)
    except Exception as error:  # noqa: BLE001 - whatever keeps a library from loading, the reference still runs
        return _broken(error)
    if reason := _unknown_level():
        return reason
    try:
        reason = _incapable(host())
        if not reason:
            llvm.check_jit_execution()
    except OSError:
        return "the system forbids to make code in memory"
    except Exception as error:  # noqa: BLE001 - as above
        return _broken(error)
    return reason


def _incapable(host: Host) -> str:
    """What this processor lacks."""
    if os.name != "posix":
        return "kernels are compiled on Linux and macOS only"
    if host.architecture not in _X86 + _ARM:
        return f"kernels are compiled for x86-64 and 64-bit ARM, this is {host.architecture}"
    if host.architecture in _X86 and host.vector_bytes < LEVELS["avx2"]:
        return "the processor has no AVX2 with fused multiply-add, or was told to do without"
    return ""


def _unknown_level() -> str:
    level = os.environ.get(_VARIABLE, "")
    return "" if level in ("", *LEVELS) else f"{_VARIABLE} is {level!r}, none of {', '.join(LEVELS)}"


def _broken(error: Exception) -> str:
    """The first line of what llvmlite, or what it stands on, complained of."""
    words = str(error).strip() or type(error).__name__
    return f"llvmlite does not work here ({words.splitlines()[0].rstrip('.')})"


def _native() -> Host:
    """What LLVM finds, and the caches that the system tells."""
    import llvmlite.binding as llvm

    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:
        features = ""  # not known for every system: the processor's name then stands for them
    l1, l2 = caches()
    return described(llvm.get_host_cpu_name(), features, llvm.get_process_triple(), l1=l1, l2=l2)


def caches() -> tuple[int, int]:
    """Bytes of first and second level data cache for one core."""
    l1, l2 = _told_by_sysctl(_sysctl) if sys.platform == "darwin" else _told_by_linux(Path("/sys/devices/system/cpu"))
    return l1 or _L1, l2 or _L2


def _told_by_linux(cpus: Path) -> tuple[int, int]:
    """The caches of the first processor, (0, 0) where unknown."""
    sizes, sharers = {1: 0, 2: 0}, {1: 1, 2: 1}
    for one in sorted(cpus.glob("cpu0/cache/index*")):
        try:
            kind, level = (one / "type").read_text().strip(), int((one / "level").read_text())
            size, threads = _bytes((one / "size").read_text()), _count((one / "shared_cpu_list").read_text())
        except (OSError, ValueError):
            continue
        if kind in ("Data", "Unified") and level in sizes:
            sizes[level], sharers[level] = size, threads
    # The threads of one core share its first level; more of them at the second are other cores.
    return sizes[1], sizes[2] // max(1, sharers[2] // sharers[1])


def _told_by_sysctl(number: Callable[[str], int]) -> tuple[int, int]:
    """The caches of the fast cores where there are two sorts, of all cores elsewhere."""
    l1 = number("hw.perflevel0.l1dcachesize") or number("hw.l1dcachesize")
    l2 = number("hw.perflevel0.l2cachesize") or number("hw.l2cachesize")
    return l1, l2 // max(1, number("hw.perflevel0.cpusperl2"))


def _sysctl(name: str) -> int:
    """A number that macOS knows under a name; 0 where it does not."""
    value, size = ctypes.c_uint64(0), ctypes.c_size_t(8)
    failed = ctypes.CDLL(None).sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, 0)
    return 0 if failed else value.value


def _bytes(text: str) -> int:
    """`48K` or `2M` as a number.

    >>> _bytes("48K"), _bytes("2M")
    (49152, 2097152)
    """
    text = text.strip()
    shift = {"K": 10, "M": 20, "G": 30}.get(text[-1:], 0)
    return int(text[:-1] if shift else text) << shift


def _count(text: str) -> int:
    """How many processors a list like `0-3,8` names.

    >>> _count("0-3,8")
    5
    """
    spans = [[int(end) for end in span.split("-")] for span in text.strip().split(",")]
    return sum(span[-1] - span[0] + 1 for span in spans)
