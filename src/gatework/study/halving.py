"""A search over cells that knows nothing of what they are for: changed equations, short trials first.

In generations. The cells of a generation are changed from the best so far. All are trained for a few epochs, a third of
them for more, a third of those for all (successive halving: Jamieson & Talwalkar 2016, arXiv:1502.07943); what is
dropped early stays where it was dropped. Only the error that `Trainer` gives decides, which is that of the validation
part.

The search is a function of its arguments: the same errors, the same cells. Whoever stores the errors by what was
trained can start it again, and it comes to where it was without training anything twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, inf, isfinite

import numpy as np

from gatework.errors import EquationError
from gatework.graph import Cell
from gatework.graph.canonical import canonical
from gatework.graph.mutate import mutate

FIRST_SEED = 1_000_000
"""The seeds of the search begin here: none of them is one of those with which found cells are judged."""

GENERATION = 9
"""Cells in a generation: three thirds of three."""

SHARE = 3
"""One of so many goes on to the next round."""

PARENTS = 6
"""So many of the best so far are changed."""

LARGEST = 70
"""The most nodes of a graph; that of an LSTM has 40."""

_TRIES = 60
"""So often a new cell is drawn before the search gives up; about two in three draws are cells."""


@dataclass(frozen=True)
class Round:
    """How long the cells that have come so far are trained, and how often."""

    epochs: int
    seeds: int


@dataclass(frozen=True)
class Trained:
    """The validation error of one training, infinite where it went astray, and the seconds that it took."""

    error: float
    seconds: float


Trainer = Callable[[Cell, int, int], Trained]
"""Trains a cell for so many epochs from a seed, at the same number of parameters as all others."""

Check = Callable[[Cell], str]
"""Why a cell is not worth training, in a few words; empty where it is."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A cell of the search: what it was made from, and how far it came.

    `parent` is empty for a cell that the search began with. `rounds` counts the rounds that it went through, and
    `error` is the mean validation error over the seeds of the last of them, infinite where it went astray or was never
    trained.
    """

    cell: Cell
    parent: str = ""
    changes: tuple[str, ...] = ()
    rounds: int = 0
    error: float = inf

    @property
    def name(self) -> str:
        """The name of its cell."""
        return self.cell.name

    @property
    def order(self) -> tuple[int, float]:
        """Sorts candidates, the best first: who came further, then who errs less."""
        return -self.rounds, self.error


class Watcher:
    """What is told while a search runs. Every method may be left as it is."""

    def refused(self, why: str) -> None:
        """A changed cell was not worth training."""

    def training(self, candidate: Candidate, number: int, all_rounds: int, count: int) -> None:
        """A candidate begins a round; `count` new cells have been made."""

    def trained(self, candidate: Candidate) -> None:
        """A candidate has been through a round."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What a search came to.

    `starts` and `candidates` are the cells that it began with and those that it made. `refused` counts draws that were
    not worth training, by their reason. `seconds` is the time of all trainings; `stopped` says what ended the search
    early, and is empty where nothing did.
    """

    rounds: tuple[Round, ...]
    starts: tuple[Candidate, ...]
    candidates: tuple[Candidate, ...]
    refused: Mapping[str, int]
    seconds: float
    stopped: str

    def best(self, count: int) -> tuple[Candidate, ...]:
        """The best of the new cells; those that went astray are none."""
        sound = [one for one in self.candidates if isfinite(one.error)]
        return tuple(sorted(sound, key=lambda one: one.order)[:count])

    @property
    def funnel(self) -> list[int]:
        """How many of the new cells went through each round."""
        return [sum(one.rounds >= number for one in self.candidates) for number in range(1, len(self.rounds) + 1)]


def rounds_of(epochs: int) -> tuple[Round, ...]:
    """A ninth of the epochs, a third, all; two seeds in the end, lest the luck of one decide.

    >>> rounds_of(50)
    (Round(epochs=6, seeds=1), Round(epochs=17, seeds=1), Round(epochs=50, seeds=2))
    >>> rounds_of(1)
    (Round(epochs=1, seeds=2),)
    """
    short = sorted({ceil(epochs / SHARE**2), ceil(epochs / SHARE)} - {epochs})
    return (*(Round(one, 1) for one in short), Round(epochs, 2))


def search(
    starts: Iterable[Cell],
    train: Trainer,
    *,
    candidates: int,
    rounds: Sequence[Round],
    check: Check = lambda _: "",
    seed: int = 0,
    seconds: float = inf,
    watcher: Watcher | None = None,
) -> Findings:
    """Make so many new cells from those that it starts with, and train them, round by round.

    `check` is asked before a new cell is trained. The search ends early where its trainings have taken `seconds`.
    """
    run = _Run(train, check, tuple(rounds), seed, seconds, watcher or Watcher())
    try:
        for one in starts:
            run.start(one)
        while len(run.made) < candidates and not run.stopped:
            run.generation(min(GENERATION, candidates - len(run.made)))
    except _OutOfTimeError:
        run.stopped = "its time was up"
    return Findings(
        run.rounds, tuple(run.begun), tuple(run.made), dict(run.refused.most_common()), run.seconds, run.stopped
    )


class _OutOfTimeError(Exception):
    """The trainings have taken all the time that there was."""


@dataclass
class _Run:
    """A search on its way."""

    train: Trainer
    check: Check
    rounds: tuple[Round, ...]
    seed: int
    most_seconds: float
    watcher: Watcher
    begun: list[Candidate] = field(default_factory=list)
    made: list[Candidate] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    stopped: str = ""
    _seen: set[str] = field(default_factory=set)

    def start(self, cell: Cell) -> None:
        """Train a cell that the search begins with, as long as the best are."""
        self._seen.add(canonical(cell))
        self.begun.append(Candidate(cell))
        self._climb(self.begun, len(self.begun) - 1, len(self.rounds) - 1)

    def generation(self, count: int) -> None:
        """Make new cells, train them, and let one in three go on, until the last round."""
        first = len(self.made)
        parents = sorted([*self.begun, *self.made], key=lambda one: one.order)[:PARENTS]
        while len(self.made) < first + count and not self.stopped:
            self._make(parents)
        going = list(range(first, len(self.made)))
        for number in range(len(self.rounds)):
            for k in going:
                self._climb(self.made, k, number)
            sound = [k for k in going if isfinite(self.made[k].error)]
            going = sorted(sound, key=lambda k: self.made[k].error)[: ceil(len(going) / SHARE)]

    def _make(self, parents: Sequence[Candidate]) -> None:
        """Draw until there is a new cell that is worth training."""
        number = len(self.made) + 1
        for attempt in range(_TRIES):
            generator = np.random.default_rng([self.seed, number, attempt])
            rivals = generator.choice(len(parents), size=min(2, len(parents)), replace=False)
            parent = parents[int(min(rivals))]  # they stand in order
            found, why = self._changed(parent, f"new_{number}", generator)
            if found:
                self.made.append(found)
                return
            self.refused[why] += 1
            self.watcher.refused(why)
        self.stopped = "no new cell could be made"

    def _changed(self, parent: Candidate, name: str, generator: np.random.Generator) -> tuple[Candidate | None, str]:
        try:
            mutant = mutate(parent.cell, generator)
        except EquationError:
            return None, "no cell"
        if len(mutant.cell.graph.nodes) > LARGEST:
            return None, "too large"
        key = canonical(mutant.cell)
        if key in self._seen:
            return None, "there already"
        self._seen.add(key)
        cell = replace(mutant.cell, name=name, title=f"{parent.name}, changed", source="")
        why = self.check(cell)
        return (None, why) if why else (Candidate(cell, parent.name, mutant.changes), "")

    def _climb(self, place: list[Candidate], k: int, number: int) -> None:
        """Train a candidate for one round."""
        one, errors = place[k], list[float]()
        self.watcher.training(one, number + 1, len(self.rounds), len(self.made))
        for extra in range(self.rounds[number].seeds):
            if self.seconds >= self.most_seconds:
                raise _OutOfTimeError
            trained = self.train(one.cell, self.rounds[number].epochs, FIRST_SEED + extra)
            self.seconds += trained.seconds
            errors.append(trained.error)
        error = float(np.mean(errors))
        place[k] = replace(one, rounds=number + 1, error=error if isfinite(error) else inf)
        self.watcher.trained(place[k])
