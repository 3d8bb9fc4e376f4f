"""Writing LLVM functions: loops, addresses, and loads and stores of vectors with a mask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import llvmlite.ir as ir

from gatework.kernels.cpu import functions

I1, I32, I64, POINTER = ir.IntType(1), ir.IntType(32), ir.IntType(64), ir.PointerType()


_MASKED = 64
"""Bytes of a vector from which the processor stores some of its lanes as fast as all: AVX-512 has masks for that."""


@dataclass
class Unit:
    """A module of LLVM IR for one element type and one vector length."""

    bits: int
    lanes: int
    module: Any = field(default_factory=ir.Module)

    @cached_property
    def real(self) -> Any:
        """The type of an entry."""
        return ir.FloatType() if self.bits == 32 else ir.DoubleType()

    @cached_property
    def vector(self) -> Any:
        """The type of a vector register."""
        return ir.VectorType(self.real, self.lanes)

    @property
    def bytes(self) -> int:
        """The bytes of an entry."""
        return self.bits // 8

    def declare(self, name: str, result: Any, arguments: list[Any]) -> Any:
        """An intrinsic, declared once."""
        found = self.module.globals.get(name)
        return found or ir.Function(self.module, ir.FunctionType(result, arguments), name)

    @property
    def suffix(self) -> str:
        """The end of an intrinsic's name: the vector type."""
        return f"v{self.lanes}f{self.bits}"

    def mask(self, lanes: int) -> Any:
        """A mask of the first lanes."""
        return ir.Constant(ir.VectorType(I1, self.lanes), [k < lanes for k in range(self.lanes)])

    def text(self) -> str:
        """The module as text."""
        return str(self.module)


