import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatework.errors import DataError
from gatework.tasks.baselines import RidgeAutoregression, drift, persistence, seasonal_naive
from gatework.tasks.metrics import mape_means_something, score


def truth_of(y: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
    return y[origins[:, None] + np.arange(1, horizon + 1)]


def everything(array: np.ndarray) -> np.ndarray:
    return np.ones(array.shape, dtype=bool)


# --- naive forecasts


@given(st.integers(1, 15), st.integers(1, 30), st.integers(0, 10))
def test_the_seasonal_naive_follows_its_formula(season: int, horizon: int, later: int) -> None:
    y = np.random.default_rng(0).normal(size=60)
    origin = season - 1 + later
    expected = [y[origin + k - season * int(np.ceil(k / season))] for k in range(1, horizon + 1)]
    assert seasonal_naive(y, np.array([origin]), horizon, season).tolist() == [expected]


def test_a_season_of_one_row_is_persistence() -> None:
    y, origins = np.arange(9.0) ** 2, np.array([0, 3, 8])
    assert np.array_equal(seasonal_naive(y, origins, 4, season=1), persistence(y, origins, 4))


def test_a_periodic_series_is_forecast_exactly() -> None:
    y = np.tile([3.0, 1.0, 4.0, 1.5, 9.0], 12)
    origins = np.arange(4, 40)
    assert np.array_equal(seasonal_naive(y, origins, 13, season=5), truth_of(y, origins, 13))


def test_a_line_is_forecast_exactly_by_drift() -> None:
    y = 3.0 - 0.5 * np.arange(50)
    origins = np.arange(1, 40)
    assert drift(y, origins, 7) == pytest.approx(truth_of(y, origins, 7))


def test_drift_from_the_first_row_is_persistence() -> None:
    assert drift(np.array([5.0, 9.0]), np.array([0]), 3).tolist() == [[5.0, 5.0, 5.0]]


def test_less_than_a_season_is_refused() -> None:
    with pytest.raises(DataError, match="a season of 12 rows from row 10"):
        seasonal_naive(np.ones(30), np.array([20, 10]), 3, season=12)


@pytest.mark.parametrize("forecast", [persistence, drift])
def test_nothing_after_the_origin_is_read(forecast) -> None:
    y = np.random.default_rng(1).normal(size=40)
    future = y.copy()
    future[21:] = np.nan
    origins = np.array([5, 20])
    assert np.array_equal(forecast(y, origins, 8), forecast(future, origins, 8))
    assert np.array_equal(seasonal_naive(y, origins, 8, 5), seasonal_naive(future, origins, 8, 5))


# --- published figures of the naive forecasts


def test_bitcoin(real_data) -> None:
    table = pl.read_csv(real_data / "bitcoin/BCHARTS-BITSTAMPUSD.csv").filter(pl.col("Close") > 0).sort("Date")
    y = table["Close"].to_numpy()
    origins = np.arange(len(y) - 709, len(y) - 1)
    truth = truth_of(y, origins, 1)
    sensible, _ = mape_means_something(y[:-708])
    ours = score(truth, persistence(y, origins, 1), everything(truth), scale=None, mape_ok=sensible)
    assert (round(ours.mae, 1), round(ours.rmse, 1), round(ours.mape or 0, 2)) == (581.6, 1205.9, 2.76)


def test_airline(real_data) -> None:
    y = pl.read_csv(real_data / "small_series/airline-passengers.csv")["Passengers"].cast(pl.Float64).to_numpy()
    origins = np.arange(119, 143)
    truth = truth_of(y, origins, 1)

    def rmse(forecast: np.ndarray) -> float:
        return round(score(truth, forecast, everything(truth), scale=None, mape_ok=True).rmse, 1)

    assert rmse(persistence(y, origins, 1)) == 51.8
    assert rmse(seasonal_naive(y, origins, 1, season=12)) == 50.0


@pytest.mark.parametrize(
    ("horizon", "last", "seasonal"),
    [(24, (1.222, 0.671), (0.424, 0.389)), (96, (1.294, 0.713), (0.512, 0.433))],
)
def test_electricity_transformer(real_data, horizon: int, last: tuple[float, float], seasonal) -> None:
    """The published figures are means over all seven columns; the oil temperature alone is much easier."""
    table = pl.read_csv(real_data / "ett/ETTh1.csv").drop("date").to_numpy()
    origins = np.arange(11519, 14400 - horizon)
    errors = []
    for y in ((table - table[:8640].mean(axis=0)) / table[:8640].std(axis=0)).T:
        truth = truth_of(y, origins, horizon)
        for forecast in (persistence(y, origins, horizon), seasonal_naive(y, origins, horizon, season=24)):
            ours = score(truth, forecast, everything(truth), scale=None, mape_ok=False)
            errors.append((ours.rmse**2, ours.mae))
    means = np.reshape(errors, (7, 2, 2)).mean(axis=0)
    assert means == pytest.approx(np.array([last, seasonal]), abs=5e-4)


# --- ridge autoregression


def fit(
    x: np.ndarray, y: np.ndarray, penalties: tuple[float, ...], observed: np.ndarray | None = None
) -> RidgeAutoregression:
    seen = everything(y) if observed is None else observed
    return RidgeAutoregression.fit(
        x, y, seen, valid_inputs=x, valid_targets=y, valid_observed=seen, penalties=penalties
    )


def closed_form(x: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Ridge as least squares: √α rows under the inputs, zeros under the targets, a free column of ones."""
    n, p = x.shape
    rows = np.block([[x, np.ones((n, 1))], [np.sqrt(penalty) * np.eye(p), np.zeros((p, 1))]])
    solution = np.linalg.lstsq(rows, np.vstack([y, np.zeros((p, y.shape[1]))]), rcond=None)[0]
    return solution[:-1], solution[-1]


@pytest.mark.parametrize(("n", "p"), [(80, 6), (20, 20), (15, 40), (2, 5)])
@pytest.mark.parametrize("penalty", [1e-4, 1.0, 100.0])
def test_ridge_is_least_squares_with_more_rows(n: int, p: int, penalty: float) -> None:
    rng = np.random.default_rng(n * p)
    x, y = rng.normal(3, 2, size=(n, p)), rng.normal(5, 1, size=(n, 3))
    model = fit(x, y, (penalty,))
    coefficients, intercept = closed_form(x, y, model.penalty)
    assert model.coefficients == pytest.approx(coefficients, rel=1e-6, abs=1e-8)
    assert model.intercept == pytest.approx(intercept, rel=1e-6, abs=1e-8)
    assert model.predict(x) == pytest.approx(x @ coefficients + intercept, rel=1e-6)


def test_the_penalty_is_in_units_of_the_mean_eigenvalue() -> None:
    x = np.random.default_rng(0).normal(size=(50, 4))
    model = fit(x, x[:, :1], (0.5,))
    assert model.penalty == pytest.approx(0.5 * 50 * x.var(axis=0).mean())


def test_constant_and_equal_columns_are_harmless() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 5))
    x[:, 1], x[:, 2] = 7.0, x[:, 0]
    y = 2 * x[:, :1] + 1
    model = fit(x, y, (1e-8, 1.0))
    assert model.predict(x) == pytest.approx(y, abs=1e-5)
    assert model.coefficients[1, 0] == pytest.approx(0, abs=1e-6)
    assert model.coefficients[0, 0] == pytest.approx(model.coefficients[2, 0], abs=1e-6)


@pytest.mark.parametrize(("n", "p"), [(30, 4), (4, 30)])
def test_inputs_without_variation_forecast_the_mean(n: int, p: int) -> None:
    y = np.random.default_rng(4).normal(size=(n, 2))
    model = fit(np.full((n, p), 3.0), y, (1e-8, 1.0))
    assert model.predict(np.full((1, p), 3.0))[0] == pytest.approx(y.mean(axis=0))


def test_rows_with_an_unobserved_target_are_left_out() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    seen = everything(y)
    seen[::4, 1] = False
    hidden = np.where(seen, y, np.nan)
    with_gaps = fit(x, hidden, (1.0,), seen)
    whole = seen.all(axis=1)
    assert with_gaps.coefficients == pytest.approx(fit(x[whole], y[whole], (1.0,)).coefficients)


def test_the_penalty_is_the_best_of_the_validation_part() -> None:
    rng = np.random.default_rng(6)
    weights = rng.normal(size=(30, 1))
    x, valid, test = rng.normal(size=(40, 30)), rng.normal(size=(200, 30)), rng.normal(size=(2000, 30))
    y, y_valid, y_test = (z @ weights + 5 * rng.normal(size=(len(z), 1)) for z in (x, valid, test))

    def model(*penalties: float) -> RidgeAutoregression:
        return RidgeAutoregression.fit(
            x,
            y,
            everything(y),
            valid_inputs=valid,
            valid_targets=y_valid,
            valid_observed=everything(y_valid),
            penalties=penalties,
        )

    grid = (1e-6, 1e-2, 1.0, 1e2)
    errors = [np.abs(model(one).predict(valid) - y_valid).mean() for one in grid]
    chosen = model(*grid)
    assert chosen.penalty == model(grid[int(np.argmin(errors))]).penalty
    assert np.abs(chosen.predict(test) - y_test).mean() < np.abs(model(1e-6).predict(test) - y_test).mean()


def test_an_autoregression_is_recovered() -> None:
    """y_t = 0.6 y_{t-1} - 0.3 y_{t-2} + noise, from 20,000 rows: standard error about 0.007."""
    rng = np.random.default_rng(7)
    y = np.zeros(20_000)
    for t in range(2, len(y)):
        y[t] = 0.6 * y[t - 1] - 0.3 * y[t - 2] + rng.normal()
    windows = np.column_stack([y[:-2], y[1:-1]])
    model = fit(windows, y[2:, None], (1e-8, 1e-4))
    assert model.coefficients[:, 0] == pytest.approx([-0.3, 0.6], abs=0.03)


@pytest.mark.parametrize("part", ["training", "validation"])
def test_without_a_known_future_it_is_refused(part: str) -> None:
    x, y = np.ones((5, 2)), np.ones((5, 1))
    none = np.zeros((5, 1), dtype=bool)
    with pytest.raises(DataError, match=f"no window of the {part} part"):
        RidgeAutoregression.fit(
            x,
            y,
            none if part == "training" else everything(y),
            valid_inputs=x,
            valid_targets=y,
            valid_observed=none if part == "validation" else everything(y),
        )


def test_thousands_of_wide_windows_take_seconds() -> None:
    """9,000 windows of 60 rows × 9 features: about 1 s on one slow core, and 20 s is a mistake."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(9_000, 540)).cumsum(axis=1)
    y = x[:, -1:] + rng.normal(size=(9_000, 24))
    start = time.perf_counter()
    model = RidgeAutoregression.fit(
        x,
        y,
        everything(y),
        valid_inputs=x[:2000],
        valid_targets=y[:2000],
        valid_observed=everything(y[:2000]),
    )
    assert time.perf_counter() - start < 20
    assert np.abs(model.predict(x) - y).mean() < 0.85
