"""Steps against calendars known without them."""

import calendar
import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatework.data.step import Step, fixed_step
from gatework.errors import UsageError


def days(step, last, n):
    return [str(day) for day in step.after(np.datetime64(last), n).astype("datetime64[D]")]


def test_month_ends_stay_month_ends():
    assert days(Step(1, "month", 31), "2016-01-31", 4) == ["2016-02-29", "2016-03-31", "2016-04-30", "2016-05-31"]
    assert days(Step(1, "month", 31), "2015-02-28", 2) == ["2015-03-31", "2015-04-30"]


def test_thirtieth_is_clipped_in_february_only():
    assert days(Step(1, "month", 30), "2015-01-30", 3) == ["2015-02-28", "2015-03-30", "2015-04-30"]


def test_quarters_and_years():
    assert days(Step(1, "quarter"), "2015-10-01", 3) == ["2016-01-01", "2016-04-01", "2016-07-01"]
    assert days(Step(1, "quarter", 31), "2015-12-31", 2) == ["2016-03-31", "2016-06-30"]
    assert days(Step(1, "year", 29), "2016-02-29", 4) == ["2017-02-28", "2018-02-28", "2019-02-28", "2020-02-29"]
    assert days(Step(5, "year"), "1999-07-01", 2) == ["2004-07-01", "2009-07-01"]


def test_weekdays_skip_the_weekend():
    # 2015-01-01 was a Thursday.
    assert days(Step(1, "weekday"), "2015-01-01", 4) == ["2015-01-02", "2015-01-05", "2015-01-06", "2015-01-07"]


def test_leap_day():
    assert days(Step(1, "day"), "2016-02-28", 2) == ["2016-02-29", "2016-03-01"]
    assert days(Step(1, "week"), "2016-02-25", 2) == ["2016-03-03", "2016-03-10"]


@pytest.mark.parametrize(
    ("unit", "second"),
    [("microsecond", "00.000002"), ("millisecond", "00.002000"), ("second", "02"), ("minute", None), ("hour", None)],
)
def test_units_of_fixed_length(unit, second):
    start = np.datetime64("2015-12-31T23:00:00", "us")
    ahead = {"minute": "2015-12-31T23:02:00", "hour": "2016-01-01T01:00:00"}.get(unit, f"2015-12-31T23:00:{second}")
    assert Step(2, unit).after(start, 1)[0] == np.datetime64(ahead, "us")


def test_clock_time_is_kept():
    stamps = Step(1, "month", 31).after(np.datetime64("2015-01-31T16:30"), 2)
    assert stamps.tolist() == [dt.datetime(2015, 2, 28, 16, 30), dt.datetime(2015, 3, 31, 16, 30)]
    stamps = Step(1, "weekday").after(np.datetime64("2015-01-02T16:30"), 1)
    assert stamps.tolist() == [dt.datetime(2015, 1, 5, 16, 30)]


def test_rows():
    assert Step(1, "row").after(9, 3).tolist() == [10, 11, 12]
    assert Step(1, "row").after(np.int64(9), 1).dtype == np.int64


@settings(deadline=None)
@given(start=st.dates(dt.date(1800, 1, 1), dt.date(2200, 1, 1)), months=st.integers(1, 30), n=st.integers(1, 12))
def test_months_against_the_standard_library(start, months, n):
    turn = start.year * 12 + start.month - 1 + months * n
    year, month = divmod(turn, 12)
    expected = dt.date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))
    assert Step(months, "month").after(np.datetime64(start), n)[-1] == np.datetime64(expected, "us")


@settings(deadline=None)
@given(start=st.dates(dt.date(1800, 1, 1), dt.date(2200, 1, 1)), n=st.integers(1, 40))
def test_weekdays_against_the_standard_library(start, n):
    expected = [start + dt.timedelta(k) for k in range(1, 80) if (start + dt.timedelta(k)).weekday() < 5][:n]
    found = Step(1, "weekday").after(np.datetime64(start), n).astype("datetime64[D]").tolist()
    assert found == expected


UNITS = ["second", "minute", "hour", "day", "week", "month", "quarter", "year", "weekday"]


@settings(deadline=None)
@given(unit=st.sampled_from(UNITS), count=st.integers(1, 3), n=st.integers(0, 200))
def test_positions_undo_at(unit, count, n):
    step = Step(count, unit, 31 if unit in {"month", "quarter", "year"} else 0)
    origin = np.datetime64("2015-12-31T10:00", "us")
    assert step.positions(step.at(origin, np.arange(n + 1)), origin).tolist() == list(range(n + 1))


def test_seasons():
    assert Step(1, "hour").seasons == (24, 168)
    assert Step(30, "minute").seasons == (48, 336)
    assert Step(1, "second").seasons == (3600, 86400)
    assert Step(1, "day").seasons == (7, 365)
    assert Step(1, "weekday").seasons == (5, 260)
    assert Step(1, "month").seasons == (12,)
    assert Step(1, "quarter").seasons == (4,)
    assert Step(1, "year").seasons == Step(1, "row").seasons == ()
    assert Step(7, "minute").seasons == (1440,)


def test_names():
    assert [Step(1, "day").name, Step(2, "week").name] == ["1 day", "2 weeks"]
    assert fixed_step(90_000_000) == Step(90, "second")
    assert fixed_step(14 * 86_400_000_000) == Step(2, "week")


@pytest.mark.parametrize(("count", "unit"), [(1, "fortnight"), (0, "day"), (-1, "day")])
def test_nonsense_is_refused(count, unit):
    with pytest.raises(UsageError, match=r"^cannot make a step of .*\.$"):
        Step(count, unit)
