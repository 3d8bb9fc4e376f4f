"""From source to functions that Triton compiles, and what keeps it from running here."""

from __future__ import annotations

import functools
import hashlib
import linecache
from typing import Any

import torch

from gatework.errors import first_line
from gatework.kernels.triton.functions import FUNCTIONS


def refusal() -> str:
    """Why kernels in Triton cannot run here; empty where they can. Never raises."""
    try:
        import triton  # noqa: F401

        return "" if interpreted() else _without_interpreter()
    except ModuleNotFoundError as error:
        return "Triton is not installed" if error.name == "triton" else f"Triton does not work here ({error})"
    except Exception as error:  # noqa: BLE001 - whatever keeps a library from working, other back-ends still run
        return f"Triton does not work here ({first_line(error)})"


def _without_interpreter() -> str:
    if not torch.cuda.is_available():
        return "torch finds no GPU here"
    return min((too_old(k) for k in range(torch.cuda.device_count())), key=len)


@functools.cache
def too_old(device: int) -> str:
    """Why a GPU is too old; empty where it is not."""
    major, minor = torch.cuda.get_device_capability(device)
    return "" if major >= 7 else f"the GPU has compute capability {major}.{minor}, and Triton needs 7.0"


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def interpreted() -> bool:
    """Whether Triton runs kernels step by step on the CPU: the environment says TRITON_INTERPRET=1."""
    import triton

    return bool(triton.knobs.runtime.interpret)


@functools.lru_cache(maxsize=1024)
def function(text: str) -> Any:
    """The function of a kernel, as Triton launches it: the one that the text defines."""
    found = dict(_functions())
    before = set(found)
    _execute(text, found)
    (name,) = (one for one in found if one not in before and one != "__builtins__")
    return found[name]


@functools.cache
def _functions() -> dict[str, Any]:
    import triton
    import triton.language as tl

    found: dict[str, Any] = {"triton": triton, "tl": tl, "__name__": f"{__name__}.generated"}
    _execute(FUNCTIONS, found)
    return found


def _execute(text: str, namespace: dict[str, Any]) -> None:
    """Run generated source so that Triton, which reads the lines of a function again, finds them."""
    name = f"<gatework {hashlib.sha256(text.encode()).hexdigest()[:16]}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), namespace)  # noqa: S102 - generated from a plan, from nothing else
