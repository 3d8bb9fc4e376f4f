"""One launch for the whole sequence by programs that share its units: for vectors whose matrices no program can hold.

Every program has some sequences and some units, and goes through time with the others that have the same sequences.
What is its own stays in registers, as in `sequence`, and its part of the matrices on the chip, where there is room.
Vectors that are multiplied pass through memory: after a stage that writes one the programs wait for each other, so all
of them have to run at once. An array with two slots is enough for what does not outlive a step: whoever writes one
again has waited for those that read it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from gatework.graph.loop import Array, Keeping, Loop, Place, Stage, Term
from gatework.kernels.triton.sequence import SequenceWriter
from gatework.kernels.triton.writing import ACROSS, ROWS, TAB, WHOLE

Moment = tuple[str, int]
"""An array, and how many time steps from the present one it is meant."""


@dataclass(frozen=True)
class Grid:
    """A kernel's text and what its function is called with.

    In order: for each of `arrays` what `Call.given` says, the addresses of `weights`, the counters of the programs that
    wait for each other, zero at first and one for every member and first index of the grid, then the time step to begin
    with, T and B of one member, and by name the sizes and blocks and `REAL`, `PRECISION`. `shared` are the arrays
    through which programs exchange vectors. `tiles` counts the matrices, as they are and transposed. A kernel whose
    vectors of N entries are read entry by entry is `unfit` to run.
    """

    text: str
    arrays: tuple[str, ...]
    weights: tuple[str, ...]
    shared: tuple[str, ...]
    tiles: int
    unfit: bool


def write(loop: Loop, *, backward: bool, input_gradient: bool = False, parts: int = 0) -> Grid:
    """The kernel of one of a plan's loops; `input_gradient` says whether what is optional is computed.

    Matrices are kept on the chip in so many `parts`, of BLOCK_K rows each; without any they are read at every step.
    """
    return _Grid(loop, backward=backward, optional=input_gradient, parts=parts).grid()


@dataclass
class _Grid(SequenceWriter):
    parts: int = 0
    _bases: dict[Moment, tuple[str, str]] = field(default_factory=dict)
    _parts: dict[tuple[str, bool, int], str] = field(default_factory=dict)
    _matrices: set[tuple[str, bool]] = field(default_factory=set)

    def grid(self) -> Grid:
        body, last = self.written()
        begins = [self.begin_of(slot, name) for slot, name in self.carried.items()]
        lines = [
            self.decorator("begin", "T", "B"),
            f"def {'backward' if self.backward else 'forward'}(",
            *(f"{TAB}{one}" for one in self.arguments()),
            f"{TAB}barrier, begin, T, B,",
            f"{TAB}N: tl.constexpr, H: tl.constexpr, BLOCK_B: tl.constexpr, BLOCK_H: tl.constexpr,",
            f"{TAB}BLOCK_K: tl.constexpr, BLOCK_W: tl.constexpr, REAL: tl.constexpr, DOT: tl.constexpr,",
            f"{TAB}PRECISION: tl.constexpr,",
            "):",
            *(TAB + line for line in (*ACROSS, *self.strides(2), *self.own_weights())),
            *([f"{TAB}inner = tl.arange(0, BLOCK_K)"] if self.parts else []),
            *(TAB + line for line in self.opening),
            f"{TAB}zeros = tl.zeros((BLOCK_B, BLOCK_H), REAL)",
            f"{TAB}{WHOLE}",
            f"{TAB}barrier += tl.program_id(2) * tl.num_programs(0) + tl.program_id(0)",
            f"{TAB}reached = tl.program_id(0) * 0",
            f"{TAB}tile = tl.program_id(0)",
            f"{TAB}while tile * BLOCK_B < B:",
            f"{2 * TAB}row = tile * BLOCK_B + tl.arange(0, BLOCK_B)",
            *(2 * TAB + line for line in (*ROWS, *begins)),
            f"{2 * TAB}moment = begin.to(tl.int64)",
            f"{2 * TAB}step = 0",
            f"{2 * TAB}while step < T:",
            *(3 * TAB + line for line in body),
            f"{3 * TAB}moment {'-' if self.backward else '+'}= 1",
            f"{3 * TAB}step += 1",
            *(2 * TAB + line for line in last),
            f"{2 * TAB}tile += tl.num_programs(0)",
        ]
        unfit = self.wide or any(
            stage.columns == "N" for stage in self.loop.stages if self.optional or not stage.optional
        )
        arrays, weights, shared = tuple(self.arrays), tuple(self.weights), tuple(sorted(self._shared))
        return Grid("\n".join(lines) + "\n", arrays, weights, shared, len(self._matrices), unfit)

    @cached_property
    def _shared(self) -> frozenset[str]:
        """The arrays that a program reads where others have written."""
        stages = (*self.loop.stages, *([self.loop.last] if self.loop.last else []))
        found = {place.array for stage in stages for place in _exchanged(stage)}
        return frozenset(found & {store.place.array for stage in self.loop.stages for store in stage.stores})

    def stage(self, stage: Stage) -> None:
        """A stage; where others read what it writes, they wait for it."""
        self._bases = {}
        self.products(stage)
        super().stage(stage)
        if any(store.place.array in self._shared for store in stage.stores):
            self.say("reached += tl.num_programs(1)")
            self.say("wait(barrier, reached)")

    def multiply(self, vector: Place, terms: Iterable[tuple[int, Term]], columns: str) -> None:
        """Products with what is kept of the matrices: all of the vector is asked for before the first one."""
        terms = list(terms)
        self._matrices |= {(term.matrix, term.transposed) for _, term in terms}
        size = self.loop.arrays[vector.array].columns
        if not self.parts or size == "N":
            super().multiply(vector, terms, columns)
            return
        read: list[str] = []
        for part in range(self.parts):
            read.append(self.name("part"))
            entries = f"({part} * BLOCK_K + inner[None, :])"
            self.say(f"{read[-1]} = {self.load(vector, entries, f'({entries} < {size})')}")
        for part, name in enumerate(read):
            for k, term in terms:
                self.say(self.add_product(k, name, self._kept_part(term, part, size, columns)))

    def _kept_part(self, term: Term, part: int, size: str, columns: str) -> str:
        key = (term.matrix, term.transposed, part)
        if key not in self._parts:
            self._parts[key] = self.name(f"{term.matrix}_{part}")
            found = self.part(term, f"({part} * BLOCK_K + inner[:, None])", size, columns)
            self.opening.append(f"{self._parts[key]} = {found}")
        return self._parts[key]

    def is_kept(self, array: Array) -> bool:
        """Whether anybody reads the array but the program itself."""
        return array.name in self._shared or super().is_kept(array)

    def total(self, k: int, stage: Stage) -> str:
        """The sum over entries of which the program has a part."""
        return self.total_in_memory(stage.totals[k])

    def load(self, place: Place, entries: str, inside: str) -> str:
        """Entries of a vector that lies in memory, as the other programs have left it there."""
        base, known = self._base(place)
        row = self.row(place.array, self.pointer(place.array))
        block = f" + {place.block} * {self.loop.arrays[place.array].columns}" if place.block else ""
        fresh = ', cache_modifier=".cg"' if place.array in self._shared else ""
        return f"tl.load({base} + {row}{block} + {entries}, mask=there & {inside}{known}, other=0.0{fresh})"

    def _base(self, place: Place) -> tuple[str, str]:
        """Where an array's vectors of a moment begin, and what is to be asked in case it is outside of the sequence."""
        moment = (place.array, place.shift)
        if moment not in self._bases:
            self._bases[moment] = self._found(place)
        return self._bases[moment]

    def _found(self, place: Place) -> tuple[str, str]:
        array, pointer = self.loop.arrays[place.array], self.pointer(place.array)
        if array.keeping is Keeping.START:
            return pointer, ""
        slot = f"moment + {place.shift}" if place.shift else "moment"
        slot = f"(({slot}) & 1)" if array.keeping in (Keeping.PAIR, Keeping.STEP) else f"({slot})"
        base = f"{pointer} + {slot} * step_{pointer}"
        if not place.shift:
            return base, ""
        known = f"(moment > {-place.shift - 1})" if place.shift < 0 else f"(moment < T - {place.shift})"
        if not array.start:
            return base, f" & {known}"
        name = self.name(f"at_{place.array}")
        self.say(f"{name} = {base} if {known} else {self.pointer(array.start)}")
        return name, ""


def _exchanged(stage: Stage) -> Iterable[Place]:
    """The vectors of which a program needs all entries."""
    yield from stage.totals.values()
    for terms in stage.products.values():
        for term in terms:
            yield term.vector
