"""One process that measures: a job comes as JSON on standard input, what was found goes to standard output.

A process of its own gives every job the same threads in all libraries, and no leftovers of the job before.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from functools import partial

import torch

from gatework.bench.ablation import PRODUCTLESS, variants
from gatework.bench.agreement import check
from gatework.bench.case import DTYPES, Case, make_case
from gatework.bench.footprint import footprint
from gatework.bench.job import Entry, Footprint, Job, Parts, Timed
from gatework.bench.rates import measure_rates
from gatework.bench.shapes import Shape
from gatework.bench.side import MODES, Runner
from gatework.bench.sides import OURS, SIDES
from gatework.bench.timing import Effort, interleave
from gatework.bench.torch_sides import exact, reference
from gatework.cells import find
from gatework.errors import BackendError, GateworkError, first_line
from gatework.graph.ops import KINKED

DRAWS = 3
"""How often random numbers are drawn for a cell with kinks, until the results agree: wrong ones never do."""

SHORTER = 8
"""By how much the sequences are shorter each time: of fewer numbers fewer come near a kink."""


def work(job: Job) -> Timed | Footprint:
    """Do a job in this process. Raises `BackendError` where a side fails, or has wrong results."""
    torch.set_num_threads(job.threads)
    cases = {
        cell: make_case(
            find(cell),
            Shape.parse(job.shape),
            dtype=DTYPES[job.dtype],
            input_grad=job.input_grad,
            threads=job.threads,
        )
        for cell, _ in job.entries
    }
    if job.effort is None:
        ((cell, side),) = job.entries
        return footprint(SIDES[side], cases[cell])
    return _timed(job, cases, job.effort)


def _timed(job: Job, cases: Mapping[str, Case], effort: Effort) -> Timed:
    checked = _checked(job, cases)
    kernels = {cell: runner.kernel for (cell, side), (runner, _) in checked.items() if side == OURS.name}
    parts = {cell: _parts(cases[cell], kernel) for cell, kernel in kernels.items() if job.parts}
    runners = {key: runner for key, (runner, _) in checked.items()}
    runners |= {(cell, name): runner for cell, one in parts.items() for name, runner in one.items()}
    seconds: dict[tuple[str, str], dict[str, list[float]]] = {key: {} for key in runners}
    for mode in MODES:
        calls = {key: runner.calls[mode] for key, runner in runners.items() if mode in runner.calls}
        for key, found in interleave(calls, effort).items():
            seconds[key][mode] = found
    return Timed(
        tuple(Entry(*key, runner.kernel, error, seconds[key]) for key, (runner, error) in checked.items()),
        tuple(Parts(cell, {name: seconds[cell, name] for name in one}) for cell, one in parts.items() if one),
        measure_rates(job.threads, DTYPES[job.dtype]),
    )


def _parts(case: Case, kernel: str) -> dict[str, Runner]:
    """A cell with parts of its equations taken away, made ready; nothing where another back-end would run one."""
    found = {}
    for name, cell in variants(case.cell).items():
        shape = replace(case.shape, N=1) if name == PRODUCTLESS else case.shape
        made = make_case(cell, shape, dtype=case.dtype, input_grad=case.input_grad, threads=case.threads)
        found[name] = OURS.build(made)
    return found if all(runner.kernel == kernel for runner in found.values()) else {}


def _checked(job: Job, cases: Mapping[str, Case]) -> dict[tuple[str, str], tuple[Runner, float]]:
    """Every entry made ready, and how far its results are from those of the reference back-end."""
    expected = {cell: reference(case).results() for cell, case in cases.items()}
    found = {}
    for cell, side in job.entries:
        try:
            runner = SIDES[side].build(cases[cell])
            results = runner.results()
        except GateworkError:
            raise
        except Exception as error:  # whatever a peer's library raises is told with the peer's name
            text = first_line(error)
            raise BackendError(f"The peer {side} failed for {cell} at {job.shape}: {text}") from error
        try:
            difference = check(cases[cell], side, results, expected[cell], partial(exact, cases[cell]))
        except BackendError:
            again = _drawn_again(cases[cell], side)
            if again is None:
                raise
            difference = again
        found[cell, side] = runner, difference
    return found


def _drawn_again(case: Case, side: str) -> float | None:
    """How far a side is from the reference on other, shorter sequences, where a kink explains that it was too far.

    A pre-activation that is zero but for rounding is on one side of relu's kink for the one and on the other for the
    other, and both gradients are right. None where the cell has no kink, or no draw agrees.
    """
    if not any(node.op in KINKED for node in case.cell.graph.nodes):
        return None
    for seed in range(1, DRAWS):
        shape = replace(case.shape, T=max(1, case.shape.T // SHORTER**seed))
        drawn = make_case(
            case.cell, shape, dtype=case.dtype, input_grad=case.input_grad, threads=case.threads, seed=seed
        )
        try:
            results = SIDES[side].build(drawn).results()
            return check(drawn, side, results, reference(drawn).results(), partial(exact, drawn))
        except BackendError:
            continue
    return None


def main() -> None:
    """Read a job, do it, print what was found, or `{"error": …}` where Gatework refuses."""
    job = Job.from_json(json.load(sys.stdin))
    with redirect_stdout(sys.stderr):  # what a cell's file prints must not be taken for the answer
        try:
            answer = asdict(work(job))
        except GateworkError as error:
            answer = {"error": str(error)}
    print(f"\n{json.dumps(answer)}")


if __name__ == "__main__":
    main()
