"""Bad input: one sentence on standard error, exit 2, nothing on standard output, and nothing written over."""

import json
import random

import pytest

from gatework.cli.main import status
from gatework.study.run_folder import FORMAT

QUICK = ("--epochs", "1", "--window", "12", "--seeds", "1", "--params", "300", "--cells", "rnn")
GOOD = "date,price,volume\n" + "".join(
    f"2020-{1 + k // 28:02d}-{1 + k % 28:02d},{100 + (k * 7) % 13},{k}\n" for k in range(120)
)


@pytest.fixture
def refused(monkeypatch, capfd):
    """Run the program in a folder and check how it refuses; gives its sentence."""

    def run(*arguments, cwd, words=()):
        before = {one: one.read_bytes() for one in cwd.rglob("*") if one.is_file()}
        monkeypatch.chdir(cwd)
        code = status([str(one) for one in arguments])
        printed = capfd.readouterr()
        sentence = printed.err.strip()
        assert code == 2, (printed.out, printed.err)
        assert printed.out == ""
        assert len(sentence.splitlines()) == 1
        assert sentence.startswith("gatework: ")
        assert sentence.endswith((".", "?"))
        assert len(sentence) < 500
        for word in words:
            assert word in sentence
        after = {one: one.read_bytes() for one in cwd.rglob("*") if one.is_file()}
        assert after == before
        assert not (cwd / "gatework-runs").exists()
        return sentence

    return run


@pytest.fixture
def good(tmp_path):
    (tmp_path / "prices.csv").write_text(GOOD)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("empty",)),
        (b"date,price\n", ("price", "header")),
        (bytes(random.Random(0).randbytes(5000)), ("price.csv",)),
        (b"\x89PNG\r\n\x1a\n" + bytes(2000), ("price.csv",)),
        (b"date,price\n" + b"".join(b"2020-01-%02d,abc\n" % k for k in range(1, 29)), ("price", "abc")),
        (b"date,price\n" + b"".join(b"2020-01-%02d,7\n" % k for k in range(1, 29)), ("price", "7")),
        (
            b"date,price\n"
            + b"".join(b"2020-01-%02d,%s\n" % (k, b"inf" if k == 9 else b"%d" % (k * k)) for k in range(1, 29)),
            ("price",),
        ),
        (b"date,price\n2020-01-01,1\n2020-01-02,2\n2020-01-03,4\n", ("window",)),
    ],
    ids=[
        "empty",
        "header only",
        "binary",
        "png",
        "text in the target",
        "constant",
        "infinite",
        "fewer rows than a window",
    ],
)
def test_a_table_that_cannot_be_forecast(tmp_path, content, words, refused):
    (tmp_path / "price.csv").write_bytes(content)
    refused("compare", "price.csv", "--target", "price", *QUICK, cwd=tmp_path, words=words)


def test_a_missing_file(good, refused):
    refused("compare", "price.csv", *QUICK, cwd=good, words=("price.csv", "prices.csv"))


def test_a_wrong_column_names_the_nearest(good, refused):
    refused("compare", "prices.csv", "--target", "prize", *QUICK, cwd=good, words=("prize", "price"))
    refused(
        "compare",
        "prices.csv",
        "--target",
        "price",
        "--features",
        "volum",
        *QUICK,
        cwd=good,
        words=("volume",),
    )
    refused("compare", "prices.csv", "--target", "price", "--time", "dat", *QUICK, cwd=good, words=("date",))


def test_several_numeric_columns_ask_for_a_target(good, refused):
    refused("compare", "prices.csv", *QUICK, cwd=good, words=("--target", "price", "volume"))


