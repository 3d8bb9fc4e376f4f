"""One launch for the whole sequence: a loop as a kernel that goes through time by itself.

A program of the kernel takes a block of sequences, in a scan a block of their units, through all time steps. What one
step hands to the next stays in registers: the states forward, their gradients backward. So do the recurrent matrices,
which are read once. Vectors are padded to a power of two; padding is never read by a product or a sum over entries.
The third axis of the grid is that of members, which have weights of their own, and sequences of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gatework.graph.loop import Array, Keeping, Loop, Place, Stage, Store
from gatework.graph.plan import is_other_input
from gatework.kernels.triton.writing import ACROSS, ROWS, TAB, WIDE, Writer

Slot = tuple[str, int]
"""An array and a block of it."""


@dataclass(frozen=True)
class Sequence:
    """A kernel's text and what its function is called with.

    In order: for each of `arrays` what `Call.given` says, the addresses of `weights`, then the time step to begin with,
    T and B, and by name the sizes and blocks and `REAL`, `PRECISION`. B counts the sequences of one member. `tiles` are
    the sizes, by letter, of the matrices that are kept on the chip. A kernel that is a `scan` has none, and sums over
    no entries: its programs may share the units of a sequence.
    """

    text: str
    arrays: tuple[str, ...]
    weights: tuple[str, ...]
    tiles: tuple[tuple[str, str], ...]
    scan: bool


def write(loop: Loop, *, backward: bool, input_gradient: bool = False) -> Sequence:
    """The kernel of one of a plan's loops; `input_gradient` says whether what is optional is computed."""
    return SequenceWriter(loop, backward=backward, optional=input_gradient).write()


