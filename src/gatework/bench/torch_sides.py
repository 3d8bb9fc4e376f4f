"""Our layers, and the peers that run in torch: its own layers, a loop written by hand, and that loop compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from gatework.bench.case import THEIRS, Case, has_torch_layer, our_layer
from gatework.bench.loops import LOOPS, Loop
from gatework.bench.side import FORWARD, TRAINING, Results, Runner, Side
from gatework.graph import Cell

Call = Callable[[Tensor], Tensor]


def runner(case: Case, kernel: str, evaluate: Call, train: Call, weights: Mapping[str, nn.Parameter]) -> Runner:
    """A runner from the two ways to call a layer, and the weights that `train` reads."""
    x = case.x.clone().requires_grad_(case.input_grad)

    def forward() -> Tensor:
        with torch.no_grad():
            return evaluate(case.x)

    def training() -> None:
        x.grad = None
        for weight in weights.values():
            weight.grad = None
        torch.autograd.backward((train(x),), (case.cotangent,))

    def results() -> Results:
        training()
        named = {"x": x, **weights} if case.input_grad else weights
        # A weight that the output does not depend on has no gradient: the same as zeros.
        found = {name: torch.zeros_like(one) if one.grad is None else one.grad for name, one in named.items()}
        return Results(forward(), {name: one.clone() for name, one in found.items()})

    return Runner(kernel, {FORWARD: forward, TRAINING: training}, results)


def _output(layer: nn.Module, x: Tensor) -> Tensor:
    output: Tensor = layer(x)[0]
    return output


def from_layers(
    case: Case, kernel: str, make: Callable[[], nn.Module], call: Callable[[nn.Module, Tensor], Tensor] = _output
) -> Runner:
    """A runner from a layer: one in evaluation mode, as a user switches it, and one in training mode.

    `call` gives a layer's output for an input.
    """
    evaluate, train = make().eval(), make()
    for layer in (evaluate, train):
        layer.load_state_dict(case.weights)
    return runner(case, kernel, partial(call, evaluate), partial(call, train), dict(train.named_parameters()))


def _from_loop(case: Case, kernel: str, loop: Loop) -> Runner:
    """A runner from a loop and torch's four weights."""
    weights = {name: nn.Parameter(weight.clone()) for name, weight in case.weights.items()}
    W, U, b_ih, b_hh = weights.values()

    def call(x: Tensor) -> Tensor:
        return loop(x, W, U, b_ih, b_hh)

    return runner(case, kernel, call, call, weights)


def reference(case: Case) -> Runner:
    """Our layer on the reference back-end: what a cell means, and a loop over time itself."""
    device = case.x.device

    def make() -> nn.Module:
        return our_layer(case.cell, case.shape, case.dtype, backend="reference").to(device)

    return from_layers(case, "reference loop", make)


def eager(case: Case) -> Runner:
    """The loop over time that one writes by hand, where there is one; else the reference, which is such a loop."""
    if not has_torch_layer(case.cell):
        return reference(case)
    return _from_loop(case, "eager loop", LOOPS[case.cell.name])


def exact(case: Case) -> Results:
    """The results of the reference back-end in double precision."""
    return reference(case.to(torch.float64)).results()


class Ours(Side):
    """Gatework's layer, on the back-end that `auto` picks."""

    name = "ours"
    title = "gatework"

    def refusal(self, cell: Cell, dtype: str) -> str:
        """It runs every cell."""
        return ""

    def build(self, case: Case) -> Runner:
        """The drop-in for torch's cells, `Recurrent` for all others."""
        make = partial(our_layer, case.cell, case.shape, case.dtype)
        return from_layers(case, make().kernel, make)


class Torch(Side):
    """Torch's own layer."""

    name = "torch"
    title = "nn.GRU, nn.LSTM, nn.RNN"

    def refusal(self, cell: Cell, dtype: str) -> str:
        """It has three cells, one of them twice."""
        return "" if has_torch_layer(cell) else "torch has no such layer"

    def build(self, case: Case) -> Runner:
        """`nn.GRU` and so on."""
        make = partial(THEIRS[case.cell.name], case.shape.N, case.shape.H, dtype=case.dtype)
        return from_layers(case, "torch", make)


class Eager(Side):
    """The loop that one writes by hand; for cells without one the reference back-end, which is such a loop."""

    name = "eager"
    title = "a loop over time in torch"

    def refusal(self, cell: Cell, dtype: str) -> str:
        """There is a loop for every cell."""
        return ""

    def build(self, case: Case) -> Runner:
        """The loop, called as it is."""
        return eager(case)


class Compiled(Side):
    """The same loop under `torch.compile`, which unrolls it."""

    name = "compile"
    title = "the same loop under torch.compile"
    bound_to_shape = True
    patience = 60.0

    def refusal(self, cell: Cell, dtype: str) -> str:
        """It compiles the loops that are written by hand."""
        return "" if has_torch_layer(cell) else "there is no hand-written loop to compile"

    def build(self, case: Case) -> Runner:
        """The loop, compiled on its first call."""
        return _from_loop(case, "torch.compile", torch.compile(LOOPS[case.cell.name], dynamic=False))
