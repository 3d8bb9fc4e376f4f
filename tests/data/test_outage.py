"""Zeros that were an outage, and zeros that were measured."""

import numpy as np
import polars as pl
import pytest

from gatework.data import load
from gatework.data.outage import constant_runs

RNG = np.random.default_rng(0)
PRICE = 100 * np.exp(np.cumsum(RNG.normal(scale=0.02, size=400)))


def outages(**columns):
    series = load(pl.DataFrame(columns), target=next(iter(columns)))
    return [finding.count for finding in series.findings if finding.kind == "outage"], series


def test_all_columns_zero():
    price, volume = PRICE.copy(), RNG.gamma(1.0, 10.0, 400)
    price[50:53] = volume[50:53] = 0
    counts, series = outages(price=price, volume=volume)
    assert counts == [3]
    assert (~series.observed[:, 0]).nonzero()[0].tolist() == [50, 51, 52]
    assert (series.y[50:53] == price[49]).all()


def test_one_column_far_from_zero():
    load_of_a_grid = RNG.normal(50.0, 1.0, 400)
    load_of_a_grid[[7, 200, 201]] = 0
    counts, series = outages(y=load_of_a_grid)
    assert counts == [3]
    lines = [finding.line() for finding in series.findings]
    assert (
        "3 values of y are zero, far below all others (row 8 … row 202), like an outage: "
        "treated as missing and carried forward" in lines
    )


def test_one_outage_is_said_in_the_singular():
    y = RNG.normal(50.0, 1.0, 400)
    y[7] = 0
    assert "1 value of y is zero, far below all others (row 8), like an outage" in [
        finding.found for finding in outages(y=y)[1].findings
    ]


RAIN = np.where(RNG.random(400) < 0.4, 0.0, RNG.gamma(1.0, 10.0, 400))
FEW_DRY = np.where(RNG.random(400) < 0.05, 0.0, RNG.gamma(1.0, 10.0, 400))
SUNDAYS = np.where(np.arange(400) % 7 == 6, 0.0, RNG.normal(100.0, 5.0, 400))
SIGNED = np.where(np.arange(400) == 9, 0.0, RNG.normal(size=400))
COUNTS = RNG.poisson(4.0, 400).astype(float)


@pytest.mark.parametrize(
    "columns",
    [
        {"rain": RAIN},
        {"rain": RAIN, "hours": RAIN / 3},
        {"rain": FEW_DRY},
        {"sales": SUNDAYS},
        {"sales": SUNDAYS, "money": SUNDAYS * 3},
        {"noise": SIGNED},
        {"count": COUNTS},
        {"price": np.where(np.arange(400) == 9, 0, PRICE), "other": PRICE},
    ],
    ids=lambda columns: ",".join(columns),
)
def test_true_zeros_stay(columns):
    counts, series = outages(**columns)
    assert counts == []
    assert series.observed.all()
    assert series.y.tolist() == next(iter(columns.values())).tolist()


def test_sunspots_keep_their_zeros(real_data):
    series = load(real_data / "small_series/monthly-sunspots.csv")
    assert series.observed.all()
    assert [finding.kind for finding in series.findings] == ["time", "step"]


def test_constant_run():
    stuck = PRICE.copy()
    stuck[100:140] = stuck[100]
    assert list(constant_runs(stuck)) == [(100, 140)]
    series = load(pl.DataFrame({"y": stuck}))
    finding = next(finding for finding in series.findings if finding.kind == "constant_run")
    assert finding.found.endswith("for 40 rows (row 101 … row 140)")
    assert series.observed.all()


@pytest.mark.parametrize("values", [PRICE, COUNTS, np.round(PRICE), RAIN, np.repeat(np.arange(20.0), 20), np.zeros(3)])
def test_usual_repetition_is_no_run(values):
    assert list(constant_runs(values)) == []


def test_zeros_of_a_floor_are_no_run():
    floored = np.concatenate([RNG.random(200) + 0.1, np.zeros(40), RNG.random(200) + 0.1])
    assert list(constant_runs(floored)) == []
    assert list(constant_runs(np.concatenate([-floored[:200], floored]))) == [(400, 440)]
