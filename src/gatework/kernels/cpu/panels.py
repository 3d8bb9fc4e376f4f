"""How the weights of a loop are packed: in the order in which the micro-kernels read them.

Every stage has its panels, one for each group of tiles; a panel holds for each tile, for each vector that is
multiplied (a segment), for each entry of that vector, the weights of all accumulators that it feeds, side by side in
full registers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gatework.graph.loop import Loop, Place, Stage
from gatework.kernels.cpu.host import Host
from gatework.kernels.cpu.tiles import Group, choose, groups

Sizes = dict[str, int]
"""Sizes by letter."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One vector and the matrices that it meets: (accumulator, matrix, transposed)."""

    place: Place
    entries: int
    matrices: tuple[tuple[int, str, bool], ...]
    offset: int  # within a tile's part of the panel, in vectors


@dataclass(frozen=True, slots=True)
class Panel:
    """The weights of a group of tiles, from `offset` on in the packed ones; `tile` is one tile's part, in vectors."""

    group: Group
    segments: tuple[Segment, ...]
    offset: int
    tile: int


@dataclass(frozen=True, slots=True)
class StagePanels:
    """A stage with its tile height, its accumulated nodes in order, and its panels.

    `parts` are the accumulators, by their place in that order, that have to be in registers together: some vector
    feeds them all.
    """

    stage: Stage
    rows: int
    sums: tuple[int, ...]
    panels: tuple[Panel, ...]
    parts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Packing:
    """All stages of a loop, `vectors` the size of the packed weights."""

    stages: tuple[StagePanels, ...]
    last: StagePanels | None
    vectors: int

    @property
    def every(self) -> tuple[StagePanels, ...]:
        """The stages of the loop, then the last one."""
        return (*self.stages, self.last) if self.last else self.stages

    @property
    def rows(self) -> int:
        """The tallest tile."""
        return max(stage.rows for stage in self.every)


def pack(loop: Loop, sizes: Sizes, batch: int, host: Host, itemsize: int) -> Packing:
    """The packing for a batch of at least `batch` sequences; 0 is for weights that are read as they lie."""
    lanes = host.lanes(itemsize)
    offset = 0
    made: dict[int, StagePanels] = {}
    every = (*loop.stages, *([loop.last] if loop.last else []))
    for index, stage in enumerate(every):
        twin = _twin(stage, every[:index])
        if twin is not None:
            made[index] = replace(made[twin], stage=stage)
            continue
        made[index] = _stage(stage, sizes, batch, host, itemsize, lanes, offset)
        offset = max([offset, *(panel.offset + panel.tile * panel.group.count for panel in made[index].panels)])
    stages = tuple(made[index] for index in range(len(loop.stages)))
    return Packing(stages, made[len(loop.stages)] if loop.last else None, offset)


def _twin(stage: Stage, before: tuple[Stage, ...]) -> int | None:
    """An earlier stage with the same products: the last stage of a loop shares the weights of its first."""
    for index, other in enumerate(before):
        if other.columns == stage.columns and dict(other.products) == dict(stage.products) and stage.products:
            return index
    return None


def _stage(stage: Stage, sizes: Sizes, batch: int, host: Host, itemsize: int, lanes: int, offset: int) -> StagePanels:
    sums = tuple(sorted(stage.products))
    entries = sizes[stage.columns]
    parts = _parts(stage, sums)
    tile = choose([len(part) for part in parts], entries, batch, host, itemsize)
    panels = []
    for group in groups(entries, tile.columns, lanes):
        segments, size = _segments(stage, sums, group.columns, sizes)
        panels.append(Panel(group, segments, offset, size))
        offset += size * group.count
    return StagePanels(stage, tile.rows, sums, tuple(panels), parts)


def _parts(stage: Stage, sums: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The accumulators in groups that no vector joins: a layer norm has those of x and those of h apart."""
    groups: list[tuple[set[Place], list[int]]] = []
    for accumulator, k in enumerate(sums):
        vectors = {term.vector for term in stage.products[k]}
        joined = [group for group in groups if group[0] & vectors]
        groups = [group for group in groups if group not in joined]
        members = [one for _, found in joined for one in found]
        groups.append((vectors.union(*(found for found, _ in joined)), [*members, accumulator]))
    return tuple(sorted(tuple(sorted(members)) for _, members in groups))


def _segments(stage: Stage, sums: tuple[int, ...], columns: int, sizes: Sizes) -> tuple[tuple[Segment, ...], int]:
    met: dict[Place, list[tuple[int, str, bool]]] = {}
    for accumulator, k in enumerate(sums):
        for term in stage.products[k]:
            met.setdefault(term.vector, []).append((accumulator, term.matrix, term.transposed))
    segments, offset = [], 0
    for place, matrices in sorted(met.items(), key=lambda item: (item[0].array != "x", item[0].array, item[0].block)):
        entries = sizes["N"] if place.array == "x" else sizes["H"]
        segments.append(Segment(place, entries, tuple(matrices), offset))
        offset += entries * len(matrices) * columns
    return tuple(segments), offset
