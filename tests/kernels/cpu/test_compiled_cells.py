"""Compiled cells give the reference's numbers: every cell, awkward sizes, memory that was full of NaN."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gatework.cells import catalogue
from gatework.graph import (
    U,
    W,
    absolute,
    b,
    cell,
    exp,
    log,
    maximum,
    mean,
    minimum,
    p,
    relu,
    sigmoid,
    softplus,
    sqrt,
    tanh,
)
from gatework.kernels import Reference, memory
from gatework.kernels.cpu import engine
from gatework.kernels.cpu.host import host
from gatework.kernels.operator import _LIBRARY  # noqa: F401  (the operator is defined)
from valid_states import valid

FORWARD, GRADIENT = 2e-6, 1e-5
"""What is promised for float32 at T = 60, relative to the largest entry of the float64 reference."""


@cell
def everything(x, h, c):
    """Every operation, peepholes, one number for a sequence, two stages, a weight that is used twice."""
    f = sigmoid(W.f @ x + p.f * c + b.f)
    scale = sqrt(mean(h * h) + 0.5)
    c = maximum(f * c, minimum(c, U.c @ h)) - log(absolute(c) + 1.5)
    n = exp(-((h / scale) ** 2)) * relu(U.n @ (f * h) + b.n) + softplus(U.c @ c)
    return tanh(n - p.f * h), tanh(c)


@cell
def fixed_gate(x, h):
    """A gate of a bias alone, and a product that nothing is added to."""
    z = sigmoid(b.z)
    return z * h + (1 - z) * tanh(W.n @ x) * (U.a @ (U.n @ h))


@cell
def lonely(x, h, c):
    """A state that no product reads, and one that is the new state of the other."""
    c = 0.5 * c + W.c @ x
    return tanh(U.h @ h - c), c


@cell
def of_the_input(x, h, c):
    """No recurrent product, and two products of one vector in one sum."""
    return tanh(W.a @ x + W.b @ x + h), tanh(W.c @ x) * c + W.b @ x


OWN = {"everything": everything, "fixed_gate": fixed_gate, "lonely": lonely, "of_the_input": of_the_input}
CELLS = {name: one.graph.parts.core for name, one in {**catalogue, **OWN}.items()}
"""Of every cell what its loop over time computes; what is computed before the loop is an input of it."""


@pytest.fixture
def poisoned(monkeypatch):
    """Memory is full of NaN before a kernel writes to it."""

    class Poison(memory.Pool):
        def empty(self, like, *shape):
            return super().empty(like, *shape).fill_(torch.nan)

    for module in (engine, memory):
        monkeypatch.setattr(module, "POOL", Poison())
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def draw(name, T, B, N, H, dtype=torch.float32):
    graph = CELLS[name]
    generator = torch.Generator().manual_seed(T + B + N + H)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    weights = [random(*one.sizes(N, H)) / one.sizes(N, H)[-1] ** 0.5 for one in graph.parameters]
    if name in catalogue:
        declared = catalogue[name].start(N, H, np.random.default_rng(0))
        fixed = {key: torch.from_numpy(declared[key]) for key, one in catalogue[name].weights.items() if one.fixed}
        weights = [fixed.get(one.key, weight).to(dtype) for one, weight in zip(graph.parameters, weights, strict=True)]
    states = [valid(graph, random(B, H) * 0.5) for _ in graph.states]
    others = [random(T, B, H) for _ in graph.inputs[1:]]
    inputs = [random(T, B, N), *others, *states, *weights]
    return graph, inputs, [random(T, B, H), *(random(B, H) for _ in graph.states)]


def parts(graph, inputs):
    """The first input, the others, the states and the weights."""
    x, *rest = inputs
    more, count = len(graph.inputs) - 1, len(graph.states)
    return x, rest[:more], rest[more : more + count], rest[more + count :]


def by_reference(graph, inputs, cotangents):
    given = [one.detach().double().requires_grad_() for one in inputs]
    x, others, states, weights = parts(graph, given)
    keyed = dict(zip([one.key for one in graph.parameters], weights, strict=True))
    output, last = Reference().run(graph, keyed, x, tuple(states), others)
    total = sum((one * d.double()).sum() for one, d in zip((output, *last), cotangents, strict=True))
    found = torch.autograd.grad(total, given, allow_unused=True)
    return [output, *last], [torch.zeros_like(a) if b is None else b for a, b in zip(given, found, strict=True)]


def compiled(graph, inputs, cotangents, training=True):
    given = [one.detach().requires_grad_(training) for one in inputs]
    x, others, states, weights = parts(graph, given)
    results = torch.ops.gatework.run(graph.record, x, others, states, weights, training)[: 1 + len(states)]
    if not training:
        return results, []
    total = sum((one * d).sum() for one, d in zip(results, cotangents, strict=True))
    found = torch.autograd.grad(total, given, allow_unused=True)
    return results, [torch.zeros_like(a) if b is None else b for a, b in zip(given, found, strict=True)]


def assert_near(found, expected, tolerance, what):
    for k, (one, other) in enumerate(zip(found, expected, strict=True)):
        error = (one.double() - other).detach().abs().max() if one.numel() else torch.zeros(())
        largest = float(other.detach().abs().max()) if other.numel() else 0.0
        bound = tolerance * max(largest, 0.1)  # a few numbers may happen to be small: they are sums of larger ones
        assert float(error) <= bound, f"{what} {k}: {float(error):.2e} beyond {bound:.2e}"


SHAPES = [(3, 1, 1, 1), (3, 2, 1, 7), (4, 9, 7, 63), (3, 17, 65, 65), (2, 7, 3, 64), (2, 5, 16, 130), (1, 3, 2, 33)]
SEVERAL = [*OWN, "rnn_relu", "gru", "gru_reset_before", "lstm", "mgu", "lstm_peephole", "lmu", "slstm", "lru"]
"""Cells that stand for all others where a test is about the loop and not about the cell."""
STRETCHING = ["lmu", "clockwork", "lstm_1997"]
"""Recurrences that stretch rounding, the reference's in float32 as well: they may be off by four times its error."""
PAIRS = [(name, shape) for name in CELLS for shape in (SHAPES if name in SEVERAL else [(3, 2, 1, 7)])]
"""The tests of accuracy and of float64 have larger shapes for every cell."""


