"""A study on a GPU trains the seeds of a cell at once; here a processor takes its place."""

import pytest
import torch

import gatework as gw
from gatework.errors import UsageError
from gatework.study import trial
from gatework.study.study import Listener
from gatework.tasks.together import fit_together

ASKED = {"cells": ("rnn", "gru"), "seeds": 3, "epochs": 2, "window": 12, "params": 300, "depth": 1}


class Told(Listener):
    def __init__(self):
        self.events = []

    def started(self, trial):
        self.events.append(("started", trial.name, trial.seed))

    def finished(self, trial, outcome):
        self.events.append(("finished", trial.name, trial.seed))


@pytest.fixture
def as_a_gpu(monkeypatch):
    calls = []

    def fit(*given, device, **options):
        assert device == "cuda"
        calls.append((given[1].name, tuple(given[4])))
        return fit_together(*given, device="cpu", **options)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(trial, "fit_together", fit)
    return calls


def test_the_same_forecasts_as_one_after_another(as_a_gpu, tmp_path):
    told = Told()
    together = gw.compare("sunspots", device="cuda", out=tmp_path / "together", listener=told, **ASKED)
    assert as_a_gpu == [("rnn", (0, 1, 2)), ("gru", (0, 1, 2))]
    expected = [(what, cell, k) for cell in ("rnn", "gru") for what in ("started", "finished") for k in range(3)]
    assert told.events == expected
    alone = gw.compare("sunspots", out=tmp_path / "alone", **ASKED)
    errors = [{row["name"]: row["mae"] for row in one.leaderboard().to_dicts()} for one in (together, alone)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)  # two epochs of float32 sums in another order
    assert together.record["settings"]["device"] == "cuda"
    assert together.record["versions"]["machine"].endswith(", a GPU")


def test_it_goes_on_where_it_stopped(as_a_gpu, tmp_path):
    gw.compare("sunspots", device="cuda", out=tmp_path, **ASKED)
    as_a_gpu.clear()
    gw.compare("sunspots", device="cuda", out=tmp_path, **{**ASKED, "seeds": 5})
    assert as_a_gpu == [("rnn", (3, 4)), ("gru", (3, 4))]


def test_not_too_many_at_once(monkeypatch):
    monkeypatch.setattr(trial, "MEMBERS", 2)

    class One:
        def __init__(self, name, seed):
            self.name, self.seed = name, seed

    trials = [One(name, seed) for seed in range(3) for name in ("a", "b")]
    groups = [[(one.name, one.seed) for one in group] for group in trial.together(trials, "cuda")]
    assert groups == [[("a", 0), ("a", 1)], [("a", 2)], [("b", 0), ("b", 1)], [("b", 2)]]
    assert [len(group) for group in trial.together(trials, "cpu")] == [1] * 6


def test_without_a_gpu_the_reason_is_told_and_nothing_written(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"^--device is cuda, and torch finds no GPU here: leave it out to train on"):
        gw.compare("sunspots", device="cuda", out=tmp_path / "run", **ASKED)
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match=r"^--device is 'tpu': choose one of cpu, cuda\.$"):
        gw.compare("sunspots", device="tpu", **ASKED)
