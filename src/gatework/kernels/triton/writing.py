"""What the writers of Triton source share: names, and the value of a node as a line of it."""

from __future__ import annotations

import builtins
import keyword
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from gatework.graph.loop import Loop, Place, Stage, Term
from gatework.graph.ops import LEAVES, Op
from gatework.graph.plan import is_other_input
from gatework.graph.text import equation

_NAN = "propagate_nan=tl.PropagateNan.ALL"
"""What is no number stays none; a GPU would take the other operand."""

TRITON: dict[Op, str] = {
    Op.ADD: "{} + {}",
    Op.SUBTRACT: "{} - {}",
    Op.MULTIPLY: "{} * {}",
    Op.DIVIDE: "{} / {}",
    Op.NEGATE: "-{}",
    Op.MAXIMUM: f"tl.maximum({{}}, {{}}, {_NAN})",
    Op.MINIMUM: f"tl.minimum({{}}, {{}}, {_NAN})",
    Op.SIGMOID: "sigmoid({})",
    Op.TANH: "tanh({})",
    Op.RELU: f"tl.maximum({{}}, 0.0, {_NAN})",
    Op.SOFTPLUS: "softplus({})",
    Op.EXP: "tl.exp({})",
    Op.LOG: "tl.log({})",
    Op.SQRT: "tl.sqrt({})",
    Op.ABS: "tl.abs({})",
    Op.FLOOR: "tl.floor({})",
    Op.WHERE: "tl.where({} > 0.0, {}, 0.0)",
}
"""What each operation is, of its operands."""

TAB = "    "

_OWN = """
tl triton sigmoid tanh softplus wait row rows column columns inside mask here there member zeros moment step begin T
B N H BLOCK_B BLOCK_N BLOCK_H BLOCK_K BLOCK_W REAL DOT PRECISION column_N in_N mask_N here_N k inner vector matrix
whole tile barrier reached stage forward backward entry BLOCK_T BLOCK_E summed affine affine_pair turning least most
row_before last_row replaced summary segment segments span size end before known every"""
_TAKEN = frozenset({*_OWN.split(), *keyword.kwlist, *dir(builtins)})
"""Names that mean something else in a kernel."""


