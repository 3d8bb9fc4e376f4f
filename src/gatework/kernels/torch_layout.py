"""How torch, and cuDNN with it, stores the weights of the cells that it has kernels for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TorchLayout:
    """How torch stores a cell's weights: blocks of rows in one matrix, and two biases for every block.

    `blocks` are the equations' names in torch's order. The second bias of a block is added to the first,
    except where `recurrent` names a bias that the equations keep apart, as the candidate of the GRU does.
    """

    cell: str
    blocks: tuple[str, ...]
    recurrent: Mapping[str, str]

    def weights(self, weight_ih: Tensor, weight_hh: Tensor, biases: tuple[Tensor, Tensor] | None) -> dict[str, Tensor]:
        """Torch's tensors under the keys of the equations, without a copy where none is needed."""
        G = len(self.blocks)
        found: dict[str, Tensor] = {}
        for name, W, U in zip(self.blocks, weight_ih.chunk(G), weight_hh.chunk(G), strict=True):
            found[f"W.{name}"], found[f"U.{name}"] = W, U
        H = weight_hh.shape[1]
        zero = weight_hh.new_zeros(G * H)
        first, second = biases or (zero, zero)
        for name, b_ih, b_hh in zip(self.blocks, first.chunk(G), second.chunk(G), strict=True):
            if name in self.recurrent:
                found[f"b.{name}"], found[f"b.{self.recurrent[name]}"] = b_ih, b_hh
            else:
                found[f"b.{name}"] = b_ih + b_hh
        return found

    def stored(self, weights: Mapping[str, Tensor]) -> list[Tensor]:
        """Torch's four tensors, one after the other in one piece of memory, as cuDNN wants them."""
        H, N = weights[f"W.{self.blocks[0]}"].shape
        G = len(self.blocks)
        first = [weights[f"b.{name}"] for name in self.blocks]
        zero = torch.zeros_like(first[0])
        second = [weights[f"b.{self.recurrent[name]}"] if name in self.recurrent else zero for name in self.blocks]
        matrices = [weights[f"{kind}.{name}"] for kind in "WU" for name in self.blocks]
        every = torch.cat([one.reshape(-1) for one in (*matrices, *first, *second)])
        weight_ih, weight_hh, *biases = every.split([G * H * N, G * H * H, G * H, G * H])
        return [weight_ih.view(G * H, N), weight_hh.view(G * H, H), *biases]


LAYOUTS: dict[str, TorchLayout] = {
    "RNN_TANH": TorchLayout("rnn", ("h",), {}),
    "RNN_RELU": TorchLayout("rnn_relu", ("h",), {}),
    "LSTM": TorchLayout("lstm", ("i", "f", "g", "o"), {}),
    "GRU": TorchLayout("gru", ("r", "z", "n"), {"n": "Un"}),
}
"""Torch's name of the mode → how it stores the weights."""
