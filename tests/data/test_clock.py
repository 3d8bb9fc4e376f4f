"""Every way of writing a time that the loader promises to read."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from gatework.data import load
from gatework.errors import DataError

Y = [1.0, 2.0, 4.0]


def kinds(series):
    return {finding.kind: finding for finding in series.findings}


def read(stamps, name="date", **options):
    stamps = list(stamps)
    return load(pl.DataFrame({name: stamps, "y": np.arange(len(stamps)) ** 2 + 1.0}), **options)


@pytest.mark.parametrize(
    ("stamps", "first", "step"),
    [
        (["2015-01-30", "2015-01-31", "2015-02-01"], "2015-01-30", "1 day"),
        (["2015/1/9", "2015/1/10", "2015/1/11"], "2015-01-09", "1 day"),
        (["30.01.2015", "31.01.2015", "01.02.2015"], "2015-01-30", "1 day"),
        (["30 Jan 2015", "31 Jan 2015", "1 Feb 2015"], "2015-01-30", "1 day"),
        (["30-January-2015", "31-January-2015", "1-February-2015"], "2015-01-30", "1 day"),
        (["Jan 30, 2015", "Jan 31, 2015", "Feb 1, 2015"], "2015-01-30", "1 day"),
        (["2015-01-01 00:00:00", "2015-01-01 01:00:00", "2015-01-01 02:00:00"], "2015-01-01", "1 hour"),
        (["2015-01-01T00:00", "2015-01-01T00:05", "2015-01-01T00:10"], "2015-01-01", "5 minutes"),
        (["2015-01-01T00:00:00Z", "2015-01-01T01:00:00Z", "2015-01-01T02:00:00Z"], "2015-01-01", "1 hour"),
        (
            ["2015-01-01T00:00:00.000Z", "2015-01-01T00:00:00.250Z", "2015-01-01T00:00:00.500Z"],
            "2015-01-01",
            "250 milliseconds",
        ),
        (
            ["2015-01-01T01:00:00+01:00", "2015-01-01T02:00:00+01:00", "2015-01-01T03:00:00+01:00"],
            "2015-01-01",
            "1 hour",
        ),
        (["1/1/2015 11:00 PM", "1/2/2015 12:00 AM", "1/2/2015 1:00 AM"], "2015-01-01T23:00", "1 hour"),
        (["1949-01", "1949-02", "1949-03"], "1949-01-01", "1 month"),
        (["Jan 2015", "Feb 2015", "Mar 2015"], "2015-01-01", "1 month"),
        (["2015Q1", "2015Q2", "2015Q3"], "2015-01-01", "1 quarter"),
        (["2015-Q4", "2016-Q1", "2016-Q2"], "2015-10-01", "1 quarter"),
        ([1998, 1999, 2000], "1998-01-01", "1 year"),
        (["1998", "1999", "2000"], "1998-01-01", "1 year"),
        ([199811, 199812, 199901], "1998-11-01", "1 month"),
        ([20150130, 20150131, 20150201], "2015-01-30", "1 day"),
        ([2015013122, 2015013123, 2015020100], "2015-01-31T22:00", "1 hour"),
        ([201501312358, 201501312359, 201502010000], "2015-01-31T23:58", "1 minute"),
        ([1420070400, 1420070460, 1420070520], "2015-01-01", "1 minute"),
        ([1420070400000, 1420070460000, 1420070520000], "2015-01-01", "1 minute"),
        ([1420070400000000000, 1420070460000000000, 1420070520000000000], "2015-01-01", "1 minute"),
        ([dt.date(2015, 1, 31), dt.date(2015, 2, 28), dt.date(2015, 3, 31)], "2015-01-31", "1 month"),
        ([dt.datetime(2015, 1, 1, h) for h in range(3)], "2015-01-01", "1 hour"),
    ],
    ids=str,
)
def test_stamps_are_read(stamps, first, step):
    series = read(stamps)
    assert series.has_clock
    assert series.times[0] == np.datetime64(first, "us")
    assert series.step.name == step
    assert len(series.times) == len(stamps)
    assert kinds(series)["time"].found.startswith("column date holds the time")


@pytest.mark.parametrize(
    ("stamps", "first", "note"),
    [
        ([f"{d:02}/01/2015" for d in range(1, 32)], "2015-01-01", "read as day/month/year"),
        ([f"01/{d:02}/2015" for d in range(1, 32)], "2015-01-01", "read as month/day/year"),
        # Both can be read, and both are steady: the assumption is said.
        (
            [f"{m:02}/01/2015" for m in range(1, 8)],
            "2015-01-01",
            "assumed to be month/day/year, the file would allow both",
        ),
    ],
)
def test_order_of_day_and_month(stamps, first, note):
    series = read(stamps)
    assert series.times[0] == np.datetime64(first, "us")
    assert note in kinds(series)["time"].found


def test_zoned_datetimes_become_utc():
    stamps = pl.Series("date", [dt.datetime(2015, 7, 1, h) for h in range(3)]).dt.replace_time_zone("Europe/Berlin")
    series = load(pl.DataFrame({"date": stamps, "y": Y}))
    assert series.times[0] == np.datetime64("2015-06-30T22:00", "us")
    assert "converted from Europe/Berlin to UTC" in kinds(series)["time"].found


def test_split_columns():
    frame = pl.DataFrame({"year": [2015] * 3, "month": [12] * 3, "day": [31] * 3, "hour": [21, 22, 23], "y": Y})
    for options in ({}, {"time": "hour"}, {"time": "year"}):
        series = load(frame, **options)
        assert series.times[-1] == np.datetime64("2015-12-31T23", "us")
        assert series.target == "y"
        assert kinds(series)["time"].found == "columns year, month, day, hour hold the time"
    assert load(frame, features=("hour",)).values[:, 1].tolist() == [21, 22, 23]


def test_thirtieth_of_february_is_no_day():
    frame = pl.DataFrame({"year": [2015] * 4, "month": [2, 2, 2, 3], "day": [27, 28, 30, 1], "y": [1.0, 2.0, 3.0, 4.0]})
    series = load(frame)
    assert series.y.tolist() == [1.0, 2.0, 4.0]
    assert kinds(series)["no_stamp"].count == 1


def test_without_a_time_rows_count():
    series = load(pl.DataFrame({"y": Y}))
    assert not series.has_clock
    assert series.times.tolist() == [0, 1, 2]
    assert kinds(series)["time"].did == "rows taken as consecutive, in file order"


def test_counter_is_an_order():
    frame = pl.DataFrame({"k": [30, 10, 20], "y": [3.0, 1.0, 2.0]})
    assert load(frame, time="k").y.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("name", ["t", "time", "index", "id", ""])
def test_row_counter_is_no_target(name):
    series = load(pl.DataFrame({name: [1, 2, 3], "y": Y}))
    assert series.target == "y"
    assert kinds(series)["row_counter"].count == 1


def test_irregular_stamps_become_rows():
    series = read(["2015-01-01", "2015-01-02", "2015-01-04", "2015-02-11", "2015-02-17", "2016-01-05"])
    assert series.step.unit == "row"
    assert kinds(series)["irregular"].did == "rows taken as consecutive"
    assert len(series.step.after(series.times[-1], 2)) == 2


def test_numbers_called_time_are_not_believed_unless_in_order():
    frame = pl.DataFrame({"response_time": [1500, 1200, 2900, 1111], "y": [1.0, 2.0, 3.0, 5.0]})
    series = load(frame, target="y")
    assert not series.has_clock
    assert series.y.tolist() == [1.0, 2.0, 3.0, 5.0]


def test_unreadable_stamps_are_left_out():
    stamps = ["NA", *(f"2015-01-{day:02}" for day in range(1, 31))]
    series = read(stamps)
    assert len(series.y) == 30
    assert kinds(series)["no_stamp"].line() == "1 row has no stamp that can be read: left out"


def test_named_column_that_is_no_time():
    frame = pl.DataFrame({"city": ["Rome", "Bonn", "Oslo"], "y": Y})
    with pytest.raises(DataError, match=r"^cannot read column 'city' as a time, .* 'Rome'; write .*\.$"):
        load(frame, time="city")
    with pytest.raises(DataError, match=r"no column is named 'citi' \(did you mean 'city'\?\)"):
        load(frame, time="citi")
    with pytest.raises(DataError, match="no row has a stamp"):
        load(pl.DataFrame({"date": pl.Series([None] * 3, dtype=pl.Date), "y": Y}), time="date")


def test_empty_dates_are_no_clock_unless_named():
    assert not load(pl.DataFrame({"date": pl.Series([None] * 3, dtype=pl.Date), "y": Y})).has_clock


def test_clock_is_neither_target_nor_feature():
    frame = pl.DataFrame({"date": ["2015-01-01", "2015-01-02", "2015-01-03"], "y": Y})
    with pytest.raises(DataError, match=r"column 'date' .*\.$"):
        load(frame, target="date")
    with pytest.raises(DataError, match=r"column 'date' tells the time; .*encode it as numbers\.$"):
        load(frame, features=("date",))
