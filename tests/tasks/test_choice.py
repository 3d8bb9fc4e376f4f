"""The transform is chosen by a rule that looks at the training and the validation part alone."""

import numpy as np
import pytest

from gatework.data import Split
from gatework.errors import UsageError
from gatework.tasks.choice import choose_transform

PARTS = Split(300, 400, 500)


def walk(scale=1.0):
    return np.cumsum(np.random.default_rng(0).normal(size=500)) * scale


def test_a_series_that_keeps_to_its_range_may_be_read_as_it_is(series_of):
    noise = np.random.default_rng(0).normal(size=500)
    assert choose_transform(series_of(noise), PARTS, 20, 1).columns == ("standard",)


def test_levels_are_ruled_out_where_validation_leaves_the_training_range(series_of):
    trend = np.arange(500.0) + np.random.default_rng(0).normal(size=500)
    choice = choose_transform(series_of(trend), PARTS, 20, 1)
    assert choice.columns != ("standard",)
    assert "standard is ruled out" in choice.why


def test_growth_by_per_cents_is_read_by_logarithms(series_of):
    growth = np.exp(np.arange(500) * 0.02 + 0.5 * np.sin(np.arange(500) / 3))
    assert choose_transform(series_of(growth), PARTS, 20, 1).columns == ("log-return",)


def test_a_series_below_zero_has_no_logarithm(series_of):
    assert "log-return needs a positive series" in choose_transform(series_of(walk()), PARTS, 20, 1).why


def test_the_test_part_decides_nothing(series_of):
    y = walk() + 100
    other = y.copy()
    other[400:] = 1e6
    assert choose_transform(series_of(y), PARTS, 20, 1) == choose_transform(series_of(other), PARTS, 20, 1)


def test_the_reason_names_every_error(series_of):
    why = choose_transform(series_of(np.random.default_rng(0).normal(size=500)), PARTS, 20, 1).why
    assert all(name in why for name in ("standard", "window", "difference"))


def test_features_follow_the_target(series_of):
    series = series_of(np.exp(walk(0.01)), {"level": np.ones(500), "signed": walk()})
    assert choose_transform(series, PARTS, 20, 1, "log-return").columns == (
        "log-return",
        "log-return",
        "difference",
    )
    assert choose_transform(series, PARTS, 20, 1, "window").columns == ("window",) * 3


def test_an_unknown_transform_is_refused(series_of):
    with pytest.raises(UsageError, match="no transform 'minmax'"):
        choose_transform(series_of(walk()), PARTS, 20, 1, "minmax")
