"""Columns that tell the time, however it is written."""

import numpy as np
import polars as pl
import pytest

from gatework.data.stamps import read_stamps


@pytest.mark.parametrize(
    ("words", "first", "note"),
    [
        (["2015-01-31", "2015-02-01"], "2015-01-31", ""),
        (["1949-01", "1949-02"], "1949-01-01", ""),
        (["2016-07-01 00:30:00", "2016-07-01 01:30:00"], "2016-07-01T00:30", ""),
        # Some rows leave out the seconds.
        (["2016-07-01T00:30", "2016-07-01T01:30:15.5"], "2016-07-01T00:30", ""),
        (["2015-01-01T12:00:00+02:00", "2015-01-01T13:00:00+02:00"], "2015-01-01T10:00", "converted to UTC"),
        (["2015-01-01T12:00:00Z", "2015-01-01T13:00:00Z"], "2015-01-01T12:00", "converted to UTC"),
        (["31/01/2015", "01/02/2015"], "2015-01-31", "read as day/month/year"),
        (["01/31/2015", "02/01/2015"], "2015-01-31", "read as month/day/year"),
        (["31.01.2015", "01.02.2015"], "2015-01-31", ""),
        (["1/13/15 3:04 PM", "1/14/15 3:04 PM"], "2015-01-13T15:04", "read as month/day/year"),
        (["5-Jan-2015", "6-Jan-2015"], "2015-01-05", ""),
        (["January 5, 2015", "January 6, 2015"], "2015-01-05", ""),
        (["2015Q2", "2015Q3"], "2015-04-01", "read as quarters"),
    ],
)
def test_text(words, first, note):
    stamps = read_stamps(pl.Series(words), named=False)
    assert stamps is not None
    assert stamps.values[0] == np.datetime64(first)
    assert stamps.values[1] > stamps.values[0]
    assert stamps.note == note


def test_an_order_that_could_be_either_is_the_steadier_one_and_is_said():
    # Read day first these are months; read month first they would be days of January and one in 2016.
    words = [f"01/{month:02d}/2015" for month in range(1, 13)] + [f"01/{month:02d}/2016" for month in range(1, 13)]
    stamps = read_stamps(pl.Series(words), named=True)
    assert stamps.values[1] == np.datetime64("2015-02-01")
    assert "assumed to be day/month/year" in stamps.note


@pytest.mark.parametrize(
    ("numbers", "first", "note"),
    [
        ([1990, 1991], "1990-01-01", "read as years"),
        ([201501, 201502], "2015-01-01", "read as YYYYMM"),
        ([20150131, 20150201], "2015-01-31", "read as YYYYMMDD"),
        ([1420070400, 1420070460], "2015-01-01", "read as seconds since 1970"),
        ([1420070400000, 1420070460000], "2015-01-01", "read as milliseconds since 1970"),
    ],
)
def test_numbers_are_a_time_only_where_the_name_says_so(numbers, first, note):
    stamps = read_stamps(pl.Series(numbers), named=True)
    assert (stamps.values[0], stamps.note) == (np.datetime64(first), note)
    assert read_stamps(pl.Series(numbers), named=False) is None


def test_other_columns_are_no_time():
    assert read_stamps(pl.Series(["NW", "SE"]), named=True) is None
    assert read_stamps(pl.Series([0.5, 1.5]), named=True) is None
    assert read_stamps(pl.Series(["2015-01-01", *["soon"] * 9]), named=True) is None


def test_zoned_and_dated_columns():
    zoned = pl.Series(["2015-07-01 12:00"]).str.to_datetime().dt.replace_time_zone("Europe/Paris")
    stamps = read_stamps(zoned, named=True)
    assert (stamps.values[0], stamps.note) == (np.datetime64("2015-07-01T10:00"), "converted from Europe/Paris to UTC")
    assert read_stamps(zoned.dt.date(), named=True).values[0] == np.datetime64("2015-07-01")
