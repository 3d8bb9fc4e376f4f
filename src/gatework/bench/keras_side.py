"""Keras on JAX: the layers of the library, called without state inside a compiled function."""

from __future__ import annotations

import importlib
import os
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gatework.bench.case import Case, has_torch_layer
from gatework.bench.jax_side import Array, as_tensor, runner, start
from gatework.bench.side import Runner, Side
from gatework.graph import Cell

ORDERS = {"gru": (1, 0, 2), "lstm": (0, 1, 2, 3), "rnn": (0,), "rnn_relu": (0,)}
"""Torch's positions of the gates in Keras' order: z r n of r z n. Each order is its own inverse."""

LAYERS: dict[str, tuple[str, dict[str, Any]]] = {
    "gru": ("GRU", {"reset_after": True}),
    "lstm": ("LSTM", {}),
    "rnn": ("SimpleRNN", {"activation": "tanh"}),
    "rnn_relu": ("SimpleRNN", {"activation": "relu"}),
}
"""Keras' layer, and the arguments that make it torch's cell."""


class Keras(Side):
    """`keras.layers.GRU`, `LSTM` and `SimpleRNN` on JAX. Sequences are (B, T, N), as Keras has them."""

    name = "keras"
    title = "Keras on JAX"
    packages = ("keras", "jax")
    bound_to_shape = True

    def refusal(self, cell: Cell, dtype: str) -> str:
        """It has the cells that torch has; on JAX it computes part of a float64 layer in single precision."""
        if not has_torch_layer(cell):
            return "Keras has no such layer"
        return "" if dtype == "float32" else f"its layers are not exact in {dtype}"

    def build(self, case: Case) -> Runner:
        """The layer and its gradient, compiled on their first call."""
        jax = start(case)
        layer = _layer(case)
        fixed = [variable.value for variable in layer.non_trainable_variables]

        def run(weights: list[Array], x: Array) -> Array:
            return layer.stateless_call(weights, fixed, x)[0]

        weights = [jax.numpy.asarray(one.numpy()) for one in to_keras(case)]
        x, cotangent = (jax.numpy.asarray(one.transpose(0, 1).numpy()) for one in (case.x, case.cotangent))
        named = partial(from_keras, case)
        return runner("Keras", run, weights, x, cotangent, named=named, input_grad=case.input_grad, time_first=False)


def _layer(case: Case) -> Any:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras: Any = importlib.import_module("keras")
    name, arguments = LAYERS[case.cell.name]
    dtype = str(case.dtype).removeprefix("torch.")
    layer = getattr(keras.layers, name)(case.shape.H, return_sequences=True, dtype=dtype, **arguments)
    layer.build((case.shape.B, case.shape.T, case.shape.N))
    return layer


def to_keras(case: Case) -> list[Tensor]:
    """Kernel (N, G·H), recurrent kernel (H, G·H), and bias: (2, G·H) for GRU, else the sum of torch's two."""
    W, U, b_ih, b_hh = (_reordered(weight, ORDERS[case.cell.name]) for weight in case.weights.values())
    bias = torch.stack([b_ih, b_hh]) if case.cell.name == "gru" else b_ih + b_hh
    return [W.t().contiguous(), U.t().contiguous(), bias]


def from_keras(case: Case, gradients: list[Array]) -> dict[str, Tensor]:
    """Gradients under the names of the case; that of a sum of biases is that of each."""
    kernel, recurrent, bias = (as_tensor(one) for one in gradients)
    b_ih, b_hh = bias if case.cell.name == "gru" else (bias, bias)
    order = ORDERS[case.cell.name]
    found = (_reordered(one, order) for one in (kernel.t(), recurrent.t(), b_ih, b_hh))
    return dict(zip(case.weights, found, strict=True))


def _reordered(weight: Tensor, order: tuple[int, ...]) -> Tensor:
    blocks = weight.chunk(len(order))
    return torch.cat([blocks[k] for k in order])
