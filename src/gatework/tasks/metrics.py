"""How wrong a forecast is, in the unit of the series and without one.

Shapes: `T` rows, `n` forecast origins, `h` steps ahead. Truth, forecast and the mask `observed` are (n, h);
only entries where `observed` is true are scored, so a truth that is missing never counts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from gatework.errors import DataError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

NEIGHBOURHOOD = 51
"""Rows around a value, itself in the middle, that say what is usual there."""
NEAR_ZERO = 0.01
"""A value under this share of its neighbourhood's median would weigh 100 times too much in a percentage."""


@dataclass(frozen=True)
class Score:
    """Four errors of one forecast; lower is better.

    `mae` and `rmse` are in the unit of the series, `mase` is in units of the naive error on the training
    part, and `mape` is in per cent. `mase` and `mape` are None where they mean nothing.
    """

    mae: float
    rmse: float
    mase: float | None
    mape: float | None


def score(truth: Floats, forecast: Floats, observed: Mask, *, scale: float | None, mape_ok: bool) -> Score:
    """Score a forecast (n, h) against the truth (n, h) where `observed` (n, h).

    `scale` is `mase_scale` of the training part; with 0 or None there is no MASE. `mape_ok` is the first
    answer of `mape_means_something`; even then there is no MAPE when a scored truth is not positive. Raises
    `DataError` when nothing is observed.

    >>> truth, forecast = np.array([[10.0], [20.0]]), np.array([[11.0], [17.0]])
    >>> score(truth, forecast, np.array([[True], [True]]), scale=4.0, mape_ok=True)
    Score(mae=2.0, rmse=2.23606797749979, mase=0.5, mape=12.5)
    """
    if not observed.any():
        raise DataError("Cannot score a forecast because no true value is observed; choose a longer test part.")
    actual = truth[observed]
    error = np.abs(actual - forecast[observed])
    mae = float(error.mean())
    return Score(
        mae=mae,
        rmse=float(np.sqrt(np.square(error).mean())),
        mase=mae / scale if scale else None,
        mape=float(100 * (error / actual).mean()) if mape_ok and actual.min() > 0 else None,
    )


def by_step(truth: Floats, forecast: Floats, observed: Mask) -> Floats:
    """Return the mean absolute error of each step ahead, (h,): nan where a step was never observed.

    >>> by_step(np.zeros((2, 2)), np.array([[1.0, 2.0], [3.0, 9.0]]), np.array([[True, True], [True, False]]))
    array([2., 2.])
    """
    total = np.where(observed, np.abs(truth - forecast), 0.0).sum(axis=0)
    count = observed.sum(axis=0)
    mean: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def mase_scale(y_train: Floats, season: int) -> float:
    """Return the mean of |y_t - y_{t-season}| over the training part (T,), the unit of the MASE.

    Pairs with a nan, a value that was not observed, are left out. The unit is 0 for a series that repeats exactly;
    then there is no MASE. Raises `DataError` when the training part is not longer than a season. Source: Hyndman &
    Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001.

    >>> mase_scale(np.array([1.0, 2.0, 4.0, 7.0]), season=1)
    2.0
    """
    if len(y_train) <= season:
        raise DataError(
            f"Cannot scale errors by a season of {season} rows because the training part has {len(y_train)}; "
            "choose a shorter season or a longer training part."
        )
    changes = np.abs(y_train[season:] - y_train[:-season])
    known = changes[~np.isnan(changes)]
    return float(known.mean()) if len(known) else 0.0


def mape_means_something(y_train: Floats) -> tuple[bool, str]:
    """Say whether errors in per cent of the truth mean something for this series (T,), and why.

    They do when every value is positive and none is far below the values around it: such a value, not the
    forecaster, would decide the average. The comparison is with the median of the 51 rows around it and not
    of the whole series, because a price that grew a thousandfold was never near zero. The data cannot say
    whether zero is a true zero: 10 °C is not twice 5 °C.

    >>> mape_means_something(np.array([3.0, -1.0, 2.0]))
    (False, 'the series crosses zero')
    """
    lowest, highest = y_train.min(), y_train.max()
    if lowest < 0:
        return False, "the series crosses zero" if highest > 0 else "the series is not positive"
    if lowest == 0:
        return False, "the series touches zero"
    usual = median_filter(y_train.astype(np.float64), size=min(NEIGHBOURHOOD, len(y_train)), mode="nearest")
    if (y_train < NEAR_ZERO * usual).any():
        return False, "some values are near zero, under 1 % of the values around them"
    return True, "every value is positive and none is near zero"
