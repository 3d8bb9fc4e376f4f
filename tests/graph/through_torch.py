"""What torch's own differentiation of the reference says of a cell: outputs, last states and all gradients."""

from dataclasses import dataclass, field

import numpy as np
import torch

from gatework.kernels import Reference
from valid_states import valid


@dataclass(frozen=True)
class Run:
    """What goes into a run, and the gradients that arrive at what comes out: all float64."""

    weights: dict
    x: np.ndarray  # (T, B, N)
    states: dict  # name → (B, H), before the first step
    d_output: np.ndarray  # (T, B, H)
    d_states: dict  # name → (B, H), of the last states
    others: dict = field(default_factory=dict)  # inputs after the first: name → (T, B, H)


def random_run(graph, *, T, B, N, H, seed=0):
    """A run in which everything differs from everything, below one so that sums of eight stay small."""
    generator = np.random.default_rng(seed)

    def draw(*shape):
        return generator.uniform(-1, 1, shape) / shape[-1] ** 0.5

    return Run(
        {one.key: draw(*one.sizes(N, H)) for one in graph.parameters},
        draw(T, B, N),
        {state: valid(graph, draw(B, H)) for state in graph.states},
        draw(T, B, H),
        {state: draw(B, H) for state in graph.states},
        {name: draw(T, B, H) for name in graph.inputs[1:]},
    )


def torch_says(graph, run):
    """Values by name: `y` the outputs, `last:h` a last state, `d_x`, `d_h` of a first state and `d_W.k` of a weight.

    What nothing depends on has the gradient zero.
    """

    def tensor(array):
        return torch.from_numpy(array).requires_grad_()

    weights = {key: tensor(value) for key, value in run.weights.items()}
    x, states = tensor(run.x), {state: tensor(value) for state, value in run.states.items()}
    others = {name: tensor(value) for name, value in run.others.items()}
    output, last = Reference().run(graph, weights, x, tuple(states.values()), list(others.values()))
    arriving = [run.d_output, *run.d_states.values()]
    loss = sum((one * torch.from_numpy(d)).sum() for one, d in zip((output, *last), arriving, strict=True))
    inputs = {"x": x, **others, **states, **weights}
    gradients = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True)
    found = {"y": output, **{f"last:{state}": value for state, value in zip(states, last, strict=True)}}
    found |= {
        f"d_{name}": torch.zeros_like(inputs[name]) if one is None else one
        for name, one in zip(inputs, gradients, strict=True)
    }
    return {name: value.detach().numpy() for name, value in found.items()}


def assert_agree(actual, expected, tolerance):
    """The same names, and numbers that differ by `tolerance` of the largest of them at most."""
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        scale = max(1.0, np.abs(value).max())
        np.testing.assert_allclose(actual[name], value, rtol=0, atol=tolerance * scale, err_msg=name)