@dataclass
class SequenceWriter(Writer):
    """The kernel's lines."""

    backward: bool = False
    optional: bool = False
    _loaded: dict[Place, str] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)
    _tiles: dict[tuple[str, bool], str] = field(default_factory=dict)
    _sums: bool = False

    def write(self) -> Sequence:
        """The kernel."""
        return self._assembled(*self.written())

    def written(self) -> tuple[list[str], list[str]]:
        """The lines of a step, and those after the last one."""
        stages = [stage for stage in self.loop.stages if self.optional or not stage.optional]
        # What is read is asked for before the first product: it is on its way meanwhile.
        for stage in stages:
            for place in stage.reads.values():
                self._read(place)
        for stage in stages:
            self.stage(stage)
        # First all of them, then: one may be what another was.
        ends = {slot: f"next_{name}" for slot, name in self.carried.items()}
        for slot, name in ends.items():
            self.say(f"{name} = {self.whole(self.stored[slot])}")
        for slot, name in self.carried.items():
            self.say(f"{name} = {ends[slot]}")
        body, self.lines = self.lines, []
        if self.loop.last:
            self.values, self._loaded = {}, {}
            self.stage(self.loop.last)
        return body, self.lines

    @cached_property
    def stored(self) -> Mapping[Slot, int]:
        """The node that is stored in a slot at every step."""
        return {(store.place.array, store.place.block): store.node for one in self.loop.stages for store in one.stores}

    @cached_property
    def carried(self) -> Mapping[Slot, str]:
        """What a step reads of what the step before has stored, and its variable."""
        stages = (*self.loop.stages, *([self.loop.last] if self.loop.last else []))
        found = {(place.array, place.block) for stage in stages for place in _places(stage) if place.shift}
        when = "after" if self.backward else "before"
        return {slot: self.name(f"{slot[0]}_{slot[1]}_{when}") for slot in sorted(found & set(self.stored))}

    def stage(self, stage: Stage) -> None:
        """What a stage computes and stores."""
        for store in stage.stores:
            self.value(store.node, stage)
        for store in stage.stores:
            if self.is_kept(self.loop.arrays[store.place.array]):
                self._store(store)

    def is_kept(self, array: Array) -> bool:
        """Whether somebody reads the array after the kernel."""
        return array.keeping is not Keeping.STEP and not (self.backward and array.keeping is Keeping.PAIR)

    def _store(self, store: Store) -> None:
        base, mask = self._entries(store.place.array)
        self.say(f"tl.store({self._address(store.place, base)}, {self.whole(store.node)}, mask={mask})")

    def _entries(self, array: str) -> tuple[str, str]:
        wide = self.loop.arrays[array].columns == "N"
        self.wide |= wide
        return ("here_N", "mask_N") if wide else ("here", "mask")

    def leaf(self, k: int, stage: Stage) -> str:
        """What is read, and what is accumulated."""
        if k in stage.reads:
            return self._read(stage.reads[k])
        return self.set(k, self._accumulated(k, stage)) if k in stage.products else ""

    def total(self, k: int, stage: Stage) -> str:
        """The sum over entries that the program has."""
        (of,) = self.loop.nodes[k].args
        columns = "in_N" if self.loop.nodes[of].shape == ("N",) else "inside"
        self.value(of, stage)
        self._sums = True
        return f"tl.sum(tl.where({columns}, {self.whole(of)}, 0.0), axis=1)[:, None]"

    def _accumulated(self, k: int, stage: Stage) -> str:
        total = "None"
        for term in stage.products[k]:
            array = term.vector.array
            vector = self._read(term.vector) or self.whole(self.stored[array, term.vector.block])
            columns = "in_N" if self.loop.arrays[array].columns == "N" else "inside"
            tile = self._tile(term.matrix, transposed=term.transposed)
            operands = f"tl.where({columns}, {vector}, 0.0).to({tile}.dtype).to(DOT), {tile}.to(DOT)"
            total = f"tl.dot({operands}, {total}, input_precision=PRECISION, out_dtype=REAL)"
        return total

    def _read(self, place: Place) -> str:
        """The variable of what lies at a place; empty where this very step computes it."""
        slot = (place.array, place.block)
        if place.shift and slot in self.carried:
            return self.carried[slot]
        if not place.shift and slot in self.stored:
            return ""
        if place not in self._loaded:
            self._loaded[place] = self.name(f"{place.array}_{place.block}_{place.shift}".replace("-", "m"))
            self.say(f"{self._loaded[place]} = {self._load(place)}")
        return self._loaded[place]

    def _load(self, place: Place) -> str:
        """A vector from an array that the kernel only reads."""
        base, mask = self._entries(place.array)
        address = self._address(place, base)
        if not place.shift:
            return f"tl.load({address}, mask={mask}, other=0.0).to(REAL)"
        known = f"(moment > {-place.shift - 1})" if place.shift < 0 else f"(moment < T - {place.shift})"
        found = f"tl.load({address}, mask={mask} & {known}, other=0.0).to(REAL)"
        start = self.loop.arrays[place.array].start
        if not start:
            return found
        address = self._address(Place(start), base)
        return f"{found} + tl.load({address}, mask={mask} & ({known} == 0), other=0.0).to(REAL)"

    def _address(self, place: Place, base: str) -> str:
        array = self.loop.arrays[place.array]
        pointer = self.pointer(place.array)
        parts = [pointer]
        if array.keeping in (Keeping.PAIR, Keeping.STEP):
            parts.append(f"(moment & 1) * step_{pointer}")
        elif array.keeping is not Keeping.START:
            moment = f"(moment + {place.shift})" if place.shift else "moment"
            parts.append(f"{moment} * step_{pointer}")
        if array.blocks > 1 or is_other_input(place.array):
            block = f" + {place.block} * H" if place.block else ""
            base = f"{self.row(place.array, pointer)}{block} + columns"
        return " + ".join([*parts, base])

    def pointer(self, array: str) -> str:
        """The argument with the address of an array."""
        if array not in self.arrays:
            self.arrays[array] = self.name(f"a_{array}")
        return self.arrays[array]

    def arguments(self) -> list[str]:
        """Those for arrays and weights; of how many vectors lie in a row of an input, a kernel is made for each."""
        every = [f"{name}, moves_{name},{self.width(array, name)}" for array, name in self.arrays.items()]
        return every + [f"{name}," for name in self.weights.values()]

    def decorator(self, *sizes: str) -> str:
        """The line before the function: how long a sequence is, and how many there are, makes no other kernel."""
        names = (*sizes, *(f"moves_{name}" for name in self.arrays.values()))
        return f"@triton.jit(do_not_specialize=[{', '.join(map(repr, names))}])"

    def strides(self, axis: int) -> list[str]:
        """Lines for the entries from one time step to the next, of all members, which are that axis of the grid.

        They are no arguments: with H known, it is known what divides them.
        """
        lines = []
        for array, name in self.arrays.items():
            one = self.loop.arrays[array]
            blocks = f"width_{name}" if is_other_input(array) else one.blocks
            lines.append(f"step_{name} = moves_{name} * every * ({blocks} * {one.columns})")
        return [f"every = tl.num_programs({axis}).to(tl.int64) * B", *lines]

    def _tile(self, key: str, *, transposed: bool) -> str:
        if (key, transposed) not in self._tiles:
            self._tiles[key, transposed] = self.name(f"{key}{'_t' if transposed else ''}")
        return self._tiles[key, transposed]

    def _tile_line(self, key: str, transposed: bool, name: str) -> str:
        """A matrix as its product takes it: the entries that are summed over first."""
        self.wide |= self.is_wide(key)
        inner, size = ("column_N", "N") if self.is_wide(key) else ("column", "H")
        rows, columns = ("[:, None]", "[None, :]") if transposed else ("[None, :]", "[:, None]")
        along, across = f"column{rows}", f"{inner}{columns}"
        address = f"{self.weight(key, f'H * {size}')} + {along} * {size} + {across}"
        return f"{name} = tl.load({address}, mask=({along} < H) & ({across} < {size}), other=0.0)"

    def begin_of(self, slot: Slot, name: str) -> str:
        """What is carried as it is before the first step."""
        start = self.loop.arrays[slot[0]].start
        if not start:
            return f"{name} = zeros"
        return f"{name} = tl.load({self._address(Place(start), 'here')}, mask=mask, other=0.0).to(REAL)"

    def _assembled(self, body: list[str], last: list[str]) -> Sequence:
        begins = [self.begin_of(slot, name) for slot, name in self.carried.items()]
        tiles = [self._tile_line(key, transposed, name) for (key, transposed), name in self._tiles.items()]
        head = [
            "row = tl.program_id(0) * BLOCK_B + tl.arange(0, BLOCK_B)",
            *ACROSS,
            *self.strides(2),
            *ROWS,
            *(WIDE if self.wide else ()),
            "zeros = tl.zeros((BLOCK_B, BLOCK_H), REAL)",
            *self.own_weights(),
            *tiles,
            *self.opening,
            *begins,
            "moment = begin.to(tl.int64)",
            "step = 0",
            "while step < T:",
        ]
        steps = [*body, f"moment {'-' if self.backward else '+'}= 1", "step += 1"]
        lines = [
            self.decorator("begin", "T", "B"),
            f"def {'backward' if self.backward else 'forward'}(",
            *(f"{TAB}{one}" for one in self.arguments()),
            f"{TAB}begin, T, B,",
            f"{TAB}N: tl.constexpr, H: tl.constexpr, BLOCK_B: tl.constexpr, BLOCK_N: tl.constexpr,",
            f"{TAB}BLOCK_H: tl.constexpr, REAL: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,",
            "):",
            *(TAB + line for line in head),
            *(2 * TAB + line for line in steps),
            *(TAB + line for line in last),
        ]
        sizes = tuple(("H", "N" if self.is_wide(key) else "H") for key, _ in self._tiles)
        scan = not sizes and not self._sums
        return Sequence("\n".join(lines) + "\n", tuple(self.arrays), tuple(self.weights), sizes, scan)


def _places(stage: Stage) -> Iterable[Place]:
    yield from stage.reads.values()
    yield from stage.totals.values()
    for terms in stage.products.values():
        for term in terms:
            yield term.vector