@dataclass
class Writer:
    """Lines of a kernel's body, those before it, and the variables in them."""

    loop: Loop
    lines: list[str] = field(default_factory=list)
    opening: list[str] = field(default_factory=list)
    values: dict[int, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)
    wide: bool = False
    """Whether a vector of N entries is read, or multiplied as a whole."""
    vectors: dict[str, str] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    # What a kind of kernel does in its own way

    def leaf(self, k: int, stage: Stage) -> str:
        """What stands for a node that this kernel does not compute from its operands; empty for others."""
        raise NotImplementedError

    def total(self, k: int, stage: Stage) -> str:
        """The sum over the entries of the vector that node `k` sums."""
        raise NotImplementedError

    def load(self, place: Place, entries: str, inside: str) -> str:
        """The entries of a vector that lies in memory, where they are `inside` it."""
        raise NotImplementedError

    # What all do alike

    def value(self, k: int, stage: Stage) -> str:
        """The variable of a node, computed where it is new."""
        if k in self.values:
            return self.values[k]
        node = self.loop.nodes[k]
        if node.op is Op.CONSTANT:
            return number(node.value)
        if node.op is Op.SIZE:
            return node.name
        found = self.leaf(k, stage)
        if found:
            self.values[k] = found
            return found
        if node.op is Op.PARAMETER:
            self.values[k] = self.vector(node.name, wide=node.shape == ("N",))
            return self.values[k]
        if node.op is Op.SUM:
            return self.set(k, self.total(k, stage))
        operands = [self.value(arg, stage) for arg in node.args]
        if node.op is Op.SPREAD:
            self.values[k] = operands[0]
            return operands[0]
        if node.name:
            self.say(f"# {equation(self.loop.nodes, k)}")
        return self.set(k, TRITON[node.op].format(*operands))

    def vector(self, key: str, *, wide: bool) -> str:
        """The variable of a vector of weights, read where that is first asked for."""
        if key not in self.vectors:
            self.vectors[key] = self.name(key)
            self.wide |= wide
            columns, size = ("column_N", "N") if wide else ("column", "H")
            load = f"tl.load({self.weight(key, size)} + {columns}, mask={columns} < {size}, other=0.0)"
            self.opening.append(f"{self.vectors[key]} = {load}.to(REAL)[None, :]")
        return self.vectors[key]

    def set(self, k: int, text: str) -> str:
        """Give a node a variable."""
        node = self.loop.nodes[k]
        self.values[k] = self.name(node.name or f"v{k}")
        self.say(f"{self.values[k]} = {text}")
        return self.values[k]

    def whole(self, k: int) -> str:
        """A value that was computed, as one for every sequence and entry."""
        value = self.values.get(k) or number(self.loop.nodes[k].value)
        return value if self._full[k] else f"({value} + zeros)"

    @cached_property
    def _full(self) -> list[bool]:
        """Of every node whether its value has all sequences and entries: it is made of what was loaded or summed."""
        found: list[bool] = []
        for node in self.loop.nodes:
            one = node.op in (Op.PARAMETER, Op.CONSTANT, Op.SIZE, Op.SUM, Op.SPREAD) or node.shape in ((), ("1",))
            found.append(not one and (node.op in LEAVES or any(found[arg] for arg in node.args)))
        return found

    def say(self, line: str) -> None:
        """Add a line."""
        self.lines.append(line)

    def name(self, wish: str) -> str:
        """A variable that there is not yet."""
        plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in wish) or "v"
        # Names with these beginnings are made from others.
        plain = f"v{plain}" if plain[0].isdigit() or plain.startswith(("step_", "moves_", "width_", "next_")) else plain
        found, n = plain, 1
        while found in self._names or found in _TAKEN:
            n += 1
            found = f"{plain}_{n}"
        self._names.add(found)
        return found

    def weight(self, key: str, size: str) -> str:
        """The argument with the address of a weight, which has `size` entries."""
        if key not in self.weights:
            self.weights[key], self.sizes[key] = self.name(f"w_{key}"), size
        return self.weights[key]

    def own_weights(self) -> list[str]:
        """Lines that go from the weights of all members to those of the program's."""
        return [f"{name} += member * ({self.sizes[key]})" for key, name in self.weights.items()]

    def products(self, stage: Stage) -> None:
        """Accumulate a stage's products of vectors that lie in memory, some of their entries at a time."""
        met: dict[Place, list[tuple[int, Term]]] = {}
        for k in sorted(stage.products):
            self.set(k, "zeros")
            for term in stage.products[k]:
                met.setdefault(term.vector, []).append((k, term))
        for vector, terms in met.items():
            self.multiply(vector, terms, stage.columns)

    def multiply(self, vector: Place, terms: Iterable[tuple[int, Term]], columns: str) -> None:
        """Add the products of a vector with matrices to accumulators, BLOCK_K of its entries at a time."""
        size = self.loop.arrays[vector.array].columns
        found = self.load(vector, "inner[None, :]", f"(inner[None, :] < {size})")
        self.say(f"for k in range(0, {size}, BLOCK_K):")
        self.say(f"{TAB}inner = k + tl.arange(0, BLOCK_K)")
        self.say(f"{TAB}vector = {found}")
        for k, term in terms:
            self.say(f"{TAB}matrix = {self.part(term, 'inner[:, None]', size, columns)}")
            self.say(f"{TAB}{self.add_product(k, 'vector', 'matrix')}")

    def part(self, term: Term, inner: str, size: str, columns: str) -> str:
        """Some rows of a matrix, as the entries of a vector meet them, and the program's columns."""
        width = "N" if self.is_wide(term.matrix) else "H"
        along, across = (inner, "columns") if term.transposed else ("columns", inner)
        address = f"{self.weight(term.matrix, f'H * {width}')} + {along} * {width} + {across}"
        return f"tl.load({address}, mask=({inner} < {size}) & (columns < {columns}), other=0.0)"

    def row(self, array: str, pointer: str) -> str:
        """Where the rows of the program's sequences begin in an array, from the entry that its pointer gives."""
        one = self.loop.arrays[array]
        if is_other_input(array):
            return f"rows * (width_{pointer} * H)"
        return f"rows * {one.columns}" if one.blocks == 1 else f"rows * ({one.blocks} * {one.columns})"

    def width(self, array: str, pointer: str) -> str:
        """The argument that says how many vectors lie in a row of an input after the first; of other arrays nothing."""
        return f" width_{pointer}: tl.constexpr," if is_other_input(array) else ""

    def add_product(self, k: int, vector: str, matrix: str) -> str:
        """The line that adds a product to an accumulator."""
        operands = f"{vector}.to({matrix}.dtype).to(DOT), {matrix}.to(DOT), {self.values[k]}"
        return f"{self.values[k]} = tl.dot({operands}, input_precision=PRECISION, out_dtype=REAL)"

    def total_in_memory(self, place: Place) -> str:
        """The sum over the entries of a vector that lies in memory."""
        found = self.load(place, "whole", "(whole < H)")
        return f"tl.sum({found}.to(REAL), axis=1)[:, None]"

    def is_wide(self, key: str) -> bool:
        """Whether a matrix has N columns: it meets the input, or makes the gradient of it."""
        for stage in (*self.loop.stages, *([self.loop.last] if self.loop.last else [])):
            for terms in stage.products.values():
                for term in terms:
                    if term.matrix == key:
                        return stage.columns == "N" or self.loop.arrays[term.vector.array].columns == "N"
        return False


def number(value: float) -> str:
    """A fixed number as a kernel has it: Triton takes for double precision what single does not hold."""
    if value == 0 or _LEAST <= abs(value) <= _MOST:
        return repr(float(value))
    return f"tl.full((1, 1), {float(value)!r}, tl.float64).to(REAL)"


ACROSS = (
    "member = tl.program_id(2).to(tl.int64)",
    "column = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)",
    "columns = column[None, :]",
    "inside = columns < H",
)
ROWS = (
    "rows = (member * B + row)[:, None]",
    "there = (row < B)[:, None]",
    "mask = there & inside",
    "here = rows * H + columns",
)
WIDE = (
    "column_N = tl.arange(0, BLOCK_N)",
    "in_N = column_N[None, :] < N",
    "mask_N = there & in_N",
    "here_N = rows * N + column_N[None, :]",
)
WHOLE = "whole = tl.arange(0, BLOCK_W)[None, :]"
"""Where a program is: its units, its sequences, vectors of N entries, and vectors of which it has a part."""

_LEAST, _MOST = 2.0**-126, math.ldexp(2.0 - 2.0**-23, 127)
"""The normal numbers of single precision."""
