"""A launch for every stage of every time step: for vectors whose matrices do not fit on a chip.

A program of a stage's kernel takes a block of sequences and a block of columns: it multiplies, with the vectors read
from memory, and computes what is elementwise on the sums. Between stages lies the end of a launch, by which time every
vector is complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gatework.graph.loop import Loop, Place, Stage
from gatework.kernels.triton.writing import ROWS, TAB, WHOLE, Writer

Moment = tuple[str, int]
"""An array, and how many time steps from the present one it is meant."""


@dataclass(frozen=True)
class Launch:
    """A kernel's text and what its function is called with.

    In order: the addresses of `arrays` at their times, of an input after the first with how many vectors lie in its
    rows, the addresses of `weights`, then B of one member, and by name the sizes
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
        self.products(self.stage)
        for store in self.stage.stores:
            self.value(store.node, self.stage)
        for store in self.stage.stores:
            self.say(f"tl.store({self._address(store.place, 'columns')}, {self.whole(store.node)}, mask=mask)")
        size = self.stage.columns
        arguments = [f"{name},{self.width(array, name)}" for (array, _), name in self._arrays.items()]
        arguments += [f"{name}," for name in self.weights.values()]
        head = [
            "member = tl.program_id(2).to(tl.int64)",
            "row = tl.program_id(0) * BLOCK_B + tl.arange(0, BLOCK_B)",
            "column = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)",
            *(["column_N = column"] if size == "N" else []),
            "columns = column[None, :]",
            f"inside = columns < {size}",
            *ROWS,
            "zeros = tl.zeros((BLOCK_B, BLOCK_H), REAL)",
            *([WHOLE] if self.stage.totals else []),
        ]
        lines = [
            '@triton.jit(do_not_specialize=["B"])',
            "def stage(",
            *(f"{TAB}{one}" for one in arguments),
            f"{TAB}B, N: tl.constexpr, H: tl.constexpr, BLOCK_B: tl.constexpr, BLOCK_H: tl.constexpr,",
            f"{TAB}BLOCK_K: tl.constexpr, BLOCK_W: tl.constexpr, REAL: tl.constexpr, DOT: tl.constexpr,",
            f"{TAB}PRECISION: tl.constexpr,",
            "):",
            *(TAB + line for line in (*head, *self.own_weights(), *self.opening, *self.lines)),
        ]
        return Launch("\n".join(lines) + "\n", tuple(self._arrays), tuple(self.weights), size, self.stage.optional)

    def leaf(self, k: int, stage: Stage) -> str:
        if k not in stage.reads:
            return ""
        return self.set(k, f"tl.load({self._address(stage.reads[k], 'columns')}, mask=mask, other=0.0).to(REAL)")

    def total(self, k: int, stage: Stage) -> str:
        return self.total_in_memory(stage.totals[k])

    def load(self, place: Place, entries: str, inside: str) -> str:
        return f"tl.load({self._address(place, entries)}, mask=there & {inside}, other=0.0)"

    def _address(self, place: Place, entries: str) -> str:
        moment, array = (place.array, place.shift), self.loop.arrays[place.array]
        if moment not in self._arrays:
            self._arrays[moment] = self.name(f"a_{place.array}_{place.shift}".replace("-", "m"))
        pointer = self._arrays[moment]
        block = f" + {place.block} * {array.columns}" if place.block else ""
        return f"{pointer} + {self.row(place.array, pointer)}{block} + {entries}"