class Code:
    """One function `name(pointers to arguments…, i64…)` being written."""

    def __init__(self, unit: Unit, name: str, arguments: list[Any]) -> None:
        self.unit = unit
        self.function = ir.Function(unit.module, ir.FunctionType(ir.VoidType(), arguments), name)
        self._entry = self.function.append_basic_block("entry")
        start = self.function.append_basic_block("start")
        self.builder = ir.IRBuilder(start)
        self.opening = ir.IRBuilder(self._entry)
        self._start = start

    def finish(self) -> None:
        """Return from the function."""
        self.opening.branch(self._start)
        self.builder.ret_void()

    def comment(self, text: str) -> None:
        """A line for whoever reads the code."""
        self.builder.comment(text)

    def number(self, value: int) -> Any:
        """A constant integer."""
        return ir.Constant(I64, value)

    def slot(self, kind: Any, count: int = 1, name: str = "", align: int = 64) -> Any:
        """Memory of the function's own; single values end up in registers."""
        memory = self.opening.alloca(kind, size=ir.Constant(I64, count) if count > 1 else None, name=name)
        memory.align = align
        memory.type = POINTER
        return memory

    def integer(self, value: Any) -> Any:
        """An LLVM integer from a Python one."""
        return self.number(value) if isinstance(value, int) else value

    def add(self, *values: Any) -> Any:
        """The sum of integers."""
        total: Any = 0
        for value in values:
            if isinstance(total, int) and isinstance(value, int):
                total += value
            elif isinstance(total, int) and total == 0:
                total = value
            elif not (isinstance(value, int) and value == 0):
                total = self.builder.add(self.integer(total), self.integer(value))
        return self.integer(total)

    def times(self, a: Any, b: Any) -> Any:
        """The product of two integers."""
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if isinstance(b, int) and b == 1:
            return a
        return self.builder.mul(self.integer(a), self.integer(b))

    def less(self, a: Any, b: Any) -> Any:
        """Whether a < b, signed."""
        return self.builder.icmp_signed("<", self.integer(a), self.integer(b))

    def smaller(self, a: Any, b: Any) -> Any:
        """The smaller of two integers."""
        a, b = self.integer(a), self.integer(b)
        return self.builder.select(self.less(a, b), a, b)

    def at(self, pointer: Any, *offsets: Any) -> Any:
        """The address of an entry, some entries further."""
        address = self.builder.gep(pointer, [self.add(*offsets)], source_etype=self.unit.real)
        address.type = POINTER  # llvmlite thinks of a pointer to entries; vectors are stored there too
        return address

    @contextmanager
    def loop(self, stop: Any, start: Any = 0, step: Any = 1, *, name: str = "i") -> Iterator[Any]:
        """Count from `start` to below `stop`."""
        builder, begin, step = self.builder, self.integer(start), self.integer(step)
        stop = self.integer(stop)
        before = builder.block
        body = self.function.append_basic_block(f"{name}.body")
        end = self.function.append_basic_block(f"{name}.end")
        builder.cbranch(self.less(begin, stop), body, end)
        builder.position_at_end(body)
        index = builder.phi(I64, name=name)
        index.add_incoming(begin, before)
        yield index
        following = builder.add(index, step)
        index.add_incoming(following, builder.block)
        builder.cbranch(self.less(following, stop), body, end)
        builder.position_at_end(end)

    @contextmanager
    def when(self, condition: Any) -> Iterator[None]:
        """Run what is written inside where the condition holds."""
        body = self.function.append_basic_block("then")
        end = self.function.append_basic_block("after")
        self.builder.cbranch(condition, body, end)
        self.builder.position_at_end(body)
        yield
        self.builder.branch(end)
        self.builder.position_at_end(end)

    def scalar(self, pointer: Any) -> Any:
        """Load one entry."""
        return self.builder.load(pointer, typ=self.unit.real)

    def splat(self, value: Any) -> Any:
        """A vector with the same entry in every lane."""
        unit = self.unit
        if unit.lanes == 1:
            return self.builder.insert_element(ir.Constant(unit.vector, ir.Undefined), value, ir.Constant(I32, 0))
        first = self.builder.insert_element(ir.Constant(unit.vector, ir.Undefined), value, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, unit.lanes), [0] * unit.lanes)
        return self.builder.shuffle_vector(first, ir.Constant(unit.vector, ir.Undefined), zeros)

    def constant(self, value: float) -> Any:
        """A vector of the same number."""
        return functions.constant(self.unit.vector, value)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """A ⊙ b + c, rounded once."""
        return functions.fma(self.builder, a, b, c)

    def load(self, pointer: Any, lanes: int | None = None, name: str = "") -> Any:
        """Load a vector, or its first lanes and zeros."""
        unit = self.unit
        if lanes is None or lanes == unit.lanes:
            value = self.builder.load(pointer, typ=unit.vector, name=name)
            value.align = unit.bytes
            return value
        return self.load_masked(pointer, unit.mask(lanes), name)

    def load_masked(self, pointer: Any, mask: Any, name: str = "") -> Any:
        """Load the lanes of a mask, and zeros."""
        unit = self.unit
        kinds = [POINTER, I32, ir.VectorType(I1, unit.lanes), unit.vector]
        intrinsic = unit.declare(f"llvm.masked.load.{unit.suffix}.p0", unit.vector, kinds)
        align = ir.Constant(I32, unit.bytes)
        return self.builder.call(intrinsic, [pointer, align, mask, self.constant(0.0)], name=name)

    def store(self, value: Any, pointer: Any, lanes: int | None = None) -> None:
        """Store a vector, or its first lanes."""
        if lanes is None or lanes == self.unit.lanes:
            self.builder.store(value, pointer, align=self.unit.bytes)
        elif self.unit.lanes * self.unit.bytes >= _MASKED:
            self.store_masked(value, pointer, self.unit.mask(lanes))
        else:
            self._store_pieces(value, pointer, lanes)

    def _store_pieces(self, value: Any, pointer: Any, lanes: int) -> None:
        """Store the first lanes, one power of two of them after the other."""
        unit, begin = self.unit, 0
        undefined = ir.Constant(unit.vector, ir.Undefined)
        while begin < lanes:
            size = 1 << ((lanes - begin).bit_length() - 1)
            picks = ir.Constant(ir.VectorType(I32, size), list(range(begin, begin + size)))
            piece = self.builder.shuffle_vector(value, undefined, picks)
            self.builder.store(piece, self.at(pointer, begin), align=unit.bytes)
            begin += size

    def store_masked(self, value: Any, pointer: Any, mask: Any) -> None:
        """Store the lanes of a mask."""
        unit = self.unit
        kinds = [unit.vector, POINTER, I32, ir.VectorType(I1, unit.lanes)]
        intrinsic = unit.declare(f"llvm.masked.store.{unit.suffix}.p0", ir.VoidType(), kinds)
        self.builder.call(intrinsic, [value, pointer, ir.Constant(I32, unit.bytes), mask])

    def lanes_below(self, count: Any) -> Any:
        """A mask of the first `count` lanes, or of all."""
        lanes = self.unit.lanes
        kind = ir.VectorType(I64, lanes)
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, self.integer(count), ir.Constant(I32, 0))
        every = self.builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))
        return self.builder.icmp_signed("<", ir.Constant(kind, list(range(lanes))), every)
