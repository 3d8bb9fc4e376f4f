import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gatework.errors import DataError
from gatework.tasks.metrics import by_step, mape_means_something, mase_scale, score

TRUTH = np.array([[10.0, 20.0], [40.0, 50.0]])
FORECAST = np.array([[12.0, 19.0], [40.0, 999.0]])
OBSERVED = np.array([[True, True], [True, False]])


def test_scores_by_hand() -> None:
    """Errors 2, 1, 0 of 10, 20, 40; the fourth is not observed."""
    ours = score(TRUTH, FORECAST, OBSERVED, scale=0.5, mape_ok=True)
    assert ours.mae == pytest.approx(1.0)
    assert ours.rmse == pytest.approx(np.sqrt(5 / 3))
    assert ours.mase == pytest.approx(2.0)
    assert ours.mape == pytest.approx(100 * (0.2 + 0.05) / 3)


@pytest.mark.parametrize("scale", [None, 0.0])
def test_without_a_scale_there_is_no_mase(scale: float | None) -> None:
    assert score(TRUTH, FORECAST, OBSERVED, scale=scale, mape_ok=True).mase is None


def test_there_is_no_mape_where_it_means_nothing() -> None:
    assert score(TRUTH, FORECAST, OBSERVED, scale=1.0, mape_ok=False).mape is None
    zero = np.where(TRUTH == 20, 0.0, TRUTH)
    assert score(zero, FORECAST, OBSERVED, scale=1.0, mape_ok=True).mape is None


def test_an_unobserved_truth_may_be_missing() -> None:
    hidden = np.where(OBSERVED, TRUTH, np.nan)
    shown = score(TRUTH, FORECAST, OBSERVED, scale=1.0, mape_ok=True)
    assert score(hidden, FORECAST, OBSERVED, scale=1.0, mape_ok=True) == shown
    assert by_step(hidden, FORECAST, OBSERVED).tolist() == [1.0, 1.0]


def test_nothing_observed_is_refused() -> None:
    with pytest.raises(DataError, match="no true value is observed"):
        score(TRUTH, FORECAST, np.zeros((2, 2), dtype=bool), scale=1.0, mape_ok=True)


def test_a_step_that_was_never_observed_has_no_error() -> None:
    seen = np.array([[True, False], [True, False]])
    errors = by_step(TRUTH, FORECAST, seen)
    assert errors[0] == 1.0
    assert np.isnan(errors[1])


@given(arrays(np.float64, (7, 3), elements=st.integers(-(10**6), 10**6).map(float)))
def test_the_steps_average_to_the_whole(errors: np.ndarray) -> None:
    seen = np.ones((7, 3), dtype=bool)
    whole = score(np.zeros((7, 3)), errors, seen, scale=None, mape_ok=False)
    assert by_step(np.zeros((7, 3)), errors, seen).mean() == pytest.approx(whole.mae)
    assert whole.rmse >= whole.mae * (1 - 1e-9)


# --- MASE


def test_the_naive_forecast_of_the_training_part_has_mase_one() -> None:
    y = np.random.default_rng(0).normal(size=100).cumsum()
    truth, forecast = y[12:, None], y[:-12, None]
    seen = np.ones_like(truth, dtype=bool)
    assert score(truth, forecast, seen, scale=mase_scale(y, 12), mape_ok=False).mase == pytest.approx(1.0)


def test_a_series_that_repeats_has_scale_zero() -> None:
    assert mase_scale(np.tile([1.0, 5.0, 2.0], 5), season=3) == 0.0


def test_a_training_part_shorter_than_a_season_is_refused() -> None:
    with pytest.raises(DataError, match="a season of 12 rows because the training part has 12"):
        mase_scale(np.ones(12), season=12)


# --- does a percentage mean something?


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        ([3.0, -1.0, 2.0], "the series crosses zero"),
        ([-3.0, -1.0, -2.0], "the series is not positive"),
        ([3.0, 0.0, 2.0], "the series touches zero"),
        ([0.0, 0.0], "the series touches zero"),
        ([3.0, 0.02, 3.0, 4.0, 3.0], "some values are near zero, under 1 % of the values around them"),
    ],
)
def test_why_a_percentage_means_nothing(y: list[float], reason: str) -> None:
    assert mape_means_something(np.array(y)) == (False, reason)


def test_growth_is_not_nearness_to_zero() -> None:
    """A price that grew a millionfold: its first value is far below the median, but usual in its time."""
    assert mape_means_something(np.geomspace(0.1, 1e5, 3000))[0]


def test_whole_numbers_are_welcome() -> None:
    assert mape_means_something(np.array([112, 118, 132, 129])) == (
        True,
        "every value is positive and none is near zero",
    )


@pytest.mark.parametrize(
    ("file", "column", "sensible"),
    [
        ("small_series/airline-passengers.csv", "Passengers", True),
        ("small_series/monthly-sunspots.csv", "Sunspots", False),
        ("small_series/daily-min-temperatures.csv", "Temp", False),
        ("ett/ETTh1.csv", "OT", False),
    ],
)
def test_percentages_of_real_series(real_data, file: str, column: str, sensible: bool) -> None:
    y = pl.read_csv(real_data / file)[column].cast(pl.Float64).to_numpy()
    assert mape_means_something(y)[0] is sensible
