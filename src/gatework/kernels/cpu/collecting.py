"""The gradients of the weights, from the sums of all threads to the layout of the weights.

A matrix is summed over the threads and transposed in square blocks of a vector's length, so that both sides are read
and written in full cache lines.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from gatework.graph.loop import Place, Plan
from gatework.kernels.cpu.code import I64, POINTER, Code, Unit
from gatework.kernels.cpu.frame import Arguments, Frame
from gatework.kernels.cpu.panels import Sizes
from gatework.kernels.cpu.squares import transposed
from gatework.kernels.cpu.sums import Sum


def write_collect(unit: Unit, frame: Frame, plan: Plan, sums: tuple[Sum, ...], sizes: Sizes) -> None:
    """The function `collect`: writes the gradient of every weight whose address is not null."""
    _write_part(unit, frame)
    code = Code(unit, "collect", [POINTER])
    pointer = code.function.args[0]
    arguments = Arguments(code, frame, pointer)
    H = sizes["H"]
    for key in dict.fromkeys([*(outer.matrix for outer in plan.outers), *plan.columns]):
        target = arguments.pointer(f"gradient:{key}")
        wanted = code.builder.icmp_unsigned("!=", target, ir.Constant(POINTER, None))
        with code.when(wanted):
            code.comment(f"d_{key}")
            for first, (one, block) in enumerate(_sources(plan, sums, key)):
                offset = one.offset + (block - one.block) * H
                numbers = (offset, one.count * H, one.entries, H, first > 0)
                code.builder.call(
                    unit.module.globals["collect_part"], [pointer, target, *(code.number(int(n)) for n in numbers)]
                )
    code.finish()


def _sources(plan: Plan, sums: tuple[Sum, ...], key: str) -> list[tuple[Sum, int]]:
    """The sums, and the blocks in them, that make up a gradient."""
    wanted: list[tuple[Place | None, int]] = [
        (outer.vector, outer.block) for outer in plan.outers if outer.matrix == key
    ]
    wanted += [(None, plan.columns[key])] if key in plan.columns else []
    return [
        (one, block)
        for vector, block in wanted
        for one in sums
        if one.vector == vector and one.block <= block < one.block + one.count
    ]


def _write_part(unit: Unit, frame: Frame) -> None:
    """`collect_part(frame, target, offset, width, rows, columns, add)`: a part of the sums, transposed, to a gradient.

    The part has `rows` rows that lie `width` apart, and `columns` columns; it begins at `offset`.
    """
    code = Code(unit, "collect_part", [POINTER, POINTER, *[I64] * 5])
    code.function.linkage = "internal"
    code.function.attributes.add("noinline")
    pointer, target, offset, width, rows, columns, add = code.function.args
    arguments = Arguments(code, frame, pointer)
    lanes, builder = unit.lanes, code.builder
    last = builder.sub(rows, code.number(1))
    with code.loop(rows, 0, lanes, name="k") as k, code.loop(columns, 0, lanes, name="j") as j:
        wide = code.lanes_below(builder.sub(columns, j))
        tall = code.lanes_below(builder.sub(rows, k))
        vectors = []
        for i in range(lanes):
            row = code.smaller(code.add(k, i), last)  # rows beyond the last are read, and not written
            place = code.at(arguments.pointer("sums"), offset, code.times(row, width), j)
            vectors.append(_over_threads(code, arguments, place, wide))
        for i, vector in enumerate(transposed(code, vectors)):
            with code.when(code.less(code.add(j, i), columns)):
                place = code.at(target, code.times(code.add(j, i), rows), k)
                old = code.load_masked(place, tall)
                more = builder.select(code.less(0, add), builder.fadd(vector, old), vector)
                code.store_masked(more, place, tall)
    code.finish()


def _over_threads(code: Code, arguments: Arguments, place: Any, mask: Any) -> Any:
    total = code.slot(code.unit.vector)
    code.builder.store(code.load_masked(place, mask), total)
    with code.loop(arguments.number("threads"), 1, name="thread") as thread:
        step = code.times(thread, arguments.number("sums size"))
        more = code.load_masked(code.at(place, step), mask)
        code.builder.store(code.builder.fadd(code.builder.load(total, typ=code.unit.vector), more), total)
    return code.builder.load(total, typ=code.unit.vector)
