"""`gatework search` as a program: what it prints, how it refuses, what a person sees while it runs."""

import io
import json
import re
import shutil

import pytest
from rich.console import Console

from gatework.cells import find
from gatework.cli.leaderboard import readable
from gatework.cli.main import status
from gatework.cli.search_progress import SearchProgress
from gatework.cli.search_tables import funnel, table
from gatework.study.search import search

QUICK = ("--epochs", "2", "--window", "12", "--seeds", "2", "--params", "300", "--start", "rnn", "--beside", "rnn")
ARGUMENTS = ("search", "sunspots", *QUICK, "--candidates", "3", "--out", "run")


class Drawn(SearchProgress):
    """A progress that draws every epoch, however fast epochs pass."""

    def epoch(self, candidate, number, epochs):
        super().epoch(candidate, number, epochs)
        self._bar.refresh()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with a finished search in it, and what a terminal showed."""
    folder, screen = tmp_path_factory.mktemp("search"), io.StringIO()
    console = Console(file=screen, width=100, force_terminal=True, color_system=None)
    settings = {"epochs": 2, "window": 12, "seeds": 2, "params": 300, "start": ("rnn",), "beside": ("rnn",)}
    with Drawn(quiet=False, console=console) as progress:
        search("sunspots", candidates=3, out=folder / "run", watch=progress, **settings)
    return folder, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())


def test_a_person_sees_what_is_trained_and_what_is_best(run):
    _, seen = run
    assert "sunspots: 3 new cells, changed from rnn" in seen
    assert "sunspots: 309 rows, one 1 year apart" in seen  # the study says so
    assert re.search(r"new_1 of 3, round 1/\d, epoch \d/\d", seen)
    assert re.search(r"best in validation: rnn 0\.\d+", seen)
    assert re.search(r"(rnn|found_1) seed [12]", seen)  # then the study
    assert max(len(line) for line in seen.replace("\r", "\n").splitlines()) <= 100


def test_it_prints_tables_equations_and_a_verdict(run, monkeypatch, capfd):
    folder, _ = run
    monkeypatch.chdir(folder)
    assert status([*ARGUMENTS]) == 0
    printed = capfd.readouterr()
    assert printed.err == ""  # nobody watches
    record = json.loads((folder / "run" / "search.json").read_text())
    assert printed.out.rstrip().endswith(record["verdict"])
    assert funnel(record).split(";")[0] in " ".join(printed.out.split())
    for line in record["found"][0]["equations"]:
        assert line in printed.out
    tables = printed.out[: printed.out.index("report ")]
    assert max(len(line) for line in tables.splitlines()) <= 100
    errors = [one["validation"] for one in (*record["starts"], *record["candidates"])]
    for error in errors:
        assert error is None or f"  {readable(error)}\n" in tables
    assert find(f"{folder}/run/found.py:found_1").name == "found_1"


def row(cell, rounds, error, parent="", changes=()):
    return {
        "cell": cell,
        "parent": parent,
        "changes": changes,
        "rounds": rounds,
        "validation": error,
        "parameters": 19894,
    }


LONG = ("n: gated by k_1", "h: tanh inserted", "n: b.Un dropped", "n: add for multiply", "z: minimum for subtract")


def printed_table(width, name="lstm"):
    record = {
        "rounds": [{"epochs": 1}, {"epochs": 9}],
        "starts": [row(name, 2, 0.123456)],
        "candidates": [row("new_10", 2, 0.234567, "new_1", LONG), row("new_1", 1, None, name, LONG[:1])],
    }
    screen = io.StringIO()
    console = Console(file=screen, width=width, color_system=None)
    console.print(table(record, width))
    return screen.getvalue()


@pytest.mark.parametrize("width", [100, 80, 60, 40, 24])
@pytest.mark.parametrize("name", ["lstm", "a_cell_with_a_name_that_is_longer_than_others"])
def test_the_loss_stands_in_the_table_however_narrow(width, name):
    printed = printed_table(width, name)
    lines = printed.splitlines()
    assert max(len(line) for line in lines) <= width
    assert any(line.rstrip().endswith("validation") for line in lines[1:])
    assert "0.1235" in printed
    assert "0.2346" in printed


@pytest.mark.parametrize("width", [100, 80])
def test_changes_are_wrapped_and_all_of_them_are_there(width):
    printed = printed_table(width)
    lines = printed.splitlines()
    assert lines[1].split() == ["from", "changes", "epochs", "parameters", "validation"]
    assert "19,894" in printed
    left, right = lines[1].index("changes"), lines[1].index("epochs")
    shown = " ".join(line[left:right].strip() for line in lines[2:])
    assert "; ".join(LONG) in " ".join(shown.split())


def test_it_says_that_found_cells_were_changed_by_hand(run, tmp_path, monkeypatch, capfd):
    folder, _ = run
    shutil.copytree(folder / "run", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run" / "found.py"
    path.write_text(path.read_text() + "# mine\n")
    assert status([*ARGUMENTS]) == 0
    printed = capfd.readouterr().out
    assert "\ncells     run/found_new.py\n" in printed
    assert "found.py was changed and is left as it is: what the search found stands in found_new.py.\n" in printed
    assert path.read_text().endswith("# mine\n")


def test_json_is_one_object(run, monkeypatch, capfd):
    folder, _ = run
    monkeypatch.chdir(folder)
    assert status([*ARGUMENTS, "--json"]) == 0
    printed = capfd.readouterr()
    record = json.loads(printed.out)
    assert record["verdict"].startswith("The search found")
    assert {row["cell"] for row in record["comparison"]["leaderboard"]} == {"found_1", "rnn"}
    assert record["cells"] == "run/found.py"
    assert len(record["candidates"]) == 3


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--candidates", "0", "--candidates is 0"),
        ("--candidates", "many", "--candidates"),
        ("--found", "0", "--found is 0"),
        ("--time-limit", "soon", "such as 90s, 10m or 2h"),
        ("--time-limit", "0", "above zero"),
        ("--start", ",", "--start is empty"),
        ("--start", "gruu", "did you mean gru?"),
        ("--start", "slstm", "starts by a recipe"),
        ("--beside", "", "--beside is empty"),
        ("--beside", "./none.py:cell", "no cell file none.py"),
        ("--cells", "gru", "--cells"),
        ("--params", "1", "at least"),
        ("--epochs", "0", "--epochs is 0"),
        ("--target", "spots", "spots"),
        ("--search-seed", "-1", "--search-seed is -1"),
    ],
)
def test_a_setting_that_cannot_work(tmp_path, monkeypatch, capfd, option, value, word):
    monkeypatch.chdir(tmp_path)
    assert status([*ARGUMENTS, option, value]) == 2
    printed = capfd.readouterr()
    sentence = printed.err.strip()
    assert printed.out == ""
    assert len(sentence.splitlines()) == 1
    assert sentence.startswith("gatework: ")
    assert sentence.endswith((".", "?"))
    assert word in sentence
    assert not list(tmp_path.iterdir())


def test_ctrl_c_says_that_the_same_command_goes_on(tmp_path, monkeypatch, capfd):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gatework.study.search.fit_all", pressed)
    assert status([*ARGUMENTS]) == 130
    sentence = capfd.readouterr().err.strip()
    assert sentence == "gatework: Interrupted: the same command goes on where it stopped."