def test_two_hundred_thousand_columns(tmp_path, refused):
    names = ",".join(f"c{k}" for k in range(200_000))
    row = ",".join(["1"] * 200_000)
    (tmp_path / "wide.csv").write_text(f"{names}\n{row}\n{row}\n{row}\n")
    refused("compare", "wide.csv", "--target", "prize", *QUICK, cwd=tmp_path, words=("prize",))


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--window", "0", "--window is 0"),
        ("--window", "x", "--window"),
        ("--seeds", "0", "--seeds is 0"),
        ("--horizon", "0", "--horizon is 0"),
        ("--epochs", "0", "--epochs is 0"),
        ("--layers", "0", "--layers"),
        ("--layers", "a,b", "as in 50,100"),
        ("--params", "1", "at least"),
        ("--cells", "gruu", "did you mean gru?"),
        ("--cells", ",", "--cells is empty"),
        ("--cells", "./none.py:cell", "no cell file none.py"),
        ("--optimizer", "lion", "adam"),
        ("--test", "1.5", "test=1.5"),
        ("--test", "0", "test=0"),
        ("--validation", "nan", "validation=nan"),
        ("--dropout", "2", "--dropout is 2"),
        ("--season", "-1", "--season is -1"),
        ("--threads", "0", "--threads is 0"),
        ("--frobnicate", "1", "--frobnicate"),
    ],
)
def test_a_setting_that_cannot_work(good, option, value, word, refused):
    refused("compare", "prices.csv", "--target", "price", *QUICK, option, value, cwd=good, words=(word,))


def test_a_window_longer_than_the_training_part(good, refused):
    refused("compare", "prices.csv", "--target", "price", *QUICK, "--window", "90", cwd=good, words=("90",))


def test_a_cell_with_a_mistake_names_the_line(good, refused):
    (good / "bad.py").write_text(
        "from gatework.graph import U, W, cell, tanh\n\n\n@cell\ndef bad(x, h):\n    return tanh(W.n @ x + U.n @ q)\n"
    )
    refused(
        "compare",
        "prices.csv",
        "--target",
        "price",
        *QUICK,
        "--cells",
        "./bad.py:bad",
        cwd=good,
        words=("bad.py:6", "q"),
    )


@pytest.mark.parametrize("command", [["predict", "run/model", "prices.csv"], ["predict", "nowhere", "prices.csv"]])
def test_a_corrupt_or_missing_model(good, command, refused):
    model = good / "run" / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_bytes(b"\x80\x04\x95 not json")
    refused(*command, cwd=good, words=("model",))


def test_a_run_folder_of_another_version_or_none_at_all(good, refused):
    folder = good / "run"
    folder.mkdir()
    (folder / "study.json").write_text(json.dumps({"format": FORMAT + 1}))
    arguments = ("compare", "prices.csv", "--target", "price", *QUICK, "--out", "run")
    refused(*arguments, cwd=good, words=(f"format {FORMAT + 1}",))
    (folder / "study.json").unlink()
    (folder / "thesis.tex").write_text("years of work")
    refused(*arguments, cwd=good, words=("run",))
    refused("report", "run", cwd=good, words=("results.json",))


def test_other_settings_do_not_overwrite_a_run(good, refused, monkeypatch, capfd):
    arguments = ["compare", "prices.csv", "--target", "price", *QUICK, "--out", "run"]
    monkeypatch.chdir(good)
    assert status(arguments) == 0
    capfd.readouterr()
    refused(*arguments, "--horizon", "2", cwd=good, words=("horizon", "--out"))


def test_an_unknown_command_or_none(good, refused):
    refused("compair", cwd=good, words=("compair",))
    refused("show", "gruu", cwd=good, words=("gru",))


@pytest.mark.parametrize("name", ["truth", "time", "step", "origin", "persistence", "drift"])
def test_a_cell_with_the_name_of_a_column(good, refused, name):
    (good / "mine.py").write_text(
        "from gatework.graph import U, W, cell, tanh\n\n\n"
        f"@cell\ndef {name}(x, h):\n    return tanh(W.n @ x + U.n @ h)\n"
    )
    refused(
        "compare",
        "prices.csv",
        "--target",
        "price",
        *QUICK,
        "--cells",
        "./mine.py",
        cwd=good,
        words=(name, "another name"),
    )


def test_a_season_longer_than_the_training_part(good, refused):
    refused(
        "compare", "prices.csv", "--target", "price", *QUICK, "--season", "5000", cwd=good, words=("--season is 5000",)
    )


def test_paths_that_are_too_long(good, refused):
    long = "x" * 300
    refused(
        "compare", "prices.csv", "--target", "price", *QUICK, "--out", long, cwd=good, words=("File name too long",)
    )
    refused("predict", long, "prices.csv", cwd=good, words=("File name too long",))


def test_a_damaged_record_of_results(good, refused):
    (good / "run").mkdir()
    (good / "run" / "results.json").write_text(json.dumps({"format": FORMAT}))
    refused("report", "run", cwd=good, words=("results.json is damaged",))
