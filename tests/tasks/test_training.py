"""Training: it learns what can be learned, stops when it should, and gives the same numbers twice."""

import numpy as np
import pytest
import torch

from gatework.cells import catalogue
from gatework.data import Split
from gatework.tasks.forecaster import Forecaster, count
from gatework.tasks.problem import Problem
from gatework.tasks.training import LOSS_FUNCTIONS, LOSSES, OPTIMIZERS, Settings, fit, predict
from gatework.tasks.transform import fit as fit_transform


@pytest.fixture
def sine(series_of):
    series = series_of(np.sin(np.arange(240.0) / 3))
    return Problem(series, Split(160, 200, 240), 12, 2, fit_transform(series.values[:160], ("standard",), 2))


def test_a_cell_learns_a_sine(sine):
    settings = Settings(epochs=40, batch=16, learning_rate=0.01)
    result = fit(sine, catalogue["gru"], (16,), settings, seed=0)
    origins = sine.origins("test")
    error = np.abs(predict(result.network, sine, origins) - sine.future(origins)).mean()
    persistence = np.abs(sine.series.y[origins][:, None] - sine.future(origins)).mean()
    assert error < 0.3 * persistence


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(sine):
    settings = Settings(epochs=2, dropout=0.2)
    one, same, other = (fit(sine, catalogue["lstm"], (5, 4), settings, seed) for seed in (3, 3, 4))
    for key, value in one.network.state_dict().items():
        assert torch.equal(value, same.network.state_dict()[key])
    assert [epoch.validation for epoch in one.epochs] == [epoch.validation for epoch in same.epochs]
    assert not torch.equal(one.network.readout.weight, other.network.readout.weight)


def test_the_best_epoch_is_kept(sine):
    result = fit(sine, catalogue["rnn"], (8,), Settings(epochs=30, batch=8, learning_rate=0.05, patience=0), seed=1)
    losses = [epoch.validation for epoch in result.epochs]
    assert result.best_epoch == int(np.argmin(losses)) + 1
    x, y, weight = sine.tensors("validation")
    with torch.no_grad():
        again = float((torch.abs(result.network(x) - y) * weight).sum() / weight.sum())
    assert again == pytest.approx(min(losses), rel=1e-6)  # the same float32 sums, in batches of another size


def test_training_stops_after_patience_epochs_without_progress(sine):
    result = fit(sine, catalogue["rnn"], (8,), Settings(epochs=200, batch=8, learning_rate=0.05, patience=3), seed=1)
    assert len(result.epochs) < 200
    assert len(result.epochs) == result.best_epoch + 3


def test_unobserved_targets_do_not_matter(series_of):
    y = np.sin(np.arange(120.0))
    seen = np.ones(120, dtype=bool)
    seen[[50, 90]] = False
    outcomes = []
    for wrong in (0.0, 3.0):
        filled = y.copy()
        filled[[50, 90]] = wrong
        series = series_of(filled, observed=seen)
        problem = Problem(series, Split(60, 100, 120), 2, 1, fit_transform(y[:50, None], ("standard",), 1))
        train = problem.origins("train")
        keep = train[~np.isin(train, (50, 51))]  # windows that do not read the filled rows
        outcomes.append((problem.inputs(keep), problem.tensors("train")[2].sum().item()))
    np.testing.assert_array_equal(outcomes[0][0], outcomes[1][0])
    assert outcomes[0][1] == outcomes[1][1] == len(train)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_optimizer_makes_every_loss_smaller(sine, optimizer, loss):
    settings = Settings(epochs=6, optimizer=optimizer, loss=loss, batch=16, learning_rate=0.01)
    result = fit(sine, catalogue["mgu"], (6,), settings, seed=0)
    assert result.epochs[-1].train < 0.9 * result.epochs[0].train


def test_losses_are_those_of_torch():
    error = torch.linspace(-3, 3, 13)
    zero = torch.zeros_like(error)
    peers = {
        "mae": torch.nn.functional.l1_loss,
        "mse": torch.nn.functional.mse_loss,
        "huber": torch.nn.functional.huber_loss,
    }
    for name in LOSSES:
        torch.testing.assert_close(LOSS_FUNCTIONS[name](error), peers[name](error, zero, reduction="none"))


def test_an_untrained_forecaster_answers_zero():
    network = Forecaster("gru", 3, (7, 5), 4)
    assert torch.equal(network(torch.randn(6, 9, 3)), torch.zeros(6, 4))


@pytest.mark.parametrize("name", [name for name, cell in catalogue.items() if not cell.graph.square])
def test_the_count_of_a_forecaster_is_that_of_its_parameters(name):
    widths = (7, 7) if catalogue[name].graph.below else (7, 5)
    network = Forecaster(name, 3, widths, 4)
    absent = sum(int((~one).sum()) for key, one in network.named_buffers() if key.endswith("_mask"))
    assert count(catalogue[name], 3, widths, 4) == sum(one.numel() for one in network.parameters()) - absent


def test_the_guides_model():
    """Two layers of 50 and 100, dropout after each, a dense read-out. Keras' counts: GRU 7,950 + 45,600 + 101.

    Keras keeps two biases for every block; only the candidate's second one is not a duplicate: 2·50 and 2·100 fewer.
    """
    assert count(catalogue["gru"], 1, (50, 100), 1) == 7_950 - 100 + 45_600 - 200 + 101
    assert count(catalogue["lstm"], 1, (50, 100), 1) == 10_400 + 60_400 + 101
    network = Forecaster("gru", 1, (50, 100), 1, dropout=0.2)
    assert (network.recurrent.dropout, network.dropout.p) == (0.2, 0.2)
