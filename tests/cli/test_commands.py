"""The command line as a program: what it prints, and with which exit code it ends."""

import json
import shutil
import subprocess
import sys

import polars as pl
import pytest
from click.testing import CliRunner

from gatework.cells import catalogue
from gatework.cli.main import COMMANDS, cli, status

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
    assert set(record) == {"verdict", "leaderboard", "baselines", "report", "model"}
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
    import gatework as package

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
