"""Forecasters that are trained at once are those that are trained one after another."""

import numpy as np
import pytest
import torch

from gatework.cells import catalogue
from gatework.data import Split
from gatework.tasks import together
from gatework.tasks.problem import Problem
from gatework.tasks.together import fit_together
from gatework.tasks.training import Settings, fit
from gatework.tasks.transform import fit as fit_transform

SEEDS = (3, 0, 8)


@pytest.fixture
def problem(series_of):
    series = series_of(np.sin(np.arange(240.0) / 3))
    return Problem(series, Split(160, 200, 240), 12, 2, fit_transform(series.values[:160], ("standard",), 2))


def alone(problem, cell, settings, widths=(6, 5)):
    return [fit(problem, catalogue[cell], widths, settings, seed) for seed in SEEDS]


def at_once(problem, cell, settings, widths=(6, 5), **options):
    return fit_together(problem, catalogue[cell], widths, settings, SEEDS, **options)


def same(one, other):
    """Sums in another order, some hundred steps of an optimizer long."""
    for key, weight in one.network.state_dict().items():
        torch.testing.assert_close(other.network.state_dict()[key], weight, rtol=1e-3, atol=1e-4, msg=key)
    for epoch, twin in zip(one.epochs, other.epochs, strict=True):
        assert (twin.train, twin.validation) == pytest.approx((epoch.train, epoch.validation), rel=1e-3, abs=1e-5)
    assert other.best_epoch == one.best_epoch


@pytest.mark.parametrize(
    ("cell", "settings"),
    [
        ("gru", Settings(epochs=3, batch=16)),
        ("lstm", Settings(epochs=3, batch=16, optimizer="sgd", learning_rate=0.5, clip=0.05, loss="mse")),
        ("clockwork", Settings(epochs=2, batch=100, optimizer="rmsprop", clip=0.0, loss="huber")),
        ("slstm", Settings(epochs=2, optimizer="adamw")),
        ("ligru", Settings(epochs=2)),
    ],
)
def test_seeds_at_once_are_those_alone(problem, cell, settings):
    for one, other in zip(alone(problem, cell, settings), at_once(problem, cell, settings), strict=True):
        same(one, other)


def test_each_ends_when_it_would_alone(problem):
    settings = Settings(epochs=12, batch=16, patience=1, learning_rate=0.05)
    expected = alone(problem, "gru", settings, (4,))
    told = []
    found = at_once(problem, "gru", settings, (4,), on_epoch=lambda k, number, epoch: told.append((k, number)))
    assert len({len(one.epochs) for one in expected}) > 1
    for one, other in zip(expected, found, strict=True):
        same(one, other)
    assert sorted(told) == [(k, 1 + n) for k, one in enumerate(expected) for n in range(len(one.epochs))]


def test_one_that_goes_astray_takes_no_other_along(problem, monkeypatch):
    begin = together.begin

    def astray(*given):
        network = begin(*given)
        if given[-1] == SEEDS[1]:
            torch.nn.init.constant_(network.readout.bias, torch.nan)
        return network

    settings = Settings(epochs=2)
    expected = alone(problem, "gru", settings)
    monkeypatch.setattr(together, "begin", astray)
    found = at_once(problem, "gru", settings)
    assert (found[1].best_epoch, len(found[1].epochs)) == (0, 1)
    for k in (0, 2):
        same(expected[k], found[k])


def test_dropout_draws_for_each(problem):
    settings = Settings(epochs=2, dropout=0.5)
    first, *rest = fit_together(problem, catalogue["gru"], (6, 5), settings, (1, 1, 2))
    weights = [one.network.readout.weight for one in (first, *rest)]
    assert not torch.allclose(weights[0], weights[1])
    assert all(weight.isfinite().all() for weight in weights)
