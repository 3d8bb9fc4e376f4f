"""A launch for every stage of every time step: for vectors whose matrices do not fit on a chip.

A program of a stage's kernel takes a block of sequences and a block of columns: it multiplies, with the vectors read
from memory, and computes what is elementwise on the sums. Between stages lies the end of a launch, by which time every
vector is complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gatework.graph.loop import Loop, Place, Stage, Term
from gatework.kernels.triton.writing import TAB, Writer

Moment = tuple[str, int]
"""An array, and how many time steps from the present one it is meant."""


@dataclass(frozen=True)
class Launch:
    """A kernel's text and what its function is called with.

    In order: the addresses of `arrays` at their times, those of `weights`, then B of one member, and by name the sizes
    and blocks and `REAL`, `PRECISION`. There are programs for all sequences and for all `columns`.
    """

    text: str
    arrays: tuple[Moment, ...]
    weights: tuple[str, ...]
    columns: str
    optional: bool


def write(loop: Loop) -> tuple[tuple[Launch, ...], Launch | None]:
    """The kernels of a time step, in order, and the one after the last step."""
    made = tuple(_Stage(loop, stage=stage).write() for stage in loop.stages)
    return made, _Stage(loop, stage=loop.last).write() if loop.last else None


@dataclass
class _Stage(Writer):
    stage: Stage = field(default_factory=lambda: Stage("H", {}, {}, {}, ()))
    _arrays: dict[Moment, str] = field(default_factory=dict)

    def write(self) -> Launch:
        for vector, terms in self._segments():
            self._multiply(vector, terms)
        for store in self.stage.stores:
            self.value(store.node, self.stage)
        for store in self.stage.stores:
            self.say(f"tl.store({self._address(store.place, 'columns')}, {self.whole(store.node)}, mask=mask)")
        size = self.stage.columns
        arguments = [f"{name}," for name in (*self._arrays.values(), *self.weights.values())]
        head = [
            "row = tl.program_id(0) * BLOCK_B + tl.arange(0, BLOCK_B)",
            "column = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)",
            *(["column_N = column"] if size == "N" else []),
            "member = tl.program_id(2).to(tl.int64)",
            "rows = (member * B + row)[:, None]",
            "there = (row < B)[:, None]",
            "columns = column[None, :]",
            f"mask = there & (columns < {size})",
            "zeros = tl.zeros((BLOCK_B, BLOCK_C), REAL)",
            *(["whole = tl.arange(0, BLOCK_H)[None, :]"] if self.stage.totals else []),
        ]
        lines = [
            '@triton.jit(do_not_specialize=["B"])',
            "def stage(",
            *(f"{TAB}{one}" for one in arguments),
            f"{TAB}B, N: tl.constexpr, H: tl.constexpr, BLOCK_B: tl.constexpr, BLOCK_C: tl.constexpr,",
            f"{TAB}BLOCK_K: tl.constexpr, BLOCK_H: tl.constexpr, REAL: tl.constexpr, DOT: tl.constexpr,",
            f"{TAB}PRECISION: tl.constexpr,",
            "):",
            *(TAB + line for line in (*head, *self.own_weights(), *self.opening, *self.lines)),
        ]
        return Launch("\n".join(lines) + "\n", tuple(self._arrays), tuple(self.weights), size, self.stage.optional)

    def _segments(self) -> Iterable[tuple[Place, list[tuple[int, Term]]]]:
        """Every vector that is multiplied, with the accumulators and the matrices that it meets."""
        met: dict[Place, list[tuple[int, Term]]] = {}
        for k in sorted(self.stage.products):
            self.set(k, "zeros")
            for term in self.stage.products[k]:
                met.setdefault(term.vector, []).append((k, term))
        return met.items()

    def _multiply(self, vector: Place, terms: Iterable[tuple[int, Term]]) -> None:
        size = self.loop.arrays[vector.array].columns
        self.say(f"for k in range(0, {size}, BLOCK_K):")
        self.say(f"{TAB}inner = k + tl.arange(0, BLOCK_K)")
        mask = f"there & (inner[None, :] < {size})"
        self.say(f"{TAB}vector = tl.load({self._address(vector, 'inner[None, :]')}, mask={mask}, other=0.0)")
        for k, term in terms:
            wide = "N" if self.is_wide(term.matrix) else "H"
            if term.transposed:
                along, across, width = "inner[:, None]", "columns", wide
            else:
                along, across, width = "columns", "inner[:, None]", wide
            address = f"{self.weight(term.matrix, f'H * {width}')} + {along} * {width} + {across}"
            inside = f"(inner[:, None] < {size}) & (columns < {self.stage.columns})"
            self.say(f"{TAB}matrix = tl.load({address}, mask={inside}, other=0.0)")
            operands = f"vector.to(matrix.dtype).to(DOT), matrix.to(DOT), {self.values[k]}"
            self.say(f"{TAB}{self.values[k]} = tl.dot({operands}, input_precision=PRECISION, out_dtype=REAL)")

    def leaf(self, k: int, stage: Stage) -> str:
        if k not in stage.reads:
            return ""
        return self.set(k, f"tl.load({self._address(stage.reads[k], 'columns')}, mask=mask, other=0.0).to(REAL)")

    def total(self, k: int, stage: Stage) -> str:
        address = self._address(stage.totals[k], "whole")
        return f"tl.sum(tl.load({address}, mask=there & (whole < H), other=0.0).to(REAL), axis=1)[:, None]"

    def _address(self, place: Place, entries: str) -> str:
        moment, array = (place.array, place.shift), self.loop.arrays[place.array]
        if moment not in self._arrays:
            self._arrays[moment] = self.name(f"a_{place.array}_{place.shift}".replace("-", "m"))
        row = f"rows * {array.columns}" if array.blocks == 1 else f"rows * ({array.blocks} * {array.columns})"
        block = f" + {place.block} * {array.columns}" if place.block else ""
        return f"{self._arrays[moment]} + {row}{block} + {entries}"
