"""The whole benchmark: one job after another, and a record of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from tempfile import TemporaryDirectory

from gatework.bench.job import Footprint, Job
from gatework.bench.limits import Rates
from gatework.bench.machine import processor, versions
from gatework.bench.process import take_footprint, time_sides
from gatework.bench.record import CATALOGUE, SHAPES, Gap, Record, Row, Skip
from gatework.bench.request import Request
from gatework.bench.rows import Footprints, Place, gaps, rows
from gatework.bench.shapes import GROWTH, MIDDLE, Shape
from gatework.bench.side import Side
from gatework.bench.sides import OURS
from gatework.cells import catalogue

Entries = tuple[tuple[str, str], ...]
"""Pairs of a cell, as the user named it, and a side."""


class Listener:
    """Who wants to know how far a benchmark is."""

    def begins(self, what: str) -> None:
        """A job begins; `what` says which."""

    def measured(self, rows: Sequence[Row], rates: Rates) -> None:
        """The times of all sides at one shape on one number of threads are there."""


def measure(request: Request, *, command: str = "", listener: Listener | None = None) -> Record:
    """Measure what is asked for; `command` is what the record says it came from.

    Raises `BackendError` where a side fails, or has wrong results.
    """
    about = processor()
    with TemporaryDirectory(prefix="gatework-bench-") as cache:
        bench = _Bench(request, listener or Listener(), cache)
        bench.run()
    packages = [name for one in request.peers for name in one.packages]
    return Record(
        command=command,
        versions=versions(dict.fromkeys(packages)),
        processor=about,
        settings=request.settings(),
        rates=bench.rates,
        rows=tuple(bench.rows),
        gaps=tuple(bench.gaps),
        skipped=tuple(bench.skipped),
    )


class _Bench:
    """A benchmark while it runs."""

    def __init__(self, request: Request, listener: Listener, cache: str) -> None:
        self._request = request
        self._listener = listener
        self._cache = cache
        self.rates: dict[int, Rates] = {}
        self.rows: list[Row] = []
        self.gaps: list[Gap] = []
        self.skipped: dict[Skip, None] = {}

    def run(self) -> None:
        """Every section."""
        request, first = self._request, self._request.threads[0]
        for shape in request.shapes:
            entries, footprints = self._footprints(self._entries(request.cells, request.peers), shape)
            for threads in request.threads:
                self._time(Place(SHAPES, shape, threads), entries, footprints, parts=True)
        if request.catalogue:
            self._time(Place(CATALOGUE, MIDDLE, first), self._entries(tuple(catalogue), ()))
        # A curve has many points: a peer that compiles anew at each is left out.
        peers = tuple(one for one in request.peers if not one.bound_to_shape)
        for letter, shapes in GROWTH.items() if request.growth else ():
            for shape in shapes:
                self._time(Place(f"growth {letter}", shape, first), self._entries(request.cells, peers))

    def _entries(self, cells: Sequence[str], peers: Sequence[Side]) -> Entries:
        """Ours and every peer that runs the cell, for each cell."""
        found = []
        for cell in cells:
            found.append((cell, OURS.name))
            for peer in peers:
                if why := peer.refusal(self._request.by_text[cell], self._request.dtype):
                    self._skip(peer.name, cell, "", why)
                else:
                    found.append((cell, peer.name))
        return tuple(found)

    def _footprints(self, entries: Entries, shape: Shape) -> tuple[Entries, Footprints]:
        """The footprint of every entry, and the entries that were ready in time."""
        patience = {one.name: one.patience for one in self._request.peers}
        found: dict[tuple[str, str], Footprint] = {}
        for cell, side in entries:
            self._listener.begins(f"{shape}: memory and compile time of {cell}, {side}")
            one = take_footprint(self._job(shape, self._request.threads[0], ((cell, side),)), patience.get(side))
            if one is None:
                self._skip(side, cell, str(shape), f"did not finish in {patience[side]:.0f} s")
            else:
                found[cell, side] = one
        return tuple(found), found

    def _time(
        self, place: Place, entries: Entries, footprints: Footprints | None = None, *, parts: bool = False
    ) -> None:
        threads = f"{place.threads} thread{'s' if place.threads > 1 else ''}"
        self._listener.begins(f"{place.shape}: times on {threads} ({place.section})")
        job = self._job(place.shape, place.threads, entries)
        timed = time_sides(replace(job, effort=self._request.effort, parts=parts), self._cache)
        self.rates[place.threads] = timed.rates.best(self.rates.get(place.threads))
        found = tuple(rows(self._request, place, timed, footprints or {}))
        self.rows.extend(found)
        if parts:
            self.gaps.extend(gaps(self._request, place, timed))
        self._listener.measured(found, self.rates[place.threads])

    def _job(self, shape: Shape, threads: int, entries: Entries) -> Job:
        return Job(str(shape), threads, self._request.dtype, self._request.input_grad, entries)

    def _skip(self, side: str, cell: str, where: str, why: str) -> None:
        self.skipped[Skip(side, self._request.by_text[cell].name, where, why)] = None
