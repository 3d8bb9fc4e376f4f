"""The reference: any graph in plain torch, step by step.

It defines what a cell means. It is written for reading, is never optimised, works on every device and dtype,
and its gradients are torch's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.graph import Graph, Node
from gatework.graph.ops import WHOLE, Op


def _product(matrix: Tensor, vector: Tensor) -> Tensor:
    """A matrix times vectors; where it is of a lower type, they are rounded to that, and the sums are not."""
    return F.linear(vector.to(matrix.dtype).to(vector.dtype), matrix.to(vector.dtype))


TORCH: dict[Op, Callable[..., Tensor]] = {
    Op.MATMUL: _product,
    Op.ADD: torch.add,
    Op.SUBTRACT: torch.sub,
    Op.MULTIPLY: torch.mul,
    Op.DIVIDE: torch.div,
    Op.NEGATE: torch.neg,
    Op.MAXIMUM: torch.maximum,
    Op.MINIMUM: torch.minimum,
    Op.SIGMOID: torch.sigmoid,
    Op.TANH: torch.tanh,
    Op.RELU: torch.relu,
    Op.SOFTPLUS: lambda a: torch.logaddexp(a, torch.zeros_like(a)),
    Op.EXP: torch.exp,
    Op.LOG: torch.log,
    Op.SQRT: torch.sqrt,
    Op.ABS: torch.abs,
    Op.FLOOR: torch.floor,
    Op.COS: torch.cos,
    Op.SIN: torch.sin,
    Op.MEAN: lambda a: a.mean(dim=-1, keepdim=True),
    Op.SUM: lambda a: a.sum(dim=-1, keepdim=True),
}
"""What each operation does to tensors of shape (B, size)."""


Instead = Mapping[Op, Callable[[int, Sequence[Tensor]], Tensor]]
"""What is done in place of an operation, from the node's position and the values before it."""


@dataclass(frozen=True)
class Reference:
    """A back-end: it runs every graph on every device."""

    name: str = "reference"

    def refusal(self, graph: Graph) -> str:
        """Why the back-end cannot run this graph; empty where it can."""
        whole = next((node.op for node in graph.nodes if node.op in WHOLE), "")
        return f"{whole}(…) is taken over all time steps, which is done by a layer" if whole else ""

    def ready(self, graph: Graph) -> None:
        """Nothing has to be at hand."""

    def unfit(self, x: Tensor) -> str:
        """Why it cannot run on this tensor's device, or with its type; empty, for it always can."""
        return ""

    def run(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The first state after every step, (T, B, H), and all states after the last one, as of `trajectory`."""
        results, last = self.trajectory(graph, parameters, x, states, others)
        return results[0], last

    def trajectory(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Run the cell along a sequence.

        `parameters` hold a tensor for each key of `graph.parameters`; `x` is (T, B, N), T at least 1;
        `states` are (B, H) each; `others` are the inputs after the first, (T, B, H), or (B, H) where an input is the
        same at every step. Returns the first state and those that are shown after every step, (T, B, H) each, and all
        states after the last step.
        """
        places = [graph.states.index(name) for name in graph.results]
        steps = []
        for values in _steps(graph, parameters, x, states, others):
            states = _next(graph, values, x.shape[1])
            steps.append([states[k] for k in places])
        return tuple(torch.stack(one) for one in zip(*steps, strict=True)), states

    def record(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> dict[str, Tensor]:
        """Every named value of the equations along a sequence: name → (T, B, size).

        The size is H, N or 1, as the equation has it. A new state is under the state's name too.
        """
        wanted = {**dict(zip(graph.states, graph.outputs, strict=True)), **graph.equations}
        steps: dict[str, list[Tensor]] = {name: [] for name in wanted}
        for values in _steps(graph, parameters, x, states, others):
            for name, k in wanted.items():
                steps[name].append(_spread(values[k], x.shape[1]))
        return {name: torch.stack(values) for name, values in steps.items()}


def _steps(
    graph: Graph,
    parameters: Mapping[str, Tensor],
    x: Tensor,
    states: tuple[Tensor, ...],
    others: Sequence[Tensor],
) -> Iterator[list[Tensor]]:
    """The values of all nodes, one time step after another."""
    for t, x_t in enumerate(x):
        inputs = (x_t, *(other[t] if other.dim() == 3 else other for other in others))
        leaves = dict(zip((*graph.inputs, *graph.states), (*inputs, *states), strict=True))
        values = evaluate(graph.nodes, parameters, leaves)
        states = _next(graph, values, x.shape[1])
        yield values


def _next(graph: Graph, values: list[Tensor], B: int) -> tuple[Tensor, ...]:
    return tuple(_spread(values[k], B) for k in graph.outputs)


def _spread(value: Tensor, B: int) -> Tensor:
    """A value that is the same for all sequences, (size,) or one number, as (B, size)."""
    return value if value.dim() == 2 else value.reshape(1, -1).expand(B, -1)


def evaluate(
    nodes: Sequence[Node],
    parameters: Mapping[str, Tensor],
    leaves: Mapping[str, Tensor],
    instead: Instead | None = None,
) -> list[Tensor]:
    """The value of every node, each from the values of earlier ones; `leaves` are the inputs and states by name."""
    values: list[Tensor] = []
    like = next(iter(leaves.values()))
    for k, node in enumerate(nodes):
        match node.op:
            case Op.INPUT | Op.STATE:
                values.append(leaves[node.name])
            case Op.PARAMETER:
                values.append(parameters[node.name])
            case Op.CONSTANT:
                values.append(like.new_tensor(node.value))
            case op if instead and op in instead:
                values.append(instead[op](k, values))
            case op:
                values.append(TORCH[op](*(values[arg] for arg in node.args)))
    return values
