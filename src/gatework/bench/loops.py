"""Recurrent layers as one writes them by hand in torch: the input product in front, then a loop over time.

Each takes `x`, (T, B, N), and torch's four weights, and returns the output at every step, (T, B, H).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Loop = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def gru(x: Tensor, W: Tensor, U: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    """Gated recurrent unit, reset after the product."""
    h = x.new_zeros(x.shape[1], U.shape[1])
    outputs = []
    for inputs in F.linear(x, W, b_ih).unbind(0):
        x_r, x_z, x_n = inputs.chunk(3, dim=1)
        h_r, h_z, h_n = F.linear(h, U, b_hh).chunk(3, dim=1)
        r = torch.sigmoid(x_r + h_r)
        z = torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        h = n + z * (h - n)
        outputs.append(h)
    return torch.stack(outputs)


def lstm(x: Tensor, W: Tensor, U: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    """Long short-term memory."""
    h = c = x.new_zeros(x.shape[1], U.shape[1])
    outputs = []
    for inputs in F.linear(x, W, b_ih + b_hh).unbind(0):
        i, f, g, o = (inputs + F.linear(h, U)).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs)


def rnn(x: Tensor, W: Tensor, U: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    """Simple recurrent network, tanh."""
    return _simple(torch.tanh, F.linear(x, W, b_ih + b_hh), U)


def rnn_relu(x: Tensor, W: Tensor, U: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    """Simple recurrent network, relu."""
    return _simple(torch.relu, F.linear(x, W, b_ih + b_hh), U)


def _simple(activation: Callable[[Tensor], Tensor], inputs: Tensor, U: Tensor) -> Tensor:
    h = inputs.new_zeros(inputs.shape[1], U.shape[1])
    outputs = []
    for one in inputs.unbind(0):
        h = activation(one + F.linear(h, U))
        outputs.append(h)
    return torch.stack(outputs)


LOOPS: dict[str, Loop] = {"gru": gru, "lstm": lstm, "rnn": rnn, "rnn_relu": rnn_relu}
"""The hand-written loop for each cell that torch has."""
