"""What all sides of a comparison are given: the same cell, sizes, weights, input and arriving gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt

import torch
from torch import Tensor, nn

from gatework.bench.shapes import Shape
from gatework.cells import catalogue
from gatework.graph import Cell
from gatework.layers import GRU, LSTM, RNN, Recurrent
from gatework.layers.torch_compatible import TorchCompatible

DTYPES = {"float32": torch.float32, "float64": torch.float64}

THEIRS: Mapping[str, Callable[..., nn.RNNBase]] = {
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "rnn": partial(nn.RNN, nonlinearity="tanh"),
    "rnn_relu": partial(nn.RNN, nonlinearity="relu"),
}
"""Torch's layer for the cells that it has."""

OURS: Mapping[str, Callable[..., TorchCompatible]] = {
    "gru": GRU,
    "lstm": LSTM,
    "rnn": partial(RNN, nonlinearity="tanh"),
    "rnn_relu": partial(RNN, nonlinearity="relu"),
}
"""The drop-in for each of them."""


def has_torch_layer(cell: Cell) -> bool:
    """Whether torch has this very cell, not only one of the same name."""
    return cell.name in THEIRS and cell == catalogue.get(cell.name)


@dataclass(frozen=True)
class Case:
    """One cell at one shape.

    `weights` are a state_dict of one layer: torch's names for the cells that torch has, else those of `Recurrent`.
    `x` is (T, B, N); `cotangent`, (T, B, H), is the gradient that arrives for the output.
    """

    cell: Cell
    shape: Shape
    input_grad: bool
    threads: int
    weights: Mapping[str, Tensor]
    x: Tensor
    cotangent: Tensor

    @property
    def dtype(self) -> torch.dtype:
        """The kind of number that everything is computed in."""
        return self.x.dtype

    def to(self, where: torch.dtype | torch.device) -> Case:
        """The same numbers in another type, or on another device."""
        weights = {name: one.to(where) for name, one in self.weights.items()}
        return replace(self, weights=weights, x=self.x.to(where), cotangent=self.cotangent.to(where))


def make_case(
    cell: Cell,
    shape: Shape,
    *,
    dtype: torch.dtype = torch.float32,
    input_grad: bool = False,
    threads: int = 1,
    seed: int = 0,
) -> Case:
    """A case with random numbers: weights as torch starts them, uniform between ±1/√H, every bias included.

    Weights that are fixed stay so, and a cell that needs as many inputs as units has as many.
    """
    random = torch.Generator().manual_seed(seed)
    layer = our_layer(cell, shape, dtype)
    bound, trained = 1 / sqrt(shape.H), {name for name, _ in layer.named_parameters()}
    weights = {
        name: torch.empty_like(weight).uniform_(-bound, bound, generator=random) if name in trained else weight
        for name, weight in layer.state_dict().items()
    }
    x = torch.randn(shape.T, shape.B, inputs(cell, shape), dtype=dtype, generator=random)
    cotangent = torch.randn(shape.T, shape.B, shape.H, dtype=dtype, generator=random)
    return Case(cell, shape, input_grad, threads, weights, x, cotangent)


def our_layer(cell: Cell, shape: Shape, dtype: torch.dtype, *, backend: str = "auto") -> TorchCompatible | Recurrent:
    """Our layer: the drop-in for the cells that torch has, `Recurrent` for all others."""
    if has_torch_layer(cell):
        return OURS[cell.name](shape.N, shape.H, backend=backend, dtype=dtype)
    return Recurrent(cell, inputs(cell, shape), shape.H, backend=backend, dtype=dtype)


def inputs(cell: Cell, shape: Shape) -> int:
    """The number of inputs that a cell has at a shape."""
    return shape.H if cell.graph.square else shape.N