@pytest.mark.parametrize(("name", "shape"), PAIRS, ids=str)
def test_a_compiled_cell_gives_the_reference_s_numbers(name, shape, poisoned):
    graph, inputs, cotangents = draw(name, *shape)
    results, gradients = by_reference(graph, inputs, cotangents)
    found, d_found = compiled(graph, inputs, cotangents)
    assert_near(found, results, FORWARD, "result")
    assert_near(d_found, gradients, GRADIENT, "gradient")
    assert_near(compiled(graph, inputs, cotangents, training=False)[0], results, FORWARD, "inference")


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("shape", [(1, 1, 7, 63), (2, 2, 3, 20)], ids=str)
def test_a_step_of_a_stream_reads_the_weights_as_they_lie(name, shape, poisoned, monkeypatch):
    graph, inputs, cotangents = draw(name, *shape)
    results, _ = by_reference(graph, inputs, cotangents)
    kinds = []
    original = engine.compiled
    monkeypatch.setattr(engine, "compiled", lambda cell, *key: kinds.append(key[0]) or original(cell, *key))
    found, _ = compiled(graph, inputs, cotangents, training=False)
    assert kinds == [engine.STEP]
    assert_near(found, results, FORWARD, "result")


@pytest.mark.parametrize("name", CELLS)
def test_accuracy_over_sixty_steps(name):
    graph, inputs, cotangents = draw(name, 60, 6, 5, 50)
    results, gradients = by_reference(graph, inputs, cotangents)
    found, d_found = compiled(graph, inputs, cotangents)
    factor = 1.0
    if name in STRETCHING:
        x, others, states, weights = parts(graph, inputs)
        keyed = dict(zip([one.key for one in graph.parameters], weights, strict=True))
        theirs, _ = Reference().run(graph, keyed, x, tuple(states), others)
        error = float((theirs.double() - results[0]).detach().abs().max() / results[0].detach().abs().max())
        assert error > FORWARD / 4, "what is promised is kept by float32: no reason to ask for less"
        factor = 4 * error / FORWARD
    assert_near(found, results, FORWARD * factor, "result")
    assert_near(d_found, gradients, GRADIENT * factor, "gradient")


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("shape", [(3, 17, 65, 65)], ids=str)
def test_float64_is_float64(name, shape, poisoned):
    graph, inputs, cotangents = draw(name, *shape, dtype=torch.float64)
    results, gradients = by_reference(graph, inputs, cotangents)
    found, d_found = compiled(graph, inputs, cotangents)
    assert_near(found, results, 1e-13, "result")  # the bounds of float32 times 2⁻²⁹, and some
    assert_near(d_found, gradients, 1e-12, "gradient")


