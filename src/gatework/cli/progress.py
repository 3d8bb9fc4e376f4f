"""What a person sees while a study runs: what is running, how far it is, and the time left."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from gatework.study.plan import Plan
from gatework.study.study import Listener
from gatework.study.trial import Outcome, Trial
from gatework.tasks.training import Epoch


class LiveLine:
    """A live line on a terminal (standard error, if no other is given); nothing where nobody watches.

    What runs, a bar, and behind it the fields of the task that `columns` name.
    """

    def __init__(self, *columns: str, quiet: bool, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._quiet = quiet
        self._silent = quiet or not self._console.is_terminal
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            *(TextColumn(one, markup=False) for one in columns),
            console=self._console,
            transient=True,
            disable=self._silent,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class Progress(LiveLine, Listener):
    """The live line of a study."""

    def __init__(self, *, quiet: bool, console: Console | None = None) -> None:
        trials = "{task.fields[done]}/{task.fields[all]} trials"
        super().__init__(trials, "{task.fields[left]}", quiet=quiet, console=console)
        self._clock = Clock()

    def prepared(self, plan: Plan, finished: int) -> None:
        """Say what the data is, and draw the line."""
        if self._silent:
            return
        series, transform = plan.problem.series, plan.problem.transform.name
        self._console.print(
            f"{series.name}: {len(series.y)} rows, one {series.step.name} apart, target {series.target}",
            highlight=False,
            markup=False,
        )
        for finding in series.findings:
            self._console.print(f"  {finding.line()}", highlight=False, markup=False)
        self._console.print(f"  scaling {transform}: {plan.choice.why}", highlight=False, markup=False)
        if finished:
            self._console.print(
                f"  {finished} of {len(plan.trials)} trials were finished before: going on", highlight=False
            )
        self._clock = Clock(len(plan.trials), finished, plan.options.epochs)
        self._task = self._bar.add_task("", total=1.0, done=finished, all=len(plan.trials), left="")

    def started(self, trial: Trial) -> None:
        """Name the trial."""
        self._draw(f"{trial.name} seed {trial.seed + 1}")

    def epoch(self, trial: Trial, number: int, epoch: Epoch) -> None:
        """Count its epochs."""
        self._clock.epoch(epoch.seconds)
        self._draw(f"{trial.name} seed {trial.seed + 1}, epoch {number}, validation {epoch.validation:.4g}")

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        """Count the trials."""
        self._clock.finish(len(outcome.epochs))
        self._draw(f"{trial.name} seed {trial.seed + 1} done")

    def _draw(self, description: str) -> None:
        if self._task is not None:
            left = f"about {duration(self._clock.seconds_left)} left" if self._clock.measured else ""
            self._bar.update(
                self._task,
                description=description,
                completed=self._clock.share,
                done=self._clock.finished,
                left=left,
            )


class Clock:
    """Estimates the time left: the epochs that remain, each as long as the recent ones."""

    def __init__(self, trials: int = 0, finished: int = 0, epochs: int = 1) -> None:
        self.finished = finished
        self._trials = trials
        self._most = epochs
        self._lengths: list[int] = []
        self._seconds: list[float] = []
        self._running = 0

    @property
    def measured(self) -> bool:
        """Whether an epoch has been timed yet."""
        return bool(self._seconds)

    def epoch(self, seconds: float) -> None:
        """An epoch took so long."""
        self._running += 1
        self._seconds.append(seconds)

    def finish(self, epochs: int) -> None:
        """A trial ended after so many epochs."""
        self.finished += 1
        self._running = 0
        self._lengths.append(epochs)

    @property
    def _expected(self) -> float:
        """The epochs of a trial: as many as the finished ones needed, or at least what this one has had."""
        usual = sum(self._lengths) / len(self._lengths) if self._lengths else self._most
        return max(usual, self._running)

    @property
    def share(self) -> float:
        """How much of the study is done, from 0 to 1."""
        if not self._trials:
            return 1.0
        return min(1.0, (self.finished + self._running / self._expected) / self._trials)

    @property
    def seconds_left(self) -> float:
        """The time that the remaining epochs will take, evaluation not counted."""
        recent = self._seconds[-200:]
        remaining = (self._trials - self.finished) * self._expected - self._running
        return max(0.0, remaining) * sum(recent) / len(recent) if recent else 0.0


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(42), duration(200), duration(9000)
    ('42 s', '3 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
