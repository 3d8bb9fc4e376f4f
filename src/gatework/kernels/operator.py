"""The bridge to torch: `gatework::run` and `gatework::run_backward`, two operators that run kernels.

The cell travels with the call as text, so that an exported program needs nothing but this package. The device of the
tensors says whose kernels run. Derivatives of the gradient are taken through the reference.

The operators are there as soon as `gatework.kernels` is imported, so that an exported program finds them. What
compiles, and with it llvmlite or Triton, is imported when one is first run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from gatework.errors import BackendError, UsageError
from gatework.kernels import checks, passes
from gatework.kernels.recurrence import Recurrence, recurrence
from gatework.kernels.reference import Reference


def _cpu() -> passes.Execute:
    from gatework.kernels.cpu.engine import execute

    return execute


def _triton() -> passes.Execute:
    from gatework.kernels.triton.build import refusal
    from gatework.kernels.triton.engine import execute

    if reason := refusal():
        raise BackendError(f"The back-end triton cannot run here: {reason}; move the layer to the CPU.")
    return execute


ENGINES: dict[str, Callable[[], passes.Execute]] = {"cpu": _cpu, "triton": _triton}
"""What runs loops, by the name of its back-end."""

_LIBRARY = torch.library.Library("gatework", "DEF")
_LIBRARY.define(
    "run(str cell, Tensor x, Tensor[] others, Tensor[] states, Tensor[] weights, bool training) -> Tensor[]"
)
_LIBRARY.define(
    "run_backward(str cell, Tensor x, Tensor[] others, Tensor[] states, Tensor[] weights, Tensor[] kept, "
    "Tensor?[] d_results, bool[] wanted) -> Tensor[]"
)


def _run(
    engine: str,
    cell: str,
    x: Tensor,
    others: list[Tensor],
    states: list[Tensor],
    weights: list[Tensor],
    training: bool,
) -> list[Tensor]:
    """Run a cell, given as the record of its graph, along (T, B, N).

    `others` are the inputs after the first, (T, B, H), or (B, H) where one is the same at every step. `weights` are in
    the order of the graph. Returns the first state at every step, (T, B, H), and those that are shown, then all last
    states, (B, H) each, and where `training` what else the backward pass reads.
    """
    found = recurrence(cell)
    checks.check(found, x, others, states, weights)
    execute = ENGINES[engine]()
    with torch.no_grad():
        (first,) = _dense([x])
        given = (_dense(weights), first, _dense(others), _dense(states))
        return passes.forward(found, *given, training=training, execute=execute)


def _dense(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The numbers as they lie in memory: row after row, and no sign that is only noted."""
    return [(one.resolve_neg() if one.is_neg() else one).contiguous() for one in tensors]


def _run_fake(
    cell: str, x: Tensor, others: list[Tensor], states: list[Tensor], weights: list[Tensor], training: bool
) -> list[Tensor]:
    T, B, _ = x.shape
    H = states[0].shape[1]
    found = recurrence(cell)
    results = len(found.graph.results)
    kept = len(states) - results + len(found.plan.kept) if training else 0
    shapes = [*[(T, B, H)] * results, *[(B, H)] * len(states), *[(T, B, H)] * kept]
    return [x.new_empty(shape) for shape in shapes]


def _run_backward(
    engine: str,
    cell: str,
    x: Tensor,
    others: list[Tensor],
    states: list[Tensor],
    weights: list[Tensor],
    kept: list[Tensor],
    d_results: list[Tensor | None],
    wanted: list[bool],
) -> list[Tensor]:
    found = recurrence(cell)
    checks.check(found, x, others, states, weights)
    checks.check_kept(found, x, states, kept, d_results)
    inputs = 1 + len(others)
    if len(wanted) != inputs + 1 + len(weights):
        raise UsageError(f"{len(wanted)} wishes were given for {inputs} inputs, the states and {len(weights)} weights.")
    asked = passes.Wanted(wanted[:inputs], wanted[inputs], wanted[inputs + 1 :])
    d_inputs, d_states, d_weights = passes.backward(
        found,
        _dense(weights),
        _dense([x])[0],
        _dense(others),
        _dense(states),
        _dense(kept),
        [_by_step(one) for one in d_results[: len(d_results) - len(states)]],
        [None if one is None else _dense([one])[0] for one in d_results[len(d_results) - len(states) :]],
        asked,
        ENGINES[engine](),
    )
    return [one for one in (*d_inputs, *(d_states or []), *d_weights) if one is not None]


