"""One launch for a loop whose steps are affine in what they carry: many time steps at once, by an associative scan.

Without products and sums over entries, every entry goes along the sequence on its own: a program has a block of
entries, of one sequence or of several. It takes time in chunks: it loads what a chunk reads, computes the coefficients
of all its steps, scans them along time, and with the carried values of all steps known computes the rest as if there
were no time. Against time it is the same with the rows of a chunk in the other order. The first row of a chunk begins
where the last row of the chunk before has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from gatework.graph.affine import System, affine
from gatework.graph.loop import Keeping, Loop, Place, Stage, Store
from gatework.graph.ops import Op
from gatework.kernels.triton.sequence import SequenceWriter, Slot
from gatework.kernels.triton.writing import TAB, TRITON

LIMITED = {Op.MINIMUM: "least", Op.MAXIMUM: "most"}
"""The functions that join two steps which do not go beyond a bound."""


@dataclass(frozen=True)
class Scan:
    """A kernel's text and what its function is called with.

    In order: for each of `arrays` its address and the entries from one time step to the next, the addresses of
    `weights`, then the time step to begin with, T and B, and by name H, the blocks and `REAL`. B counts the sequences
    of one member, which is the second axis of the grid.
    """

    text: str
    arrays: tuple[str, ...]
    weights: tuple[str, ...]


def write(loop: Loop, *, backward: bool, input_gradient: bool = False) -> Scan | None:
    """The kernel of one of a plan's loops; None where its steps are not affine in what they carry."""
    asked = [stage for stage in loop.stages if input_gradient or not stage.optional]
    if len(asked) != 1 or not _is_elementwise(loop, asked[0]):
        return None
    (stage,) = asked
    carried = _carried(loop, stage)
    if loop.last and not loop.last.reads.keys() <= carried.keys():
        return None
    stored = {(store.place.array, store.place.block): store.node for store in stage.stores}
    found = affine(loop.nodes, {leaf: stored[slot] for leaf, slot in carried.items()})
    if found is None:
        return None
    last = _moved(loop.last, found.position) if loop.last else None
    scanned = replace(loop, nodes=found.nodes, stages=(_moved(stage, found.position),), last=last)
    return _ScanWriter(scanned, backward=backward, systems=found.systems).scan()


def _is_elementwise(loop: Loop, stage: Stage) -> bool:
    """Whether a stage needs of every vector the one entry that it computes."""
    places = [*stage.reads.values(), *(store.place for store in stage.stores)]
    return not (stage.products or stage.totals) and all(loop.arrays[one.array].columns == "H" for one in places)


def _carried(loop: Loop, stage: Stage) -> dict[int, Slot]:
    """The leaves that read what the step before has stored, and where."""
    stored = {(store.place.array, store.place.block) for store in stage.stores}
    reads = {**stage.reads, **(loop.last.reads if loop.last else {})}
    return {
        leaf: (place.array, place.block)
        for leaf, place in reads.items()
        if place.shift and (place.array, place.block) in stored
    }


def _moved(stage: Stage, position: tuple[int, ...]) -> Stage:
    """A stage of nodes that have gone elsewhere."""
    reads = {position[k]: place for k, place in stage.reads.items()}
    return replace(stage, reads=reads, stores=tuple(replace(one, node=position[one.node]) for one in stage.stores))


