"""Splits count what was observed."""

import numpy as np
import pytest

from gatework.data import Split, load, split
from gatework.errors import UsageError


def test_fractions_and_counts(series_of):
    series = series_of(np.arange(100.0))
    assert split(series) == Split(65, 80, 100)
    assert split(series, test=10, validation=5) == Split(85, 90, 100)
    assert split(series, test=10.0, validation=np.int64(5)) == Split(85, 90, 100)


def test_only_observed_rows_count(series_of):
    observed = np.arange(100) % 2 == 0
    parts = split(series_of(np.arange(100.0), observed=observed), test=0.2, validation=0.2)
    assert parts == Split(60, 80, 100)
    assert observed[parts.validation_end :].sum() == observed[parts.train_end : parts.validation_end].sum() == 10


def test_bitcoin_ends_with_708_observed_rows(real_data):
    for missing in ("carry", "interpolate", "drop"):
        series = load(real_data / "bitcoin/BCHARTS-BITSTAMPUSD.csv", target="Close", missing=missing)
        assert series.observed[split(series).validation_end :, 0].sum() == 708


@pytest.mark.parametrize("part", [0, -1, -0.2, float("nan"), float("inf"), True, False, np.True_, 1.5, "0.2", None])
@pytest.mark.parametrize("name", ["test", "validation"])
def test_nonsense_is_refused(series_of, part, name):
    with pytest.raises(UsageError, match=rf"^{name}=.*\.2\.$"):
        split(series_of(np.arange(100.0)), **{name: part})


def test_less_than_a_row(series_of):
    with pytest.raises(UsageError, match="less than one row"):
        split(series_of(np.arange(10.0)), test=0.01)


@pytest.mark.parametrize(("test", "validation"), [(0.6, 0.5), (50, 50), (0.5, 0.5), (1000, 1), (10**30, 1)])
def test_parts_that_leave_nothing(series_of, test, validation):
    with pytest.raises(UsageError, match="leaves none to train on"):
        split(series_of(np.arange(100.0)), test=test, validation=validation)
