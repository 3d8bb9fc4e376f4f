"""The real files, where they are at hand."""

import numpy as np
import pytest

from gatework.data import load, split

NAB = "nab/machine_temperature_system_failure.csv"


def kinds(series):
    return {finding.kind: finding for finding in series.findings}


def test_bitcoin(real_data):
    path = real_data / "bitcoin/BCHARTS-BITSTAMPUSD.csv"
    series = load(path, target="Close")
    assert kinds(series)["outage"].line() == (
        "21 rows are all zero (2011-09-30 … 2015-01-08), like an outage: treated as missing and carried forward"
    )
    assert "(2020-12-30 … 2021-01-07)" in kinds(series)["missing_steps"].found
    assert kinds(series)["missing_steps"].count == 9
    assert (len(series.y), series.observed.sum(), series.step.name) == (3569, 3539, "1 day")
    assert series.y.min() > 0
    parts = split(series)
    assert series.observed[parts.validation_end :, 0].sum() == 708
    dropped = load(path, target="Close", missing="drop")
    assert len(dropped.y) == 3539
    # A figure that was published with the file: tomorrow = today on the last fifth.
    errors = np.abs(np.diff(dropped.y))[-708:]
    assert errors.mean() == pytest.approx(581.6, abs=0.05)


@pytest.mark.parametrize(
    ("path", "target", "rows", "observed", "step", "expected"),
    [
        ("small_series/airline-passengers.csv", None, 144, 144, "1 month", set()),
        ("small_series/monthly-sunspots.csv", None, 2820, 2820, "1 month", set()),
        ("small_series/daily-min-temperatures.csv", None, 3652, 3650, "1 day", {"missing_steps"}),
        ("small_series/pollution.csv", "pm2.5", 43800, 41757, "1 hour", {"coded_missing", "leading", "non_numeric"}),
        ("ett/ETTh1.csv", "OT", 17420, 17420, "1 hour", {"constant_run"}),
        ("nab/nyc_taxi.csv", None, 10320, 10320, "30 minutes", set()),
        ("nab/machine_temperature_system_failure.csv", None, 22683, 22683, "5 minutes", {"unsorted", "duplicates"}),
        ("nab/ambient_temperature_system_failure.csv", None, 7888, 7267, "1 hour", {"missing_steps"}),
        ("exchange_rate/exchange_rate.txt.gz", "c1", 7588, 7588, "1 row", {"headerless"}),
    ],
)
def test_the_others(real_data, path, target, rows, observed, step, expected):
    series = load(real_data / path, target=target)
    assert (len(series.y), int(series.observed.sum()), series.step.name) == (rows, observed, step)
    assert expected <= set(kinds(series))
    assert "outage" not in kinds(series)
    assert np.isfinite(series.values).all()


def test_true_zeros_of_the_sun_stay(real_data):
    series = load(real_data / "small_series/monthly-sunspots.csv")
    assert (series.y == 0).sum() == 67
    assert series.times[0] == np.datetime64("1749-01-01")


def test_polluted_hours(real_data):
    series = load(real_data / "small_series/pollution.csv", target="pm2.5")
    found = kinds(series)
    assert (found["coded_missing"].count, found["leading"].count) == (2067, 24)
    assert "cbwd" in found["non_numeric"].found
