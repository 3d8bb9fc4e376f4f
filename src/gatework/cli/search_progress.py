"""What a person sees while a search runs: what is being trained, how far it is, and what is best so far."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console

from gatework.cli.leaderboard import readable
from gatework.cli.progress import LiveLine, Progress
from gatework.study.halving import Candidate
from gatework.study.plan import Plan
from gatework.study.search import Watch
from gatework.study.search_options import SearchOptions
from gatework.study.study import Listener


class SearchProgress(LiveLine, Watch):
    """The live line of a search; after it, the line of the study that judges what was found takes its place."""

    def __init__(self, *, quiet: bool, console: Console | None = None) -> None:
        super().__init__("{task.fields[best]}", quiet=quiet, console=console)
        self._study: Progress | None = None
        self._all = self._count = 0
        self._words = ""
        self._best: Candidate | None = None
        self._first: Candidate | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._study:
            self._study.__exit__(kind, error, trace)

    def prepared(self, plan: Plan, options: SearchOptions, known: int) -> None:
        """Say what is done, and draw the line."""
        if self._silent:
            return
        about = f"{plan.problem.series.name}: {options.candidates} new cells, changed from {', '.join(options.start)}"
        self._console.print(about, highlight=False, markup=False)
        if known:
            self._console.print(f"  {known} trainings were finished before: going on", highlight=False)
        self._all = options.candidates
        self._task = self._bar.add_task("", total=self._all, best="")

    def training(self, candidate: Candidate, number: int, all_rounds: int, count: int) -> None:
        """Name the cell and its round."""
        self._count = count
        self._words = f"{candidate.name} of {self._all}" if candidate.parent else candidate.name
        self._words += f", round {number}/{all_rounds}"
        self._draw("")

    def epoch(self, candidate: str, number: int, epochs: int) -> None:
        """Count its epochs."""
        self._draw(f", epoch {number}/{epochs}")

    def trained(self, candidate: Candidate) -> None:
        """Note what is best."""
        if not candidate.parent and (self._first is None or candidate.error < self._first.error):
            self._first = candidate
        if candidate.parent and (self._best is None or candidate.order < self._best.order):
            self._best = candidate
        self._draw("")

    def judging(self) -> Listener:
        """Take the line away, and draw that of the study."""
        self._bar.stop()
        self._study = Progress(quiet=self._quiet, console=self._console)
        self._study.__enter__()
        return self._study

    def _draw(self, more: str) -> None:
        if self._task is None:
            return
        best = [
            f"{one.name} {readable(one.error)}"
            for one in (self._first, self._best)
            if one is not None and one.rounds and one.error < float("inf")
        ]
        line = f"best in validation: {', '.join(best)}" if best else ""
        self._bar.update(self._task, description=f"{self._words}{more}", completed=self._count, best=line)
