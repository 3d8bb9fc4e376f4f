import time
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy.signal import lfilter
from statsmodels.datasets import co2, sunspots

from gatework.tasks.season import find_season

HOURS, DAYS, WEEKS, MONTHS = (24, 168), (7, 365), (52,), (12,)


# --- made series


@pytest.mark.parametrize("period", [2, 3, 7, 11, 40, 133])
def test_a_sine_has_its_period(period: int) -> None:
    y = np.cos(2 * np.pi * np.arange(10 * period + 400) / period)
    assert find_season(y, natural=()).length == period


def test_a_sine_of_40_under_noise_and_a_trend() -> None:
    rows = np.arange(1200)
    y = np.sin(2 * np.pi * rows / 40) + 0.01 * rows + np.random.default_rng(0).normal(size=1200)
    found = find_season(y, natural=(12,))
    assert (found.length, found.found, found.why) == (40, True, "a cycle of about 40 rows stands out")


def test_an_overtone_is_not_the_season() -> None:
    """Two unlike bumps in every 40 rows: the highest line of the periodogram is at 20."""
    rows = np.arange(1600)
    y = 0.8 * np.sin(2 * np.pi * rows / 40) + np.sin(2 * np.pi * rows / 20)
    assert find_season(y + 0.2 * np.random.default_rng(1).normal(size=1600), natural=()).length == 40


def test_rare_events_of_a_calendar_are_a_season() -> None:
    assert find_season((np.arange(700) % 7 == 0).astype(float), natural=DAYS).length == 7


def test_of_two_seasons_the_one_that_repeats_best_is_taken() -> None:
    """Days alike but for the weekend: a week repeats better than a day."""
    rng = np.random.default_rng(2)
    day = np.sin(2 * np.pi * np.arange(24) / 24)
    week = np.concatenate([day, day, day, day, day, 0.2 * day, 0.2 * day])
    y = np.tile(week, 20)
    assert find_season(y + 0.05 * rng.normal(size=len(y)), natural=HOURS).length == 168
    every_day = np.tile(day, 140)
    assert find_season(every_day + 0.3 * rng.normal(size=len(y)), natural=HOURS).length in HOURS


def test_a_cycle_next_to_a_natural_season_is_that_season() -> None:
    """Too weak for the analysis of variance of 365 means, and its line is at 360."""
    rng = np.random.default_rng(3)
    y = np.sin(2 * np.pi * np.arange(1460) / 362) + 1.2 * rng.normal(size=1460)
    assert find_season(y, natural=DAYS).length == 365


@pytest.mark.parametrize("y", [[], [3.0], [1.0, 2.0, 1.0, 2.0], np.ones(100), np.arange(100) * 0.1])
def test_a_series_without_variation_has_no_season(y) -> None:
    none = find_season(np.asarray(y, dtype=float), natural=MONTHS)
    assert (none.length, none.found) == (1, False)
    assert none.why == "no season stands out; the training part is too short or does not vary"


def test_what_was_tried_is_told() -> None:
    y = np.random.default_rng(4).normal(size=301)
    assert find_season(y, natural=DAYS).why == "no season stands out; tried 7, every cycle up to 100 rows"


WANDERINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "white noise": lambda e: e,
    "random walk": np.cumsum,
    "geometric random walk": lambda e: np.exp(np.cumsum(0.04 * e)),
    "autoregression": lambda e: lfilter([1], [1, -0.9], e),
    "noisy level": lambda e: lfilter([1, -0.5], [1, -1], e),
    "autocorrelated growth": lambda e: lfilter([1], np.convolve([1, -0.6], [1, -1]), e),
}


@pytest.mark.parametrize("kind", WANDERINGS)
@pytest.mark.parametrize("n", [150, 1000])
def test_what_wanders_has_no_season(kind: str, n: int) -> None:
    """In 95 of 100 trials at least."""
    rng = np.random.default_rng(5)
    found = [find_season(WANDERINGS[kind](rng.normal(size=n)), natural=(7, 24)).found for _ in range(100)]
    assert sum(found) <= 5


def test_fifty_thousand_rows_take_no_time() -> None:
    rng = np.random.default_rng(6)
    y = np.sin(2 * np.pi * np.arange(50_000) / 40) + rng.normal(size=50_000)
    start = time.perf_counter()
    assert find_season(y, natural=HOURS).length == 40
    assert time.perf_counter() - start < 5


# --- real series


def test_carbon_dioxide_by_week() -> None:
    y = co2.load_pandas().data["co2"].interpolate().to_numpy()
    assert find_season(y, natural=WEEKS).length == 52
    assert find_season(y, natural=()).length == 52


def test_sunspots_by_year() -> None:
    y = sunspots.load_pandas().data["SUNACTIVITY"].to_numpy()
    assert find_season(y, natural=()).length == 11


@pytest.mark.parametrize(
    ("file", "column", "rows", "natural", "length"),
    [
        ("small_series/airline-passengers.csv", "Passengers", 120, MONTHS, 12),
        ("small_series/airline-passengers.csv", "Passengers", 120, (), 12),
        ("small_series/monthly-sunspots.csv", "Sunspots", 2820, MONTHS, 133),
        ("small_series/daily-min-temperatures.csv", "Temp", 3650, DAYS, 365),
        ("small_series/daily-min-temperatures.csv", "Temp", 2190, DAYS, 365),
        ("small_series/pollution.csv", "TEMP", 30_000, HOURS, 24),
        ("ett/ETTh1.csv", "OT", 8640, HOURS, 24),
        ("ett/ETTh1.csv", "HULL", 8640, HOURS, 24),
        ("nab/nyc_taxi.csv", "value", 8000, (48, 336), 336),
    ],
)
def test_real_series(real_data, file: str, column: str, rows: int, natural: tuple[int, ...], length: int) -> None:
    table = pl.read_csv(real_data / file, null_values="NA", infer_schema_length=None)
    found = find_season(table[column].cast(pl.Float64).to_numpy()[:rows], natural)
    assert (found.length, found.found) == (length, True)


def test_bitcoin_has_no_season(real_data) -> None:
    table = pl.read_csv(real_data / "bitcoin/BCHARTS-BITSTAMPUSD.csv").filter(pl.col("Close") > 0).sort("Date")
    assert not find_season(table["Close"].to_numpy(), DAYS).found
