"""The kernel of a scan: chunks of time steps, each joined by an associative scan.

Without products and sums over entries, every entry goes along the sequence on its own: a program has a block of
entries, of one sequence or of several. It takes time in chunks: it loads what a chunk reads, computes the coefficients
of all its steps, scans them along time, and with the carried values of all steps known computes the rest as if there
were no time. Against time it is the same with the rows of a chunk in the other order. The first row of a chunk begins
where the last row of the chunk before has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

from gatework.graph.affine import Affine, System
from gatework.graph.loop import Keeping, Loop, Place, Stage, Store
from gatework.graph.ops import Op
from gatework.kernels.triton.joining import IDENTITY, factors, joint
from gatework.kernels.triton.sequence import SequenceWriter, Slot
from gatework.kernels.triton.writing import TAB, TRITON


@dataclass(frozen=True)
class Scan:
    """A kernel's text and what its function is called with.

    In order: for each of `arrays` what `Call.given` says, the addresses of `weights`, that of a summary, then the time
    step to begin with, T and B, the time steps of a segment and the number of segments, and by name H, the blocks and
    `REAL`. B counts the sequences of one member. The axes of the grid are blocks of entries, members and segments.

    `summary` is the kernel that writes the summary, for all segments but the last; without one there is one segment
    alone. Its own `values` are how many numbers it writes for every entry of a segment.
    """

    text: str
    arrays: tuple[str, ...]
    weights: tuple[str, ...]
    summary: Scan | None = None
    values: int = 0


def carried(loop: Loop, stage: Stage) -> dict[int, Slot]:
    """The leaves that read what the step before has stored, and where."""
    stored = {(store.place.array, store.place.block) for store in stage.stores}
    reads = {**stage.reads, **(loop.last.reads if loop.last else {})}
    return {
        leaf: (place.array, place.block)
        for leaf, place in reads.items()
        if place.shift and (place.array, place.block) in stored
    }


@dataclass
class ChunkWriter(SequenceWriter):
    """The kernel's lines: a chunk has time steps for rows and entries for columns."""

    affine: Affine = field(default_factory=lambda: Affine((), (), ()))
    _after: dict[int, str] = field(default_factory=dict)

    def scan(self) -> Scan:
        """The kernel."""
        (stage,) = self.loop.stages
        for place in stage.reads.values():
            self._read(place)
        for system in self.affine.systems:
            self._system(system, stage)
        self.stage(stage)
        for leaf, slot in self._slots.items():
            self.say(f"{self.carried[slot]} = {self._last(leaf, 'end - step')}")
        body, self.lines = self.lines, []
        if self.loop.last:
            self.values = {leaf: self.carried[slot] for leaf, slot in self._slots.items()}
            self.stage(self.loop.last)
        last, self.lines = self.lines, []
        begins = [self.begin_of(slot, name) for slot, name in self.carried.items()]
        begins += self._known_segments() if self.affine.independent else []
        return self._kernel(begins, body, [*AFTER, *last] if last else [])

    @cached_property
    def _slots(self) -> Mapping[int, Slot]:
        """The leaves that read what is carried, and where it lies."""
        return carried(self.loop, self.loop.stages[0])

    def _start(self, leaf: int) -> str:
        """The variable of what a chunk begins with."""
        return self.carried[self._slots[leaf]]

    def _next(self, leaf: int) -> int:
        """The node that the next step will read where this one has read the leaf."""
        return self.stored[self._slots[leaf]]

    def _number(self, leaf: int) -> str:
        """The number that every step hands on where the leaf is read, which is fixed."""
        return self.value(self._next(leaf), self.loop.stages[0])

    def _last(self, leaf: int, steps: str) -> str:
        """What the last step of a chunk hands on, of so many steps."""
        if leaf in self.affine.fixed:
            return f"tl.zeros((1, BLOCK_E), REAL) + {self._number(leaf)}"
        return f"last_row({self._after[leaf]}, row, {steps})"

    def _system(self, system: System, stage: Stage) -> None:
        """Carried values after every step of a chunk."""
        if system.matrix:
            self._scanned(system, stage)
            return
        (leaf,) = system.leaves
        self.value(self._next(leaf), stage)
        self._after[leaf] = self.whole(self._next(leaf))

    def _scanned(self, system: System, stage: Stage) -> None:
        matrix = [[self._coefficient(k, stage) for k in row] for row in system.matrix]
        offsets = []
        for row, k in zip(matrix, system.offsets, strict=True):
            offset = self._coefficient(k, stage)
            offsets.append(self.name("offset"))
            self.say(f"{offsets[-1]} = tl.where(row == 0, {self._first(system, row, offset)}, {offset})")
        self._scan(system, matrix, offsets)

    def _scan(self, system: System, matrix: list[list[str]], offsets: list[str]) -> list[str]:
        """Join the steps of a chunk; returns the variables of the factors, of all rows up to each."""
        for leaf in system.leaves:
            node = self._next(leaf)
            self._after[leaf] = self.values[node] = self.name(self.loop.nodes[node].name or "after")
        combine = joint(self.loop.nodes, system)
        given = factors(combine, matrix)
        through = [self.name("through") for _ in given]
        names = [*through, *(self._after[leaf] for leaf in system.leaves)]
        self.say(f"{', '.join(names)}, = tl.associative_scan(({', '.join([*given, *offsets])},), 0, {combine})")
        return through

    def _known_segments(self) -> list[str]:
        """Lines that go from the beginning of the sequence to that of a segment."""
        lines, index = [], count()
        for system in self.affine.systems:
            combine, starts = joint(self.loop.nodes, system), [self._start(leaf) for leaf in system.leaves]
            names = [self.name("segment") for _ in (*IDENTITY[combine], *starts)]
            lines += [f"{name} = tl.load(known + {next(index)} * segments * size, mask=inside)" for name in names]
            # A value is an offset too, whatever the factors are.
            together = [*names[: len(IDENTITY[combine])], *starts]
            lines.append(f"{', '.join(together)} = {combine}({', '.join([*together, *names])})")
        return ["before = 0", "while before < segment:", *(TAB + line for line in (KNOWN, *lines, "before += 1"))]

    def _coefficient(self, k: int | None, stage: Stage) -> str:
        if k is None:
            return "zeros"
        self.value(k, stage)
        return self.whole(k)

    def _first(self, system: System, row: list[str], offset: str) -> str:
        """What the first step makes of the values that it begins with."""
        starts = [self._start(leaf) for leaf in system.leaves]
        if system.join is not Op.ADD:
            return TRITON[system.join].format(f"{starts[0]} + {row[0]}", offset)
        terms = [f"{factor} * {start}" for factor, start in zip(row, starts, strict=True) if factor != "zeros"]
        return " + ".join([*terms, offset])

    def leaf(self, k: int, stage: Stage) -> str:
        """What is read; what is carried is what the row before has come to."""
        if k in self.affine.fixed:
            return self.set(k, f"tl.where(row == 0, {self._start(k)}, {self._number(k)})")
        if k in self._after:
            return self.set(k, f"row_before({self._after[k]}, {self._start(k)}, row)")
        return self._read(stage.reads[k]) if k in stage.reads else ""

    def _read(self, place: Place) -> str:
        """The variable of what lies in an array that the kernel only reads; of others there is none yet."""
        return "" if place.shift and (place.array, place.block) in self.carried else super()._read(place)

    def _load(self, place: Place) -> str:
        found = f"tl.load({self._address(place, 'here')}, mask=mask, other=0.0).to(REAL)"
        if not place.shift:
            return found
        known = f"moment > {-place.shift - 1}" if place.shift < 0 else f"moment < T - {place.shift}"
        inside = f"tl.load({self._address(place, 'here')}, mask=mask & ({known}), other=0.0).to(REAL)"
        start = self.loop.arrays[place.array].start
        return f"tl.where({known}, {inside}, {self._outside(start)})" if start else inside

    def _outside(self, array: str) -> str:
        """The variable of what an array holds that does not go with time."""
        name = self.name(array)
        self.opening.append(f"{name} = tl.load({self._address(Place(array), 'here')}, mask=inside, other=0.0).to(REAL)")
        return name

    def _store(self, store: Store) -> None:
        # Of an array that keeps no sequence only the last step is asked for, and its rows lie on each other.
        pair = self.loop.arrays[store.place.array].keeping is Keeping.PAIR
        mask = "mask & (moment == T - 1)" if pair else "mask"
        self.say(f"tl.store({self._address(store.place, 'here')}, {self.whole(store.node)}, mask={mask})")

    def begin_of(self, slot: Slot, name: str) -> str:
        """What is carried as it is before the first step, as one row."""
        start = self.loop.arrays[slot[0]].start
        if not start:
            return f"{name} = tl.zeros((1, BLOCK_E), REAL)"
        return f"{name} = tl.load({self._address(Place(start), 'here')}, mask=inside, other=0.0).to(REAL)"

    def _kernel(self, begins: list[str], body: list[str], last: list[str]) -> Scan:
        lines = [
            self.decorator("begin", "T", "B", "span", "segments"),
            f"def {'backward' if self.backward else 'forward'}(",
            *(f"{TAB}{one}" for one in self.arguments()),
            f"{TAB}summary, begin, T, B, span, segments,",
            f"{TAB}H: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_E: tl.constexpr, REAL: tl.constexpr,",
            "):",
            *(TAB + line for line in (*ENTRIES, *self.strides(1), *self.own_weights(), *self.opening, *begins)),
            f"{TAB}step = segment * span",
            f"{TAB}end = tl.minimum(T, step + span)",
            f"{TAB}while step < end:",
            f"{2 * TAB}moment = begin.to(tl.int64) {'-' if self.backward else '+'} (step + row)",
            f"{2 * TAB}mask = inside & (step + row < end)",
            *(2 * TAB + line for line in body),
            f"{2 * TAB}step += BLOCK_T",
            *(TAB + line for line in last),
        ]
        return Scan("\n".join(lines) + "\n", tuple(self.arrays), tuple(self.weights))


KNOWN = "known = summary + before * size + here"
"""Where the summary of a segment lies, of the first of its numbers."""

ENTRIES = (
    "entry = tl.program_id(0).to(tl.int64) * BLOCK_E + tl.arange(0, BLOCK_E)",
    "column = entry % H",
    "columns = column[None, :]",
    "member = tl.program_id(1).to(tl.int64)",
    "segment = tl.program_id(2)",
    "rows = (member * B + entry // H)[None, :]",
    "here = rows * H + columns",
    "size = tl.num_programs(1).to(tl.int64) * B * H",
    "inside = (entry < B.to(tl.int64) * H)[None, :]",
    "row = tl.arange(0, BLOCK_T)[:, None]",
    "zeros = tl.zeros((BLOCK_T, BLOCK_E), REAL)",
)
AFTER = (
    "mask = inside & (segment == segments - 1)",
    "zeros = tl.zeros((1, BLOCK_E), REAL)",
)
