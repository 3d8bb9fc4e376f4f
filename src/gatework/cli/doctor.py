"""`gatework doctor`: what runs here, what does not, and why."""

from __future__ import annotations

import hashlib
import json
from time import perf_counter
from typing import Any

import click
import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gatework.bench.machine import gpu, processor, versions
from gatework.cells import catalogue
from gatework.errors import BackendError, first_line
from gatework.kernels import BACKENDS, measured
from gatework.kernels.cpu import build, host
from gatework.kernels.rivals import allowed
from gatework.layers import Recurrent

CLOSE = 1e-4
"""How far a small layer in float32 may be from the reference before it counts as wrong; on a GPU, where products may
be of tf32, it is what back-ends are held to there."""

SHOWN = 12
"""Measurements that are shown in a terminal."""

YES, NO, WRONG = "yes", "no", "wrong"
"""Whether a back-end runs here: it agrees with the reference, it cannot run, or it should and does not."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def doctor(as_json: bool) -> None:
    """Say what Gatework finds on this machine, and try every back-end on a small layer."""
    found = examine()
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        _show(found)
    wrong = [name for name, one in found["backends"].items() if one["runs"] == WRONG]
    if wrong:
        raise BackendError(
            f"The back-end {' and '.join(wrong)} should run here and does not: choose another with backend=…, "
            "and report what is said above."
        )


def examine() -> dict[str, Any]:
    """What there is, and for every back-end whether it runs here and agrees with the reference."""
    compiles = not host.refusal()
    return {
        "versions": versions(("triton",)),
        "processor": processor(),
        "vector_bytes": host.host().vector_bytes if compiles else None,
        "gpus": _gpus(),
        "backends": {name: _tried(name) for name in BACKENDS},
        "kernels": build.cache_state() if compiles else "",
        "measured": [_told(kind, one) for kind, one in measured.everything()],
    }


def _told(kind: dict[str, Any], found: measured.Found) -> dict[str, Any]:
    """What was measured for a kind of call, with the cell's name where it is one of the catalogue."""
    names = {hashlib.sha256(one.graph.whole.core.record.encode()).hexdigest(): name for name, one in catalogue.items()}
    names |= {hashlib.sha256(one.graph.ahead.core.record.encode()).hexdigest(): name for name, one in catalogue.items()}
    return {
        "cell": names.get(kind.get("cell", ""), "another cell"),
        "what": kind.get("loop") or ("training" if kind.get("training") else "inference"),
        **{name: kind[name] for name in ("device", "type", "sizes") if name in kind},
        "best": found.best,
        "milliseconds": dict(found.milliseconds),
    }


def _gpus() -> list[dict[str, Any]]:
    """The GPUs that torch finds."""
    if not torch.cuda.is_available():
        return []
    return [gpu(k) for k in range(torch.cuda.device_count())]


def _tried(name: str) -> dict[str, str]:
    """One back-end on a small GRU: whether it runs, and what is to be said of that."""
    backend = BACKENDS[name]
    reason = backend.refusal(catalogue["gru"].graph)
    if reason:
        return {"runs": NO, "says": reason}
    device = "cuda" if backend.unfit(torch.zeros(1)) else "cpu"
    began = perf_counter()
    try:
        difference = _difference(name, device)
    except Exception as error:  # noqa: BLE001 - whatever a compiler or a driver raises is what is asked for
        return {"runs": WRONG, "says": first_line(error)}
    says = f"on {device}: a small GRU, {difference:.0e} from the reference, in {perf_counter() - began:.2f} s"
    near = allowed(torch.float32) if device == "cuda" else CLOSE
    return {"runs": YES if difference <= near else WRONG, "says": says}


def _difference(name: str, device: str) -> float:
    """The largest difference of a small layer's output and gradients from the reference's."""
    x = torch.linspace(-1, 1, 5 * 4 * 3, device=device).view(5, 4, 3)
    results = []
    for backend in ("reference", name):
        torch.manual_seed(0)
        layer = Recurrent("gru", 3, 7, backend=backend).to(device)
        output, _ = layer(x)
        output.square().sum().backward()
        results.append([output.detach(), *(weight.grad for weight in layer.parameters() if weight.grad is not None)])
    return max(float((a - b).abs().max()) for a, b in zip(*results, strict=True))


def _measurements(every: list[dict[str, Any]]) -> list[str]:
    """One line for each of a few kinds of calls, and how many more there are."""
    lines = []
    for one in every[:SHOWN]:
        sizes = " ".join(f"{name}={size}" for name, size in one.get("sizes", {}).items())
        times = ", ".join(f"{name} {ms:.3g} ms" for name, ms in one["milliseconds"].items())
        where = f"{one.get('type', '')} {sizes} on {one.get('device', '')}"
        lines.append(f"{one['cell']}, {one['what']}, {where}: {one['best']} ({times})")
    return [*lines, f"and {len(every) - SHOWN} more; --json has all"] if len(every) > SHOWN else lines


def _show(found: dict[str, Any]) -> None:
    console = Console()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    table.add_row("versions", ", ".join(f"{name} {version}" for name, version in found["versions"].items()))
    one = found["processor"]
    wide = f", vectors of {found['vector_bytes']} bytes" if found["vector_bytes"] else ""
    count = f"{one['count']} processor{'s' if one['count'] > 1 else ''}"
    table.add_row("processor", f"{one['name']}, {count}{wide}, {one['system']}")
    for one in found["gpus"]:
        memory = f"{one['memory'] / 2**30:.0f} GiB"
        table.add_row("GPU", f"{one['name']}, {memory}, compute capability {one['capability']}, cuDNN {one['cudnn']}")
    if not found["gpus"]:
        table.add_row("GPU", "none that torch finds")
    for line in _measurements(found["measured"]):
        table.add_row("measured", escape(line))
    styles = {YES: "green", NO: "dim", WRONG: "red"}
    for name, tried in found["backends"].items():
        table.add_row(f"back-end {name}", f"[{styles[tried['runs']]}]{tried['runs']}[/]: {escape(tried['says'])}")
    if found["kernels"]:
        table.add_row("on disk", found["kernels"])
    console.print(table)