@pytest.mark.parametrize("name", SEVERAL)
def test_shares_and_slabs_that_do_not_divide_the_batch(name, monkeypatch, poisoned):
    graph, inputs, cotangents = draw(name, 9, 29, 3, 20)
    results, gradients = by_reference(graph, inputs, cotangents)
    monkeypatch.setattr(engine, "SLAB", 8)
    monkeypatch.setattr(engine, "RING_ROWS", 32)
    monkeypatch.setattr(engine, "WORTH", 1)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found, d_found = compiled(graph, inputs, cotangents)
            assert_near(found, results, FORWARD, "result")
            assert_near(d_found, gradients, GRADIENT, "gradient")
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30])
@pytest.mark.parametrize("name", SEVERAL)
def test_numbers_that_are_none_go_where_the_reference_has_them(name, value):
    graph, inputs, cotangents = draw(name, 3, 4, 2, 18)
    inputs[0][1, 2, 0] = value
    x, others, states, weights = parts(graph, inputs)
    keyed = dict(zip([one.key for one in graph.parameters], weights, strict=True))
    expected, _ = Reference().run(graph, keyed, x, tuple(states), others)
    found, _ = compiled(graph, inputs, cotangents, training=False)
    torch.testing.assert_close(found[0].isnan(), expected.isnan(), rtol=0, atol=0)
    finite = expected.isfinite()
    torch.testing.assert_close(found[0][finite], expected[finite], rtol=1e-4, atol=1e-5)  # 1e30 cancels nowhere


HERE = Path(__file__).parent
NARROW = """
import json, sys, torch
sys.path[:0] = sys.argv[1].split(":")
import test_compiled_cells as tests
from gatework.kernels.cpu.host import host
for name in tests.SEVERAL:
    for shape in ((3, 2, 1, 7), (4, 13, 7, 63)):
        graph, inputs, cotangents = tests.draw(name, *shape)
        results, gradients = tests.by_reference(graph, inputs, cotangents)
        found, d_found = tests.compiled(graph, inputs, cotangents)
        tests.assert_near(found, results, tests.FORWARD, name)
        tests.assert_near(d_found, gradients, tests.GRADIENT, name)
print(json.dumps(host().vector_bytes))
"""


@pytest.mark.skipif(host().vector_bytes != 64, reason="this processor has no wider vectors to do without")
def test_narrower_vectors_give_the_same_numbers():
    environment = {**os.environ, "GATEWORK_CPU_FEATURES": "avx2"}
    given = [sys.executable, "-c", NARROW, f"{HERE}:{HERE.parents[1]}"]
    done = subprocess.run(given, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == 32
