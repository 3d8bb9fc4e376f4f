"""What a series is, and what its fingerprint stands for."""

from dataclasses import replace

import numpy as np
import pytest

from gatework.data import Series, Step, load


def made(**changes):
    whole = {
        "name": "s",
        "target": "y",
        "features": ("f",),
        "values": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        "observed": np.ones((3, 2), bool),
        "times": np.array(["2015-01-01", "2015-01-02", "2015-01-03"], "datetime64[us]"),
        "step": Step(1, "day"),
        "findings": (),
    }
    return Series(**{**whole, **changes})


def test_shapes_and_clock():
    series = made()
    assert series.y.tolist() == [1.0, 3.0, 5.0]
    assert series.has_clock
    assert not replace(series, times=np.arange(3)).has_clock


@pytest.mark.parametrize("name", ["values", "observed", "times"])
def test_rows_cannot_be_changed(name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(made(), name)[0] = 0


@pytest.mark.parametrize(
    "change",
    [
        {"target": "z"},
        {"features": ("g",)},
        {"target": "yf", "features": ("",)},
        {"values": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, np.nextafter(6.0, 7.0)]])},
        {"observed": np.array([[True, True], [False, True], [True, True]])},
        {"times": np.array(["2015-01-01", "2015-01-02", "2015-01-04"], "datetime64[us]")},
        {"times": np.arange(3)},
    ],
    ids=str,
)
def test_fingerprint_changes_with_content(change):
    assert made(**change).fingerprint != made().fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"missing": "drop"},
        {"values": np.asfortranarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])},
        {"times": np.array(["2015-01-01", "2015-01-02", "2015-01-03"], "datetime64[us]").astype(">M8[us]")},
    ],
    ids=str,
)
def test_fingerprint_ignores_the_rest(change):
    assert made(**change).fingerprint == made().fingerprint


def test_fingerprint_takes_zero_for_zero():
    zero, minus = np.zeros((3, 2)), np.full((3, 2), -0.0)
    assert made(values=zero).fingerprint == made(values=minus).fingerprint


def test_fingerprint_is_the_same_on_every_machine():
    assert made().fingerprint == "d3f1ba158ba54ccd663c4b5c358e069b0078d6cbf5756293a99601fd7f34ac1f"
    assert load("sunspots").fingerprint == load("sunspots").fingerprint