@dataclass
class _ScanWriter(SequenceWriter):
    """The kernel's lines: a chunk has time steps for rows and entries for columns."""

    systems: tuple[System, ...] = ()
    _after: dict[int, str] = field(default_factory=dict)

    def scan(self) -> Scan:
        """The kernel."""
        (stage,) = self.loop.stages
        for place in stage.reads.values():
            self._read(place)
        for system in self.systems:
            self._system(system, stage)
        self._stage(stage)
        for leaf, slot in self._slots.items():
            self.say(f"{self._carried[slot]} = last_row({self._after[leaf]}, row, T - step)")
        body, self.lines = self.lines, []
        if self.loop.last:
            self.values = {leaf: self._carried[slot] for leaf, slot in self._slots.items()}
            self._stage(self.loop.last)
        return self._kernel(body, self.lines)

    @cached_property
    def _slots(self) -> Mapping[int, Slot]:
        """The leaves that read what is carried, and where it lies."""
        return _carried(self.loop, self.loop.stages[0])

    def _next(self, leaf: int) -> int:
        """The node that the next step will read where this one has read the leaf."""
        return self._stored[self._slots[leaf]]

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
        for leaf in system.leaves:
            node = self._next(leaf)
            self._after[leaf] = self.values[node] = self.name(self.loop.nodes[node].name or "after")
        combine, factors = self._combined(system, matrix)
        names = [*(self.name("through") for _ in factors), *(self._after[leaf] for leaf in system.leaves)]
        given = ", ".join([*factors, *offsets])
        self.say(f"{', '.join(names)}, = tl.associative_scan(({given},), 0, {combine})")

    def _coefficient(self, k: int | None, stage: Stage) -> str:
        if k is None:
            return "zeros"
        self.value(k, stage)
        return self.whole(k)

    def _first(self, system: System, row: list[str], offset: str) -> str:
        """What the first step makes of the values that it begins with."""
        starts = [self._carried[self._slots[leaf]] for leaf in system.leaves]
        if system.join is not Op.ADD:
            return TRITON[system.join].format(f"{starts[0]} + {row[0]}", offset)
        terms = [f"{factor} * {start}" for factor, start in zip(row, starts, strict=True) if factor != "zeros"]
        return " + ".join([*terms, offset])

    def _combined(self, system: System, matrix: list[list[str]]) -> tuple[str, list[str]]:
        """The function that joins two steps, and what it takes of each before the offsets."""
        if system.join is not Op.ADD:
            return LIMITED[system.join], matrix[0]
        if len(matrix) == 1:
            return ("summed", []) if self._is_one(system.matrix[0][0]) else ("affine", matrix[0])
        if self._turns(system):
            return "turning", [matrix[0][0], matrix[1][0]]
        return "affine_pair", [*matrix[0], *matrix[1]]

    def _is_one(self, k: int | None) -> bool:
        return k is not None and self.loop.nodes[k].op is Op.CONSTANT and self.loop.nodes[k].value == 1.0

    def _turns(self, system: System) -> bool:
        """Whether a pair is multiplied as the two parts of a complex number are."""
        (real, minus), (plus, same) = system.matrix
        return real == same and (self._is_negative(minus, plus) or self._is_negative(plus, minus))

    def _is_negative(self, k: int | None, other: int | None) -> bool:
        return k is not None and self.loop.nodes[k].op is Op.NEGATE and self.loop.nodes[k].args[0] == other

    def leaf(self, k: int, stage: Stage) -> str:
        """What is read; what is carried is what the row before has come to."""
        if k in self._after:
            start = self._carried[self._slots[k]]
            return self.set(k, f"row_before({self._after[k]}, {start}, row)")
        return self._read(stage.reads[k]) if k in stage.reads else ""

    def _read(self, place: Place) -> str:
        """The variable of what lies in an array that the kernel only reads; of others there is none yet."""
        return "" if place.shift and (place.array, place.block) in self._carried else super()._read(place)

    def _load(self, place: Place) -> str:
        found = f"tl.load({self._address(place, 'here')}, mask=mask, other=0.0).to(REAL)"
        if not place.shift:
            return found
        known = f"moment > {-place.shift - 1}" if place.shift < 0 else f"moment < T - {place.shift}"
        inside = f"tl.load({self._address(place, 'here')}, mask=mask & ({known}), other=0.0).to(REAL)"
        start = self.loop.arrays[place.array].start
        return f"tl.where({known}, {inside}, {self._start(start)})" if start else inside

    def _start(self, array: str) -> str:
        """The variable of what an array holds that does not go with time."""
        name = self.name(array)
        self.opening.append(f"{name} = tl.load({self._address(Place(array), 'here')}, mask=inside, other=0.0).to(REAL)")
        return name

    def _store(self, store: Store) -> None:
        # Of an array that keeps no sequence only the last step is asked for, and its rows lie on each other.
        pair = self.loop.arrays[store.place.array].keeping is Keeping.PAIR
        mask = "mask & (moment == T - 1)" if pair else "mask"
        self.say(f"tl.store({self._address(store.place, 'here')}, {self.whole(store.node)}, mask={mask})")

    def _begin(self, slot: Slot, name: str) -> str:
        start = self.loop.arrays[slot[0]].start
        if not start:
            return f"{name} = zeros_of_one"
        return f"{name} = tl.load({self._address(Place(start), 'here')}, mask=inside, other=0.0).to(REAL)"

    def _kernel(self, body: list[str], last: list[str]) -> Scan:
        begins = [self._begin(slot, name) for slot, name in self._carried.items()]
        arguments = [*(f"{name}, step_{name}," for name in self._arrays.values())]
        arguments += [f"{name}," for name in self.weights.values()]
        lines = [
            # How long a sequence is, and how many there are, makes no other kernel.
            '@triton.jit(do_not_specialize=["begin", "T", "B"])',
            f"def {'backward' if self.backward else 'forward'}(",
            *(f"{TAB}{one}" for one in arguments),
            f"{TAB}begin, T, B, H: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_E: tl.constexpr, REAL: tl.constexpr,",
            "):",
            *(TAB + line for line in (*ENTRIES, *self.own_weights(), *self.opening, *begins)),
            f"{TAB}step = 0",
            f"{TAB}while step < T:",
            f"{2 * TAB}moment = begin.to(tl.int64) {'-' if self.backward else '+'} (step + row)",
            f"{2 * TAB}mask = inside & (step + row < T)",
            *(2 * TAB + line for line in body),
            f"{2 * TAB}step += BLOCK_T",
            *(TAB + line for line in (*(AFTER if last else ()), *last)),
        ]
        return Scan("\n".join(lines) + "\n", tuple(self._arrays), tuple(self.weights))


ENTRIES = (
    "entry = tl.program_id(0).to(tl.int64) * BLOCK_E + tl.arange(0, BLOCK_E)",
    "column = entry % H",
    "columns = column[None, :]",
    "member = tl.program_id(1).to(tl.int64)",
    "rows = (member * B + entry // H)[None, :]",
    "here = rows * H + columns",
    "inside = (entry < B.to(tl.int64) * H)[None, :]",
    "row = tl.arange(0, BLOCK_T)[:, None]",
    "zeros = tl.zeros((BLOCK_T, BLOCK_E), REAL)",
)
AFTER = (
    "mask = inside",
    "zeros = tl.zeros((1, BLOCK_E), REAL)",
)
