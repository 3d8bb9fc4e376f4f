"""What a cell has to beat: three naive forecasts and a ridge regression on the same windows.

Shapes: `y` (T,) is the target in its own unit; `origins` (n,) holds the last known row `t` of each forecast;
a forecast (n, h) is for the rows t+1 .. t+h. Source of the naive forecasts: Hyndman & Athanasopoulos,
Forecasting: Principles and Practice, 3rd edition, section 5.2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from gatework.errors import DataError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

PENALTIES = tuple(10.0**exponent for exponent in range(-8, 4))
"""The grid of ridge penalties, in units of the mean eigenvalue of the inputs' scatter matrix."""


def persistence(y: Floats, origins: Indices, horizon: int) -> Floats:
    """Forecast that nothing changes: ŷ_{t+k} = y_t.

    >>> persistence(np.array([1.0, 2.0, 4.0]), np.array([1, 2]), horizon=2)
    array([[2., 2.],
           [4., 4.]])
    """
    return np.repeat(y[origins][:, None], horizon, axis=1)


def seasonal_naive(y: Floats, origins: Indices, horizon: int, season: int) -> Floats:
    """Forecast the last season again: ŷ_{t+k} = y_{t + k - season⌈k/season⌉}.

    Raises `DataError` when an origin has less than a season before it.

    >>> seasonal_naive(np.array([1.0, 2.0, 4.0]), np.array([2]), horizon=3, season=2)
    array([[2., 4., 2.]])
    """
    if len(origins) and origins.min() < season - 1:
        raise DataError(
            f"Cannot repeat a season of {season} rows from row {origins.min()} because less than a season "
            "is known there; start the forecasts later."
        )
    steps = np.arange(1, horizon + 1)
    back: Floats = y[origins[:, None] + steps - season * -(-steps // season)]
    return back


def drift(y: Floats, origins: Indices, horizon: int) -> Floats:
    """Go on along the line from the first to the last known value: ŷ_{t+k} = y_t + k (y_t - y_0) / t.

    >>> drift(np.array([1.0, 2.0, 5.0]), np.array([2]), horizon=2)
    array([[7., 9.]])
    """
    slope = (y[origins] - y[0]) / np.maximum(origins, 1)
    ahead: Floats = y[origins][:, None] + slope[:, None] * np.arange(1, horizon + 1)
    return ahead


@dataclass(frozen=True, eq=False)
class RidgeAutoregression:
    """A linear forecast of all steps from a window, its weights held small: ŷ = x · coefficients + intercept.

    `coefficients` (p, h), `intercept` (h,), `penalty` the α that was chosen. Source: Hoerl & Kennard 1970,
    doi:10.1080/00401706.1970.10488634.
    """

    coefficients: Floats
    intercept: Floats
    penalty: float

    @classmethod
    def fit(
        cls,
        inputs: Floats,
        targets: Floats,
        observed: Mask,
        *,
        valid_inputs: Floats,
        valid_targets: Floats,
        valid_observed: Mask,
        penalties: tuple[float, ...] = PENALTIES,
    ) -> "RidgeAutoregression":
        """Fit scaled windows (n, p) to targets (n, h); choose α by the mean absolute error in validation.

        Minimises |y - xw - b|² + α|w|², with α from `penalties` times the mean eigenvalue of the centred
        inputs' scatter matrix; b is not penalised, and all steps share one α. Rows with any unobserved target
        are left out of the fit; in validation only the unobserved entries are. One eigendecomposition, of the
        smaller of XᵀX and XXᵀ, serves the whole grid. Raises `DataError` when no row remains.

        >>> x = np.linspace(-1, 1, 50)[:, None]
        >>> seen = np.ones((50, 1), dtype=bool)
        >>> model = RidgeAutoregression.fit(
        ...     x, 3 * x + 1, seen, valid_inputs=x, valid_targets=3 * x + 1, valid_observed=seen)
        >>> model.predict(np.array([[2.0]])).round(4)
        array([[7.]])
        """
        complete = observed.all(axis=1)
        if not complete.any() or not valid_observed.any():
            part = "validation" if complete.any() else "training"
            raise DataError(
                f"Cannot fit the ridge autoregression because no window of the {part} part has a known "
                "future; choose a shorter horizon or fill the gaps."
            )
        x, y = inputs[complete], targets[complete]
        x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
        basis, eigenvalues, projected = _decompose(x - x_mean, y - y_mean)
        valid_basis = (valid_inputs - x_mean) @ basis
        truth = valid_targets[valid_observed]

        def error(penalty: float) -> float:
            forecast = valid_basis @ (projected / (eigenvalues + penalty)[:, None]) + y_mean
            return float(np.abs(truth - forecast[valid_observed]).mean())

        best = min((_unit(eigenvalues) * penalty for penalty in penalties), key=error)
        coefficients = basis @ (projected / (eigenvalues + best)[:, None])
        return cls(coefficients, y_mean - x_mean @ coefficients, best)

    def predict(self, inputs: Floats) -> Floats:
        """Forecast (n, h) from windows (n, p) scaled as in `fit`."""
        forecast: Floats = inputs @ self.coefficients + self.intercept
        return forecast


def _decompose(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return B (p, r), λ (r,) and P (r, h) such that the ridge solution for α is B · P / (λ + α)."""
    if x.shape[0] >= x.shape[1]:
        eigenvalues, basis = eigh(x.T @ x)
        return basis, np.maximum(eigenvalues, 0.0), basis.T @ (x.T @ y)
    eigenvalues, rows = eigh(x @ x.T)
    return x.T @ rows, np.maximum(eigenvalues, 0.0), rows.T @ y


def _unit(eigenvalues: Floats) -> float:
    """Return the mean eigenvalue, so that a penalty means the same for any scale and number of rows."""
    return float(eigenvalues.mean()) or 1.0
