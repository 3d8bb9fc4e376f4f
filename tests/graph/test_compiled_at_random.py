"""Random cells agree on every back-end: what LLVM makes of them against the reference in float64."""

import torch
from hypothesis import given, settings
from random_cells import H, N, cells

from gatework.graph.build import build
from gatework.kernels import Reference
from gatework.kernels.operator import run
from gatework.kernels.recurrence import recurrence

T, B = 3, 5


@settings(max_examples=40, deadline=None)
@given(cells(of_input=False))
def test_a_random_cell_gives_the_reference_s_numbers_when_it_is_compiled(drawn):
    graph = build(("h", "c"), *drawn[:2])
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return (torch.rand(*shape, generator=generator, dtype=torch.float64) * 2 - 1) / shape[-1] ** 0.5

    inputs = [random(T, B, N), random(B, H), random(B, H), *(random(*one.sizes(N, H)) for one in graph.parameters)]
    for one in inputs:
        one.requires_grad_()
    x, h, c, *weights = inputs
    keyed = dict(zip([one.key for one in graph.parameters], weights, strict=True))
    output, last = Reference().run(graph, keyed, x, (h, c))
    found = run(graph.record, x, [], [h, c], weights, True)
    assert len(recurrence(graph.record).plan.forward.stages) >= 1
    # A cell computes at most some hundred float64 operations a step on values up to about a hundred.
    close = {"rtol": 1e-10, "atol": 1e-10}
    for one, other in zip(found, (output, *last), strict=True):
        torch.testing.assert_close(one, other, **close)
    cotangents = [random(*one.shape) for one in (output, *last)]
    expected = torch.autograd.grad((output, *last), inputs, cotangents, allow_unused=True)
    gradients = torch.autograd.grad(found, inputs, cotangents, allow_unused=True)
    for one, other, given_ in zip(gradients, expected, inputs, strict=True):
        torch.testing.assert_close(one, torch.zeros_like(given_) if other is None else other, **close)
