"""Ctrl-C and kill -9 at any moment: the same command goes on, and no finished trial is lost or run twice."""

import json
import os
import signal
import subprocess
import sys
import time

import optuna
import pytest

from gatework.study.interruption import interruptible

COMMAND = (
    *("compare", "sunspots", "--cells", "rnn,gru,mgu", "--seeds", "3", "--epochs", "6"),
    *("--window", "24", "--params", "2000", "--out", "run", "--json"),
)


def start(folder):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "gatework", *COMMAND],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )


def stored(folder):
    """The keys of the trials in the storage, in the order in which they were stored."""
    path = folder / "run" / "trials.db"
    if not path.exists():
        return []
    try:
        study = optuna.load_study(study_name="gatework", storage=f"sqlite:///{path}")
    except (KeyError, RuntimeError, optuna.exceptions.StorageInternalError):
        return []  # being created just now
    return [trial.user_attrs["key"] for trial in study.trials if trial.state.is_finished()]


def wait_for(folder, process, count):
    deadline = time.monotonic() + 120
    while len(list((folder / "run" / "trials").glob("*.safetensors"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def scores(output):
    record = json.loads(output)
    return {row["cell"]: row["test"] for row in record["leaderboard"]}, record["baselines"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    process = start(tmp_path_factory.mktemp("undisturbed"))
    output, errors = process.communicate(timeout=240)
    assert (process.returncode, errors) == (0, "")
    return scores(output)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_a_study_goes_on_where_it_was_stopped(tmp_path, undisturbed, kind):
    for reached in (1, 5):  # stopped twice, the second time further on
        process = start(tmp_path)
        wait_for(tmp_path, process, reached)
        process.send_signal(kind)
        _, errors = process.communicate(timeout=60)
        if kind == signal.SIGINT:
            assert process.returncode == 130
            assert errors.strip() == "gatework: Interrupted: the same command goes on where it stopped."
        else:
            assert process.returncode == -signal.SIGKILL
        finished = stored(tmp_path)
        assert len(set(finished)) == len(finished)
        files = {one.stem: one.stat().st_mtime_ns for one in (tmp_path / "run" / "trials").glob("*.safetensors")}
        assert set(finished) <= set(files)
    process = start(tmp_path)
    output, errors = process.communicate(timeout=240)
    assert (process.returncode, errors) == (0, "")
    everything = stored(tmp_path)
    assert len(everything) == len(set(everything)) == 9  # none lost, none twice
    assert everything[: len(finished)] == finished
    for key in finished:  # and none trained again
        assert (tmp_path / "run" / "trials" / f"{key}.safetensors").stat().st_mtime_ns == files[key]
    assert scores(output) == undisturbed


def test_an_interruption_in_a_finalizer_is_not_lost_and_prints_nothing(capsys):
    class Last:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def press():
        with interruptible() as check:
            one = Last()
            del one
            check()

    hook = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt):
        press()
    assert capsys.readouterr().err == ""
    assert sys.unraisablehook is hook


def test_other_errors_of_finalizers_are_told(capsys, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: told.append(one.exc_type))

    class Last:
        def __del__(self):
            raise ValueError("no")

    with interruptible():
        one = Last()
        del one
    assert told == [ValueError]
