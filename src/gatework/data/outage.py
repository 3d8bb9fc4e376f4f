"""Zeros and constants that look like a sensor or an exchange that was down."""

from collections.abc import Iterator

import numpy as np

from gatework.data.finding import Finding
from gatework.data.step import Step
from gatework.data.wording import shorten, span

# More zeros than this are part of what is measured: nights, dry days, days without a sale.
_RARE = 0.1
_NEIGHBOURS = 10


def blank_outages(
    times: np.ndarray, values: np.ndarray, others: np.ndarray, step: Step, names: tuple[str, ...]
) -> tuple[np.ndarray, list[Finding]]:
    """Return `values` (T, 1+F), named `names`, with NaN in rows of an outage, and the finding that says so.

    `times` (T,) and `others` (T, C), the numeric columns that are not used, belong to the same rows. What becomes of
    the missing values is the policy's business: the finding leaves it open.
    """
    rest = np.column_stack([values[:, 1:], others])
    down = outage_rows(values[:, 0], rest)
    if not down.any():
        return values, []
    count = int(down.sum())
    are = "is" if count == 1 else "are"
    what = f"row{'' if count == 1 else 's'} {are} all zero"
    if not rest.shape[1]:
        what = f"value{'' if count == 1 else 's'} of {shorten(names[0])} {are} zero, far below all others"
    blanked = values.copy()
    blanked[down] = np.nan
    return blanked, [Finding("outage", count, f"{count} {what} {span(times[down], step)}, like an outage", "")]


def outage_rows(target: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the mask (T,) of the rows that look like an outage.

    `target` (T,) and `others` (T, C), the remaining numeric columns, in time order. With other columns, an outage is a
    row in which every column is zero, the target being strictly positive elsewhere and falling to zero abruptly. For a
    lone column, the rest must also stay far away from zero. Series with true zeros (rain, sunspots) are left alone.

    >>> outage_rows(np.array([50.0] * 12 + [0.0] + [51.0] * 12), np.empty((25, 0))).sum()
    np.int64(1)
    """
    nothing = np.zeros(len(target), bool)
    known = ~np.isnan(target)
    zero = target == 0
    positive = target[known & ~zero]
    if not zero.any() or not len(positive) or positive.min() < 0 or zero.sum() > _RARE * known.sum():
        return nothing
    if _far_from_zero(positive):
        return zero if not others.shape[1] else _all_zero(zero, others)
    down = _all_zero(zero, others)
    return down if others.shape[1] and down.sum() == zero.sum() and _abrupt(target, down) else nothing


def constant_runs(values: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of runs of one value in `values` (T,) that are suspiciously long.

    Suspicious is longer than ten rows and than twenty typical runs, in a column that otherwise almost never repeats.
    """
    change = np.flatnonzero(values[1:] != values[:-1]) + 1
    starts = np.concatenate([[0], change])
    lengths = np.diff(np.concatenate([starts, [len(values)]]))
    if len(lengths) < 10:
        return
    limit = max(10.0, 20.0 * float(np.median(lengths)))
    usual = lengths[lengths <= limit]
    if usual.mean() >= 1.5:
        return
    # Zero is a floor of what is counted or measured: sunspots and rain may well stay away for long.
    floor = values.min() >= 0 or values.max() <= 0
    long = (lengths > limit) & ~((values[starts] == 0) & floor)
    for start, length in zip(starts[long], lengths[long], strict=True):
        yield int(start), int(start + length)


def _all_zero(zero: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the zero rows (T,) in which the other columns (T, C) are zero too, or missing."""
    return np.asarray(zero & ((others == 0) | np.isnan(others)).all(axis=1))


def _far_from_zero(positive: np.ndarray) -> bool:
    """Say whether zero lies well apart from positive values: in their scale, and in the spacing of their levels."""
    levels = np.unique(positive)
    spacing = float(np.median(np.diff(levels))) if len(levels) > 1 else 0.0
    return bool(levels[0] > 0.05 * np.median(positive) and levels[0] > 5 * spacing)


def _abrupt(target: np.ndarray, down: np.ndarray) -> bool:
    """Say whether the target jumps to zero from its usual level nearby, rather than fading to it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], down, [False]])))
    ratios: list[float] = []
    for start, end in edges.reshape(-1, 2):
        around = [target[max(0, start - _NEIGHBOURS) : start][::-1], target[end : end + _NEIGHBOURS]]
        sides = [side[~np.isnan(side) & (side != 0)] for side in around]
        level = np.median(np.concatenate(sides)) if any(len(side) for side in sides) else np.nan
        ratios.extend(side[0] / level for side in sides if len(side))
    return bool(ratios) and bool(np.median(ratios) >= 0.25)
