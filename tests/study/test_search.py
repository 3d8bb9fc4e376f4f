"""A search from its question to its answer, and what it leaves."""

import json
import shutil

import optuna
import pytest

from gatework.cells import find
from gatework.errors import RunFolderError, TrainingError, UsageError
from gatework.study import Options, compare
from gatework.study import search as module
from gatework.study.halving import FIRST_SEED, Trained
from gatework.study.plan import make_plan
from gatework.study.search import Watch, _look, search
from gatework.study.search_options import SearchOptions, search_command
from gatework.tasks.problem import Problem

QUICK = {"epochs": 3, "window": 12, "params": 400, "seeds": 2, "start": ("rnn", "mgu"), "beside": ("rnn",)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return search("sunspots", candidates=4, out=tmp_path_factory.mktemp("search") / "run", **QUICK)


def trainings(folder):
    study = optuna.load_study(study_name="gatework", storage=f"sqlite:///{folder / 'trials.db'}")
    return [one.user_attrs for one in study.trials]


def test_the_record_says_what_was_tried_and_what_was_found(made):
    record = json.loads((made.folder / "search.json").read_text())
    assert record == json.loads(json.dumps(made.record))
    assert record["verdict"] == made.verdict()
    assert len(record["candidates"]) == 4
    assert record["funnel"] == [4, 2]
    assert [one["cell"] for one in record["starts"]] == ["rnn", "mgu"]
    assert all(abs(one["parameters"] - 400) < 60 for one in record["candidates"])
    assert record["found"][0]["candidate"] == record["candidates"][0]["cell"]
    assert record["command"].startswith("gatework search sunspots --window 12 --params 400 --seeds 2 --epochs 3 --out ")
    assert record["command"].endswith("--candidates 4 --start rnn,mgu --beside rnn")


def test_the_found_cell_is_a_file_and_stands_in_a_study_of_its_own(made):
    found = find(f"{made.folder / 'found.py'}:found_1")
    (best,) = made.findings.best(1)
    assert found.graph.to_json()["states"] == best.cell.graph.states
    assert found.source == "found by gatework search in sunspots"
    names = [row["cell"] for row in made.study.record["leaderboard"]]
    assert sorted(names) == ["found_1", "rnn"]
    assert (made.folder / "comparison" / "report.html").exists()
    assert "found.py:found_1" in made.study.record["command"]


def test_seeds_of_the_search_are_not_those_of_the_judgement(made):
    searched = {one["seed"] for one in trainings(made.folder)}
    judged = {curve["seed"] for curves in made.study.record["curves"].values() for curve in curves}
    assert searched == {FIRST_SEED, FIRST_SEED + 1}
    assert judged == {0, 1}


def test_the_search_never_reads_the_test_part(monkeypatch, tmp_path):
    asked = SearchOptions(candidates=1, start=("rnn",), beside=("rnn",))
    plan = make_plan("sunspots", Options(cells=("rnn",), epochs=2, window=12, params=300))
    origins = Problem.origins

    def watched(self, part):
        assert part != "test"
        return origins(self, part)

    monkeypatch.setattr(Problem, "origins", watched)
    findings = _look(plan, asked, asked.cells(), tmp_path / "run", Watch())
    assert len(findings.candidates) == 1


def test_the_same_call_trains_nothing_again_and_more_candidates_go_on(made, monkeypatch, tmp_path):
    folder = shutil.copytree(made.folder, tmp_path / "run")
    before = trainings(folder)
    monkeypatch.setattr(module, "fit_all", None)  # it would fail
    again = search("sunspots", candidates=4, out=folder, **QUICK)
    assert again.findings.seconds == made.findings.seconds
    assert [one.error for one in again.findings.candidates] == [one.error for one in made.findings.candidates]
    assert trainings(folder) == before
    monkeypatch.undo()
    more = search("sunspots", candidates=5, out=folder, **QUICK)
    assert [one.name for one in more.findings.candidates] == [f"new_{k}" for k in range(1, 6)]
    grown = trainings(folder)
    assert grown[: len(before)] == before
    assert len({one["key"] for one in grown}) == len(grown)


class Stops(Watch):
    """Presses Ctrl-C in the middle of a training."""

    def __init__(self, after):
        self.left = after

    def epoch(self, candidate, number, epochs):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [2, 14])
def test_an_interrupted_search_comes_to_the_same_cells(made, tmp_path, after):
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        search("sunspots", candidates=4, out=folder, watch=Stops(after), **QUICK)
    done = trainings(folder)
    assert not (folder / "found.py").exists()
    again = search("sunspots", candidates=4, out=folder, **QUICK)
    assert trainings(folder)[: len(done)] == done
    assert [one.cell.graph for one in again.findings.candidates] == [one.cell.graph for one in made.findings.candidates]
    assert [one.error for one in again.findings.candidates] == [one.error for one in made.findings.candidates]


def test_another_search_and_a_study_are_refused_in_its_folder(made):
    with pytest.raises(RunFolderError, match="choose another --out"):
        search("sunspots", candidates=4, out=made.folder, **{**QUICK, "epochs": 2})
    with pytest.raises(RunFolderError, match="choose another --out"):
        compare("sunspots", cells=("rnn",), epochs=3, window=12, params=400, seeds=2, out=made.folder)
    with pytest.raises(RunFolderError, match="choose another --out"):
        search("sunspots", candidates=4, out=made.folder / "comparison", **QUICK)


