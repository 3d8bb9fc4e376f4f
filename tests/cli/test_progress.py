"""What a person sees while a study runs."""

import io
import re

import pytest
from rich.console import Console

import gatework
from gatework.cli.progress import Clock, Progress


class Drawn(Progress):
    """A progress that draws every epoch, however fast epochs pass: the screen itself is drawn ten times a second."""

    def epoch(self, trial, number, epoch):
        super().epoch(trial, number, epoch)
        self._bar.refresh()


def watch(tmp_path, **options):
    """Run a small study in front of a terminal; gives what was drawn on it."""
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=options.pop("terminal", True), color_system=None)
    with Drawn(quiet=False, console=console) as progress:
        gatework.compare(
            "sunspots", cells=("rnn", "mgu"), seeds=2, epochs=2, window=12, params=300, out=tmp_path, listener=progress
        )
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())


def test_a_person_sees_what_runs_what_was_found_and_the_time_left(tmp_path):
    seen = watch(tmp_path)
    assert "sunspots: 309 rows, one 1 year apart" in seen
    assert "column year holds the time" in seen
    assert "scaling window: the lowest error of a ridge autoregression in validation" in seen
    assert re.search(r"(rnn|mgu) seed [12], epoch [12], validation \d", seen)
    assert re.search(r"\d/4 trials +about \d+ s left", seen)
    assert max(len(line) for line in seen.replace("\r", "\n").splitlines()) <= 100


def test_a_second_run_says_what_was_finished(tmp_path):
    watch(tmp_path)
    assert "4 of 4 trials were finished before" in watch(tmp_path)


def test_nobody_watching_means_silence(tmp_path):
    assert watch(tmp_path, terminal=False) == ""


def test_the_time_left_follows_the_epochs():
    clock = Clock(trials=4, finished=1, epochs=10)
    assert (clock.measured, clock.share) == (False, 0.25)
    for _ in range(5):
        clock.epoch(2.0)
    assert clock.measured
    assert clock.share == pytest.approx((1 + 0.5) / 4)
    assert clock.seconds_left == pytest.approx((3 * 10 - 5) * 2.0)
    clock.finish(5)  # stopped early: the others are now expected to need 5 epochs
    assert clock.share == pytest.approx(2 / 4)
    assert clock.seconds_left == pytest.approx(2 * 5 * 2.0)
    for _ in range(7):  # longer than expected: never more than done
        clock.epoch(2.0)
    assert clock.share == pytest.approx(3 / 4)
    assert clock.seconds_left == pytest.approx((2 * 7 - 7) * 2.0)
