"""The step found in stamps."""

import numpy as np
import pandas as pd
import pytest

from gatework.data.spacing import find_spacing
from gatework.data.step import Step


def stamps(start, freq, n=60):
    return pd.date_range(start, periods=n, freq=freq).to_numpy("datetime64[us]")


@pytest.mark.parametrize(
    ("start", "freq", "step"),
    [
        ("2015-01-31", "ME", Step(1, "month", 31)),
        ("2015-02-28", "ME", Step(1, "month", 31)),
        ("2015-01-01", "MS", Step(1, "month", 1)),
        ("2015-01-01", "QS", Step(1, "quarter", 1)),
        ("2015-03-31", "QE", Step(1, "quarter", 31)),
        ("1990-01-01", "YS", Step(1, "year", 1)),
        ("1990-12-31", "YE", Step(1, "year", 31)),
        ("2015-01-04", "W-SUN", Step(1, "week")),
        ("2015-01-05", "2W-MON", Step(2, "week")),
        ("2015-01-01", "B", Step(1, "weekday")),
        ("2015-01-01", "D", Step(1, "day")),
        ("2015-01-01", "h", Step(1, "hour")),
        ("2015-01-01", "15min", Step(15, "minute")),
        ("2015-01-01", "250ms", Step(250, "millisecond")),
        ("2015-01-01", "2MS", Step(2, "month", 1)),
    ],
)
def test_regular_stamps(start, freq, step):
    spacing = find_spacing(stamps(start, freq))
    assert (spacing.step, spacing.share) == (step, 1.0)


def test_last_business_days_are_months():
    assert find_spacing(stamps("2015-01-30", "BME")).step == Step(1, "month", 31)


def test_gaps_do_not_hide_the_step():
    hourly = stamps("2015-01-01", "h", 500)
    assert find_spacing(np.delete(hourly, [3, 40, 41, 42, 300])).step == Step(1, "hour")


def test_daylight_saving_does_not_hide_the_day():
    local = pd.date_range("2015-01-01", periods=730, freq="D", tz="Europe/Berlin").tz_convert("UTC")
    assert find_spacing(local.tz_localize(None).to_numpy("datetime64[us]")).step == Step(1, "day")


def test_irregular_stamps_have_no_step():
    rng = np.random.default_rng(0)
    wild = np.sort(rng.choice(10**12, 200, replace=False)).astype("datetime64[us]")
    assert find_spacing(wild).step == Step(1, "row")


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_stamps(n):
    assert find_spacing(stamps("2015-01-01", "D", n)).step == Step(1, "row")


def test_one_far_stamp_makes_no_endless_grid():
    far = np.array(["2015-01-01T00:00:00", "2015-01-01T00:00:01", "2999-01-01T00:00:00"], "datetime64[us]")
    assert find_spacing(far).step == Step(1, "row")
