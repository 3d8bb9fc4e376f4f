"""From what a user writes to a cell, or to one sentence that says what is wrong."""

from pathlib import Path

import pytest

import gatework
from gatework.cells import Catalogue, catalogue, find
from gatework.errors import EquationError, UsageError
from gatework.graph import U, W, cell, tanh

ONE = """\
import gatework
from gatework.graph import U, W, tanh


@gatework.cell
def mycell(x, h):
    return tanh(W.h @ x + U.h @ h)
"""
TWO = ONE + "\n\n@gatework.cell\ndef other(x, h):\n    return tanh(W.h @ x + U.h @ h) * h\n"


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Write mine.py into the working folder."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="mine.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_catalogue_is_a_mapping_of_the_files_of_its_folder():
    folder = Path(gatework.__file__).parent / "cells"
    names = sorted({one.stem for one in folder.glob("*.py")} - {"catalogue", "__init__"})
    assert list(catalogue) == names
    assert {"cifg", "gru", "gru_reset_before", "lstm", "mgu", "rnn", "rnn_relu"} <= set(names)
    assert len(Catalogue()) == len(names)
    assert "gru" in catalogue
    for other in ("catalogue", "__init__", "GRU", "", 1, None):
        assert other not in catalogue
    with pytest.raises(KeyError):
        catalogue["catalogue"]


def test_a_name_and_a_cell_are_found():
    assert find("gru") is catalogue["gru"]
    assert find(catalogue["lstm"]) is catalogue["lstm"]

    @cell
    def mine(x, h):
        return tanh(W.h @ x + U.h @ h)

    assert find(mine) is mine


@pytest.mark.parametrize("asked", ["./mine.py:mycell", "mine.py:mycell", "./mine.py", "mine.py:", Path("mine.py")])
def test_a_file_is_found(mine, asked):
    mine(ONE)
    assert find(asked).name == "mycell"


def test_one_of_several_cells_of_a_file_is_found(mine):
    path = mine(TWO)
    assert find(f"{path}:other").name == "other"
    with pytest.raises(
        UsageError, match=r"^mine\.py defines several cells: write mine\.py:NAME with one of mycell, other\.$"
    ):
        find("mine.py")
    with pytest.raises(
        UsageError, match=r"^mine\.py defines no cell 'third': write mine\.py:NAME with one of mycell, other\.$"
    ):
        find("mine.py:third")


@pytest.mark.parametrize("folder", ["my.python", ".pyenv/cells", "a b", "x.py"])
def test_a_file_in_a_folder_whose_name_looks_like_a_file(mine, folder):
    mine(TWO, f"{folder}/mine.py")
    assert find(f"{folder}/mine.py:mycell").name == "mycell"


def test_the_home_folder_is_known(mine, monkeypatch, tmp_path):
    mine(ONE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert find("~/mine.py:mycell").name == "mycell"


def test_two_files_of_one_name_are_two_files(mine):
    first, second = mine(ONE, "a/mine.py"), mine(ONE.replace("mycell", "another"), "b/mine.py")
    assert [find(str(path)).name for path in (first, second, first)] == ["mycell", "another", "mycell"]


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("GRU", "There is no cell 'GRU': did you mean gru?"),
        ("lstn", "There is no cell 'lstn': did you mean lstm?"),
        ("gru_reset", "There is no cell 'gru_reset': did you mean gru_reset_before?"),
        (
            "transformer",
            "There is no cell 'transformer': `gatework cells` lists them; a file is named ./mine.py:mycell.",
        ),
        ("", "There is no cell '': `gatework cells` lists them; a file is named ./mine.py:mycell."),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(asked, hint):
    with pytest.raises(UsageError) as error:
        find(asked)
    assert str(error.value) == hint


@pytest.mark.parametrize("asked", ["./absent.py", "./absent.py:mycell", "C:\\cells\\absent.py:mycell", "folder.py"])
def test_a_missing_file_is_told(mine, tmp_path, asked):
    (tmp_path / "folder.py").mkdir()
    mine(ONE)
    with pytest.raises(UsageError, match=r"^There is no cell file .*: a cell is named by its file and its function"):
        find(asked)


def test_a_file_without_a_cell_is_told(mine):
    mine("def mycell(x, h):\n    return h\n")
    with pytest.raises(UsageError, match=r"^mine\.py defines no cell: put @gatework\.cell above the function"):
        find("mine.py:mycell")


def test_a_function_that_is_no_cell_is_told():
    with pytest.raises(UsageError, match=r"^A function is no cell: put @gatework\.cell above the function"):
        find(lambda x, h: tanh(h))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def mycell(x, h:\n    pass\n", "mine.py:1: not Python: "),
        ("import os\n\nraise ValueError('no luck')\n", "mine.py:3: cannot be loaded: ValueError: no luck"),
        ("import absent_module_of_nobody\n", "mine.py:1: cannot be loaded: ModuleNotFoundError: No module named"),
        ("import sys\nsys.exit(3)\n", "mine.py:2: cannot be loaded: SystemExit: 3"),
        ("def f():\n    return 1 / 0\n\n\nf()\n", "mine.py:2: cannot be loaded: ZeroDivisionError: division by zero"),
        (ONE.replace("U.h @ h", "W.g @ h"), "mine.py:7: in `return tanh(W.h @ x + W.g @ h)`: W.g multiplies something"),
    ],
)
def test_whatever_is_wrong_in_a_file_is_one_sentence_with_its_line(mine, text, words):
    mine(text)
    with pytest.raises(EquationError) as error:
        find("./mine.py:mycell")
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_text_is_told(tmp_path):
    (tmp_path / "mine.py").write_bytes(b"\xff\xfe\x00cell")
    with pytest.raises(EquationError, match=r"^mine\.py:\d+: "):
        find(str(tmp_path / "mine.py"))
