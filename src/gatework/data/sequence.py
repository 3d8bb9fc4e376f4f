"""Bring rows into time order, one row a stamp."""

from dataclasses import dataclass

import numpy as np

from gatework.data.clock import Clock
from gatework.data.finding import Finding
from gatework.data.spacing import Spacing, find_spacing
from gatework.data.step import Step
from gatework.data.wording import counted, moment
from gatework.errors import DataError


@dataclass(frozen=True)
class Sequence:
    """Which rows of the table to take (`rows` (T,) row numbers, in time order), their `times` and their step."""

    rows: np.ndarray
    times: np.ndarray
    step: Step
    findings: tuple[Finding, ...]


def time_order(clock: Clock, values: np.ndarray) -> Sequence:
    """Return the rows of `values` (T, C) in the order of `clock`, the last row of each stamp, and their step.

    Raises `DataError` when no row has a stamp, or when the table looks like several series below each other.
    """
    if clock.stamps is None:
        numbers = np.arange(len(values), dtype=np.int64)
        return Sequence(numbers, numbers, Step(1, "row"), ())
    stamped = np.flatnonzero(~np.isnat(clock.stamps)) if clock.stamps.dtype.kind == "M" else np.arange(len(values))
    if not len(stamped):
        raise DataError("no row has a stamp that can be read; name another time column with --time.")
    # A stable sort: rows of one stamp keep their order, so "the last" means the last in the file.
    order = stamped[np.argsort(clock.stamps[stamped], kind="stable")]
    stamps = clock.stamps[order]
    last = np.append(stamps[1:] != stamps[:-1], True)
    findings = [*_unsorted(clock.stamps[stamped]), *_duplicates(stamps, values[order], last)]
    kept, times = order[last], stamps[last]
    if times.dtype.kind != "M":
        return Sequence(kept, np.arange(len(kept), dtype=np.int64), Step(1, "row"), tuple(findings))
    spacing = find_spacing(times)
    findings.append(_step_finding(spacing, times))
    if spacing.step.unit == "row":
        times = np.arange(len(kept), dtype=np.int64)
    return Sequence(kept, times, spacing.step, tuple(findings))


def _unsorted(stamps: np.ndarray) -> list[Finding]:
    back = int(np.count_nonzero(stamps[1:] < stamps[:-1]))
    if not back:
        return []
    words = f"{counted(back, 'row')} {'is' if back == 1 else 'are'} older than the row above"
    return [Finding("unsorted", back, words, "sorted by time")]


def _duplicates(stamps: np.ndarray, values: np.ndarray, last: np.ndarray) -> list[Finding]:
    """Say how many rows share the stamp of a later row, and how many of them disagree with it."""
    earlier = np.flatnonzero(~last)
    if not len(earlier):
        return []
    kept = np.flatnonzero(last)[np.searchsorted(np.flatnonzero(last), earlier)]
    differ = int((~_equal(values[earlier], values[kept])).sum())
    if 2 * len(earlier) > len(stamps) and 2 * differ > len(earlier):
        example = stamps[earlier[0]]
        shown = moment(example, Step(1, "day")) if stamps.dtype.kind == "M" else str(example)
        raise DataError(
            f"{len(stamps)} rows share {len(stamps) - len(earlier)} stamps (such as {shown}), "
            "like several series below each other; keep the rows of one series."
        )
    share = "shares its stamp" if len(earlier) == 1 else "share their stamp"
    words = f"{counted(len(earlier), 'row')} {share} with a later row, {differ} of them with other values"
    return [Finding("duplicates", len(earlier), words, "the last row of each stamp kept")]


def _equal(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.asarray(((left == right) | (np.isnan(left) & np.isnan(right))).all(axis=1))


def _step_finding(spacing: Spacing, times: np.ndarray) -> Finding:
    if spacing.step.unit != "row":
        words = f"the step is {spacing.step.name}, which explains {_percent(spacing.share)} of the differences"
        return Finding("step", len(times), words, "used as the step")
    words = "the stamps are irregular: no step explains nine differences in ten and fills its grid"
    return Finding("irregular", len(times), words, "rows taken as consecutive")


def _percent(share: float) -> str:
    """Return a share in per cent, never rounded up to all of them."""
    return "100 %" if share == 1 else f"{min(share, 0.9999):.2%}".replace("%", " %")
