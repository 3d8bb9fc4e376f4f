"""A plan, run in numpy as its records say: stage after stage, and nothing is known but what a stage was given.

What was never written, or no longer lies where it was, cannot be read: the interpreter raises.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from random_cells import NUMPY

from gatework.graph.loop import Keeping
from gatework.graph.ops import ELEMENTWISE, Op

COMPUTED = {**NUMPY, Op.WHERE: lambda a, value: np.where(a > 0, value, 0.0), Op.SPREAD: lambda a: a}


@dataclass
class Memory:
    """The arrays of a loop: (array, time, block) → (B, columns); time is None where an array has one slot."""

    arrays: Mapping
    T: int
    B: int
    sizes: Mapping
    slots: dict = field(default_factory=dict)

    def read(self, place, t):
        array = self.arrays[place.array]
        if array.keeping in (Keeping.START, Keeping.STEP):
            assert not place.shift, f"{place} has one slot only"
            return self._there(place, None)
        time = t + place.shift
        if 0 <= time < self.T:
            return self._there(place, time)
        assert place.shift, f"{place} is read outside the sequence"
        if array.start:
            return self.slots[array.start, None, place.block]
        return np.zeros((self.B, self.sizes[array.columns]))

    def _there(self, place, time):
        key = place.array, time, place.block
        assert key in self.slots, f"{place} is read where nothing was written"
        return self.slots[key]

    def write(self, place, t, value):
        array = self.arrays[place.array]
        assert not place.shift, f"{place} is written at another time"
        assert place.block < array.blocks
        single = array.keeping in (Keeping.START, Keeping.STEP)
        shape = self.B, self.sizes[array.columns]
        assert single or 0 <= t < self.T, f"{place} is written outside the sequence"
        self.slots[place.array, None if single else t, place.block] = np.broadcast_to(value, shape)

    def step(self, t):
        """Forget what does not outlive a time step."""
        for name, time, block in list(self.slots):
            keeping = self.arrays[name].keeping
            if keeping is Keeping.STEP or (keeping is Keeping.PAIR and abs(time - t) > 1):
                del self.slots[name, time, block]

    def put(self, name, values):
        """Fill an array: (T, B, columns), or (B, columns) where it has one slot."""
        times = [None] if self.arrays[name].keeping is Keeping.START else range(self.T)
        for time in times:
            self.slots[name, time, 0] = values if time is None else values[time]

    def take(self, name, block=0):
        """What lies in an array at every time."""
        if self.arrays[name].keeping is Keeping.START:
            return self.slots[name, None, block]
        return np.stack([self.slots[name, t, block] for t in range(self.T)])


def run_loop(loop, memory, weights, *, backward=False):
    """All time steps of a loop, and its last stage."""
    for t in sorted(range(memory.T), reverse=backward):
        memory.step(t)
        for stage in loop.stages:
            run_stage(loop, stage, memory, weights, t)
    if loop.last:
        run_stage(loop, loop.last, memory, weights, -1 if backward else memory.T)


def run_stage(loop, stage, memory, weights, t):
    """Everything a stage reads is read before anything is stored."""
    values = {k: sum(_term(term, memory, weights, t) for term in terms) for k, terms in stage.products.items()}
    values |= {k: memory.read(place, t).sum(axis=1, keepdims=True) for k, place in stage.totals.items()}
    values |= {k: memory.read(place, t) for k, place in stage.reads.items()}
    for store in stage.stores:
        assert loop.arrays[store.place.array].columns == stage.columns, f"{store} has another size than its stage"
    computed = [_value(loop.nodes, store.node, values, memory.sizes, weights) for store in stage.stores]
    for store, value in zip(stage.stores, computed, strict=True):
        memory.write(store.place, t, value)


def _term(term, memory, weights, t):
    matrix = weights[term.matrix]
    return memory.read(term.vector, t) @ (matrix if term.transposed else matrix.T)


def _value(nodes, k, values, sizes, weights):
    """The elementwise part: from what the stage was given, constants and vectors of weights."""
    node = nodes[k]
    if k not in values:
        if node.op is Op.CONSTANT:
            values[k] = np.float64(node.value)
        elif node.op is Op.SIZE:
            values[k] = np.float64(sizes[node.name])
        elif node.op is Op.PARAMETER:
            assert len(node.shape) == 1, f"the matrix {node.name} stands in an elementwise part"
            values[k] = weights[node.name]
        else:
            assert node.op in ELEMENTWISE | {Op.SPREAD}, f"node {k} ({node.op}) is not there"
            values[k] = COMPUTED[node.op](*(_value(nodes, arg, values, sizes, weights) for arg in node.args))
    return values[k]


def run_plan(plan, graph, run):
    """Everything that `through_torch.torch_says` says, from the plan alone."""
    forward = run_forward(plan.forward, graph, run)
    memory = Memory(plan.backward.arrays, *run.x.shape[:2], forward.sizes)
    for name in [state_array(graph, state) for state in graph.states] + list(plan.kept):
        memory.put(name, forward.take(name))
    put_inputs(memory, run)
    memory.put("dy", run.d_output)
    for state, value in run.states.items():
        memory.put(f"start:{state}", value)
        memory.put(f"end:{state}", run.d_states[state])
    run_loop(plan.backward, memory, run.weights, backward=True)
    found = results(forward, graph)
    for array, (name, value) in zip(["dx", *(f"dx:{one}" for one in run.others)], inputs(run), strict=True):
        found[f"d_{name}"] = memory.take(array) if array in plan.backward.arrays else np.zeros_like(value)
    found |= {f"d_{state}": memory.take(f"begin:{state}") for state in graph.states}
    return found | {f"d_{key}": value for key, value in _gradients(plan, memory).items()}


def state_array(graph, state):
    return "y" if state == graph.states[0] else f"state:{state}"


def inputs(run):
    """The inputs with their names."""
    return [("x", run.x), *run.others.items()]


def put_inputs(memory, run):
    memory.put("x", run.x)
    for name, value in run.others.items():
        memory.put(f"x:{name}", value)


def run_forward(loop, graph, run):
    """The memory that a forward loop leaves behind."""
    sizes = {"N": run.x.shape[2], "H": run.d_output.shape[2]}
    memory = Memory(loop.arrays, *run.x.shape[:2], sizes)
    put_inputs(memory, run)
    for state, value in run.states.items():
        memory.put(f"start:{state}", value)
    run_loop(loop, memory, run.weights)
    return memory


def results(memory, graph):
    """The outputs, and the last states."""
    last = {f"last:{s}": memory.slots[state_array(graph, s), memory.T - 1, 0] for s in graph.states}
    return {"y": memory.take("y"), **last}


def _gradients(plan, memory):
    """What is summed over sequences and time after the backward loop."""
    found = {key: memory.take("d", block).sum(axis=(0, 1)) for key, block in plan.columns.items()}
    for outer in plan.outers:
        vectors = np.stack([memory.read(outer.vector, t) for t in range(memory.T)])
        total = np.einsum("tbi,tbj->ij", memory.take("d", outer.block), vectors)
        found[outer.matrix] = found.get(outer.matrix, 0) + total
    return found
