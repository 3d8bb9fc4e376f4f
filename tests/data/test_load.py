"""The loader as a whole: what it finds in real files, and that order does not matter."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatework.data import load
from gatework.errors import DataError


def found(series):
    return [(finding.kind, finding.count) for finding in series.findings if finding.kind not in {"time", "step"}]


def lines(series):
    return [finding.line() for finding in series.findings]


REAL = {
    "small_series/airline-passengers.csv": ({}, 144, 144, "1 month", []),
    "small_series/monthly-sunspots.csv": ({}, 2820, 2820, "1 month", []),
    "small_series/daily-min-temperatures.csv": ({}, 3652, 3650, "1 day", [("missing_steps", 2)]),
    "small_series/pollution.csv": (
        {"target": "pm2.5", "features": ("DEWP", "TEMP")},
        43_800,
        43_824 - 2067,
        "1 hour",
        [("row_counter", 1), ("non_numeric", 1), ("coded_missing", 2067), ("leading", 24)],
    ),
    "nab/machine_temperature_system_failure.csv": (
        {},
        22_683,
        22_683,
        "5 minutes",
        [("unsorted", 1), ("duplicates", 12)],
    ),
    "nab/ambient_temperature_system_failure.csv": ({}, 7888, 7267, "1 hour", [("missing_steps", 621)]),
    "nab/nyc_taxi.csv": ({}, 10_320, 10_320, "30 minutes", []),
    "nab/ec2_request_latency_system_failure.csv": (
        {},
        4033,
        4020,
        "5 minutes",
        [("duplicates", 11), ("missing_steps", 13), ("off_grid", 1)],
    ),
    "exchange_rate/exchange_rate.txt.gz": ({"target": "c1"}, 7588, 7588, "1 row", [("headerless", 8)]),
}


@pytest.mark.parametrize("path", REAL)
def test_real_files(real_data, path):
    options, rows, observed, step, findings = REAL[path]
    series = load(real_data / path, **options)
    assert (len(series.y), int(series.observed[:, 0].sum()), series.step.name) == (rows, observed, step)
    assert found(series) == findings


def test_bitcoin(real_data):
    path = real_data / "bitcoin/BCHARTS-BITSTAMPUSD.csv"
    series = load(path, target="Close")
    assert found(series) == [("outage", 21), ("missing_steps", 9)]
    assert len(series.y) == 3569
    assert series.observed.sum() == 3539
    assert series.y.min() > 0
    gap = slice(np.flatnonzero(~series.observed[:, 0])[-9], None)
    assert str(series.times[gap][0])[:10] == "2020-12-30"
    assert (series.y[gap][:9] == series.y[gap.start - 1]).all()
    dropped = load(path, target="Close", missing="drop")
    assert dropped.values.shape == (3539, 1)
    assert dropped.y.tolist() == series.y[series.observed[:, 0]].tolist()
    drawn = load(path, target="Close", missing="interpolate")
    assert (np.diff(drawn.y[gap.start - 1 : gap.start + 10]) != 0).all()
    with pytest.raises(DataError, match=r"^cannot use 'Close' .*21 rows are all zero .*\.$"):
        load(path, target="Close", missing="refuse")


def test_temperatures_lack_the_last_day_of_leap_years(real_data):
    series = load(real_data / "small_series/daily-min-temperatures.csv")
    lost = series.times[~series.observed[:, 0]].astype("datetime64[D]").astype(str).tolist()
    assert lost == ["1984-12-31", "1988-12-31"]


def test_etth1(real_data):
    series = load(real_data / "ett/ETTh1.csv", target="OT", features=("HUFL", "LULL"))
    assert series.values.shape == (17_420, 3)
    assert series.observed.all()
    assert {kind for kind, _ in found(series)} == {"constant_run"}


def test_bundled_series():
    assert (len(load("co2").y), load("co2").step.name) == (2284, "1 week")
    assert found(load("co2")) == [("missing_values", 59)]
    assert found(load("sunspots")) == []
    assert found(load("sine")) == [("formula", 2000)]


def test_duplicates_keep_the_last_row():
    frame = pl.DataFrame(
        {
            "date": ["2015-01-01", "2015-01-03", "2015-01-02", "2015-01-02", "2015-01-04", "2015-01-04"],
            "y": [1.0, 3.0, 9.0, 2.0, 4.0, 4.0],
        }
    )
    series = load(frame)
    assert series.y.tolist() == [1, 2, 3, 4]
    assert series.observed.all()
    assert "1 row is older than the row above: sorted by time" in lines(series)
    assert (
        "2 rows share their stamp with a later row, 1 of them with other values: the last row of each stamp kept"
        in lines(series)
    )
    once = load(frame.head(4))
    assert (
        "1 row shares its stamp with a later row, 1 of them with other values: the last row of each stamp kept"
        in lines(once)
    )


def test_several_series_below_each_other_are_refused():
    frame = pl.DataFrame({"date": ["2015-01-01", "2015-01-02"] * 3, "y": [1.0, 2.0, 30.0, 40.0, 500.0, 600.0]})
    with pytest.raises(DataError, match=r"^6 rows share 2 stamps \(such as 2015-01-01\), .*\.$"):
        load(frame)


def test_features_are_checked():
    frame = pl.DataFrame({"y": [1.0, 2.0, 4.0], "wind": [1.0, 2.0, 3.0], "city": ["a", "b", "c"]})
    assert load(frame, target="y", features="wind").features == ("wind",)
    assert load(frame, target="y", features=["wind", "wind"]).features == ("wind",)
    for feature, message in {
        "wnd": r"named 'wnd' \(did you mean 'wind'\?\), so it cannot be a feature",
        "y": "column 'y' is the target",
        "city": r"column 'city' holds text such as 'a' \(row 1\)",
    }.items():
        with pytest.raises(DataError, match=rf"^[^\n]*{message}[^\n]*\.$"):
            load(frame, target="y", features=(feature,))


def test_target_is_suggested():
    frame = pl.DataFrame({"Open": [1.0, 2.0], "Close": [2.0, 3.0]})
    with pytest.raises(DataError, match=r"^no column .* named 'close' \(did you mean 'Close'\?\), .*Open, Close\.$"):
        load(frame, target="close")
    with pytest.raises(DataError, match=r"^2 columns of dataframe hold numbers; .*--target: Open, Close\.$"):
        load(frame)


def test_name():
    assert load(pl.DataFrame({"y": [1.0, 2.0]})).name == "dataframe"
    assert load(pl.DataFrame({"y": [1.0, 2.0]}), name="mine").name == "mine"


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n=st.integers(4, 40), unit=st.sampled_from(["h", "D", "M"]))
def test_order_of_rows_does_not_matter(data, n, unit):
    stamps = (np.datetime64("2015-01", unit) + np.arange(n)).astype("datetime64[us]")
    y = data.draw(st.lists(st.one_of(st.none(), st.integers(-50, 50)), min_size=n, max_size=n))
    y[:2] = [1, 2]
    order = data.draw(st.permutations(range(n)))
    frame = pl.DataFrame({"date": stamps, "y": y, "f": np.arange(float(n))})
    for missing in ("carry", "interpolate", "drop"):
        straight = load(frame, target="y", features=("f",), missing=missing)
        shuffled = load(frame[order], target="y", features=("f",), missing=missing)
        assert shuffled.fingerprint == straight.fingerprint
        assert shuffled.step == straight.step
