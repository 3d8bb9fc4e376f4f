"""The ways in which a call of a loop is launched: each says whether it can, which arrays it needs, and does it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor

from gatework.graph.loop import Keeping
from gatework.kernels.triton import chunks, scan, sequence, stages
from gatework.kernels.triton.build import function
from gatework.kernels.triton.call import Call, block
from gatework.kernels.triton.chip import on_chip
from gatework.kernels.triton.together import Together

ROWS = 16
"""Sequences of a program."""

COLUMNS, INNER = 64, 32
"""Units of a program, and entries that are summed at a time, where programs share the units of a sequence."""

TIMES, ENTRIES, WARPS = 32, 32, 4
"""Time steps of a chunk, entries and warps of a program, where time steps are scanned."""

BUSY, SHORTEST = 512, 4
"""Programs that keep a GPU busy: up to so many, a sequence is cut into segments, of so many chunks at least."""

WIDEST = 256
"""Units up to which a whole sequence is one launch of programs with all units."""


class Way(Protocol):
    """How a call is launched."""

    @property
    def name(self) -> str:
        """What it is called where kernels are listed."""

    def fits(self, call: Call) -> bool:
        """Whether it can run this call."""

    def arrays(self, call: Call) -> Iterable[str]:
        """The arrays that its kernels read and write."""

    def run(self, call: Call) -> None:
        """Run the loop, whose arrays are all there."""


class Scan:
    """One launch, by a scan: a program has some entries, and takes time in chunks."""

    name = "one launch, by a scan"

    def fits(self, call: Call) -> bool:
        """Whether there is such a kernel."""
        return self._made(call) is not None

    def arrays(self, call: Call) -> Iterable[str]:
        """Those that somebody reads after the kernel, or that it reads."""
        made = self._made(call)
        return made.arrays if made else ()

    def run(self, call: Call) -> None:
        """The launch."""
        made = self._made(call)
        assert made, "a way runs what it fits"
        T, B, H = len(call.x), call.sequences, call.H
        blocks = -(-B * H // ENTRIES)
        span = self._span(T, blocks * call.members) if made.summary else T
        segments = -(-T // span)
        real = torch.promote_types(call.x.dtype, torch.float32)
        values = made.summary.values if made.summary else 0
        summary = call.x.new_empty(values, segments, call.members * B, H, dtype=real)
        options = {name: call.options[name] for name in ("H", "REAL")}

        def launch(one: chunks.Scan, count: int) -> None:
            given = [each for name in one.arrays for each in call.given(name)]
            weights = [call.weights[key] for key in one.weights]
            sizes = (call.begin, T, B, span, segments)
            blocking = {"BLOCK_T": TIMES, "BLOCK_E": ENTRIES, "num_warps": WARPS}
            function(one.text)[blocks, call.members, count](*given, *weights, summary, *sizes, **options, **blocking)

        if made.summary and segments > 1:
            launch(made.summary, segments - 1)
        launch(made, segments)

    def _span(self, T: int, programs: int) -> int:
        """Time steps of a segment, so many that there are chunks enough for each, and few enough for all programs."""
        segments = max(1, min(BUSY // programs, T // (SHORTEST * TIMES)))
        return -(-T // (segments * TIMES)) * TIMES

    def _made(self, call: Call) -> chunks.Scan | None:
        return call.made(
            self.name, lambda: scan.write(call.loop, backward=call.backward, input_gradient=call.input_gradient)
        )


class Whole:
    """One launch for the whole sequence: a program has some sequences and all their units, a scan's has some units."""

    name = "one launch"

    def fits(self, call: Call) -> bool:
        """Whether a program can hold what the kernel keeps: its vectors and its matrices."""
        made = self._made(call)
        blocks = {"H": block(call.H), "N": block(call.x.shape[2])}
        held = sum(blocks[rows] * blocks[columns] for rows, columns in made.tiles) * call.products.itemsize
        return made.scan or (call.H <= WIDEST and held <= on_chip(call.x))

    def arrays(self, call: Call) -> Iterable[str]:
        """Those that somebody reads after the kernel, or that it reads."""
        return self._made(call).arrays

    def run(self, call: Call) -> None:
        """The launch."""
        made = self._made(call)
        (T, _, N), H, B = call.x.shape, call.H, call.sequences
        columns = min(block(H), COLUMNS) if made.scan else block(H)
        run = function(made.text)[(-(-B // ROWS), -(-H // columns), call.members)]
        given = [one for name in made.arrays for one in call.given(name)]
        weights = [call.weights[key] for key in made.weights]
        options = {**call.options, "BLOCK_B": ROWS, "BLOCK_N": block(N), "BLOCK_H": columns}
        run(*given, *weights, call.begin, T, B, **options)

    def _made(self, call: Call) -> sequence.Sequence:
        return call.made(
            self.name,
            lambda: sequence.write(call.loop, backward=call.backward, input_gradient=call.input_gradient),
        )


class Steps:
    """A launch for every stage of every step: it fits whatever there is."""

    name = "a launch for every stage"

    def fits(self, call: Call) -> bool:
        """Always."""
        return True

    def arrays(self, call: Call) -> Iterable[str]:
        """Those of all launches."""
        made, last = self._made(call)
        every = [*self._asked(call, made), *([last] if last else [])]
        return [name for one in every for name, _ in one.arrays]

    def run(self, call: Call) -> None:
        """The launches, one after the other."""
        (T, _, N), H, B = call.x.shape, call.H, call.sequences
        made, last = self._made(call)
        sizes = {"N": N, "H": H}
        blocks = {"BLOCK_B": ROWS, "BLOCK_H": COLUMNS, "BLOCK_K": INNER, "BLOCK_W": block(H)}
        options = {**call.options, **blocks}

        def launch(one: stages.Launch, t: int) -> None:
            given = [each for array, shift in one.arrays for each in (_at(call, array, t + shift), *call.width(array))]
            grid = (-(-B // ROWS), -(-sizes[one.columns] // COLUMNS), call.members)
            function(one.text)[grid](*given, *(call.weights[key] for key in one.weights), B, **options)

        for t in reversed(range(T)) if call.backward else range(T):
            for one in self._asked(call, made):
                launch(one, t)
        if last:
            launch(last, -1)

    def _made(self, call: Call) -> tuple[tuple[stages.Launch, ...], stages.Launch | None]:
        return call.made(self.name, lambda: stages.write(call.loop))

    def _asked(self, call: Call, made: Iterable[stages.Launch]) -> list[stages.Launch]:
        return [one for one in made if call.input_gradient or not one.optional]


WAYS: tuple[Way, ...] = (Scan(), Whole(), Together(), Steps())
"""All of them: first what is likely to be the best, last what always fits."""


def _at(call: Call, name: str, t: int) -> Tensor:
    """What an array holds at a time, (B, columns); outside the sequence what it begins with."""
    tensor, array = call.arrays[name], call.loop.arrays[name]
    if array.keeping is Keeping.START or tensor.dim() == 2:
        return tensor
    if array.keeping is Keeping.STEP:
        return tensor[0]
    if not 0 <= t < len(call.x):
        return call.arrays[array.start] if array.start else torch.zeros_like(tensor[0])
    return tensor[t & 1 if array.keeping is Keeping.PAIR else t]