def _by_step(d_output: Tensor | None) -> Tensor | None:
    """The gradient of the output, without a copy for every step where it is the same for all, as after a sum."""
    if d_output is None or not d_output.numel():
        return None
    (found,) = _dense([d_output[0] if d_output.stride(0) == 0 else d_output])
    return found


def _run_backward_fake(
    cell: str,
    x: Tensor,
    others: list[Tensor],
    states: list[Tensor],
    weights: list[Tensor],
    kept: list[Tensor],
    d_results: list[Tensor | None],
    wanted: list[bool],
) -> list[Tensor]:
    by_tensor = [*wanted[: 1 + len(others)], *[wanted[1 + len(others)]] * len(states), *wanted[2 + len(others) :]]
    every = (x, *others, *states, *weights)
    return [one.new_empty(one.shape) for one, want in zip(every, by_tensor, strict=True) if want]


def run(
    record: str,
    x: Tensor,
    others: Sequence[Tensor],
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    training: bool,
    results: int = 1,
    engine: str = "cpu",
) -> list[Tensor]:
    """Run a cell: its `results` at every step, and the last states.

    Where torch traces, this is the operator, which traces and exports can hold. Else the same functions are called
    without the operator's bookkeeping, which for short sequences takes more time than the kernel.
    """
    if (
        torch.compiler.is_compiling()
        or torch._C._len_torch_dispatch_stack()
        or not _plain((x, *others, *states, *weights))
    ):
        every: list[Tensor] = torch.ops.gatework.run(record, x, list(others), list(states), list(weights), training)
        return every[: results + len(states)]
    if not training:
        return _run(engine, record, x, list(others), list(states), list(weights), training)
    found: tuple[Tensor, ...] = _Compiled.apply(  # type: ignore[no-untyped-call]
        engine, record, len(others), len(states), results, x, *others, *states, *weights
    )
    return list(found[: results + len(states)])


def is_transformed() -> Any:
    """Whether torch.func, or forward-mode differentiation, is at work: these need operations that torch knows."""
    if torch.compiler.is_compiling():
        return False
    return torch._C._functorch.peek_interpreter_stack() is not None or torch.autograd.forward_ad._current_level >= 0


def _plain(tensors: Iterable[Tensor]) -> bool:
    """Whether these are tensors of torch itself, with memory of their own."""
    return all(type(one) in (Tensor, Parameter) for one in tensors)


Gradients = tuple[list[Tensor | None], list[Tensor | None], list[Tensor | None]]
"""Those of the inputs, of the states and of the weights."""


class _Compiled(torch.autograd.Function):
    """The operator's derivative, with all tensors in a row."""

    @staticmethod
    def forward(
        ctx: Any, engine: str, record: str, more: int, count: int, results: int, x: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        others, states, weights = list(rest[:more]), list(rest[more : more + count]), list(rest[more + count :])
        ctx.engine = engine
        found = _run(engine, record, x, others, states, weights, True)
        _keep(ctx, (record, x, others, states, weights, True), found, results)
        return tuple(found)

    @staticmethod
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Any, ...]:
        wanted = ctx.needs_input_grad[5:]
        end = ctx.inputs + ctx.states
        wishes = (wanted[: ctx.inputs], wanted[ctx.inputs : end], wanted[end:])
        d_inputs, d_states, d_weights = _gradients(ctx, list(d_results), *wishes, partial(_run_backward, ctx.engine))
        return (None, None, None, None, None, *d_inputs, *d_states, *d_weights)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    _keep(ctx, inputs, output, len(recurrence(inputs[0]).graph.results))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor], results: int) -> None:
    cell, x, others, states, weights, _ = inputs
    ctx.cell, ctx.inputs, ctx.states, ctx.weights = cell, 1 + len(others), len(states), len(weights)
    ctx.results = results
    kept = output[results + len(states) :]
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(*kept)
    ctx.save_for_backward(x, *others, *states, *weights, *output[:results], *kept)


