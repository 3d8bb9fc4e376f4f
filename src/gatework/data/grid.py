"""Put rows on the regular grid of their step, and fill what is missing by a policy."""

from dataclasses import dataclass

import numpy as np

from gatework.data.finding import Finding
from gatework.data.step import Step
from gatework.data.wording import counted, span

POLICIES = ("carry", "interpolate", "drop", "refuse")


@dataclass(frozen=True)
class Rows:
    """Values (T, C), NaN where missing, at `times` (T,) that are sorted and unique."""

    times: np.ndarray
    values: np.ndarray


def treatment(policy: str) -> str:
    """Say what a policy does to a missing value.

    >>> treatment("carry")
    'treated as missing and carried forward'
    """
    words = {
        "carry": "treated as missing and carried forward",
        "interpolate": "treated as missing and interpolated",
        "drop": "treated as missing, their rows dropped",
        "refuse": "refused",
    }
    return words[policy]


def align(rows: Rows, step: Step) -> tuple[Rows, list[Finding]]:
    """Return `rows` on the grid of `step`, whose new rows are NaN, and what was found.

    A stamp beside the grid moves to the nearest grid stamp; of several that meet there the last one stays.
    """
    origin = _origin(rows.times, step)
    positions = step.positions(rows.times, origin)
    # Whatever the calendar does, the first row is the first row of the grid.
    positions -= positions[0]
    grid = step.at(origin, np.arange(positions[-1] + 1))
    findings = []
    moved = int(np.count_nonzero(grid[positions] != rows.times))
    if moved:
        merged = len(positions) - len(np.unique(positions))
        kept = f"; {counted(merged, 'row')} met a later one there and left" if merged else ""
        words = f"{counted(moved, 'stamp')} {'lies' if moved == 1 else 'lie'} beside the grid of {step.name}"
        findings.append(Finding("off_grid", moved, words, f"moved to the nearest grid stamp{kept}"))
    values = np.full((len(grid), rows.values.shape[1]), np.nan)
    # Rows are in time order and the last write wins, so the last of several rows stays.
    values[positions] = rows.values
    return Rows(grid, values), findings


def missing_steps(rows: Rows, step: Step, policy: str) -> list[Finding]:
    """Return the finding of the steps of the grid that have no row, if any."""
    origin = _origin(rows.times, step)
    positions = step.positions(rows.times, origin)
    positions -= positions[0]
    absent = np.ones(positions[-1] + 1, bool)
    absent[positions] = False
    where = np.flatnonzero(absent)
    if not len(where):
        return []
    stamps = step.at(origin, where)
    are = "is" if len(where) == 1 else "are"
    words = f"{counted(len(where), 'step')} of {step.name} {are} missing {span(stamps, step)}"
    did = "left out, the rows around them taken as consecutive" if policy == "drop" else treatment(policy)
    return [Finding("missing_steps", len(where), words, did)]


def drop_missing(rows: Rows, *, has_clock: bool) -> Rows:
    """Return the rows in which no column is missing; without a clock they are numbered anew."""
    whole = ~np.isnan(rows.values).any(axis=1)
    times = rows.times[whole] if has_clock else np.arange(whole.sum(), dtype=np.int64)
    return Rows(times, rows.values[whole])


def leading(rows: Rows, step: Step) -> tuple[int, list[Finding]]:
    """Return how many rows come before every column has been observed once: no past can be carried into them."""
    first = int(np.argmax(~np.isnan(rows.values), axis=0).max())
    if first == 0:
        return 0, []
    start = "the first row comes" if first == 1 else f"the first {first} rows come"
    words = f"{start} before every used column has a value {span(rows.times[:first], step)}"
    return first, [Finding("leading", first, words, "left out")]


def fill(values: np.ndarray, policy: str) -> np.ndarray:
    """Fill NaN in `values` (T, C) after the first value of each column: carried, or for the target interpolated.

    Only the target is ever interpolated: a feature filled from later values would tell the model the future.

    >>> fill(np.array([[1.0, 5.0], [np.nan, np.nan], [3.0, 6.0]]), "interpolate").tolist()
    [[1.0, 5.0], [2.0, 5.0], [3.0, 6.0]]
    """
    seen = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    filled = np.take_along_axis(values, np.maximum.accumulate(seen, axis=0), axis=0)
    if policy == "interpolate":
        rows = np.flatnonzero(~np.isnan(values[:, 0]))
        # numpy holds the last value after the last observation: carried, as promised.
        filled[:, 0] = np.interp(np.arange(len(values)), rows, values[rows, 0])
    return filled


def _origin(times: np.ndarray, step: Step) -> np.datetime64:
    """Return the first grid stamp: the one nearest to the first row on the grid that most rows share."""
    length = step.at(np.datetime64(0, "us"), np.array([1]))[0].astype(np.int64)
    if step.unit in {"month", "quarter", "year", "weekday"}:
        return np.datetime64(step.at(times[0], np.array([0]))[0], "us")
    phases, counts = np.unique(times.astype(np.int64) % length, return_counts=True)
    shift = (int(phases[np.argmax(counts)]) - int(times[0].astype(np.int64)) + length // 2) % length - length // 2
    return np.datetime64(times[0] + np.timedelta64(int(shift), "us"), "us")
