"""What a step hands to the next, as an affine map of what it was handed: `a h + b`, with a and b free of h.

Affine maps that follow one another are one affine map. So it does not matter where a sequence of steps is bracketed,
and all of them can be taken at once, by an associative scan. So it is with `minimum(h + a, b)`, where addition takes
the place of the product and the minimum that of the sum. The coefficients are nodes like others, written through
`Steps`: what would be multiplied by one is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatework.graph.graph import Node
from gatework.graph.ops import LEAVES, Op
from gatework.graph.simplify import needed
from gatework.graph.steps import Steps

LARGEST = 2
"""Values that may feed back on each other: a scan multiplies square matrices of so many rows."""


@dataclass(frozen=True)
class System:
    """Carried values that feed back on each other, each by the leaf that reads it.

    Value `i` becomes the sum over `j` of `matrix[i][j]` times value `j`, and `offsets[i]`. Where `join` is MINIMUM or
    MAXIMUM there is one value `h`, and it becomes the smaller or larger of `h + matrix[0][0]` and `offsets[0]`. None
    stands for zero. A value without a `matrix` does not feed back: it is computed from others.
    """

    leaves: tuple[int, ...]
    matrix: tuple[tuple[int | None, ...], ...] = ()
    offsets: tuple[int | None, ...] = ()
    join: Op = Op.ADD


@dataclass(frozen=True)
class Affine:
    """The systems of a step, each after those that it reads; `nodes` hold their coefficients too.

    `position` leads from the old nodes to the new ones. They are `independent` where none reads another, but for values
    that are `fixed`: every step hands on the same number.
    """

    nodes: tuple[Node, ...]
    position: tuple[int, ...]
    systems: tuple[System, ...]
    fixed: frozenset[int] = frozenset()
    independent: bool = False


def affine(nodes: Sequence[Node], after: Mapping[int, int]) -> Affine | None:
    """The systems of a step; None where values feed back in another way, or more than `LARGEST` on each other.

    `after` leads from every leaf that reads a carried value to the node whose value is carried there.

    >>> from gatework.cells import catalogue
    >>> graph = catalogue["mingru"].graph.ahead.core
    >>> (h,) = (k for k, node in enumerate(graph.nodes) if node.op is Op.STATE)
    >>> found = affine(graph.nodes, {h: graph.outputs[0]})
    >>> [[found.nodes[a].op.value for a in row if a is not None] for row in found.systems[0].matrix]
    [['subtract']]
    """
    steps = Steps()
    position: list[int] = []
    for node in nodes:
        args = [position[arg] for arg in node.args]
        leaf = node.op in LEAVES
        position.append(
            steps.leaf(node) if leaf else steps.add(node.op, *args, name=node.name, line=node.line, shape=node.shape)
        )
    moved = {position[leaf]: position[node] for leaf, node in after.items()}
    found: list[System] = []
    for leaves in _groups(steps.nodes, moved):
        system = _system(steps, leaves, moved)
        if system is None:
            return None
        found.append(system)
    made_from = {leaf: _leaves(steps.nodes, node) for leaf, node in moved.items()}
    fixed = frozenset(leaf for leaf, read in made_from.items() if all(steps.value(k) is not None for k in read))
    others = [made_from[leaf] & moved.keys() - {*one.leaves} for one in found for leaf in one.leaves]
    return Affine(tuple(steps.nodes), tuple(position), tuple(found), fixed, all(read <= fixed for read in others))


def _groups(nodes: Sequence[Node], after: Mapping[int, int]) -> list[tuple[int, ...]]:
    """Leaves whose values depend on each other, in an order in which each group reads earlier ones only."""
    reads = _closed({leaf: _leaves(nodes, node) & after.keys() for leaf, node in after.items()})
    groups = {tuple(sorted({leaf} | {one for one in read if leaf in reads[one]})) for leaf, read in reads.items()}
    # What a group reads, all that it reads reads too: so it reads more than any of them.
    return sorted(groups, key=lambda group: (len(reads[group[0]] | {*group}), group))


def _leaves(nodes: Sequence[Node], k: int) -> set[int]:
    """The leaves that a node is made from."""
    return {one for one in needed(nodes, [k]) if nodes[one].op in LEAVES}


def _closed(reads: Mapping[int, set[int]]) -> dict[int, set[int]]:
    """What is read directly and what through others."""
    found = {leaf: set(read) for leaf, read in reads.items()}
    for through in found:
        for read in found.values():
            if through in read:
                read |= found[through]
    return found


def _system(steps: Steps, leaves: tuple[int, ...], after: Mapping[int, int]) -> System | None:
    feeds_back = any(_leaves(steps.nodes, after[leaf]) & {*leaves} for leaf in leaves)
    if not feeds_back:
        return System(leaves)
    if len(leaves) > LARGEST:
        return None
    forms = _Forms(steps, leaves)
    found = [forms.of(after[leaf]) for leaf in leaves]
    if len(leaves) == 1 and found[0] is None:
        return _bounded(steps, leaves[0], after[leaves[0]])
    if any(form is None for form in found):
        return None
    given = [form for form in found if form is not None]
    matrix = tuple(tuple(form.coefficients.get(leaf) for leaf in leaves) for form in given)
    return System(leaves, matrix, tuple(form.offset for form in given))


@dataclass(frozen=True)
class _Form:
    """A sum of leaves, each with its coefficient, and an offset; None is zero."""

    coefficients: Mapping[int, int]
    offset: int | None

    def each(self, change: Callable[[int], int]) -> _Form:
        """The same with a linear operation on all that is summed."""
        offset = None if self.offset is None else change(self.offset)
        return _Form({leaf: change(one) for leaf, one in self.coefficients.items()}, offset)

    @property
    def free(self) -> int | None:
        """The node that this is, where it is free of the leaves."""
        return None if self.coefficients else self.offset


class _Forms:
    """Nodes as affine forms of some leaves."""

    def __init__(self, steps: Steps, leaves: Iterable[int]) -> None:
        self._steps, self._leaves = steps, frozenset(leaves)
        self._known: dict[int, _Form | None] = {}

    def of(self, k: int) -> _Form | None:
        """The form of a node; None where it is not affine."""
        if k not in self._known:
            self._known[k] = self._form(k)
        return self._known[k]

    def _form(self, k: int) -> _Form | None:
        node = self._steps.nodes[k]
        if k in self._leaves:
            return _Form({k: self._steps.constant(1.0)}, None)
        if not _leaves(self._steps.nodes, k) & self._leaves:
            return _Form({}, k)
        operands = [self.of(arg) for arg in node.args]
        rule = RULES.get(node.op)
        given = [one for one in operands if one is not None]
        return rule(self._steps, *given) if rule and len(given) == len(operands) else None


def _sum(steps: Steps, a: _Form, b: _Form) -> _Form:
    def added(one: int | None, other: int | None) -> int | None:
        if one is None or other is None:
            return other if one is None else one
        return steps.add(Op.ADD, one, other)

    first, second = a.coefficients, b.coefficients
    joined = {leaf: added(first.get(leaf), second.get(leaf)) for leaf in {**first, **second}}
    return _Form({leaf: one for leaf, one in joined.items() if one is not None}, added(a.offset, b.offset))


def _negative(steps: Steps, a: _Form) -> _Form:
    return a.each(lambda one: steps.add(Op.NEGATE, one))


def _product(steps: Steps, a: _Form, b: _Form) -> _Form | None:
    form, factor = (a, b.free) if b.free is not None else (b, a.free)
    return None if factor is None else form.each(lambda one: steps.add(Op.MULTIPLY, one, factor))


def _quotient(steps: Steps, a: _Form, b: _Form) -> _Form | None:
    divisor = b.free
    return None if divisor is None else a.each(lambda one: steps.add(Op.DIVIDE, one, divisor))


def _where(steps: Steps, condition: _Form, a: _Form) -> _Form | None:
    positive = condition.free
    if positive is None:
        return None

    def chosen(one: int) -> int:
        if steps.value(one) is None:
            return steps.add(Op.WHERE, positive, one)
        # A choice between numbers has no kind of number of its own.
        return steps.add(Op.MULTIPLY, steps.add(Op.WHERE, positive, steps.constant(1.0)), one)

    return a.each(chosen)


RULES: dict[Op, Callable[..., _Form | None]] = {
    Op.ADD: _sum,
    Op.SUBTRACT: lambda steps, a, b: _sum(steps, a, _negative(steps, b)),
    Op.NEGATE: _negative,
    Op.MULTIPLY: _product,
    Op.DIVIDE: _quotient,
    Op.WHERE: _where,
}
"""The form of a result from those of the operands, for each operation that can keep them affine."""


def _bounded(steps: Steps, leaf: int, k: int) -> System | None:
    """A value that becomes itself and something free of it, but not beyond a bound."""
    node = steps.nodes[k]
    if node.op not in (Op.MINIMUM, Op.MAXIMUM):
        return None
    forms = _Forms(steps, [leaf])
    first, second = (forms.of(arg) for arg in node.args)
    if first is None or second is None:
        return None
    inner, bound = (first, second.free) if first.coefficients else (second, first.free)
    if bound is None or steps.value(inner.coefficients[leaf]) != 1.0:
        return None
    return System((leaf,), ((inner.offset,),), (bound,), node.op)
