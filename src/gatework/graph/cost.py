"""What a plan costs at given sizes: counted from its stages, for the whole batch and sequence.

A product counts a multiply-add for every entry of its matrix, which is two floating-point operations. Elementwise
operations count one for an entry, whatever they do; the sigmoids, exponentials and the like among them are counted
apart, because they cost some ten times as much (`gatework.graph.keeping.PRICES` says how much on one machine).

A stage reads every vector that it needs, and writes every vector that it makes, once for each time step and sequence.
How many of these bytes come from memory and how many from cache is the kernel's doing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from gatework.graph.graph import Node, Shape
from gatework.graph.loop import Loop, Place, Plan, Stage
from gatework.graph.ops import Op
from gatework.graph.tally import Part, Sizes, Tally


@dataclass(frozen=True)
class Cost:
    """What the parts of a plan cost.

    A training step is `forward`, `backward` and `weights`, which makes the gradients of the weights. Only where they
    are asked for it makes the gradient of the input, `inputs`, and that of the states before the first step, `starts`.
    `kept` gives the bytes of the arrays that the forward pass writes and a later part reads, by their names.
    """

    inference: Part
    forward: Part
    backward: Part
    weights: Part
    inputs: Part
    starts: Part
    kept: Mapping[str, int]

    def training_flops(self, *, inputs: bool = False, starts: bool = False) -> int:
        """Floating-point operations of the products of a training step."""
        parts = [self.forward, self.backward, self.weights]
        return sum(one.flops for one in (*parts, *[self.inputs] * inputs, *[self.starts] * starts))


def cost(plan: Plan, sizes: Sizes) -> Cost:
    """What a plan costs at these sizes.

    >>> from gatework.cells import catalogue
    >>> from gatework.graph.plan import plan
    >>> found = cost(plan(catalogue["gru"].graph), Sizes(B=1, T=1, N=2, H=10))
    >>> found.forward.multiply_adds  # three input matrices of 10 × 2, three recurrent ones of 10 × 10
    360
    """
    backward = plan.backward
    always = [stage for stage in backward.stages if not stage.optional]
    optional = [stage for stage in backward.stages if stage.optional]
    forward, back = _part(plan.forward, plan.forward.stages, sizes), _part(backward, always, sizes)
    weights, inputs = _weights(plan, sizes), _part(backward, optional, sizes)
    read = {*back.read, *weights.read, *inputs.read}
    kept = {one: forward.written[one] for one in forward.written if one in read}
    last = _part(backward, [backward.last] if backward.last else [], sizes, once=True)
    return Cost(_part(plan.inference, plan.inference.stages, sizes), forward, back, weights, inputs, last, kept)


def ahead(nodes: Sequence[Node], sizes: Sizes) -> tuple[int, int]:
    """The floating-point operations of products before the loop over time, and those that their gradient adds."""
    forward = backward = 0
    for node in nodes:
        if node.op is Op.MATMUL:
            one = 2 * sizes.T * sizes.B * prod(sizes[letter] for letter in nodes[node.args[0]].shape)
            of_input = nodes[node.args[1]].op is Op.INPUT
            forward, backward = forward + one, backward + (1 if of_input else 2) * one
    return forward, backward


def matrices(loop: Loop) -> dict[str, Shape]:
    """The matrices of a loop and their shapes in letters."""
    return {node.name: node.shape for node in loop.nodes if node.op is Op.PARAMETER and len(node.shape) == 2}


def elementwise(nodes: Sequence[Node], stage: Stage) -> list[int]:
    """The nodes that a stage computes besides its products, in order."""
    given = {*stage.products, *stage.totals, *stage.reads}
    found, stack = set[int](), [store.node for store in stage.stores]
    while stack:
        k = stack.pop()
        if k not in found and k not in given and nodes[k].args:
            found.add(k)
            stack.extend(nodes[k].args)
    return sorted(found)


def _part(loop: Loop, stages: Iterable[Stage], sizes: Sizes, *, once: bool = False) -> Part:
    """What some stages of a loop cost: at every time step, or `once` after the last one."""
    shapes, tally = matrices(loop), Tally(loop.arrays, sizes, once=once)
    for stage in stages:
        terms = [term for k in sorted(stage.products) for term in stage.products[k]]
        for term in terms:
            tally.product(term.matrix, shapes[term.matrix], term.vector)
        for place in {*(term.vector for term in terms), *stage.reads.values(), *stage.totals.values()}:
            tally.read(place)
        for store in stage.stores:
            tally.write(store.place)
        for k in elementwise(loop.nodes, stage):
            tally.operation(loop.nodes[k])
        for place in stage.totals.values():
            tally.total(place)
    return tally.part()


def _weights(plan: Plan, sizes: Sizes) -> Part:
    """The gradients of the weights: for every vector one pass over it and over the blocks of `d` that meet it."""
    shapes, tally = matrices(plan.forward), Tally(plan.backward.arrays, sizes)
    met: dict[Place | None, set[int]] = {}
    for outer in plan.outers:
        tally.product(outer.matrix, shapes[outer.matrix])
        met.setdefault(outer.vector, set()).add(outer.block)
    if plan.columns:
        met[None] = set(plan.columns.values())
        for block in plan.columns.values():
            tally.total(Place("d", block))
    for vector, blocks in met.items():
        for block in blocks:
            tally.read(Place("d", block))
        if vector:
            tally.read(vector)
    return tally.part()
