"""The kernel that says what the steps of a segment are together, where programs share a sequence that is scanned.

Each program has a segment of the time steps. A first launch, of this kernel, tells of every segment but the last what
its steps are together: one step, with factors and offsets. With that, each program of the scan itself finds what its
own segment begins with.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gatework.graph.affine import System
from gatework.graph.loop import Stage
from gatework.kernels.triton.chunks import KNOWN, ChunkWriter, Scan
from gatework.kernels.triton.joining import IDENTITY, NEUTRAL, joint


@dataclass
class SummaryWriter(ChunkWriter):
    """The kernel that says what the steps of a segment are together; of what is carried they read what is fixed."""

    _begins: list[str] = field(default_factory=list)

    def scan(self) -> Scan:
        """The kernel."""
        (stage,) = self.loop.stages
        numbers = [name for system in self.affine.systems for name in self._together(system, stage)]
        for leaf in sorted(self.affine.fixed):
            # A segment but the first begins with the number itself.
            name = self._start(leaf)
            self._begins.append(self.begin_of(self._slots[leaf], name))
            self._begins.append(f"{name} = tl.where(segment == 0, {name}, {self._number(leaf)})")
            self.say(f"{name} = {self._last(leaf, 'BLOCK_T')}")
        body, self.lines = self.lines, []
        stores = [f"tl.store(known + {k} * segments * size, {one}, mask=inside)" for k, one in enumerate(numbers)]
        made = self._kernel(self._begins, body, ["before = segment", KNOWN, *stores])
        return replace(made, values=len(numbers))

    def _together(self, system: System, stage: Stage) -> list[str]:
        """The variables of what a system's steps are together, up to the end of a chunk."""
        combine, through = joint(self.loop.nodes, system), self._through(system, stage)
        neutral = [*IDENTITY[combine], *[NEUTRAL.get(combine, "0.0")] * len(system.leaves)]
        names = [self.name("together") for _ in neutral]
        for name, one in zip(names, neutral, strict=True):
            self._begins.append(f"{name} = tl.full((1, BLOCK_E), {one}, REAL)")
        chunk = [f"last_row({one}, row, BLOCK_T)" for one in through]
        chunk += [self._last(leaf, "BLOCK_T") for leaf in system.leaves]
        self.say(f"{', '.join(names)} = {combine}({', '.join([*names, *chunk])})")
        return names

    def _through(self, system: System, stage: Stage) -> list[str]:
        """The variables of a chunk's factors."""
        if not system.matrix:
            self._system(system, stage)
            return []
        matrix = [[self._coefficient(k, stage) for k in row] for row in system.matrix]
        return self._scan(system, matrix, [self._coefficient(k, stage) for k in system.offsets])
