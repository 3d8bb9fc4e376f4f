"""The sequences of the memory tasks are what the papers say, and the page is written from what was kept."""

import math

import memory_tasks
import pytest
import torch
from memory_tasks import TASKS, adding, called, copy, nats, page, recalled, settings, trial, within
from trials import Store

from gatework.cells import find


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_sum_is_of_one_marked_number_in_each_half():
    x, y = adding(30, 500, generator())
    assert x.shape == (30, 500, 2)
    for b in range(500):
        numbers = x[:, b].tolist()
        marks = [t for t, (_, mark) in enumerate(numbers) if mark]
        assert len(marks) == 2
        assert marks[0] < 15 <= marks[1]
        assert {mark for _, mark in numbers} == {0.0, 1.0}
        assert float(y[b]) == pytest.approx(sum(numbers[t][0] for t in marks))
    assert 0 <= float(x.min()) <= float(x.max()) <= 1


def test_every_step_can_be_marked():
    x, _ = adding(10, 2000, generator())
    assert bool((x[..., 1].sum(1) > 0).all())


def test_who_always_says_one_errs_by_a_sixth():
    _, y = adding(200, 20_000, generator())
    # The variance of a squared error of this law is 7/180: four deviations of the mean of 20,000.
    assert float(((y - 1) ** 2).mean()) == pytest.approx(TASKS["adding"].baseline, abs=4 * math.sqrt(7 / 180 / 20_000))


def test_the_copy_task_is_laid_out_as_in_the_paper():
    x, y = copy(5, 40, generator())
    assert x.shape == (25, 40, 10)
    assert y.shape == (25, 40)
    given = x.argmax(-1)
    assert bool((x.sum(-1) == 1).all())
    for b in range(40):
        letters, blanks, rest = given[:10, b].tolist(), given[10:14, b].tolist(), given[14:, b].tolist()
        assert set(letters) <= set(range(8))
        assert blanks == [8] * 4
        assert rest == [9] + [8] * 10
        assert y[:, b].tolist() == [8] * 15 + letters
    assert set(given[:10].flatten().tolist()) == set(range(8))


def test_the_copy_baseline_is_that_of_who_guesses_letters():
    x, y = copy(100, 50, generator())

    def forgetful(x, *, last):
        shown = torch.full((*x.shape[:2], 9), -torch.inf)
        shown[:-10, :, 8] = 0
        shown[-10:, :, :8] = 0
        return shown

    assert float(nats(forgetful, (x, y))) == pytest.approx(TASKS["copy"].baseline, rel=1e-6)
    assert TASKS["copy"].length == len(x) == 120


def test_shares_of_right_answers():
    x, y = copy(5, 1000, generator())
    assert recalled(lambda x, *, last: torch.nn.functional.one_hot(y, 9).float(), (x, y)) == 1
    # A constant letter is right one time in eight: four deviations of the mean of 10,000.
    assert recalled(lambda x, *, last: torch.eye(9)[0].expand(25, 1000, 9), (x, y)) == pytest.approx(0.125, abs=0.0133)
    x, y = adding(8, 4, generator())
    wrong = torch.tensor([0.0, 0.039, -0.041, 0.5])
    assert within(lambda x, *, last: (y + wrong)[:, None], (x, y)) == 0.5


def test_cells_that_know_how_long_a_sequence_is():
    assert find(called("lmu", 200)).name == "lmu(theta=200)"
    assert find(called("janet", 120)).name == "janet(longest=120)"
    assert called("gru", 120) == "gru"


def test_every_cell_of_the_experiment_is_there_once():
    assert len(set(memory_tasks.CELLS)) == len(memory_tasks.CELLS)
    assert [find(cell).title for cell in memory_tasks.CELLS]


def test_a_trial_is_trained_once(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_tasks, "CHECK", 2)
    monkeypatch.setattr(memory_tasks, "UNSEEN", 20)
    store, task = Store(tmp_path / "trials.jsonl"), TASKS["adding"]
    short = type(task)(**{**vars(task), "steps": 4, "T": 12, "hidden": 4})
    for _ in range(2):
        trial(store, short, "rnn", 1e-2, 0)
    (record,) = store.records()
    assert record["settings"] == settings(short, "rnn", 1e-2, 0)
    assert record["result"]["steps"] == 4
    assert len(record["result"]["curve"]) == 2
    assert record["result"]["finite"]
    assert not record["result"]["solved"]


def made(task, cell, rate, seed, loss, steps):
    return {
        "settings": settings(task, cell, rate, seed),
        "result": {
            "parameters": 1234,
            "steps": steps,
            "seconds": 0.004 * steps,
            "finite": True,
            "curve": [],
            "loss": loss,
            "correct": 0.5,
            "solved": loss < task.solved,
        },
        "date": "2026-01-31",
        "versions": {"torch": "2.0", "machine": "here"},
    }


def test_the_page_says_who_solves_what():
    add, copying = TASKS["adding"], TASKS["copy"]
    records = [made(task, cell, 3e-3, 1000, 0.1, 500) for task in (add, copying) for cell in ("gru", "lstm")]
    for seed in range(2):
        records += [made(add, cell, add.rate, seed, 0.002, 300 + 200 * seed) for cell in ("gru", "mgu")]
        records += [made(add, "lstm", add.rate, seed, 0.004 if seed else 0.17, 2000)]
        records += [made(add, "rnn", add.rate, seed, 0.17, 2000), made(add, "rnn", 0.5, seed, 0.001, 1)]
        records += [made(copying, "gru", copying.rate, seed, 0.14, 2000)]
    text = page(records, 2)
    first, second = text.split("## Copy task")
    assert "2026-01-31, torch 2.0, machine here" in text
    assert "Solved from every seed by `gru` and `mgu`; from some by `lstm`." in " ".join(first.split())
    assert "No memory shown, from one seed at least: `rnn`." in " ".join(first.split())
    assert "| `gru` | 1,234 | 2 of 2 | 400 | 0.0020 / 0.0020 | 0.500 | 4.0 |" in first
    assert "| `rnn` | 1,234 | 0 of 2 | – |" in first
    assert first.index("| `gru`") < first.index("| `lstm`") < first.index("| `rnn`")
    assert "98 % of the baseline's loss: `gru`." in " ".join(second.split())
