"""Members of an ensemble trained together, `stack_module_state` and `vmap`, beside each of them alone."""

import torch
from torch.func import functional_call, stack_module_state, vmap

import gatework as gw
from gatework.cells import find


def members(cell, N, H, count=3, *, dtype=torch.float32, device="cpu", **options):
    """Layers whose weights are all different, biases and learnt beginnings too."""
    made = []
    for seed in range(count):
        torch.manual_seed(seed)
        inputs = H if find(cell).graph.square else N
        layer = gw.Recurrent(cell, inputs, H, dtype=dtype, device=device, **options)
        with torch.no_grad():
            for weight in layer.parameters():
                weight += 0.1 * torch.randn_like(weight)
        made.append(layer)
    return made


def together(layers, x, starts=(), **call):
    """Outputs and last states of all members, with the stacked weights; what has a fourth axis is each member's own."""
    weights, buffers = stack_module_state(layers)

    def one(weights, buffers, x, starts, call):
        states = [starts] if starts else None
        return functional_call(layers[0], (weights, buffers), (x, states), call)

    shared = 0 if x.dim() == 4 else None
    output, last = vmap(one, in_dims=(0, 0, shared, 0, 0), randomness="different")(weights, buffers, x, starts, call)
    return output, [state for of_layer in last for state in of_layer], weights


def alone(layers, x, starts=(), **call):
    """The same of each member by itself."""
    found = []
    for k, layer in enumerate(layers):
        states = [tuple(one[k] for one in starts)] if starts else None
        found.append(layer(x[k] if x.dim() == 4 else x, states, **{name: one[k] for name, one in call.items()}))
    outputs = torch.stack([output for output, _ in found])
    flat = [[state for of_layer in last for state in of_layer] for _, last in found]
    return outputs, [torch.stack(one) for one in zip(*flat, strict=True)]


def total(output, last):
    """A number that depends on every entry in its own way."""
    return sum(
        (one * torch.cos(torch.arange(one.numel()).to(one) + k).view(one.shape)).sum()
        for k, one in enumerate((output, *last))
    )


def assert_each_as_alone(layers, x, starts=(), *, close, **call):
    """Outputs, last states, and the gradients of the input, of the first states and of all weights."""
    x, starts = x.clone().requires_grad_(), tuple(one.clone().requires_grad_() for one in starts)
    output, last, weights = together(layers, x, starts, **call)
    names = list(weights)
    found = torch.autograd.grad(total(output, last), [x, *starts, *weights.values()])
    expected, expected_last = alone(layers, x, starts, **call)
    own = [dict(layer.named_parameters())[name] for name in names for layer in layers]
    gradients = torch.autograd.grad(total(expected, expected_last), [x, *starts, *own])
    begin, count = 1 + len(starts), len(layers)
    stacked = [torch.stack(gradients[begin + count * k : begin + count * (k + 1)]) for k in range(len(names))]
    torch.testing.assert_close(output, expected, **close)
    torch.testing.assert_close(last, expected_last, **close)
    torch.testing.assert_close(list(found), [*gradients[:begin], *stacked], **close)
