"""Gaps, and the policies that fill them: values and masks, exactly."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatework.data import load
from gatework.errors import DataError, UsageError

NAN = float("nan")
# Day 3 has no row; the target lacks days 2 and 6, the feature days 2 and 5.
GAPPY = pl.DataFrame(
    {
        "date": ["2015-01-01", "2015-01-02", "2015-01-04", "2015-01-05", "2015-01-06"],
        "y": [1.0, None, 4.0, 5.0, None],
        "f": [10.0, None, 40.0, None, 60.0],
    }
)


def gappy(missing, features=("f",), frame=GAPPY):
    return load(frame, target="y", features=features, missing=missing)


def found(series, kind):
    return [finding.line() for finding in series.findings if finding.kind == kind]


def test_carry():
    series = gappy("carry")
    assert series.values.tolist() == [[1, 10], [1, 10], [1, 10], [4, 40], [5, 40], [5, 60]]
    assert series.observed.tolist() == [[1, 1], [0, 0], [0, 0], [1, 1], [1, 0], [0, 1]]
    assert series.times.astype("datetime64[D]").astype(str).tolist() == [f"2015-01-0{day}" for day in range(1, 7)]
    assert found(series, "missing_steps") == [
        "1 step of 1 day is missing (2015-01-03): treated as missing and carried forward"
    ]


def test_interpolate_the_target_only():
    series = gappy("interpolate")
    assert series.values.tolist() == [[1, 10], [2, 10], [3, 10], [4, 40], [5, 40], [5, 60]]
    assert series.observed.tolist() == gappy("carry").observed.tolist()
    assert found(series, "missing_values")[0].endswith(": treated as missing and interpolated")


def test_features_are_said_to_be_carried_under_interpolation():
    said = [line for line in found(gappy("interpolate"), "missing_values") if " of f " in line]
    assert said == ["2 values of f are empty: treated as missing and carried forward"]


def test_drop():
    series = gappy("drop")
    assert series.values.tolist() == [[1, 10], [4, 40]]
    assert series.observed.all()
    assert series.times.astype("datetime64[D]").astype(str).tolist() == ["2015-01-01", "2015-01-04"]
    assert gappy("drop", features=()).y.tolist() == [1, 4, 5]
    assert found(series, "missing_steps") == [
        "1 step of 1 day is missing (2015-01-03): left out, the rows around them taken as consecutive"
    ]


def test_refuse():
    with pytest.raises(DataError, match=r"^cannot use 'y' .* without filling gaps: .*; choose --missing .*\.$"):
        gappy("refuse")
    whole = load(pl.DataFrame({"y": [1.0, 2.0, 4.0]}), missing="refuse")
    assert whole.y.tolist() == [1, 2, 4]


def test_refuse_a_missing_step_alone():
    frame = pl.DataFrame({"date": [f"2015-01-0{d}" for d in (1, 2, 3, 5)], "y": [1.0, 2.0, 3.0, 5.0]})
    with pytest.raises(DataError, match=r"1 step of 1 day is missing \(2015-01-04\)"):
        load(frame, missing="refuse")


def test_unknown_policy():
    with pytest.raises(UsageError, match=r"^missing='guess' is not a policy; choose one of carry, .*\.$"):
        load(GAPPY, target="y", missing="guess")


@pytest.mark.parametrize("missing", ["carry", "interpolate"])
def test_leading_rows_are_left_out_and_their_values_carried(missing):
    frame = pl.DataFrame({"y": [None, 1.0, None, None, 4.0], "f": [None, None, None, 7.0, 8.0]})
    series = gappy(missing, frame=frame)
    assert series.values.tolist() == [[1 if missing == "carry" else 3, 7], [4, 8]]
    assert series.observed.tolist() == [[False, True], [True, True]]
    assert found(series, "leading") == [
        "the first 3 rows come before every used column has a value (row 1 … row 3): left out"
    ]


def test_one_leading_row():
    series = load(pl.DataFrame({"y": [None, 1.0, 2.0]}))
    assert found(series, "leading") == ["the first row comes before every used column has a value (row 1): left out"]


def test_drop_that_leaves_nothing():
    frame = pl.DataFrame({"y": [1.0, None, 2.0, None], "f": [None, 1.0, None, 2.0]})
    with pytest.raises(DataError, match=r"dropping leaves none; choose --missing carry\.$"):
        gappy("drop", frame=frame)


def test_stamps_beside_the_grid():
    stamps = [f"2015-01-{1 + hour // 24:02} {hour % 24:02}:00" for hour in range(48)]
    stamps[7] = "2015-01-01 07:01"
    series = load(pl.DataFrame({"date": stamps, "y": np.arange(48.0) ** 2}))
    assert series.times[7] == np.datetime64("2015-01-01T07:00", "us")
    assert series.y[7] == 49
    assert found(series, "off_grid") == ["1 stamp lies beside the grid of 1 hour: moved to the nearest grid stamp"]


def test_month_ends_with_a_gap():
    stamps = ["2015-10-31", "2015-11-30", "2015-12-31", "2016-02-29", "2016-03-31"]
    series = load(pl.DataFrame({"date": stamps, "y": [1.0, 2.0, 3.0, 5.0, 6.0]}))
    assert series.times.astype("datetime64[D]").astype(str).tolist()[3:5] == ["2016-01-31", "2016-02-29"]
    assert found(series, "missing_steps")[0].startswith("1 step of 1 month is missing (2016-01)")


def test_business_days_have_no_weekend_gaps():
    days = np.busday_offset("2015-01-01", np.arange(30), roll="forward")
    kept = np.delete(days, [4, 5])
    series = load(pl.DataFrame({"date": kept.astype(str).tolist(), "y": np.arange(28.0)}))
    assert (series.times.astype("datetime64[D]") == days).all()
    assert np.flatnonzero(~series.observed[:, 0]).tolist() == [4, 5]


VALUES = st.lists(st.one_of(st.just(NAN), st.floats(-1e6, 1e6)), min_size=4, max_size=25)


@settings(max_examples=150, deadline=None)
@given(
    y=VALUES,
    lost=st.sets(st.integers(1, 23), max_size=6),
    missing=st.sampled_from(["carry", "interpolate", "drop"]),
    later=st.integers(0, 25),
)
def test_random_gaps(y, lost, missing, later):
    """No NaN is left, the mask is exact, and what is carried never depends on what comes later."""
    stamps = np.datetime64("2015-01-01") + np.arange(len(y))
    # The first days anchor the step whatever is lost behind them.
    rows = [row for row in range(len(y)) if row < 3 or row not in lost]
    values = np.array(y) + np.where(np.isin(np.abs(y), [999, 9999]), 1, 0)

    def series_of(numbers):
        return load(pl.DataFrame({"date": stamps[rows], "y": numbers[rows]}), missing=missing)

    try:
        series = series_of(values)
    except DataError:
        known = values[rows][~np.isnan(values[rows])]
        assert len(np.unique(known)) < 2
        return
    if any(finding.kind in {"outage", "coded_missing", "irregular"} for finding in series.findings):
        return
    assert np.isfinite(series.values).all()
    truth = np.full(len(y), NAN)
    truth[rows] = values[rows]
    at = (series.times - stamps[0].astype("datetime64[us]")) // np.timedelta64(1, "D")
    assert (series.observed[:, 0] == ~np.isnan(truth[at])).all()
    assert series.y[series.observed[:, 0]].tolist() == truth[at][series.observed[:, 0]].tolist()
    if missing != "carry":
        return
    changed = values.copy()
    changed[later:] = np.where(np.isnan(changed[later:]), 5.5, changed[later:] * 2 + 1)
    try:
        other = series_of(changed)
    except DataError:
        return
    if any(finding.kind in {"outage", "coded_missing", "irregular"} for finding in other.findings):
        return
    before = np.datetime64("2015-01-01", "us") + np.timedelta64(later, "D")
    ours, theirs = series.times < before, other.times < before
    assert series.y[ours].tolist() == other.y[theirs].tolist()