def _differentiate(ctx: Any, d_results: list[Tensor | None]) -> tuple[Any, ...]:
    _, want_x, want_others, want_states, want_weights, _ = ctx.needs_input_grad
    backward = torch.ops.gatework.run_backward
    wishes = ([want_x, *want_others], want_states, want_weights)
    d_inputs, d_states, d_weights = _gradients(ctx, d_results, *wishes, backward)
    return None, d_inputs[0], d_inputs[1:], d_states, d_weights, None


def _gradients(
    ctx: Any,
    d_results: list[Tensor | None],
    want_inputs: Sequence[bool],
    want_states: Sequence[bool],
    want_weights: Sequence[bool],
    backward: Callable[..., list[Tensor]],
) -> Gradients:
    saved = iter(ctx.saved_tensors)
    inputs, states, weights = ([next(saved) for _ in range(n)] for n in (ctx.inputs, ctx.states, ctx.weights))
    d_results = d_results[: ctx.results + ctx.states]
    if torch.is_grad_enabled() or any(_is_batched(one) for one in d_results):
        return through_reference(recurrence(ctx.cell), inputs, states, weights, d_results)
    x, *others = inputs
    any_state = any(want_states)
    wanted = [*want_inputs, any_state, *want_weights]
    found = iter(backward(ctx.cell, x, others, states, weights, list(saved), d_results, wanted))
    d_inputs = [next(found) if want else None for want in want_inputs]
    d_states = [next(found) if any_state else None for _ in states]
    return d_inputs, d_states, [next(found) if want else None for want in want_weights]


def through_reference(
    cell: Recurrence, inputs: list[Tensor], states: list[Tensor], weights: list[Tensor], d_results: list[Tensor | None]
) -> Gradients:
    """The same gradients from the reference: with a graph of their own where second derivatives may be asked for."""
    further = torch.is_grad_enabled()
    with torch.enable_grad():
        # Of one operand another may be a function, as states are of the weights that made them. Each stands for itself
        # here, so that no gradient goes on through another operand: that is for whoever made the operand.
        inputs, states, weights = ([one.view_as(one) for one in group] for group in (inputs, states, weights))
        by_key = {one.key: weight for one, weight in zip(cell.graph.parameters, weights, strict=True)}
        x, *others = inputs
        results, last = Reference().trajectory(cell.graph, by_key, x, tuple(states), others)
    pairs = [(y, d) for y, d in zip((*results, *last), d_results, strict=True) if d is not None and y.requires_grad]
    every = [*inputs, *states, *weights]
    asked = [one for one in every if one.requires_grad]
    outputs, arriving = [y for y, _ in pairs], [d for _, d in pairs]
    found = iter(
        torch.autograd.grad(outputs, asked, arriving, create_graph=further, allow_unused=True) if pairs else []
    )
    gradients = [next(found, None) if one.requires_grad else None for one in every]
    end = len(inputs) + len(states)
    return gradients[: len(inputs)], gradients[len(inputs) : end], gradients[end:]


def _is_batched(d: Tensor | None) -> bool:
    """Whether this stands for many gradients at once."""
    kinds = torch._C._functorch
    return d is not None and bool(kinds.is_batchedtensor(d) or kinds.is_legacy_batchedtensor(d))


for _key, _name in (("CPU", "cpu"), ("CUDA", "triton")):
    _LIBRARY.impl("run", partial(_run, _name), _key)
    _LIBRARY.impl("run_backward", partial(_run_backward, _name), _key)
torch.library.register_fake("gatework::run", _run_fake, lib=_LIBRARY)
torch.library.register_fake("gatework::run_backward", _run_backward_fake, lib=_LIBRARY)
torch.library.register_autograd("gatework::run", _differentiate, setup_context=_remember, lib=_LIBRARY)