def test_the_folder_of_another_kind_is_named(made):
    with pytest.raises(RunFolderError, match=r"holds a search: choose another --out\.$"):
        compare("sunspots", cells=("rnn",), epochs=3, window=12, params=400, seeds=2, out=made.folder)
    with pytest.raises(RunFolderError, match=r"holds a comparison: choose another --out\.$"):
        search("sunspots", candidates=4, out=made.folder / "comparison", **QUICK)
    with pytest.raises(RunFolderError, match=r"holds a search with another epochs \(3, not 2\)"):
        search("sunspots", candidates=4, out=made.folder, **{**QUICK, "epochs": 2})


def test_found_cells_that_were_changed_by_hand_are_kept(made, tmp_path):
    folder = shutil.copytree(made.folder, tmp_path / "run")
    written = (folder / "found.py").read_text()
    changed = written + "# mine\n"
    (folder / "found.py").write_text(changed)
    again = search("sunspots", candidates=4, out=folder, **QUICK)
    assert (folder / "found.py").read_text() == changed
    assert (folder / "found_new.py").read_text() == written
    assert again.record["notes"] == [
        "found.py was changed and is left as it is: what the search found stands in found_new.py."
    ]
    assert [one["file"] for one in again.record["found"]] == ["found_new.py"]
    assert "found_new.py:found_1" in again.study.record["command"]  # what was found is judged, not what was changed
    assert again.study.record["leaderboard"][0]["test"] == made.study.record["leaderboard"][0]["test"]
    (folder / "found_new.py").write_text(changed)
    search("sunspots", candidates=4, out=folder, **QUICK)
    assert (folder / "found_new.py").read_text() == changed
    assert (folder / "found_new_2.py").read_text() == written


def test_found_cells_that_nobody_changed_make_room_for_better_ones(made, tmp_path):
    folder = shutil.copytree(made.folder, tmp_path / "run")
    more = search("sunspots", candidates=4, out=folder, **QUICK, found=2)
    assert more.record["notes"] == []
    assert find(f"{folder / 'found.py'}:found_2")
    again = search("sunspots", candidates=4, out=folder, **QUICK)
    assert again.record["notes"] == []
    assert (folder / "found.py").read_text() == (made.folder / "found.py").read_text()


def test_a_found_cell_can_stand_beside(made, tmp_path):
    """Its name is taken then: the new one has the next."""
    beside = (f"{made.folder / 'found.py'}:found_1",)
    again = search("sunspots", candidates=1, out=tmp_path / "run", **{**QUICK, "beside": beside})
    assert sorted(row["cell"] for row in again.study.record["leaderboard"]) == ["found_1", "found_2"]


def test_a_time_limit_that_is_over_before_a_cell_was_trained(tmp_path):
    with pytest.raises(TrainingError, match="give it a longer --time-limit"):
        search("sunspots", candidates=1, out=tmp_path / "run", time_limit="0.001s", **QUICK)
    made = search("sunspots", candidates=1, out=tmp_path / "run", time_limit="10m", **QUICK)
    assert made.findings.stopped == ""


def test_a_search_that_ended_before_its_last_round_says_so_in_its_verdict(monkeypatch, tmp_path):
    def train(*_):
        return Trained(1.0, 10.0)  # ten seconds each: two starts, two seeds each, then new cells

    monkeypatch.setattr(module, "_train", train)
    made = search("sunspots", candidates=3, out=tmp_path / "run", time_limit="60s", **QUICK)
    assert made.record["funnel"] == [2, 0]
    assert made.verdict().startswith("The search ended early, because its time was up before the last round, and found")
    more = search("sunspots", candidates=3, out=tmp_path / "run", time_limit="1h", **QUICK)
    assert more.record["funnel"] == [3, 1]
    assert more.verdict().startswith("The search found")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"candidates": 0}, "--candidates is 0"),
        ({"candidates": 2.5}, "--candidates is 2.5"),
        ({"found": 0}, "--found is 0"),
        ({"search_seed": -1}, "--search-seed is -1"),
        ({"start": ()}, "--start is empty"),
        ({"beside": ("gru", "gru")}, "--beside names a cell twice"),
        ({"time_limit": "soon"}, "--time-limit is 'soon'"),
        ({"time_limit": "0m"}, "--time-limit is '0m'"),
        ({"time_limit": "-5m"}, "--time-limit is '-5m'"),
        ({"time_limit": "nan"}, "--time-limit is 'nan'"),
    ],
)
def test_a_setting_that_cannot_work(settings, words):
    with pytest.raises(UsageError) as error:
        SearchOptions(**settings)
    assert words in str(error.value)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2 h", 7200)])
def test_times(text, seconds):
    assert SearchOptions(time_limit=text).seconds == seconds


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"start": ("slstm",)}, "its weight b.f starts by a recipe"),
        ({"start": ("gruu",)}, "did you mean gru"),
        ({"cells": ("gru",)}, "no setting 'cells'"),
        ({"candidate": 3}, "no setting 'candidate'"),
        ({"start": ("mut1(project=False)",)}, "as many inputs as units"),
        ({"params": 3}, "too few"),
    ],
)
def test_what_cannot_be_searched_writes_nothing(settings, words, tmp_path):
    with pytest.raises(UsageError) as error:
        search("sunspots", out=tmp_path / "run", **settings)
    assert words in str(error.value)
    assert not (tmp_path / "run").exists()


def test_the_command_says_what_differs():
    asked = SearchOptions(candidates=9, beside=("gru",), time_limit="10m")
    words = search_command("my data.csv", asked, Options(seeds=3), None)
    assert words == "gatework search 'my data.csv' --seeds 3 --candidates 9 --beside gru --time-limit 10m"
