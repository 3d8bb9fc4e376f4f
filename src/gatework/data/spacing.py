"""Find the step of a sorted column of stamps."""

from dataclasses import dataclass

import numpy as np

from gatework.data.step import Step, fixed_step

_ROW = Step(1, "row")
_EXPLAINED = 0.9
# Below this share of filled grid rows, a grid would be mostly invention.
_FILLED = 0.25
_DAY = 86_400_000_000
_SHORTEST_MONTH = 28 * _DAY


@dataclass(frozen=True)
class Spacing:
    """The step that explains the stamps best, and the share of differences that it explains.

    The step is of unit "row" when none explains nine differences in ten, or when its grid would be mostly empty.
    """

    step: Step
    share: float


def find_spacing(stamps: np.ndarray) -> Spacing:
    """Return the spacing of `stamps` (T,) datetime64[us], sorted and without duplicates.

    >>> find_spacing(np.array(["2015-01-31", "2015-02-28", "2015-03-31"], "datetime64[us]")).step
    Step(count=1, unit='month', day=31)
    """
    if len(stamps) < 2:
        return Spacing(_ROW, 0.0)
    differences = np.diff(stamps).astype(np.int64)
    strict, loose = _month_spacings(stamps, differences)
    for candidate in (strict, _fixed_spacing(stamps, differences), loose):
        if candidate.share >= _EXPLAINED and _filled(stamps, candidate.step) >= _FILLED:
            return candidate
    return Spacing(_ROW, _fixed_spacing(stamps, differences).share)


def _filled(stamps: np.ndarray, step: Step) -> float:
    """Return the share of the grid from the first to the last stamp that the table fills."""
    return float(len(stamps) / (step.positions(stamps[-1:], stamps[0])[0] + 1))


def _fixed_spacing(stamps: np.ndarray, differences: np.ndarray) -> Spacing:
    """Return the most common difference; whole multiples of it are gaps, not exceptions."""
    lengths, counts = np.unique(differences, return_counts=True)
    length = int(lengths[np.argmax(counts)])
    share = float(np.mean(differences % length == 0))
    step = fixed_step(length)
    return Spacing(Step(1, "weekday") if step == Step(1, "day") and _skips_weekends(stamps) else step, share)


def _skips_weekends(stamps: np.ndarray) -> bool:
    """Say whether daily stamps cover at least two weeks and never fall on a Saturday or Sunday."""
    days = stamps.astype("datetime64[D]")
    return bool(np.is_busday(days).all() and (days[-1] - days[0]).astype(np.int64) >= 14 and len(days) >= 8)


def _month_spacings(stamps: np.ndarray, differences: np.ndarray) -> tuple[Spacing, Spacing]:
    """Return the spacing in calendar months: strictly (always the same day) and loosely (one stamp a month)."""
    none = Spacing(_ROW, 0.0)
    if np.median(differences) < _SHORTEST_MONTH:
        return none, none
    months = stamps.astype("datetime64[M]")
    gaps = np.diff(months).astype(np.int64)
    values, counts = np.unique(gaps, return_counts=True)
    common = int(values[np.argmax(counts)])
    if common < 1:
        return none, none
    share = float(np.mean((gaps % common == 0) & (gaps > 0)))
    days = (stamps.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64) + 1
    lengths = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    anchor = int(days.max()) if (days != lengths).any() else 31
    steady = bool((days == np.minimum(anchor, lengths)).all()) and len(np.unique(stamps - stamps.astype("M8[D]"))) == 1
    usual = int(np.bincount(days).argmax())
    loose = Spacing(_month_step(common, 31 if usual >= 28 else usual), share)
    return (Spacing(_month_step(common, anchor), share) if steady else none), loose


def _month_step(months: int, day: int) -> Step:
    """Return a step of whole months in the largest unit that divides it."""
    if months % 12 == 0:
        return Step(months // 12, "year", day)
    return Step(months // 3, "quarter", day) if months % 3 == 0 else Step(months, "month", day)
