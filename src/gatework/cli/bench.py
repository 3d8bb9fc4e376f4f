"""`gatework bench`: how fast the layers are, beside their peers."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatework.bench.shapes import QUICK, SHAPES, Shape
from gatework.cells.catalogue import split_names
from gatework.errors import UsageError

if TYPE_CHECKING:
    from gatework.bench.request import Request

CELLS, COMPILED = "gru,lstm,rnn", "compile"


@click.command()
@click.option("--cells", metavar="A,B,…", help=f"Cells to measure, ./mine.py:mycell too. [default: {CELLS}]")
@click.option("--shapes", multiple=True, metavar="B,T,N,H", help="A shape; give it again for more. [default: seven]")
@click.option("--threads", multiple=True, type=int, metavar="N", help="Threads; again for more. [default: 1 and 2]")
@click.option("--peers", default="default", show_default=True, metavar="A,B,…", help="Whom to measure beside.")
@click.option(
    "--dtype", metavar="DTYPE", help="float32 or float64; on a GPU float32, tf32 and bfloat16. [default: float32]"
)
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to measure."
)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="On a GPU: begin nothing after so many.")
@click.option("--input-grad", is_flag=True, help="The training step computes the gradient of the input too.")
@click.option("--growth", is_flag=True, help="Measure curves over T, B and H too.")
@click.option("--quick", is_flag=True, help="Two shapes and few rounds: a rough picture.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the tables as a Markdown page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")
def bench(as_json: bool, out: Path | None, device: str, minutes: float | None, **settings: Any) -> None:
    """Measure a forward pass and a training step of our layers beside their peers, results checked equal first.

    Peers are torch (its own layers), eager (a loop over time in torch), compile (that loop under torch.compile), onnx,
    keras (on JAX) and jax (lax.scan); or default (all that are installed, but compile), all, or none. Without --cells
    the whole catalogue is measured at one shape. A shape is B sequences of T steps, N inputs and H units.

    With --device cuda the kernels in Triton are measured, beside cuDNN and a loop over time, with --peers compile
    beside that loop under torch.compile too; also small networks, 64 trained together and one after the other, and
    packed sequences of many lengths.
    """
    if out is not None:
        _check_place(out)
    if device != "cpu":
        _on_device(device, minutes, out, as_json=as_json, **settings)
        return
    if minutes is not None:
        raise UsageError("--minutes is for a benchmark on a GPU: give --device cuda too, or leave it out.")
    from gatework.bench.measure import measure
    from gatework.bench.page import page
    from gatework.bench.plain import plain
    from gatework.cli.bench_tables import Progress, show_summary

    # What a cell's file prints when it is loaded must not stand before the JSON.
    aside = redirect_stdout(sys.stderr) if as_json else nullcontext()
    with aside, Progress(quiet=as_json) as progress:
        record = measure(_request(**settings), command=_command(), listener=progress)
    if as_json:
        click.echo(json.dumps(plain(record), indent=1, ensure_ascii=False))
    else:
        show_summary(record, out)
    if out is not None:  # after the minutes that it took, what was measured is shown whatever happens now
        _write(out, page(record))


def _request(
    *,
    cells: str | None,
    shapes: Sequence[str],
    threads: Sequence[int],
    peers: str,
    dtype: str | None,
    input_grad: bool,
    growth: bool,
    quick: bool,
) -> Request:
    """What the options ask for. Raises `UsageError`."""
    from gatework.bench.machine import available
    from gatework.bench.request import Request
    from gatework.bench.sides import choose_peers
    from gatework.bench.timing import QUICK as FEW
    from gatework.bench.timing import Effort

    chosen = tuple(Shape.parse(one) for one in shapes) or (QUICK if quick else SHAPES)
    return Request(
        cells=_names(CELLS if cells is None else cells, "--cells"),
        shapes=tuple(dict.fromkeys(chosen)),
        threads=tuple(dict.fromkeys(threads)) or tuple(range(1, min(2, available()) + 1)),
        peers=choose_peers(_names(peers, "--peers")),
        dtype=dtype or "float32",
        input_grad=input_grad,
        effort=FEW if quick else Effort(),
        catalogue=cells is None and not shapes,
        growth=growth,
    )


def _on_device(
    device: str,
    minutes: float | None,
    out: Path | None,
    *,
    as_json: bool,
    cells: str | None,
    shapes: Sequence[str],
    threads: Sequence[int],
    peers: str,
    dtype: str | None,
    input_grad: bool,
    growth: bool,
    quick: bool,
) -> None:
    """Measure on a GPU; each row is told as soon as it is there. Raises `UsageError`."""
    from gatework.bench import device as gpu
    from gatework.bench.device_page import device_page
    from gatework.bench.members import SEEDS
    from gatework.bench.timing import QUICK as FEW
    from gatework.bench.timing import Effort
    from gatework.bench.uneven import UNEVEN

    for option, given in {
        "--threads": bool(threads),
        "--peers": peers not in ("default", COMPILED),
        "--input-grad": input_grad,
        "--growth": growth,
    }.items():
        if given:
            raise UsageError(f"{option} is for a benchmark of the processor: leave it out with --device {device}.")
    where = gpu.check_device(device)
    chosen = tuple(Shape.parse(one) for one in shapes) or (gpu.QUICK if quick else gpu.GRID)
    named = _names("gru,lstm" if cells is None else cells, "--cells")
    kinds = _names(dtype or ",".join(gpu.KINDS), "--dtype")
    effort = FEW if quick else Effort(seconds=0.2, most=20)
    seconds = float("inf") if minutes is None else 60 * minutes
    rows: list[gpu.DeviceRow] = []
    try:
        first = () if shapes else (SEEDS, *UNEVEN)
        for row in gpu.measure_device(named, chosen, kinds, where, effort, seconds, first, compiled=peers == COMPILED):
            rows.append(row)
            beside = "" if row.ratio is None else f", {row.ratio:.2f} × faster than cuDNN"
            told = f"{row.cell} {row.kind} {row.shape} {row.mode}: {row.kernel} {row.ms:.3f} ms{beside}"
            click.echo(told, err=as_json)
    finally:  # whatever ends the benchmark, what was measured is told
        if as_json:
            found = {"command": _command(), "machine": gpu.about(where), "rows": gpu.plain(rows)}
            click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        if out is not None and rows:
            _write(out, device_page(rows, gpu.about(where), _command()))


def _write(out: Path, text: str) -> None:
    """Write a page. Raises `UsageError`."""
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The page could not be written to {out}: {error.strerror}.") from error


def _names(text: str, option: str) -> tuple[str, ...]:
    found = tuple(one for one in split_names(text) if one)
    if not found:
        raise UsageError(f"{option} is empty: write names with commas between them.")
    return found


def _check_place(out: Path) -> None:
    """Minutes of measuring are not lost because their page cannot be written."""
    if out.is_dir():
        raise UsageError(f"--out is the folder {out}: name a file in it, as in {out / 'cpu.md'}.")
    if not out.parent.is_dir():
        raise UsageError(f"The page cannot be written to {out}: there is no folder {out.parent}.")
    if not os.access(out if out.exists() else out.parent, os.W_OK):
        raise UsageError(f"The page cannot be written to {out}: it is not yours to write.")


def _command() -> str:
    """The command as it was given, to stand on the page."""
    return shlex.join(["gatework", *sys.argv[1:]])
