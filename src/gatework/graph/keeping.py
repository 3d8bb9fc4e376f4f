"""What the forward pass keeps for the backward pass, and what the backward pass computes again.

A value is computed again where that is cheaper than to write it and read it back. The prices are in elementary
operations on one entry: a byte that travels to memory and back costs as much as `BYTE` of them on the machines that
this was measured on (some 30 operations a nanosecond against some 10 bytes a nanosecond), an exponential or a
hyperbolic tangent some 15.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from gatework.graph.derivative import Gradient
from gatework.graph.ops import ELEMENTWISE, LEAVES, Op

BYTE, ITEM = 4.0, 4
PRICES: dict[Op, float] = {
    **dict.fromkeys(ELEMENTWISE, 1.0),
    Op.DIVIDE: 4.0,
    Op.SQRT: 4.0,
    Op.SIGMOID: 15.0,
    Op.TANH: 15.0,
    Op.EXP: 12.0,
    Op.LOG: 16.0,
    Op.SOFTPLUS: 30.0,
    Op.SPREAD: 0.0,
}
"""Elementary operations for one entry; what is missing here is never computed again."""


def keep(gradient: Gradient) -> tuple[int, ...]:
    """The nodes of the forward pass whose values are kept, besides the states.

    >>> from gatework.cells import catalogue
    >>> from gatework.graph.derivative import derive
    >>> gradient = derive(catalogue["gru"].graph)
    >>> [gradient.nodes[k].name or gradient.nodes[k].op.value for k in keep(gradient)]
    ['r', 'z', 'add', 'n']
    """
    needed, operands = _needed(gradient)
    forward = gradient.forward.nodes
    there = {k for k, node in enumerate(forward) if node.op in LEAVES} | set(gradient.forward.outputs)
    kept = []
    for k in sorted(needed):
        if k in there:
            continue
        price, computed = _price(gradient, k, there)
        if k in operands or price > 2 * ITEM * BYTE:
            kept.append(k)
            there.add(k)
        else:
            there |= computed
    return tuple(kept)


def _needed(gradient: Gradient) -> tuple[set[int], set[int]]:
    """The forward values that the gradient reads, and those of them that stand in the gradient of a matrix."""
    end = len(gradient.forward.nodes)
    needed: set[int] = set()
    operands: set[int] = set()
    seen: set[int] = set()
    stack = list(gradient.roots)
    while stack:
        k = stack.pop()
        if k in seen:
            continue
        seen.add(k)
        if k < end:
            needed.add(k)
            continue
        node = gradient.nodes[k]
        stack.extend(node.args)
        if node.op is Op.OUTER and node.args[1] < end:
            operands.add(node.args[1])
    return needed, operands


def _price(gradient: Gradient, k: int, there: Iterable[int]) -> tuple[float, set[int]]:
    """What it costs to compute a value from those that are there, and all that is computed on the way."""
    known = set(there)
    price, computed, stack = 0.0, set[int](), [k]
    while stack:
        one = stack.pop()
        if one in known or one in computed:
            continue
        computed.add(one)
        node = gradient.nodes[one]
        price += PRICES.get(node.op, inf)
        stack.extend(node.args)
    return price, computed
