"""Does the series repeat itself, and after how many rows?

A season has to be told from a wandering series: a random walk has autocorrelations near 1 at every lag. So
the tests run on what remains when a line and a first-order autoregression are taken away (prewhitening),
clipped so that a few wild rows decide nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import detrend
from scipy.stats import f as f_distribution
from scipy.stats import median_abs_deviation
from statsmodels.tsa.stattools import acf

Floats = NDArray[np.float64]

SIGNIFICANCE = 0.001
STRENGTH = 0.01
"""The least share of the prewhitened variance that a season of the calendar has to explain."""
CONTRAST = 0.1
"""By how much a cycle's autocorrelation must rise above 0, above its own trough and at its double."""


@dataclass(frozen=True)
class Season:
    """After how many rows the series repeats: 1 where nothing was `found`; `why` says it in words."""

    length: int
    found: bool
    why: str


def find_season(y_train: Floats, natural: tuple[int, ...]) -> Season:
    """Find the season of the training part (T,), trying first the `natural` ones of its calendar, in rows.

    A natural season is found when the position within it explains the prewhitened series (one-way analysis of
    variance, p < 0.001, at least 1 % of the variance); of several, the one after which the series repeats
    best. Otherwise a cycle of 2 to T/3 rows is found when the highest line of the periodogram stands out of
    its surroundings (Fisher 1929, Proc. R. Soc. A 125, with the local median level of Mann & Lees 1996,
    Climatic Change 33) and the autocorrelation confirms it: a peak there, a trough before it, and a peak
    again at its double.

    >>> rows = np.arange(400)
    >>> find_season(np.sin(2 * np.pi * rows / 40), natural=(12,))
    Season(length=40, found=True, why='a cycle of about 40 rows stands out')
    """
    remainder = detrend(np.asarray(y_train, dtype=np.float64)) if len(y_train) >= 8 else np.zeros(8)
    if np.abs(remainder).max() <= 1e-9 * np.abs(y_train).max(initial=0.0):
        return Season(1, False, "no season stands out; the training part is too short or does not vary")
    remainder = remainder / np.abs(remainder).max()  # squares of tiny numbers vanish
    shocks = _prewhiten(remainder)
    strengths = {s: _strength(shocks, s) for s in sorted(natural) if 2 <= s <= len(shocks) // 2}
    seasons = [s for s, strength in strengths.items() if strength >= STRENGTH]
    if seasons:
        best = min(seasons, key=lambda s: float(np.abs(y_train[s:] - y_train[:-s]).mean()))
        return Season(best, True, f"the season of {best} rows explains {strengths[best]:.0%} of the changes")
    cycle = _find_cycle(remainder, shocks)
    if cycle is None:
        tried = ", ".join([*map(str, strengths), f"every cycle up to {len(shocks) // 3}"])
        return Season(1, False, f"no season stands out; tried {tried} rows")
    length = next((s for s in strengths if abs(s - cycle) <= 0.03 * s), cycle)
    return Season(length, True, f"a cycle of about {length} rows stands out")


def _prewhiten(remainder: Floats) -> Floats:
    """Return the clipped errors (T-1,) of a first-order autoregression of the detrended series (T,)."""
    past, present = remainder[:-1], remainder[1:]
    # A negative coefficient would take away the very alternation that a season of two rows consists of.
    shocks = present - past * max(0.0, float(past @ present) / float(past @ past))
    spread = 3 * median_abs_deviation(shocks, scale="normal") or 3 * shocks.std()
    clipped = np.clip(shocks - np.median(shocks), -spread, spread)
    centred: Floats = clipped - clipped.mean()
    return centred


def _strength(shocks: Floats, season: int) -> float:
    """Return the adjusted share of variance that the position in the season explains; 0 if insignificant."""
    cycles = len(shocks) // season
    table = shocks[len(shocks) - cycles * season :].reshape(cycles, season)
    table = table - table.mean()
    total, between = float(np.square(table).sum()), cycles * float(np.square(table.mean(axis=0)).sum())
    free_between, free_within = season - 1, season * (cycles - 1)
    within = max(total - between, 1e-12 * total) / free_within
    p_value = f_distribution.sf(between / free_between / within, free_between, free_within) if total else 1.0
    return float(1 - within / (total / (table.size - 1))) if p_value < SIGNIFICANCE else 0.0


def _find_cycle(remainder: Floats, shocks: Floats) -> int | None:
    """Return the length of a cycle that both periodogram and autocorrelation show, if there is one."""
    power = np.square(np.abs(np.fft.rfft(shocks)))
    power[:3] = 0
    line = int(power.argmax())
    if len(power) * np.exp(-power[line] / _background(power, line)) >= SIGNIFICANCE:
        return None
    period = _refine(shocks, line)
    correlation = np.asarray(acf(remainder, nlags=len(remainder) - 1, fft=True), dtype=np.float64)
    lag = max(2, round(period))
    # The highest line may be an overtone: a cycle of 40 rows with two bumps can have its line at 20.
    for multiple in (2, 3):
        longer = round(multiple * period)
        if 3 * longer <= len(shocks) and correlation[longer] > correlation[lag] + CONTRAST:
            lag = longer
    return lag if _is_confirmed(correlation, lag) else None


def _refine(shocks: Floats, line: int) -> float:
    """Return the period of a line of the periodogram, in rows, to an eighth of the distance between lines."""
    fine = np.abs(np.fft.rfft(shocks, 8 * len(shocks)))[8 * line - 8 : 8 * line + 9]
    return 8 * len(shocks) / (8 * line - 8 + int(fine.argmax()))


def _background(power: Floats, line: int) -> float:
    """Return the mean power around a line, estimated by the median of an exponential distribution."""
    reach = max(line // 2, 6)
    around = np.concatenate([power[max(3, line - reach) : line - 1], power[line + 2 : line + 2 * reach]])
    return float(np.median(around) / np.log(2) + 1e-12 * power[line])


def _is_confirmed(correlation: Floats, lag: int) -> bool:
    """Say whether the autocorrelation has a peak at the lag and its double, and troughs between."""

    def height(low: float, high: float, highest: bool) -> float:
        part = correlation[max(1, int(low * lag)) : int(np.ceil(high * lag)) + 1]
        return float(part.max() if highest else part.min())

    peak, trough = height(0.9, 1.1, True), height(0.4, 0.6, False)
    again, second_trough = height(1.8, 2.2, True), height(1.4, 1.6, False)
    return peak > CONTRAST and peak - trough > 2 * CONTRAST and again - second_trough > CONTRAST
