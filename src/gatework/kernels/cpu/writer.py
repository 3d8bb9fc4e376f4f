"""From a plan to the IR of its kernels.

A kernel is two functions: `pack` brings the weights into the order in which they are read, and `run` goes through time
for a share of the batch. A share is cut into slabs of rows whose states stay in cache from one time step to the next; a
slab that does not divide evenly overlaps the one before, which writes the same numbers twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import llvmlite.ir as ir

from gatework.graph.loop import Loop, Plan
from gatework.graph.ops import Op
from gatework.kernels.cpu.code import I64, POINTER, Code, Unit
from gatework.kernels.cpu.collecting import write_collect
from gatework.kernels.cpu.elementwise import Elementwise
from gatework.kernels.cpu.frame import Arguments, Frame
from gatework.kernels.cpu.host import Host
from gatework.kernels.cpu.panels import Packing, Panel, Sizes, StagePanels
from gatework.kernels.cpu.places import Address, Places
from gatework.kernels.cpu.products import Accumulators, dot, multiply
from gatework.kernels.cpu.sums import Sum, SumWriter

NUMBERS = ("T", "B", "threads", "slab", "ring", "sums size", "want dx", "want begin", "want sums", "taken")
"""The integers of a frame: sizes, the rows of a slab, the slots of the ring less one, what is asked for, and the
shares that threads have taken."""

POINTERS = ("packed", "sums")


@dataclass(frozen=True)
class Kernel:
    """What is to be written: a loop for given sizes, its packing and, for a backward loop, the sums of gradients.

    A kernel that is `direct` reads the weights as they lie, and packs nothing.
    """

    loop: Loop
    packing: Packing
    sizes: Sizes
    host: Host
    bits: int
    title: str
    direct: bool = False
    plan: Plan | None = None
    sums: tuple[Sum, ...] | None = None

    @property
    def backward(self) -> bool:
        """Whether the loop runs from the end of the sequence to its beginning."""
        return self.sums is not None

    @cached_property
    def matrices(self) -> tuple[str, ...]:
        """The matrices that are packed, by key."""
        stages = self.packing.every
        return tuple(
            dict.fromkeys(m for stage in stages for p in stage.panels for s in p.segments for _, m, _ in s.matrices)
        )

    @cached_property
    def vectors(self) -> tuple[str, ...]:
        """The vectors of weights that the elementwise parts read, by key."""
        return tuple(node.name for node in self.loop.nodes if node.op is Op.PARAMETER and len(node.shape) == 1)

    @cached_property
    def frame(self) -> Frame:
        """The arguments."""
        arrays = self.loop.arrays
        names = [*NUMBERS, *POINTERS, *(f"array:{name}" for name in arrays), *(f"step:{name}" for name in arrays)]
        names += [f"weight:{name}" for name in (*self.matrices, *self.vectors)]
        return Frame.of([*names, *(f"gradient:{key}" for key in self.gradients)])

    @cached_property
    def gradients(self) -> tuple[str, ...]:
        """The weights, by key, whose gradients a backward loop makes."""
        if self.plan is None or self.sums is None:
            return ()
        return tuple(dict.fromkeys([*(outer.matrix for outer in self.plan.outers), *self.plan.columns]))


def write(kernel: Kernel) -> str:
    """The IR of a kernel, with its equations as comments."""
    unit = Unit(kernel.bits, kernel.host.lanes(kernel.bits // 8), ir.Module(name=kernel.title))
    _Packer(unit, kernel).write()
    _Runner(unit, kernel).write()
    _write_shares(unit, kernel)
    if kernel.plan and kernel.sums is not None:
        write_collect(unit, kernel.frame, kernel.plan, kernel.sums, kernel.sizes)
    return unit.text()


def _write_shares(unit: Unit, kernel: Kernel) -> None:
    """The function `shares`, which threads may call at once: each takes shares as long as there are any."""
    code = Code(unit, "shares", [POINTER])
    pointer = code.function.args[0]
    arguments = Arguments(code, kernel.frame, pointer)
    counter = code.builder.gep(pointer, [code.number(kernel.frame.index("taken"))], source_etype=I64)
    threads = arguments.number("threads")
    head = code.function.append_basic_block("next")
    body = code.function.append_basic_block("share")
    end = code.function.append_basic_block("done")
    code.builder.branch(head)
    code.builder.position_at_end(head)
    share = code.builder.atomic_rmw("add", counter, code.number(1), "seq_cst")
    code.builder.cbranch(code.less(share, threads), body, end)
    code.builder.position_at_end(body)
    code.builder.call(unit.module.globals["run"], [pointer, share])
    code.builder.branch(head)
    code.builder.position_at_end(end)
    code.finish()


class _Packer:
    def __init__(self, unit: Unit, kernel: Kernel) -> None:
        self._kernel = kernel
        self._code = Code(unit, "pack", [POINTER])
        self._arguments = Arguments(self._code, kernel.frame, self._code.function.args[0])

    def write(self) -> None:
        done = set()
        for stage in () if self._kernel.direct else self._kernel.packing.every:
            for panel in stage.panels:
                if panel.tile and panel.offset not in done:
                    self._panel(panel, self._kernel.sizes[stage.stage.columns])
                    done.add(panel.offset)
        self._code.finish()

    def _panel(self, panel: Panel, entries: int) -> None:
        code, lanes, columns = self._code, self._code.unit.lanes, panel.group.columns
        for segment in panel.segments:
            width = len(segment.matrices) * columns * lanes
            for m, (_, matrix, transposed) in enumerate(segment.matrices):
                source = self._arguments.pointer(f"weight:{matrix}")
                code.comment(f"{matrix}{'ᵀ' if transposed else ''}")
                with code.loop(panel.group.count, name="tile") as tile:
                    first = code.times(code.add(code.times(tile, columns), panel.group.start), lanes)
                    begin = code.times(code.add(code.times(tile, panel.tile), panel.offset + segment.offset), lanes)
                    target = code.at(self._arguments.pointer("packed"), begin, m * columns * lanes)
                    shape = (segment.entries, columns * lanes)
                    self._copy(source, target, first, shape, width, entries, transposed=transposed)

    def _copy(
        self,
        source: Any,
        target: Any,
        first: Any,
        shape: tuple[int, int],
        width: int,
        entries: int,
        *,
        transposed: bool,
    ) -> None:
        """Copy what the units from `first` on need, along the matrix's rows; units beyond the last have zeros."""
        code = self._code
        length, units = shape
        zero = ir.Constant(code.unit.real, 0.0)
        with code.loop(length if transposed else units) as outer, code.loop(units if transposed else length) as inner:
            k, unit = (outer, inner) if transposed else (inner, outer)
            there = code.less(code.add(first, unit), entries)
            j = code.builder.select(there, code.add(first, unit), code.number(0))
            place = code.add(code.times(k, entries), j) if transposed else code.add(code.times(j, length), k)
            value = code.builder.select(there, code.scalar(code.at(source, place)), zero)
            code.builder.store(value, code.at(target, code.times(k, width), unit))


