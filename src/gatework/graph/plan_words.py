"""What the values of a loop and its arrays are called, in the letters of the equations."""

from __future__ import annotations

from collections.abc import Mapping

from gatework.graph.loop import Array, Keeping, Loop, Place, Plan, Stage
from gatework.graph.naming import Names, gradient_names, sum_key
from gatework.graph.ops import COMPUTED, Op
from gatework.graph.text import READING

DURING, AFTER = ("ₜ₋₁", "ₜ", "ₜ₊₁"), ("", "₀", "₁")
"""How times are written: at every time step, and in the stage that follows the first time step."""

_LAYOUTS = {Keeping.SEQUENCE: "T, B", Keeping.RING: "ring, B", Keeping.PAIR: "2, B"}


class Words:
    """The words for one of a plan's loops. No two values share one, whatever a cell calls its own."""

    def __init__(self, plan: Plan, loop: Loop) -> None:
        self.loop = loop
        self.names = Names(node.name for node in plan.forward.nodes)
        self._input = next(
            (node.name for node in plan.forward.nodes if node.op is Op.INPUT and node.shape == ("N",)), "x"
        )
        self._waiting: dict[str, str] = {}
        self._derived = set[int]()
        if loop is plan.backward:
            self._wait(plan.forward)
            self._derived = _derived(loop)
        self._wait(loop)
        self._blocks = self._of_sums(plan)

    def value(self, k: int) -> str:
        """The word for a leaf or for a value with a name; empty for a number and for a value without one."""
        node = self.loop.nodes[k]
        if k in self._derived and node.op in COMPUTED and node.name:
            return READING.now(self.names.once(node.name))
        return READING.name(node)

    def place(self, place: Place, times: tuple[str, str, str] = DURING) -> str:
        """A vector in an array, at the time where it lies."""
        return f"{self._head(self.loop.arrays[place.array], place.block)}{times[place.shift + 1]}"

    def holds(self, array: Array) -> str:
        """All that an array holds."""
        kind, _, state = array.name.partition(":")
        match kind:
            case "start":
                return f"{state}ₜ₋₁ of the first time step"
            case "end":
                return f"{self.names.once(f'carry_{state}')}ₜ₊₁ of the last time step"
            case "begin":
                return self.place(Place(array.name), AFTER)
            case _:
                return ", ".join(self.place(Place(array.name, block)) for block in range(array.blocks))

    def _head(self, array: Array, block: int) -> str:
        kind, _, tail = array.name.partition(":")
        match kind:
            case "x":
                return tail or self._input
            case "d":
                return self._blocks.get(block, "0")
            case "dx":
                return self.names.once(f"d_{tail or self._input}")
            case "dy":
                return self.names.once(f"d_{tail}_given" if tail else "d_y")
            case "begin":
                return self.names.once(f"d_{tail}")
            case "carry":
                return self.names.once(f"carry_{tail}")
            case _:
                return self._waiting.get(array.name) or array.start.removeprefix("start:")

    def _wait(self, loop: Loop) -> None:
        """Words for what is kept for the backward pass or waits for a later stage: its own, or one after its weight."""
        products = [terms for stage in loop.stages for terms in stage.products.values()]
        multiplied = {term.vector.array: term.matrix for terms in products for term in terms}
        for stage in loop.stages:
            for store in stage.stores:
                array, node = store.place.array, loop.nodes[store.node]
                own = node.name if node.op in COMPUTED else ""
                if array.startswith(("keep:", "step:")) and array not in self._waiting:
                    wishes = _wishes(loop, stage, store.node, multiplied.get(array, ""))
                    name = self.names.once(own) if own and store.node in self._derived else own
                    self._waiting[array] = name or self.names.give(*wishes, _tail(array))

    def _of_sums(self, plan: Plan) -> Mapping[int, str]:
        """The words for the blocks of `d`."""
        nodes, stages = plan.backward.nodes, plan.backward.stages
        stores = [store for stage in stages for store in stage.stores if store.place.array == "d"]
        named = {
            one.place.block: self.names.once(nodes[one.node].name)
            for one in stores
            if nodes[one.node].name and nodes[one.node].op in COMPUTED
        }
        outers = [(one.matrix, one.block) for one in plan.outers]
        return gradient_names(outers, plan.columns.items(), self.names, named)


def layout(array: Array) -> str:
    """The shape of an array in letters.

    >>> layout(Array("d", Keeping.RING, "H", blocks=4))
    '(ring, B, 4H)'
    """
    columns = array.columns if array.blocks == 1 else f"{array.blocks}{array.columns}"
    return f"({_LAYOUTS.get(array.keeping, 'B')}, {columns})"


def _derived(loop: Loop) -> set[int]:
    """The nodes of a backward loop that depend on what arrives: the others are values of the forward loop."""
    places = {k: place for stage in loop.stages for k, place in stage.reads.items()}
    found = set[int]()
    for k, node in enumerate(loop.nodes):
        arrives = k in places and places[k].array.partition(":")[0] in ("d", "dy", "carry")
        if node.op is Op.ACCUMULATED or arrives or found.intersection(node.args):
            found.add(k)
    return found


def _wishes(loop: Loop, stage: Stage, k: int, matrix: str) -> list[str]:
    key = sum_key(loop.nodes, k, {one: terms[0].matrix for one, terms in stage.products.items()})
    if key:
        return [f"a_{key[2:]}", f"a_{key[0]}{key[2:]}"]
    return [f"v_{matrix[2:]}"] if matrix else []


def _tail(array: str) -> str:
    """`v18` of `step:v18.18`."""
    return array.partition(":")[2].partition(".")[0]
