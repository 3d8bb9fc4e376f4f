"""What a back-end computes before its loop over time, and after it, in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.graph import Graph
from gatework.graph.early import Split
from gatework.graph.late import reads_state
from gatework.graph.ops import Op
from gatework.kernels import operator
from gatework.kernels.reference import Instead, evaluate


def early(
    graph: Graph, found: Split, parameters: Mapping[str, Tensor], inputs: Sequence[Tensor], H: int, widest: int = 1
) -> list[Tensor]:
    """What the early part gives, for the whole sequence: (T, B, H), or (B, H) where it comes from weights alone.

    Up to `widest` of them may be blocks of one tensor.
    """
    leaves = dict(zip(graph.inputs, inputs, strict=True))
    parts = (group[k : k + widest] for group in found.joint for k in range(0, len(group), widest))
    groups = [part for part in parts if len(part) > 1]
    values = evaluate(found.nodes, parameters, leaves, _jointly(found, groups, parameters))
    T, B, _ = inputs[0].shape
    return [values[k].expand(*((T, B, H) if values[k].dim() > 1 else (B, H))) for k in found.results]


def coarse(matrix: Tensor, vector: Tensor) -> Tensor:
    """A matrix times vectors, in the type of the matrix; where that is lower the sums are rounded to it too."""
    return F.linear(vector.to(matrix.dtype), matrix).to(vector.dtype)


def _jointly(found: Split, groups: Sequence[tuple[int, ...]], parameters: Mapping[str, Tensor]) -> Instead:
    """Products in the type of their matrices, those with the same vector as one, of the matrices below each other."""
    made: dict[int, Tensor] = {}
    group_of = {k: group for group in groups for k in group}

    def product(k: int, values: Sequence[Tensor]) -> Tensor:
        matrix, vector = found.nodes[k].args
        if k not in group_of:
            return coarse(values[matrix], values[vector])
        if k not in made:
            matrices = [parameters[found.nodes[found.nodes[one].args[0]].name] for one in group_of[k]]
            every = coarse(torch.cat(matrices), values[vector])
            made.update(zip(group_of[k], every.split(len(matrices[0]), -1), strict=True))
        return made[k]

    return {Op.MATMUL: product}


def trajectory(
    graph: Graph,
    found: Split,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    states: tuple[Tensor, ...],
    others: Sequence[Tensor],
    engine: str,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The early part of a cell, its loop on a back-end's engine, the late part: what `Reference.trajectory` gives."""
    inputs = [x, *others]
    if found.results:
        inputs += early(graph, found, parameters, inputs, states[0].shape[-1], operator.ENGINES[engine].widest)
    if found.late:
        return _in_parts(graph, found.core, found.late, parameters, inputs, states, engine)
    every = _loop(found.core, parameters, inputs, states, engine)
    return tuple(every[: len(graph.results)]), tuple(every[len(graph.results) :])


def _in_parts(
    graph: Graph,
    core: Graph,
    late: Graph,
    parameters: Mapping[str, Tensor],
    inputs: Sequence[Tensor],
    states: tuple[Tensor, ...],
    engine: str,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """A loop, then what comes after it: all results of the cell, and all last states."""
    begin = dict(zip(graph.states, states, strict=True))
    given = dict(zip(late.inputs, inputs, strict=False))
    # What the loop has as a state for the late part alone begins with nothing.
    first = [begin[name] if name in begin else torch.zeros_like(states[0]) for name in core.states]
    every = _loop(core, parameters, [given[name] for name in core.inputs], first, engine)
    results = dict(zip(core.results, every, strict=False))
    last = dict(zip(core.states, every[len(results) :], strict=True))
    read = [*inputs, *(results[name] for name in late.inputs[len(inputs) :])]
    computed, ends = _after(late, parameters, read, [begin[name] for name in late.states], engine)
    results |= zip(late.states, computed, strict=True)
    last |= zip(late.states, ends, strict=True)
    return tuple(results[name] for name in graph.results), tuple(last[name] for name in graph.states)


def _after(
    late: Graph, parameters: Mapping[str, Tensor], inputs: Sequence[Tensor], states: Sequence[Tensor], engine: str
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The states of the late part at every step, and the last ones."""
    if reads_state(late):
        x, *others = inputs
        return trajectory(late, late.ahead, parameters, x, tuple(states), others, engine)
    values = evaluate(late.nodes, parameters, dict(zip(late.inputs, inputs, strict=True)))
    every = tuple(values[k] for k in late.outputs)
    return every, tuple(one[-1] for one in every)


def _loop(
    core: Graph, parameters: Mapping[str, Tensor], inputs: Sequence[Tensor], states: Sequence[Tensor], engine: str
) -> list[Tensor]:
    """The loop's results at every step, then its last states."""
    x, *others = inputs
    weights = [parameters[one.key] for one in core.parameters]
    training = torch.is_grad_enabled() and any(one.requires_grad for one in (x, *others, *states, *weights))
    return operator.run(core.record, x, others, states, weights, training, len(core.results), engine)


def ready(found: Split) -> None:
    """Have at hand what `trajectory` asks of a split, by the time that a compiler traces it."""
    _ = found.core.record, found.core.parameters, found.joint
    if found.late and reads_state(found.late):
        ready(found.late.ahead)
