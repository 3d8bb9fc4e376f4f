"""Whether a made-up cell is worth training: a kernel can be compiled, and on random data it behaves."""

from __future__ import annotations

import torch

from gatework.graph import Cell
from gatework.kernels.cpu.host import refusal as host_refusal
from gatework.kernels.dispatch import BACKENDS
from gatework.layers import Recurrent

STEPS, BATCH, UNITS = 100, 4, 16
LARGEST = 1e3
"""An output this large after a hundred steps comes from a state that grows without bound."""


def flaw(cell: Cell, inputs: int) -> str:
    """Why a cell is not worth training, in a few words; empty where it is.

    A kernel for it can be compiled. Along a hundred random steps, untrained, its outputs and gradients are finite, and
    the last output depends on earlier inputs and on every weight. That is computed with the reference, which needs a
    tenth of a second where compiling takes one. The same cell gets the same answer.

    >>> from gatework.cells import catalogue
    >>> flaw(catalogue["gru"], 1)
    ''
    """
    graph = cell.graph
    if not host_refusal() and BACKENDS["cpu"].refusal(graph):
        return "no kernel"
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = Recurrent(cell, inputs, UNITS, backend="reference")
    x = torch.randn(STEPS, BATCH, inputs, generator=generator).requires_grad_()
    output, _ = layer(x)
    if not bool(torch.isfinite(output).all()) or float(output.detach().abs().max()) > LARGEST:
        return "it grows"
    weighted = output[-1] * torch.randn(BATCH, UNITS, generator=generator)
    weighted.sum().backward()
    gradients = [one.grad for one in layer.parameters()]
    assert x.grad is not None, "the layer gives its input a gradient"
    if not all(one is not None and bool(torch.isfinite(one).all()) for one in [x.grad, *gradients]):
        return "its gradient grows"
    if not bool(x.grad[:-1].any()):
        return "it forgets at once"
    if not all(one is not None and bool(one.any()) for one in gradients):
        return "a weight has no effect"
    return ""
