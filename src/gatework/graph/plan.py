"""From a cell to its loops: what is multiplied when, what is stored where, what the backward pass reads.

The names of arrays: `x` the first input, `x:m` another one, `y` the first state after every step, `state:c` another
one, `start:h` a state before the first step, `keep:r` a value that the backward pass reads, `step:f` one that a later
stage reads, `d` the gradients of the accumulated sums, `dy` the gradient that arrives for every step's output, `dy:c`
that of a state that is shown, `carry:h` what of the gradient of a state goes to the step before without a product,
`end:h` the gradient that arrives for the last state, `begin:h` that of the first one, `dx` that of the first input,
`dx:m` that of another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gatework.errors import BackendError
from gatework.graph.derivative import Gradient, derive
from gatework.graph.graph import Graph, Node
from gatework.graph.keeping import keep
from gatework.graph.loop import Array, Keeping, Loop, Outer, Place, Plan, Stage, Store
from gatework.graph.naming import Names
from gatework.graph.ops import AHEAD, LEAVES, MEANING, REDUCTIONS, Op
from gatework.graph.schedule import Schedule
from gatework.graph.simplify import prune, simplify
from gatework.graph.steps import Steps
from gatework.graph.sums import accumulate


def plan(graph: Graph) -> Plan:
    """The plan of a cell.

    Raises `BackendError` where the cell has vectors of the input's size besides the input itself: their arithmetic has
    no place in a loop over the units, and `early.split` takes it out. And where a weight is multiplied by a matrix, or
    averaged: it lies in no array.
    """
    for node in graph.nodes:
        if node.op in AHEAD:
            raise BackendError(f"it takes the {MEANING[node.op].split()[1]} of a state")
        if node.shape == ("N",) and node.op is not Op.INPUT:
            raise BackendError(f"it computes with vectors of the input's size ({node.name or node.op.value})")
        if node.op in REDUCTIONS and graph.nodes[node.args[0]].shape == ("N",):
            raise BackendError(f"it takes the {node.op} of the input")
    gradient = derive(graph)
    _refuse_weights_alone(gradient.forward.nodes)
    kept = keep(gradient)
    names = _kept_names(gradient, kept)
    outers, columns, blocks = _weights(gradient)
    return Plan(
        inference=_forward(simplify(graph), {}, training=False),
        forward=_forward(gradient.forward, names, training=True),
        backward=_backward(gradient, names, blocks),
        kept=tuple(names.values()),
        outers=tuple(Outer(key, blocks[d], _operand(gradient, names, v)) for key, d, v in outers),
        columns={key: blocks[d] for key, d in columns.items()},
    )


def _refuse_weights_alone(nodes: Sequence[Node]) -> None:
    verbs = {Op.MATMUL: "multiplies a matrix with", Op.SUM: "takes the mean of"}
    for node in nodes:
        if node.op in verbs and nodes[node.args[-1]].op is Op.PARAMETER:
            raise BackendError(f"it {verbs[node.op]} a weight ({nodes[node.args[-1]].name})")


def state_array(graph: Graph, k: int) -> str:
    """The array that holds state `k` after every step."""
    return "y" if k == 0 else f"state:{graph.states[k]}"


def arriving_array(graph: Graph, state: str) -> str:
    """The array that holds the gradient that arrives for every step of a state that is a result."""
    return "dy" if state == graph.states[0] else f"dy:{state}"


def input_array(graph: Graph, name: str, kind: str = "x") -> str:
    """The array that holds an input, or with `kind="dx"` its gradient."""
    return kind if name == graph.inputs[0] else f"{kind}:{name}"


def is_other_input(array: str) -> bool:
    """Whether an array holds an input after the first."""
    return array.startswith("x:")


def _input_arrays(graph: Graph, kind: str) -> list[Array]:
    """The arrays of the inputs: the first has N columns, the others have H."""
    return [
        Array(input_array(graph, name, kind), Keeping.SEQUENCE, "H" if k else "N")
        for k, name in enumerate(graph.inputs)
    ]


def _kept_names(gradient: Gradient, kept: Iterable[int]) -> dict[int, str]:
    names = Names(gradient.forward.equations)
    return {k: f"keep:{gradient.nodes[k].name or names.give(f'v{k}')}" for k in kept}


def _forward(graph: Graph, kept: Mapping[int, str], *, training: bool) -> Loop:
    """The forward loop; `kept` says in which arrays which nodes are kept."""
    nodes, moved = prune(graph.nodes, [*graph.outputs, *kept])
    gathered = accumulate(nodes, [moved[k] for k in (*graph.outputs, *kept)])
    arrays = _input_arrays(graph, "x")
    stores = []
    for k, (state, output) in enumerate(zip(graph.states, graph.outputs, strict=True)):
        name = state_array(graph, k)
        keeping = Keeping.SEQUENCE if training or state in graph.results else Keeping.PAIR
        arrays.append(Array(f"start:{state}", Keeping.START, "H"))
        arrays.append(Array(name, keeping, "H", start=f"start:{state}"))
        stores.append(Store(gathered.position[moved[output]], Place(name)))
    for node, name in kept.items():
        arrays.append(Array(name, Keeping.SEQUENCE, "H"))
        stores.append(Store(gathered.position[moved[node]], Place(name)))
    loads = {k: _leaf_place(graph, node) for k, node in enumerate(gathered.nodes) if node.op in (Op.INPUT, Op.STATE)}
    return _loop(Schedule(gathered, loads, stores), arrays)


def _leaf_place(graph: Graph, node: Node) -> Place:
    if node.op is Op.INPUT:
        return Place(input_array(graph, node.name))
    return Place(state_array(graph, graph.states.index(node.name)), shift=-1)


def _loop(scheduled: Schedule, arrays: Iterable[Array], last: Stage | None = None) -> Loop:
    known = {array.name: array for array in (*arrays, *scheduled.arrays)}
    return Loop(scheduled.nodes, scheduled.stages, known, last)


def _weights(gradient: Gradient) -> tuple[list[tuple[str, int, int]], dict[str, int], dict[int, int]]:
    """Matrix gradients (key, d, vector), vector gradients key → d, and the block of every d."""
    outers: list[tuple[str, int, int]] = []
    columns: dict[str, int] = {}
    for key, k in gradient.parameters.items():
        if len(gradient.nodes[k].shape) == 1:
            columns[key] = k
            continue
        stack = [k]
        while stack:
            node = gradient.nodes[stack.pop()]
            if node.op is Op.OUTER:
                outers.append((key, node.args[0], node.args[1]))
            else:
                assert node.op is Op.ADD, f"the gradient of {key} is no sum of products"
                stack.extend(node.args)
    first = {k for k, node in enumerate(gradient.nodes) if node.shape == ("N",) and node.op is Op.INPUT}
    of_input = {d for _, d, v in outers if v in first}
    of_state = {d for _, d, v in outers if v not in first}
    # Blocks that meet both the input and a state lie in the middle, so that what meets either lies side by side. What
    # meets a state, which is most of the work, begins where the memory does.
    order = [*sorted(of_state - of_input), *sorted(of_input & of_state), *sorted(of_input - of_state)]
    order += sorted(set(columns.values()) - of_input - of_state)
    return outers, columns, {d: block for block, d in enumerate(order)}


def _operand(gradient: Gradient, kept: Mapping[int, str], v: int) -> Place:
    """Where the vector of a matrix gradient lies, as the forward loop left it."""
    node, graph = gradient.nodes[v], gradient.forward
    if node.op in (Op.INPUT, Op.STATE):
        return _leaf_place(graph, node)
    return Place(kept[v]) if v in kept else Place(state_array(graph, graph.outputs.index(v)))


def _backward(gradient: Gradient, kept: Mapping[int, str], blocks: Mapping[int, int]) -> Loop:
    """The backward loop.

    The gradient of a state is a sum of products and of the rest. The products wait for the next step of the loop, where
    they fill the accumulators from which that step begins; the rest is carried. So a cell with one stage forward has
    one stage backward.
    """
    return _Backward(gradient, kept, blocks).loop()


class _Backward:
    def __init__(self, gradient: Gradient, kept: Mapping[int, str], blocks: Mapping[int, int]) -> None:
        self._gradient, self._graph, self._blocks = gradient, gradient.forward, blocks
        self._kept = dict(kept)
        self._steps = Steps()
        self._loaded: dict[Place, int] = {}
        self._names = Names(self._graph.equations)
        self._position: dict[int, int] = {}
        self._split = [_split(gradient, k, blocks) for k in gradient.states]
        self._arrays = [
            *_input_arrays(self._graph, "x"),
            *(Array(arriving_array(self._graph, state), Keeping.SEQUENCE, "H") for state in self._graph.results),
            Array("d", Keeping.RING, "H", max(len(blocks), 1)),
            *(Array(name, Keeping.SEQUENCE, "H") for name in kept.values()),
        ]
        for k, state in enumerate(self._graph.states):
            name = state_array(self._graph, k)
            self._arrays.append(Array(f"start:{state}", Keeping.START, "H"))
            self._arrays.append(Array(name, Keeping.SEQUENCE, "H", start=f"start:{state}"))
            self._arrays.append(Array(f"end:{state}", Keeping.START, "H"))
            self._arrays.append(Array(f"carry:{state}", Keeping.PAIR, "H", start=f"end:{state}"))
            self._arrays.append(Array(f"begin:{state}", Keeping.START, "H"))

    def loop(self) -> Loop:
        arrived = [self._arrived(k) for k in range(len(self._graph.states))]
        rests = [rest for _, rest in self._split]
        for k in self._wanted(rests):
            self._position[k] = self._write(k, arrived)
        stores = [Store(self._position[d], Place("d", block)) for d, block in self._blocks.items()]
        for state, rest in zip(self._graph.states, rests, strict=True):
            stores.append(Store(self._sum(rest), Place(f"carry:{state}")))
        last = [Store(k, Place(f"begin:{state}")) for state, k in zip(self._graph.states, arrived, strict=True)]
        first: list[Store] = []
        for d, array in zip(self._gradient.inputs, _input_arrays(self._graph, "dx"), strict=True):
            if d is not None:
                self._arrays.append(array)
                store = Store(self._sum([(Op.ADD, d)]), Place(array.name))
                (first if array.columns == "N" else stores).append(store)
        return self._scheduled(stores, last, first)

    def _scheduled(self, stores: list[Store], last: list[Store], inputs: list[Store]) -> Loop:
        """The loop, from stores whose nodes are positions in the steps so far."""
        roots = [store.node for store in (*stores, *last, *inputs)]
        nodes, moved = prune(self._steps.nodes, roots)
        gathered = accumulate(nodes, [moved[k] for k in roots])

        def new(store: Store) -> Store:
            return replace(store, node=gathered.position[moved[store.node]])

        loads = {
            gathered.position[moved[k]]: place for place, k in self._loaded.items() if moved.get(k) in gathered.position
        }
        scheduled = Schedule(gathered, loads, map(new, stores), [new(one) for one in inputs])
        return _loop(scheduled, self._arrays, scheduled.alone([new(one) for one in last]))

    def _load(self, place: Place, wish: str, name: str = "") -> int:
        """What lies at a place: under the name of its equation, or under one that no equation has."""
        if place not in self._loaded:
            node = Node(Op.LOADED, (), name or self._names.give(wish), 0.0, ("H",), 0)
            self._loaded[place] = self._steps.leaf(node)
        return self._loaded[place]

    def _arrived(self, k: int) -> int:
        """The gradient of a state that the step before in the loop, which is the later in time, has left."""
        state = self._graph.states[k]
        total = self._load(Place(f"carry:{state}", shift=1), f"carry_{state}")
        for matrix, d in self._split[k][0]:
            block = self._load(Place("d", self._blocks[d], shift=1), f"d{self._blocks[d]}_after")
            leaf = self._steps.leaf(self._gradient.nodes[matrix])
            product = self._steps.add(Op.TRANSPOSED, leaf, block, shape=("H",))
            total = self._steps.add(Op.ADD, total, product)
        return total

    def _wanted(self, rests: Iterable[list[tuple[Op, int]]]) -> list[int]:
        """The nodes of the gradient that a step computes, in order."""
        stack = [*self._blocks, *(k for rest in rests for _, k in rest)]
        stack += [k for k in self._gradient.inputs if k is not None]
        wanted = set[int]()
        while stack:
            k = stack.pop()
            if k not in wanted:
                wanted.add(k)
                stack.extend(() if self._place_of(k) else self._gradient.nodes[k].args)
        return sorted(wanted)

    def _place_of(self, k: int) -> Place | None:
        """Where the forward loop left the value of a node, if it did."""
        node = self._gradient.nodes[k]
        if node.op is Op.STATE or (node.op is Op.INPUT and node.shape == ("H",)):
            return _leaf_place(self._graph, node)
        if k in self._kept:
            return Place(self._kept[k])
        if k < len(self._graph.nodes) and k in self._graph.outputs and node.op not in LEAVES:
            return Place(state_array(self._graph, self._graph.outputs.index(k)))
        return None

    def _write(self, k: int, arrived: list[int]) -> int:
        node = self._gradient.nodes[k]
        place = self._place_of(k)
        if place:
            if node.op is Op.STATE:
                return self._load(place, f"{node.name}_before")
            return self._load(place, node.name or f"v{k}", "" if node.op is Op.INPUT else node.name)
        if node.op is Op.GRADIENT:
            state = [f"d_{name}" for name in self._graph.states].index(node.name)
            name = self._graph.states[state]
            if name not in self._graph.results:
                return arrived[state]
            given = self._load(Place(arriving_array(self._graph, name)), f"d_{name}_given" if state else "d_y")
            return self._steps.add(Op.ADD, arrived[state], given, name=node.name)
        if node.op in LEAVES:
            return self._steps.leaf(node)
        args = tuple(self._position[arg] for arg in node.args)
        return self._steps.add(node.op, *args, name=node.name, line=node.line, shape=node.shape)

    def _sum(self, terms: list[tuple[Op, int]]) -> int:
        if not terms:
            zero = self._steps.constant(0.0)
            return self._steps.add(Op.SPREAD, zero, shape=("H",))
        (first, k), *more = terms
        total = self._position[k] if first is Op.ADD else self._steps.add(Op.NEGATE, self._position[k])
        for op, one in more:
            total = self._steps.add(op, total, self._position[one])
        return total


def _split(
    gradient: Gradient, k: int | None, blocks: Mapping[int, int]
) -> tuple[list[tuple[int, int]], list[tuple[Op, int]]]:
    """The gradient of a state as products (matrix, d) that may wait for the next step, and the terms of the rest."""
    if k is None:
        return [], []
    uses = Counter(arg for node in gradient.nodes for arg in node.args)
    uses.update(gradient.roots)
    waiting: list[tuple[int, int]] = []
    rest: list[tuple[Op, int]] = []
    stack = [(Op.ADD, k)]
    while stack:
        op, one = stack.pop()
        node = gradient.nodes[one]
        if op is Op.ADD and node.op in (Op.ADD, Op.SUBTRACT) and uses[one] == 1:
            stack += [(node.op, node.args[1]), (Op.ADD, node.args[0])]
        elif op is Op.ADD and node.op is Op.TRANSPOSED and uses[one] == 1 and node.args[1] in blocks:
            waiting.append((node.args[0], node.args[1]))
        else:
            rest.append((op, one))
    return waiting, rest
