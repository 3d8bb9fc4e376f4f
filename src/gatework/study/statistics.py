"""Is one forecast better than another, or is it chance?

Chance enters twice. Training the same cell from another seed gives another error; and the test part is one
stretch of time among those that could have come. A claim has to survive both, so `compare_pair` adds both
variances.

Shapes: `S` seeds, `n` forecast origins in time order. A loss is an absolute error, averaged over the steps
ahead of its origin; lower is better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import dct
from scipy.stats import t as student_t

from gatework.errors import DataError

Floats = NDArray[np.float64]
Outcome = Literal["first", "second", "equivalent", "undecided"]


@dataclass(frozen=True)
class Interval:
    """A mean and its interval; `low` and `high` are None where one value says nothing of spread."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class DieboldMariano:
    """A two-sided test that two forecasts are equally good; `mean_difference` is loss a minus loss b."""

    statistic: float
    p_value: float
    mean_difference: float


@dataclass(frozen=True)
class Comparison:
    """What is known about two forecasts: `difference` is the mean loss of `first` minus that of `second`.

    `relative`, `interval_low` and `interval_high` are shares of the mean of the two losses: -0.04 says that
    `first` errs 4 % less. `outcome` names the better one, or says "equivalent" (shown to differ by less than
    matters) or "undecided" (neither shown).
    """

    first: str
    second: str
    difference: float
    relative: float
    interval_low: float
    interval_high: float
    p_value: float
    seeds: int
    outcome: Outcome


def interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Return the mean of independent values (S,), one a seed, and its Student interval.

    >>> one_seed, two_seeds = interval([2.0]), interval([1.0, 3.0])
    >>> one_seed
    Interval(mean=2.0, low=None, high=None)
    >>> round(two_seeds.low, 4), round(two_seeds.high, 4)
    (-10.7062, 14.7062)
    """
    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.mean())
    if len(sample) < 2:
        return Interval(mean, None, None)
    reach = float(student_t.ppf((1 + level) / 2, len(sample) - 1) * sample.std(ddof=1) / np.sqrt(len(sample)))
    return Interval(mean, mean - reach, mean + reach)


def diebold_mariano(loss_a: ArrayLike, loss_b: ArrayLike, horizon: int) -> DieboldMariano:
    """Test whether two loss series (n,) have the same mean, for forecasts `horizon` steps ahead.

    The variance sums the autocovariances up to lag horizon - 1 with equal weights; where that is not
    positive, with Bartlett's falling weights. The statistic has the small-sample correction and Student's t
    with n - 1 degrees of freedom. Equal losses give statistic 0 and p = 1; so do horizon ≥ n origins, which
    cannot be tested. Raises `DataError` when a loss is not finite. Sources: Diebold & Mariano 1995,
    doi:10.1080/07350015.1995.10524599; Harvey, Leybourne & Newbold 1997, doi:10.1016/S0169-2070(96)00719-4.

    >>> diebold_mariano([1.0, 2.0, 3.0, 2.0], [1.0, 1.0, 1.0, 1.0], horizon=1).p_value.__round__(4)
    0.0917
    """
    difference = _finite(loss_a) - _finite(loss_b)
    n, mean = len(difference), float(difference.mean())
    if horizon >= n or not difference.any():
        return DieboldMariano(0.0, 1.0, mean)
    residual = difference - mean
    covariance = np.array([residual[lag:] @ residual[: n - lag] for lag in range(horizon)]) / n
    weights = np.full(horizon, 2.0)
    weights[0] = 1.0
    variance = float(weights @ covariance)
    if variance <= 0:
        variance = float((weights * (1 - np.arange(horizon) / horizon)) @ covariance)
    correction = (n - horizon) * (n - horizon + 1) / n**2
    statistic = _ratio(mean, np.sqrt(variance / n)) * float(np.sqrt(correction))
    return DieboldMariano(statistic, float(2 * student_t.sf(abs(statistic), n - 1)), mean)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values so that all claims at a level are right together with that certainty.

    Source: Holm 1979, https://www.jstor.org/stable/4615733.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    raw = np.asarray(p_values, dtype=np.float64)
    order = raw.argsort()
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)), 1.0)
    return tuple(adjusted.tolist())


def compare_pair(
    losses_a: Floats,
    losses_b: Floats,
    *,
    horizon: int,
    rope: float = 0.01,
    level: float = 0.95,
    first: str = "first",
    second: str = "second",
) -> Comparison:
    """Compare two forecasts by their losses (S, n), paired by seed and origin; lower is better.

    A forecast without chance in it, such as a baseline, may have one row (1, n) against the other's S.

    The difference d of seed s at origin i is modelled as μ + seed_s + time_i + both_si. The mean's variance
    is estimated as V_seed + V_time - V_both, never less than the larger of the first two: V_seed from the
    spread of the seeds' means, V_time by the equal-weighted cosine estimator of the seed-averaged series,
    V_both from the two-way residuals that both others contain. Its degrees of freedom are Satterthwaite's.
    The outcome is

    - "first" or "second", the better one, when p < 1 - level and the relative difference exceeds `rope`;
    - "equivalent" when the whole interval lies within ±`rope`, which a mere lack of significance never shows;
    - "undecided" otherwise, and always with S = 1: then the interval and p cover the test time only, and
      tell two trained models apart, not two cells.

    Raises `DataError` for fewer than two origins or a loss that is not finite. Sources: Lazarus, Lewis, Stock
    & Watson 2018, doi:10.1080/07350015.2018.1506926 (time); Cameron, Gelbach & Miller 2011,
    doi:10.1198/jbes.2010.07136 (two ways); Satterthwaite 1946, doi:10.2307/3002019; Schuirmann 1987,
    doi:10.1007/BF01068419 (equivalence by two one-sided tests).

    >>> noise = np.random.default_rng(0).normal(size=(5, 200))
    >>> compare_pair(5 + 0.1 * noise, 6 - 0.1 * noise, horizon=1).outcome
    'first'
    """
    a, b = _finite(losses_a), _finite(losses_b)
    differences = a - b
    seeds, n = differences.shape
    if n < 2:
        raise DataError(f"Cannot compare {first} with {second} on {n} forecast; choose a longer test part.")
    mean, scale = float(differences.mean()), float(a.mean() + b.mean()) / 2
    error, freedom = _standard_error(differences, horizon)
    reach = float(student_t.ppf((1 + level) / 2, freedom)) * error
    share = 1 / scale if scale > 0 else 0.0
    undecided = Comparison(
        first=first,
        second=second,
        difference=mean,
        relative=mean * share,
        interval_low=(mean - reach) * share,
        interval_high=(mean + reach) * share,
        p_value=float(2 * student_t.sf(abs(_ratio(mean, error)), freedom)),
        seeds=seeds,
        outcome="undecided",
    )
    return replace(undecided, outcome=_decide(undecided, rope, level))


def compare_all(
    losses: Mapping[str, Floats], *, horizon: int, rope: float = 0.01, level: float = 0.95
) -> tuple[Comparison, ...]:
    """Compare every two forecasts by name, with Holm's correction for the number of pairs.

    The adjusted p-value decides "first" and "second". Intervals stay those of single pairs, and so does
    "equivalent": that several are alike is claimed only when every pair is, which needs no correction (an
    intersection-union test: Berger 1982, Technometrics 24).
    """
    pairs = [
        compare_pair(losses[a], losses[b], horizon=horizon, rope=rope, level=level, first=a, second=b)
        for a, b in combinations(losses, 2)
    ]
    adjusted = [replace(pair, p_value=p) for pair, p in zip(pairs, holm([pair.p_value for pair in pairs]), strict=True)]
    return tuple(replace(pair, outcome=_decide(pair, rope, level)) for pair in adjusted)


def _decide(pair: Comparison, rope: float, level: float) -> Outcome:
    """Turn numbers into an outcome; see `compare_pair`."""
    if pair.seeds < 2:
        return "undecided"
    if -rope <= pair.interval_low and pair.interval_high <= rope:
        return "equivalent"
    if pair.p_value < 1 - level and abs(pair.relative) > rope:
        return "first" if pair.relative < 0 else "second"
    return "undecided"


def _standard_error(differences: Floats, horizon: int) -> tuple[float, float]:
    """Return the standard error of the mean of (S, n) and its degrees of freedom; see `compare_pair`."""
    seeds, n = differences.shape
    over_seeds, over_time = differences.mean(axis=1), differences.mean(axis=0)
    v_time, time_freedom = _time_variance(over_time, horizon)
    if seeds < 2:
        return float(np.sqrt(v_time)), time_freedom
    v_seed, seed_freedom = float(over_seeds.var(ddof=1)) / seeds, seeds - 1
    rest = differences - over_seeds[:, None] - over_time + differences.mean()
    v_both = float(np.square(rest).sum()) / ((seeds - 1) * (n - 1)) / (seeds * n)
    weighed = v_seed**2 / seed_freedom + v_time**2 / time_freedom
    freedom = (v_seed + v_time) ** 2 / weighed if weighed > 0 else float(seed_freedom)
    return float(np.sqrt(max(v_seed, v_time, v_seed + v_time - v_both))), freedom


def _time_variance(series: Floats, horizon: int) -> tuple[float, float]:
    """Return the variance of the mean of a correlated series (n,) and its degrees of freedom ν.

    The mean square of the first ν cosine coefficients, ν = 0.4 n^(2/3) as its authors recommend, and no more
    than n / (2 horizon), so that the cosines stay slower than the overlap of forecasts several steps ahead.
    """
    n = len(series)
    freedom = max(1, int(min(0.4 * n ** (2 / 3), n / (2 * horizon))))
    coefficients = dct(series, type=2, norm="ortho")[1 : freedom + 1]
    return float(np.square(coefficients).mean()) / n, float(freedom)


def _finite(losses: ArrayLike) -> Floats:
    """Return the losses as an array, or refuse."""
    array = np.asarray(losses, dtype=np.float64)
    if not np.isfinite(array).all():
        raise DataError("Cannot compare forecasts because a loss is not finite; leave out the trials that diverged.")
    return array


def _ratio(mean: float, error: float) -> float:
    """Return mean / error, where no error at all makes any difference certain."""
    if error > 0:
        return mean / error
    return float(np.copysign(np.inf, mean)) if mean else 0.0
