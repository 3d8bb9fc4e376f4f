"""The launch of a grid: how many sequences and units its programs have, and what they keep on the chip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gatework.kernels.triton import chip, grid
from gatework.kernels.triton.build import function
from gatework.kernels.triton.call import Call, block

COLUMNS, ROWS = (16, 32, 64, 128), (16, 32, 64)
"""Units, and sequences, that a program may have."""

HELD = 4096
"""Entries of all its sequences that a program reads at once, where it keeps the rows of matrices that they meet."""

READ, READ_FLOAT32 = 2048, 32
"""Entries of a matrix, and rows of one in float32, that are read at once where matrices are not kept."""

COOPERATIVE = {"launch_cooperative_grid": True}
"""So that a launch is refused where its programs could not all run at once, and would wait for ever."""


@dataclass(frozen=True)
class Shares:
    """What a program has: `rows` sequences at a time and `columns` units; `groups` of programs share the sequences."""

    rows: int
    columns: int
    groups: int

    @property
    def keeps(self) -> bool:
        """Whether vectors leave room for matrices that are kept."""
        return self.rows < ROWS[-1]

    @property
    def part(self) -> int:
        """Rows of a matrix that are kept as one: fewer are more products to compile, more are more registers."""
        return max(16, HELD // self.rows)

    def reading(self, half: bool) -> dict[str, int]:
        """Options of a kernel that reads its matrices at every step: some reads are under way while it multiplies."""
        most = self.rows == ROWS[-1]
        if half:
            many = most and self.columns > COLUMNS[1]
            return {"BLOCK_K": max(16, READ // self.columns), "num_warps": 8 if many else 4, "num_stages": 3}
        return {"BLOCK_K": READ_FLOAT32, "num_warps": 8 if most else 4, "num_stages": 5 if most else 8}

    def keeping(self) -> dict[str, int]:
        """Options of one that keeps them."""
        return {"BLOCK_K": self.part, "num_warps": 4}


def shares(B: int, H: int, members: int, programs: int) -> Shares:
    """How `programs` that run at once share the sequences and the units of all members.

    Each has the fewest units, then sequences, with which there are programs for all. Where they never suffice, a
    group takes some of its sequences after others, and no group means that there are too few programs for one.

    >>> shares(16, 768, 1, 132)
    Shares(rows=16, columns=16, groups=1)
    >>> shares(256, 1024, 1, 132)
    Shares(rows=64, columns=32, groups=4)
    """
    for columns in COLUMNS:
        for rows in ROWS:
            groups = -(-B // rows)
            if groups * members * -(-H // columns) <= programs:
                return Shares(rows, columns, groups)
    return Shares(ROWS[-1], COLUMNS[-1], programs // (members * -(-H // COLUMNS[-1])))


class Together:
    """One launch for the whole sequence, whose programs share the units and wait for each other at every step."""

    name = "one launch, programs together"

    def fits(self, call: Call) -> bool:
        """Whether programs have anything to exchange, can run at once, and have vectors of H entries only."""
        return call.x.is_cuda and self.would_fit(call) and self._shares(call).groups > 0

    def would_fit(self, call: Call) -> bool:
        """Whether a GPU with enough processors could run it."""
        made = self._made(call)
        return bool(made.shared) and not made.unfit

    def arrays(self, call: Call) -> Iterable[str]:
        """Those that somebody reads after the kernel, or that it reads."""
        return self._made(call).arrays

    def run(self, call: Call) -> None:
        """The launch."""
        made, options = self._chosen(call)
        share = self._shares(call)
        barrier = torch.zeros(call.members * share.groups, dtype=torch.int32, device=call.x.device)
        given = [one for name in made.arrays for one in (_typed(call, made, name), *call.given(name)[1:])]
        weights = [call.weights[key] for key in made.weights]
        blocks = {"BLOCK_B": share.rows, "BLOCK_H": share.columns, "BLOCK_W": block(call.H)}
        every = {**call.options, **blocks, **options, **COOPERATIVE}
        run = function(made.text)[(share.groups, -(-call.H // share.columns), call.members)]
        run(*given, *weights, barrier, call.begin, len(call.x), call.sequences, **every)

    def _chosen(self, call: Call) -> tuple[grid.Grid, dict[str, Any]]:
        """The kernel that keeps matrices on the chip, where they fit there, and its options."""
        made, share = self._made(call), self._shares(call)
        parts = -(-call.H // share.part)
        size = call.products.itemsize
        kept = made.tiles * parts * share.part * share.columns * size
        # Products as three would keep each matrix as two, in registers; there wait vectors that are yet to be rounded.
        direct = call.options["PRECISION"] != chip.THRICE and call.products == call.x.dtype
        if share.keeps and kept <= chip.on_chip(call.x) and direct:
            return self._made(call, parts), share.keeping()
        return made, share.reading(size < 4)

    def _made(self, call: Call, parts: int = 0) -> grid.Grid:
        write = partial(grid.write, backward=call.backward, input_gradient=call.input_gradient, parts=parts)
        return call.made(f"{self.name}, {parts}", lambda: write(call.loop))

    def _shares(self, call: Call) -> Shares:
        return shares(call.sequences, call.H, call.members, chip.programs(call.x))


def _typed(call: Call, made: grid.Grid, name: str) -> Tensor:
    """An array in the type of the one that begins with it: a kernel reads either through one address."""
    others = [one for one in made.shared if call.loop.arrays[one].start == name]
    return call.arrays[name].to(call.arrays[others[0]].dtype) if others else call.arrays[name]