class _Runner:
    def __init__(self, unit: Unit, kernel: Kernel) -> None:
        self._kernel = kernel
        self._code = code = Code(unit, "run", [POINTER, I64])
        pointer, self._thread = code.function.args
        self._arguments = Arguments(code, kernel.frame, pointer)
        self._places = Places(code, self._arguments, kernel.loop.arrays, kernel.sizes)
        self._tiles: dict[int, Any] = {}

    def write(self) -> None:
        code, number = self._code, self._arguments.number
        B, T, slab = number("B"), number("T"), number("slab")
        begin = code.builder.sdiv(code.times(B, self._thread), number("threads"))
        end = code.builder.sdiv(code.times(B, code.add(self._thread, 1)), number("threads"))
        share = code.builder.sub(end, begin)
        if self._kernel.sums:
            self._clear()
        with code.loop(share, 0, slab, name="slab") as r:
            first = code.add(begin, code.smaller(r, code.builder.sub(share, slab)))
            with code.loop(T, name="step") as step:
                t = step
                if self._kernel.backward:
                    t = code.builder.sub(code.builder.sub(T, step), code.number(1))
                for stage in self._kernel.packing.stages:
                    self._maybe(stage, t, first)
                if self._kernel.sums:
                    self._sum(t, code.add(begin, r), code.add(first, slab))
            if self._kernel.packing.last:
                with code.when(code.less(0, number("want begin"))):
                    self._stage(self._kernel.packing.last, code.number(-1), first)
        code.finish()

    def _maybe(self, stage: StagePanels, t: Any, first: Any) -> None:
        if not stage.stage.optional:
            self._stage(stage, t, first)
            return
        with self._code.when(self._code.less(0, self._arguments.number("want dx"))):
            self._stage(stage, t, first)

    def _clear(self) -> None:
        code = self._code
        with code.loop(self._arguments.number("sums size"), name="clear") as k:
            code.builder.store(ir.Constant(code.unit.real, 0.0), code.at(self._results(), k))

    def _results(self) -> Any:
        offset = self._code.times(self._thread, self._arguments.number("sums size"))
        return self._code.at(self._arguments.pointer("sums"), offset)

    def _sum(self, t: Any, first: Any, end: Any) -> None:
        """Whenever the ring is full, and at the end: add what it holds to the gradients of the weights."""
        code, ring = self._code, self._arguments.number("ring")
        writer = SumWriter(code, self._arguments, self._places, self._kernel.sizes, self._kernel.host)
        full = code.builder.icmp_signed("==", code.builder.and_(t, ring), code.number(0))
        with code.when(full):
            until = code.smaller(code.add(t, ring, 1), self._arguments.number("T"))
            results = self._results()
            for index, one in enumerate(self._kernel.sums or ()):
                code.comment(f"sum of d[{one.block}:{one.block + one.count}] {one.vector.array if one.vector else 1}")
                bit = code.builder.and_(self._arguments.number("want sums"), code.number(1 << index))
                with code.when(code.less(0, bit)):
                    writer.add(one, results, (t, until), (first, end))

    def _stage(self, stage: StagePanels, t: Any, first: Any) -> None:
        code = self._code
        inside = stage.stage
        stores = {store.place for store in inside.stores}
        segments = {segment.place for panel in stage.panels for segment in panel.segments}
        places = {*stores, *segments, *inside.reads.values(), *inside.totals.values()}
        addresses = {place: self._places.at(place, t) for place in sorted(places, key=repr)}
        slab = self._arguments.number("slab")
        for panel in stage.panels:
            lanes, group = code.unit.lanes, panel.group
            with code.loop(group.count, name="tile") as g:
                offset = code.times(code.add(code.times(g, panel.tile), panel.offset), lanes)
                weights = code.at(self._arguments.pointer("packed"), offset)
                j = code.times(code.add(code.times(g, group.columns), group.start), lanes)
                with code.loop(slab, 0, stage.rows, name="rows") as i:
                    row = code.add(first, code.smaller(i, code.builder.sub(slab, code.number(stage.rows))))
                    self._tile(stage, panel, addresses, weights, j, row)

    def _tile(
        self, stage: StagePanels, panel: Panel, addresses: dict[Any, Address], weights: Any, j: Any, row: Any
    ) -> None:
        code, columns, sums = self._code, panel.group.columns, len(stage.sums)
        memory = self._memory(stage.rows * sums * columns * code.unit.lanes)
        if sums and self._kernel.direct:
            self._dots(stage, addresses, j, row, memory)
        elif sums:
            tile = Accumulators(code, stage.rows, sums, columns)
            for part in stage.parts:
                tile.clear(part)
                for segment in panel.segments:
                    if segment.matrices[0][0] in part:
                        multiply(code, tile, panel, segment, weights, addresses[segment.place], row)
                tile.spill(memory, part)
        with code.loop(stage.rows, name="row") as i:
            inside = stage.stage
            # Once for a sequence, before the loop over its columns.
            totals = {
                k: self._total(addresses[place], code.add(row, i), inside.columns) for k, place in inside.totals.items()
            }
            begin = code.at(memory, code.times(i, sums * columns * code.unit.lanes))
            full = columns - 1 if panel.group.lanes else columns
            with code.loop(full, name="column") as c:
                offset = code.times(c, code.unit.lanes)
                spot = _Spot(code.add(row, i), code.add(j, offset), None, columns)
                self._store(stage, addresses, spot, code.at(begin, offset), totals)
            if panel.group.lanes:
                offset = code.number(full * code.unit.lanes)
                spot = _Spot(code.add(row, i), code.add(j, offset), panel.group.lanes, columns)
                self._store(stage, addresses, spot, code.at(begin, offset), totals)

    def _dots(self, stage: StagePanels, addresses: dict[Any, Address], j: Any, row: Any, memory: Any) -> None:
        """The accumulated nodes of one sequence and one vector of units, from the weights as they lie."""
        code, sizes = self._code, self._kernel.sizes
        for index, k in enumerate(stage.sums):
            segments = []
            for term in stage.stage.products[k]:
                length = sizes["N"] if term.vector.array == "x" else sizes["H"]
                vector = addresses[term.vector].row(code, row)
                segments.append((self._arguments.pointer(f"weight:{term.matrix}"), length, vector))
            code.store(dot(code, segments, j, sizes[stage.stage.columns]), code.at(memory, index * code.unit.lanes))

    def _store(
        self, stage: StagePanels, addresses: dict[Any, Address], spot: _Spot, held: Any, totals: dict[int, Any]
    ) -> None:
        code, inside, columns = self._code, stage.stage, spot.columns

        def leaf(k: int) -> Any:
            if k in inside.products:
                return code.load(code.at(held, stage.sums.index(k) * columns * code.unit.lanes))
            if k in totals:
                return totals[k]
            node = self._kernel.loop.nodes[k]
            if k in inside.reads:
                pointer = addresses[inside.reads[k]].row(code, spot.row, spot.column)
                return code.load(pointer, spot.lanes, name=node.name)
            return code.load(code.at(self._arguments.pointer(f"weight:{node.name}"), spot.column), spot.lanes)

        values = Elementwise(code, self._kernel.loop.nodes, inside, self._kernel.sizes, leaf)
        for store in inside.stores:
            values.value(store.node)
        for store in inside.stores:
            pointer = addresses[store.place].row(code, spot.row, spot.column)
            code.store(values.value(store.node), pointer, spot.lanes)

    def _total(self, address: Address, row: Any, columns: str) -> Any:
        """The sum over the entries of a sequence's vector, in every lane."""
        code, unit = self._code, self._code.unit
        total = code.slot(unit.vector)
        code.builder.store(code.constant(0.0), total)
        full, tail = divmod(self._kernel.sizes[columns], unit.lanes)
        begin = address.row(code, row)

        def add(value: Any) -> None:
            code.builder.store(code.builder.fadd(code.builder.load(total, typ=unit.vector), value), total)

        with code.loop(full, name="j") as j:
            add(code.load(code.at(begin, code.times(j, unit.lanes))))
        if tail:
            add(code.load(code.at(begin, full * unit.lanes), tail))
        reduce = unit.declare(f"llvm.vector.reduce.fadd.{unit.suffix}", unit.real, [unit.real, unit.vector])
        zero = ir.Constant(unit.real, 0.0)
        value = code.builder.call(reduce, [zero, code.builder.load(total, typ=unit.vector)])
        return code.splat(value)

    def _memory(self, entries: int) -> Any:
        """Memory for a tile's accumulators."""
        if entries not in self._tiles:
            self._tiles[entries] = self._code.slot(self._code.unit.real, max(entries, 1), name="tile")
        return self._tiles[entries]


@dataclass(frozen=True, slots=True)
class _Spot:
    """One vector of one sequence: its row, its first column, its lanes where it is not full, and the tile's columns."""

    row: Any
    column: Any
    lanes: int | None
    columns: int
