"""The elementwise part of a stage: from accumulators and loaded vectors to what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import llvmlite.ir as ir

from gatework.graph.graph import Node
from gatework.graph.loop import Stage
from gatework.graph.ops import Op
from gatework.graph.text import equation
from gatework.kernels.cpu.code import Code
from gatework.kernels.cpu.functions import LLVM
from gatework.kernels.cpu.panels import Sizes


class Elementwise:
    """Computes the stored values of a stage for one vector of columns of one sequence.

    `leaf` gives the value of a node that is accumulated, summed, read, or a vector of weights.
    """

    def __init__(
        self, code: Code, nodes: Sequence[Node], stage: Stage, sizes: Sizes, leaf: Callable[[int], Any]
    ) -> None:
        self._code, self._nodes, self._stage, self._sizes, self._leaf = code, nodes, stage, sizes, leaf
        self._values: dict[int, Any] = {}
        self._uses = Counter(arg for node in nodes for arg in node.args)
        self._uses.update(store.node for store in stage.stores)

    def value(self, k: int) -> Any:
        """The value of a node, computed once."""
        if k not in self._values:
            self._values[k] = self._compute(k)
        return self._values[k]

    def _compute(self, k: int) -> Any:
        node = self._nodes[k]
        if node.op is Op.CONSTANT:
            return self._code.constant(node.value)
        if node.op is Op.SIZE:
            return self._code.constant(float(self._sizes.get(node.name, 1)))
        if self._is_leaf(k):
            return self._leaf(k)
        if node.op is Op.SPREAD:
            return self.value(node.args[0])
        if node.name:
            self._code.comment(equation(self._nodes, k))
        value = self._fused(node)
        if value is None:
            operands = [self.value(arg) for arg in node.args]
            value = LLVM[node.op](self._code.builder, *operands)
        if node.name and isinstance(value, ir.Instruction):
            value.name = node.name
        return value

    def _is_leaf(self, k: int) -> bool:
        stage: tuple[Mapping[int, object], ...] = (self._stage.products, self._stage.totals, self._stage.reads)
        return any(k in one for one in stage) or self._nodes[k].op is Op.PARAMETER

    def _fused(self, node: Node) -> Any:
        """A product that is added to something, rounded once; None where there is no such product."""
        if node.op not in (Op.ADD, Op.SUBTRACT):
            return None
        a, b = node.args
        if self._is_product(b):
            left, right = (self.value(arg) for arg in self._nodes[b].args)
            if node.op is Op.SUBTRACT:
                left = self._code.builder.fneg(left)
            return self._code.fma(left, right, self.value(a))
        if self._is_product(a):
            left, right = (self.value(arg) for arg in self._nodes[a].args)
            rest = self.value(b)
            return self._code.fma(left, right, rest if node.op is Op.ADD else self._code.builder.fneg(rest))
        return None

    def _is_product(self, k: int) -> bool:
        return (
            self._nodes[k].op is Op.MULTIPLY and self._uses[k] == 1 and not self._is_leaf(k) and k not in self._values
        )
