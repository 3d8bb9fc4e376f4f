"""JAX: the cells as one writes them by hand with `jax.lax.scan`, compiled by XLA."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatework.bench.case import Case, has_torch_layer
from gatework.bench.side import FORWARD, TRAINING, Results, Runner, Side
from gatework.graph import Cell

Array = Any
"""An array of JAX, which is imported only where it is measured."""

States = tuple[Array, ...]


class Scan(Side):
    """`jax.lax.scan` over the steps, the input product in front of it."""

    name = "jax"
    title = "jax.lax.scan"
    packages = ("jax",)
    bound_to_shape = True

    def refusal(self, cell: Cell, dtype: str) -> str:
        """The cells that torch has are written for it."""
        return "" if has_torch_layer(cell) else "there is no hand-written scan of this cell"

    def build(self, case: Case) -> Runner:
        """The scan and its gradient, compiled on their first call."""
        jax = start(case)
        step, count = STEPS[case.cell.name]

        def run(weights: tuple[Array, ...], x: Array) -> Array:
            W, U, b_ih, b_hh = weights

            def advance(states: States, inputs: Array) -> tuple[States, Array]:
                states = step(jax, states, inputs, states[0] @ U.T + b_hh)
                return states, states[0]

            begin = (jax.numpy.zeros((x.shape[1], U.shape[1]), x.dtype),) * count
            return jax.lax.scan(advance, begin, x @ W.T + b_ih)[1]

        weights = tuple(jax.numpy.asarray(weight.numpy()) for weight in case.weights.values())
        x, cotangent = (jax.numpy.asarray(one.numpy()) for one in (case.x, case.cotangent))

        def named(gradients: tuple[Array, ...]) -> dict[str, Tensor]:
            return dict(zip(case.weights, map(as_tensor, gradients), strict=True))

        return runner("jax.lax.scan", run, weights, x, cotangent, named=named, input_grad=case.input_grad)


def start(case: Case) -> Any:
    """The module `jax`, set to the dtype of the case."""
    jax: Any = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", case.dtype == torch.float64)
    return jax


def runner(
    kernel: str,
    run: Callable[[Any, Array], Array],
    weights: Any,
    x: Array,
    cotangent: Array,
    *,
    named: Callable[[Any], Mapping[str, Tensor]],
    input_grad: bool,
    time_first: bool = True,
) -> Runner:
    """A runner from `run(weights, x)`: itself and its gradient, compiled.

    `named` turns the gradients of the weights into those of the case; sequences are (T, B, …), or (B, T, …) where not
    `time_first`.
    """
    jax: Any = importlib.import_module("jax")

    def gradients(weights: Any, x: Array) -> Any:
        if input_grad:
            return jax.vjp(run, weights, x)[1](cotangent)
        return jax.vjp(lambda weights: run(weights, x), weights)[1](cotangent)

    forward, training = jax.jit(run), jax.jit(gradients)

    def results() -> Results:
        found = training(weights, x)
        inputs = {"x": _sequence(found[1], time_first)} if input_grad else {}
        return Results(_sequence(forward(weights, x), time_first), {**named(found[0]), **inputs})

    calls = {
        FORWARD: lambda: jax.block_until_ready(forward(weights, x)),
        TRAINING: lambda: jax.block_until_ready(training(weights, x)),
    }
    return Runner(kernel, calls, results)


def as_tensor(array: Array) -> Tensor:
    """A copy as a torch tensor."""
    return torch.from_numpy(np.array(array))


def _sequence(array: Array, time_first: bool) -> Tensor:
    return as_tensor(array) if time_first else as_tensor(array).transpose(0, 1)


def _gru(jax: Any, states: States, inputs: Array, recurrent: Array) -> States:
    (h,) = states
    x_r, x_z, x_n = jax.numpy.split(inputs, 3, axis=-1)
    h_r, h_z, h_n = jax.numpy.split(recurrent, 3, axis=-1)
    r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
    n = jax.numpy.tanh(x_n + r * h_n)
    return ((1 - z) * n + z * h,)


def _lstm(jax: Any, states: States, inputs: Array, recurrent: Array) -> States:
    _, c = states
    i, f, g, o = jax.numpy.split(inputs + recurrent, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
    return jax.nn.sigmoid(o) * jax.numpy.tanh(c), c


def _rnn(jax: Any, states: States, inputs: Array, recurrent: Array) -> States:
    return (jax.numpy.tanh(inputs + recurrent),)


def _rnn_relu(jax: Any, states: States, inputs: Array, recurrent: Array) -> States:
    return (jax.nn.relu(inputs + recurrent),)


STEPS: dict[str, tuple[Callable[[Any, States, Array, Array], States], int]] = {
    "gru": (_gru, 1),
    "lstm": (_lstm, 2),
    "rnn": (_rnn, 1),
    "rnn_relu": (_rnn_relu, 1),
}
"""The step of each cell, from the states and the two sums of products to the new states; and how many states it has."""
