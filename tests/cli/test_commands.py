"""The command line as a program: what it prints, and with which exit code it ends."""

import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from rich.console import Console

import gatework as package
from gatework.cells import catalogue
from gatework.cli.leaderboard import _table, readable
from gatework.cli.main import COMMANDS, cli, status
from gatework.errors import UsageError

QUICK = ("--epochs", "2", "--window", "12", "--seeds", "2", "--params", "500")


def gatework(*arguments, **options):
    """Run the program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gatework", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        **options,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished study, and what the command printed."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    return folder, gatework("compare", "sunspots", "--cells", "rnn,gru", *QUICK, "--out", folder)


def test_compare_prints_a_leaderboard_and_a_verdict_in_100_columns(run):
    folder, done = run
    assert done.returncode == 0
    assert done.stderr == ""  # nobody watches: no progress
    assert max(len(line) for line in done.stdout.splitlines() if str(folder) not in line) <= 100
    record = json.loads((folder / "results.json").read_text())
    words = " ".join(done.stdout.split())
    assert " ".join(record["verdict"].split()) in words
    for name in ("rnn", "gru", "persistence", "seasonal naive", "drift", "ridge autoregression"):
        assert name in done.stdout
    assert "\x1b" not in done.stdout


def test_compare_leaves_what_it_promises(run):
    folder, _ = run
    names = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}
    promised = {"study.json", "trials.db", "results.json", "forecasts.csv", "report.html"}
    assert promised | {"model/config.json", "model/weights.safetensors"} <= names
    assert sum(name.startswith("trials/") for name in names) == 4
    assert not [name for name in names if name.endswith(".part")]


def test_the_same_command_trains_nothing_again_and_says_the_same(run):
    folder, first = run
    arrays = {one: one.stat().st_mtime_ns for one in (folder / "trials").iterdir()}
    again = gatework("compare", "sunspots", "--cells", "rnn,gru", *QUICK, "--out", folder)
    assert again.stdout == first.stdout
    assert {one: one.stat().st_mtime_ns for one in (folder / "trials").iterdir()} == arrays


def test_more_seeds_and_cells_keep_what_is_there(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run[0], folder)
    before = {one.name for one in (folder / "trials").iterdir()}
    quick = [*QUICK[:5], "3", *QUICK[6:]]
    more = gatework("compare", "sunspots", "--cells", "rnn,gru,mgu", *quick, "--out", folder)
    assert more.returncode == 0
    after = {one.name for one in (folder / "trials").iterdir()}
    assert before < after
    assert len(after) == 9


def test_json_is_one_object_with_the_promised_keys(tmp_path):
    done = gatework("compare", "sunspots", "--cells", "gru", *QUICK, "--out", tmp_path / "run", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert set(record) == {"verdict", "notes", "leaderboard", "baselines", "report", "model"}
    (row,) = record["leaderboard"]
    assert {
        "cell",
        "parameters",
        "hidden",
        "test",
        "train_seconds",
        "step_microseconds",
        "beats_baseline",
    } <= set(row)
    assert row["test"]["mae"]["interval"][0] <= row["test"]["mae"]["mean"] <= row["test"]["mae"]["interval"][1]
    assert [one["name"] for one in record["baselines"]].count("persistence") == 1


def test_same_seed_same_numbers(tmp_path):
    rows = []
    for name in ("a", "b"):
        done = gatework("compare", "sunspots", "--cells", "gru", *QUICK, "--out", tmp_path / name, "--json")
        rows.append(json.loads(done.stdout)["leaderboard"][0]["test"])
    assert rows[0] == rows[1]
    assert (tmp_path / "a" / "forecasts.csv").read_bytes() == (tmp_path / "b" / "forecasts.csv").read_bytes()
    weights = [(tmp_path / name / "model" / "weights.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("as_json", [False, True])
def test_predict_goes_beyond_the_end(run, as_json):
    folder, _ = run
    done = gatework("predict", folder / "model", "sunspots", *(["--json"] if as_json else []))
    assert (done.returncode, done.stderr) == (0, "")
    if as_json:
        (row,) = json.loads(done.stdout)["forecasts"]
        assert row["low"] < row["forecast"] < row["high"]
        assert row["time"].startswith("2009")
    else:
        assert "2009" in done.stdout


@pytest.mark.parametrize("name", ["co2", "sine"])
def test_predict_works_for_every_bundled_series(tmp_path, name):
    quick = ("--epochs", "1", "--seeds", "1", "--params", "300", "--horizon", "3", "--cells", "rnn")
    assert gatework("compare", name, *quick, "--out", tmp_path / "run").returncode == 0
    done = gatework("predict", tmp_path / "run", name, "--json")
    assert len(json.loads(done.stdout)["forecasts"]) == 3


def test_report_draws_the_page_again(run):
    folder, _ = run
    page = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert gatework("report", folder).returncode == 0
    assert (folder / "report.html").read_bytes() == page


def test_the_forecasts_table_holds_every_forecast(run):
    folder, _ = run
    table = pl.read_csv(folder / "forecasts.csv")
    record = json.loads((folder / "results.json").read_text())
    assert table.height == record["data"]["split"]["test"]["windows"]
    for row in record["baselines"]:
        error = (table[row["name"]] - table["truth"]).abs().mean()
        assert error == pytest.approx(row["test"]["mae"], rel=1e-9)  # the CSV holds all digits


def test_a_users_own_cell_is_compared_like_any_other(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from gatework.graph import U, W, b, cell, tanh\n\n\n"
        "@cell\ndef leaky(x, h):\n    '''Leaky unit.'''\n"
        "    n = tanh(W.n @ x + U.n @ h + b.n)\n    return 0.5 * h + 0.5 * n\n"
    )
    done = gatework("compare", "sunspots", "--cells", "rnn,./mine.py:leaky", *QUICK, "--out", "run", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "leaky" in done.stdout
    assert gatework("show", "./mine.py", cwd=tmp_path).stdout.startswith("leaky: Leaky unit")


def test_cells_lists_states_gates_and_parameters():
    done = CliRunner().invoke(cli, ["cells", "--json", "--inputs", "3", "--hidden", "8"])
    rows = {row["cell"]: row for row in json.loads(done.output)}
    assert set(rows) == set(catalogue)
    assert rows["lstm"]["gates"] == ["i", "f", "o"]
    assert rows["lstm"]["states"] == ["h", "c"]
    assert rows["lstm"]["parameters"] == 4 * (3 * 8 + 8 * 8 + 8)
    assert "gru_reset_before" in gatework("cells").stdout


def test_show_prints_every_stage():
    assert "rₜ = σ(W_r xₜ + U_r hₜ₋₁ + b_r)" in gatework("show", "gru").stdout
    assert r"\begin{aligned}" in gatework("show", "gru", "--stage", "latex").stdout
    assert "matmul" in gatework("show", "gru", "--stage", "graph").stdout


def test_listing_cells_does_not_load_torch():
    code = "import sys; from gatework.cli.main import status; status(['cells']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert max(len(line) for line in result.output.splitlines()) <= 100


def test_help_shows_the_defaults_of_the_options():
    output = " ".join(CliRunner().invoke(cli, ["compare", "--help"]).output.split())
    for words in ("[default: (rnn,gru,lstm)]", "[default: 60]", "[default: 20000]", "[default: adam]"):
        assert words in output


def test_a_closed_pipe_is_no_error():
    shell = f"{sys.executable} -m gatework show lstm --stage graph | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_that_of_the_package(capsys):
    assert status(["--version"]) == 0
    assert package.__version__ in capsys.readouterr().out


def test_a_cell_that_diverges_is_left_out_and_named(tmp_path):
    (tmp_path / "wild.py").write_text(
        "from gatework.graph import U, W, b, cell, log\n\n\n"
        "@cell\ndef wild(x, h):\n    return log(W.n @ x + U.n @ h + b.n)\n"
    )
    done = gatework("compare", "sunspots", "--cells", "rnn,./wild.py", *QUICK, "--out", "run", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "wild is left out: in 2 of 2 seeds its forecasts are not finite." in done.stdout
    again = gatework("compare", "sunspots", "--cells", "./wild.py", *QUICK, "--out", "run", cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr.startswith("gatework: No cell could be trained: the forecasts of wild are not finite;")


@pytest.mark.parametrize("columns", [50, 70, 100])
def test_a_narrow_terminal_loses_columns_and_never_digits(run, columns):
    record = json.loads((run[0] / "results.json").read_text())
    screen = io.StringIO()
    Console(file=screen, width=columns, color_system=None).print(_table(record, columns))
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    heading = lines[next(k for k, line in enumerate(lines) if " MAE" in line)]
    for row in record["baselines"]:
        (line,) = [line for line in lines if line.startswith(row["name"])]
        assert readable(row["test"]["mae"]) in line
    assert ("step µs" in heading) == (columns == 100)
    assert "…" not in screen.getvalue()


def test_a_cell_that_diverges_after_a_good_epoch_does_not_lose_the_study(tmp_path):
    wild = ("--optimizer", "sgd", "--learning-rate", "100", "--clip", "0", "--loss", "mse", "--epochs", "6")
    settings = (*wild, "--seeds", "2", "--params", "500", "--window", "12", "--transform", "standard")
    done = gatework("compare", "sunspots", "--cells", "rnn,mgu", *settings, "--out", tmp_path / "run", "--json")
    assert done.returncode in (0, 2), done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode == 0:
        json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_series_that_stands_still_has_a_verdict(tmp_path):
    rows = "".join(f"2020-{1 + k // 28:02d}-{1 + k % 28:02d},{k % 7 if k < 150 else 5}\n" for k in range(250))
    (tmp_path / "still.csv").write_text("date,y\n" + rows)
    done = gatework("compare", "still.csv", "--cells", "rnn", *QUICK, "--out", "run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_json_stands_alone_whatever_a_cells_file_prints(tmp_path):
    (tmp_path / "loud.py").write_text(
        "from gatework.graph import U, W, cell, tanh\n\nprint('loading')\n\n\n"
        "@cell\ndef loud(x, h):\n    return tanh(W.n @ x + U.n @ h)\n"
    )
    done = gatework("compare", "sunspots", "--cells", "./loud.py", *QUICK, "--out", "run", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["leaderboard"][0]["cell"] == "loud"


def test_names_with_brackets_are_printed_as_they_are(tmp_path):
    text = "date,rate [/h]\n" + "".join(
        f"2020-{1 + k // 28:02d}-{1 + k % 28:02d},{k % 9 + k % 5}\n" for k in range(150)
    )
    (tmp_path / "rates.csv").write_text(text)
    assert gatework("compare", "rates.csv", "--cells", "rnn", *QUICK, "--out", "run", cwd=tmp_path).returncode == 0
    assert "rate [/h]" in gatework("predict", "run", "rates.csv", cwd=tmp_path).stdout


def test_a_terminal_without_unicode_gets_question_marks(run):
    done = gatework("show", "gru", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "W_r x" in done.stdout


def test_plain_kinds_in_python(tmp_path):
    study = package.compare("sunspots", cells="rnn", window=np.int64(12), seeds=1, epochs=1, params=300, out=tmp_path)
    assert "trained once" in " ".join(study.record["notes"])
    for wrong in ({"seeds": "3"}, {"window": 12.5}, {"seeds": None}, {"colour": 1}):
        with pytest.raises(UsageError):
            package.compare("sunspots", out=tmp_path / "other", **wrong)
