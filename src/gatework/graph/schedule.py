"""Which stage of a time step computes what.

An elementwise operation runs in the stage of its latest operand; a product runs in the stage after the one that
completes its vector. What depends on the input and on loaded vectors alone waits for the stage that uses it, so that it
need not be stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from gatework.graph.graph import Node
from gatework.graph.keeping import BYTE, ITEM, PRICES
from gatework.graph.loop import Array, Keeping, Place, Stage, Store, Term
from gatework.graph.ops import LEAVES, Op
from gatework.graph.sums import Accumulations, Product

_FIXED = frozenset({Op.PARAMETER, Op.CONSTANT, Op.SIZE})


class Schedule:
    """The stages of a time step, and the arrays that had to be added for values that a later stage reads.

    `loads` are the places of the leaves that are read from arrays; `stores` what every step writes; `input_stores` what
    an optional last stage writes, in vectors of the input's size.
    """

    def __init__(
        self,
        gathered: Accumulations,
        loads: Mapping[int, Place],
        stores: Iterable[Store],
        input_stores: Sequence[Store] = (),
    ) -> None:
        self.nodes = gathered.nodes
        self._products = gathered.products
        self._loads = dict(loads)
        self._stores = list(stores)
        self.levels = _levels(self.nodes, self._products, [store.node for store in self._stores])
        depth = 1 + max(self.levels[store.node] for store in self._stores)
        places = {store.node: store.place for store in reversed(self._stores)}
        self.arrays: list[Array] = []
        stages: list[Stage] = []
        if input_stores:
            stages.append(self._stage(depth, input_stores, places, columns="N"))
        for level in reversed(range(depth)):
            # What a later stage reads of this one has a place by now: the stages are made from the last to the first.
            stages.append(self._stage(level, self._stored_in(level), places))  # noqa: PERF401 (it adds stores)
        self.stages = tuple(reversed(stages))

    def _stored_in(self, level: int) -> list[Store]:
        return [store for store in self._stores if self.levels[store.node] == level]

    def alone(self, stores: Sequence[Store]) -> Stage:
        """A stage that computes from what is loaded, and from nothing else."""
        return self._stage(0, stores, {})

    def _stage(self, level: int, stores: Sequence[Store], places: dict[int, Place], columns: str = "H") -> Stage:
        products: dict[int, tuple[Term, ...]] = {}
        totals: dict[int, Place] = {}
        reads: dict[int, Place] = {}
        stack, seen = [store.node for store in stores], set[int]()
        while stack:
            k = stack.pop()
            if k in seen:
                continue
            seen.add(k)
            node = self.nodes[k]
            if k in self._loads:
                reads[k] = self._loads[k]
            elif self._is_earlier(k, level, columns) and not self._is_cheap(k, places):
                reads[k] = self._place(k, places)
            elif node.op is Op.ACCUMULATED:
                products[k] = tuple(
                    Term(one.matrix, one.transposed, self._place(one.vector, places)) for one in self._products[k]
                )
            elif node.op is Op.SUM:
                totals[k] = self._place(node.args[0], places)
            else:
                stack.extend(node.args)
        return Stage(columns, products, totals, reads, tuple(stores), optional=columns == "N")

    def _is_earlier(self, k: int, level: int, columns: str) -> bool:
        """Whether a node belongs to an earlier stage; vectors of the input's size have a stage of their own."""
        if self.nodes[k].op in _FIXED or (columns == "N" and self.nodes[k].shape == ("N",)):
            return False
        return self.levels[k] < level

    def _is_cheap(self, k: int, places: Mapping[int, Place]) -> bool:
        """Whether it costs less to compute a value of an earlier stage again than to store it and read it back."""
        price, stack, seen = 0.0, [k], set[int]()
        while stack:
            one = stack.pop()
            if one in seen or one in self._loads or one in places or self.nodes[one].op in _FIXED:
                continue
            seen.add(one)
            price += PRICES.get(self.nodes[one].op, inf)
            stack.extend(self.nodes[one].args)
        return k not in places and price < 2 * ITEM * BYTE

    def _place(self, k: int, places: dict[int, Place]) -> Place:
        """Where a complete vector lies; a value without a place gets one, and is stored there."""
        if k in self._loads:
            return self._loads[k]
        if k not in places:
            array = Array(f"step:{self.nodes[k].name or f'v{k}'}.{k}", Keeping.STEP, "H")
            self.arrays.append(array)
            places[k] = Place(array.name)
            self._stores.append(Store(k, places[k]))
        return places[k]


def _levels(nodes: Sequence[Node], products: Mapping[int, Sequence[Product]], roots: Iterable[int]) -> list[int]:
    """The stage in which each node is computed."""
    levels: list[int] = []
    waits: list[bool] = []  # whether it has to come as early as it can: it depends on a product of this step
    for k, node in enumerate(nodes):
        vectors = _vectors(node, products, k)
        computed = [v for v in vectors if nodes[v].op not in LEAVES or nodes[v].op is Op.ACCUMULATED]
        before = [levels[arg] for arg in node.args] if node.op is not Op.SUM else []
        levels.append(max([*before, *(levels[v] + 1 for v in computed)], default=0))
        recurrent = any(nodes[v].op is not Op.INPUT for v in vectors)
        waits.append(recurrent or any(waits[arg] for arg in node.args))
    ends = {root: levels[root] for root in roots}
    latest: dict[int, int] = {}
    for k in reversed(range(len(nodes))):
        if not waits[k] and k in latest and k not in ends:
            levels[k] = max(levels[k], latest[k])
        for arg in nodes[k].args if nodes[k].op is not Op.SUM else ():
            latest[arg] = min(latest.get(arg, levels[k]), levels[k])
        for v in _vectors(nodes[k], products, k):
            latest[v] = min(latest.get(v, levels[k] - 1), levels[k] - 1)
    return levels


def _vectors(node: Node, products: Mapping[int, Sequence[Product]], k: int) -> list[int]:
    """The complete vectors that a node multiplies or sums up."""
    if node.op is Op.SUM:
        return [node.args[0]]
    return [one.vector for one in products.get(k, ())]
