"""The bridge to torch: `gatework::run` and `gatework::run_backward`, two operators that run kernels.

The cell travels with the call as text, so that an exported program needs nothing but this package. The device of the
tensors says whose kernels run, where no engine is named. Derivatives of the gradient are taken through the reference.
A call may have many members, whose weights are their own: `members.py` makes them of what `torch.func.vmap` maps over.

The operators are there as soon as `gatework.kernels` is imported, so that an exported program finds them. What
compiles, and with it llvmlite or Triton, is imported when one is first run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from gatework.errors import BackendError, UsageError
from gatework.kernels import checks, passes
from gatework.kernels.layout import blocks, dense
from gatework.kernels.members import by_member, in_a_row, mapped, transformed
from gatework.kernels.recurrence import Recurrence, recurrence
from gatework.kernels.reference import Reference


def _cpu(x: Tensor) -> passes.Execute:
    from gatework.kernels.cpu.engine import execute

    if x.device.type != "cpu":
        raise BackendError(f"The back-end cpu cannot run here: the tensors are on {x.device.type}.")
    return execute


def _triton(x: Tensor) -> passes.Execute:
    from gatework.kernels.triton.build import interpreted, refusal
    from gatework.kernels.triton.engine import execute

    if reason := refusal():
        raise BackendError(f"The back-end triton cannot run here: {reason}; move the layer to the CPU.")
    if x.device.type != "cuda" and not interpreted():
        raise BackendError(f"The back-end triton cannot run here: the tensors are on {x.device.type}.")
    return execute


@dataclass(frozen=True)
class Engine:
    """What runs loops.

    `find` gives it for the device of a tensor, or raises `BackendError`. An input after the first may be a block of a
    tensor whose rows are up to `widest` such vectors side by side. Beside float32 matrices may be of a `lower` type.
    """

    find: Callable[[Tensor], passes.Execute]
    widest: int = 1
    lower: bool = False


ENGINES = {"cpu": Engine(_cpu), "triton": Engine(_triton, widest=16, lower=True)}
"""The engines by the names of their back-ends."""

OF_DEVICE = {"cpu": "cpu", "cuda": "triton"}
"""The engine of a device, for a call that names none."""

_LIBRARY = torch.library.Library("gatework", "DEF")
_LIBRARY.define(
    "run(str cell, Tensor x, Tensor[] others, Tensor[] states, Tensor[] weights, bool training, "
    'int members=1, str engine="") -> Tensor[]'
)
_LIBRARY.define(
    "run_backward(str cell, Tensor x, Tensor[] others, Tensor[] states, Tensor[] weights, Tensor[] kept, "
    'Tensor?[] d_results, bool[] wanted, int members=1, str engine="") -> Tensor[]'
)


def _engine(name: str, x: Tensor) -> Engine:
    """What runs the loops of a call on this tensor. Raises `UsageError` for a name that no engine has."""
    name = name or OF_DEVICE[x.device.type]
    if name not in ENGINES:
        raise UsageError(f"There is no engine {name!r}: it is one of {', '.join(ENGINES)}, or empty for the device's.")
    return ENGINES[name]


def _run(
    cell: str,
    x: Tensor,
    others: list[Tensor],
    states: list[Tensor],
    weights: list[Tensor],
    training: bool,
    members: int = 1,
    engine: str = "",
) -> list[Tensor]:
    """Run a cell, given as the record of its graph, along (T, B, N).

    `others` are the inputs after the first, (T, B, H), or (B, H) where one is the same at every step. `weights` are in
    the order of the graph. Returns the first state at every step, (T, B, H), and those that are shown, then all last
    states, (B, H) each, and where `training` what else the backward pass reads.

    Of several `members` each has weights of its own, along the first axis of all of them, and as many sequences: B
    counts those of all members, one member's after the other's. `engine` is what runs the loops, empty for the
    device's.
    """
    found, used = recurrence(cell), _engine(engine, x)
    checks.check(found, x, others, states, weights, members, lower=used.lower)
    with torch.no_grad():
        (first,) = dense([x])
        given = (dense(weights), first, blocks(others, used.widest), dense(states))
        return passes.forward(found, *given, training=training, execute=used.find(x), members=members)


def _run_fake(
    cell: str,
    x: Tensor,
    others: list[Tensor],
    states: list[Tensor],
    weights: list[Tensor],
    training: bool,
    members: int = 1,
    engine: str = "",
) -> list[Tensor]:
    T, B, _ = x.shape
    H = states[0].shape[1]
    found = recurrence(cell)
    results = len(found.graph.results)
    kept = len(states) - results + len(found.plan.kept) if training else 0
    shapes = [*[(T, B, H)] * results, *[(B, H)] * len(states), *[(T, B, H)] * kept]
    return [x.new_empty(shape) for shape in shapes]


def _run_backward(
    cell: str,
    x: Tensor,
    others: list[Tensor],
    states: list[Tensor],
    weights: list[Tensor],
    kept: list[Tensor],
    d_results: list[Tensor | None],
    wanted: list[bool],
    members: int = 1,
    engine: str = "",
) -> list[Tensor]:
    found, used = recurrence(cell), _engine(engine, x)
    checks.check(found, x, others, states, weights, members, lower=used.lower)
    checks.check_kept(found, x, states, kept, d_results)
    inputs = 1 + len(others)
    if len(wanted) != inputs + 1 + len(weights):
        raise UsageError(f"{len(wanted)} wishes were given for {inputs} inputs, the states and {len(weights)} weights.")
    asked = passes.Wanted(wanted[:inputs], wanted[inputs], wanted[inputs + 1 :])
    d_inputs, d_states, d_weights = passes.backward(
        found,
        dense(weights),
        dense([x])[0],
        blocks(others, used.widest),
        dense(states),
        dense(kept),
        [_by_step(one) for one in d_results[: len(d_results) - len(states)]],
        [None if one is None else dense([one])[0] for one in d_results[len(d_results) - len(states) :]],
        asked,
        used.find(x),
        members,
    )
    return [one for one in (*d_inputs, *(d_states or []), *d_weights) if one is not None]


def _run_backward_apart(*given: Any, **options: Any) -> list[Tensor]:
    """The same with memory of its own for each result, which is what compilers take an operator's to have."""
    return [one.clone() if one.storage_offset() else one for one in _run_backward(*given, **options)]


def _by_step(d_output: Tensor | None) -> Tensor | None:
    """The gradient of the output, without a copy for every step where it is the same for all, as after a sum."""
    if d_output is None or not d_output.numel():
        return None
    (found,) = dense([d_output[0] if d_output.stride(0) == 0 else d_output])
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
    members: int = 1,
    engine: str = "",
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

    Where torch traces or maps over an axis, this is the operator, which traces and exports can hold. Else the same
    functions are called without the operator's bookkeeping, which for short sequences takes more time than the kernel.
    """
    if (
        torch.compiler.is_compiling()
        or torch._C._len_torch_dispatch_stack()
        or transformed()
        or not _plain((x, *others, *states, *weights))
    ):
        given = (record, x, list(others), list(states), list(weights), training)
        # What an exported program holds of an engine by name, it would ask for on every device.
        named = () if engine == OF_DEVICE.get(x.device.type) else (1, engine)
        every: list[Tensor] = torch.ops.gatework.run(*given, *named)
        return every[: results + len(states)]
    if not training:
        return _run(record, x, list(others), list(states), list(weights), training, engine=engine)
    found: tuple[Tensor, ...] = _Compiled.apply(  # type: ignore[no-untyped-call]
        engine, record, len(others), len(states), results, x, *others, *states, *weights
    )
    return list(found[: results + len(states)])


def is_transformed() -> bool:
    """Whether torch.func differentiates here, or torch does forwards: these need operations that torch knows.

    Where `torch.func.vmap` alone is at work, the operator maps by itself.
    """
    if torch.compiler.is_compiling():
        return False
    kinds = torch._C._functorch
    transforms = kinds.get_interpreter_stack() or []
    return torch.autograd.forward_ad._current_level >= 0 or any(
        one.key() != kinds.TransformType.Vmap for one in transforms
    )


def _plain(tensors: Iterable[Tensor]) -> bool:
    """Whether these are tensors of torch itself, with memory of their own."""
    return all(type(one) in (Tensor, Parameter) for one in tensors)


ThreeGradients = tuple[passes.Gradients, passes.Gradients, passes.Gradients]
"""Those of the inputs, of the states and of the weights."""


class _Compiled(torch.autograd.Function):
    """The operator's derivative, with all tensors in a row."""

    @staticmethod
    def forward(
        ctx: Any, engine: str, record: str, more: int, count: int, results: int, x: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        others, states, weights = list(rest[:more]), list(rest[more : more + count]), list(rest[more + count :])
        found = _run(record, x, others, states, weights, True, engine=engine)
        _keep(ctx, (record, x, others, states, weights, True, 1, engine), found, results)
        return tuple(found)

    @staticmethod
    def backward(ctx: Any, *d_results: Tensor | None) -> tuple[Any, ...]:
        wanted = ctx.needs_input_grad[5:]
        end = ctx.inputs + ctx.states
        wishes = (wanted[: ctx.inputs], wanted[ctx.inputs : end], wanted[end:])
        d_inputs, d_states, d_weights = _gradients(ctx, list(d_results), *wishes, _run_backward)
        return (None, None, None, None, None, *d_inputs, *d_states, *d_weights)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    _keep(ctx, inputs, output, len(recurrence(inputs[0]).graph.results))


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor], results: int) -> None:
    cell, x, others, states, weights, _, ctx.members, ctx.engine = inputs
    ctx.cell, ctx.inputs, ctx.states, ctx.weights = cell, 1 + len(others), len(states), len(weights)
    ctx.results = results
    kept = output[results + len(states) :]
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(*kept)
    ctx.save_for_backward(x, *others, *states, *weights, *output[:results], *kept)


def _differentiate(ctx: Any, d_results: list[Tensor | None]) -> tuple[Any, ...]:
    # Arguments that have their defaults are not among these.
    _, want_x, want_others, want_states, want_weights, *rest = ctx.needs_input_grad
    backward = torch.ops.gatework.run_backward
    wishes = ([want_x, *want_others], want_states, want_weights)
    d_inputs, d_states, d_weights = _gradients(ctx, d_results, *wishes, backward)
    return None, d_inputs[0], d_inputs[1:], d_states, d_weights, *(None for _ in rest)


def _gradients(
    ctx: Any,
    d_results: list[Tensor | None],
    want_inputs: Sequence[bool],
    want_states: Sequence[bool],
    want_weights: Sequence[bool],
    backward: Callable[..., list[Tensor]],
) -> ThreeGradients:
    saved = iter(ctx.saved_tensors)
    inputs, states, weights = ([next(saved) for _ in range(n)] for n in (ctx.inputs, ctx.states, ctx.weights))
    d_results = d_results[: ctx.results + ctx.states]
    if torch.is_grad_enabled() or any(_is_batched(one) for one in d_results):
        return through_reference(recurrence(ctx.cell), inputs, states, weights, d_results, ctx.members)
    x, *others = inputs
    any_state = any(want_states)
    wanted = [*want_inputs, any_state, *want_weights]
    given = (ctx.cell, x, others, states, weights, list(saved), d_results, wanted)
    found = iter(backward(*given, ctx.members, ctx.engine))
    d_inputs = [next(found) if want else None for want in want_inputs]
    d_states = [next(found) if any_state else None for _ in states]
    return d_inputs, d_states, [next(found) if want else None for want in want_weights]


def through_reference(
    cell: Recurrence,
    inputs: list[Tensor],
    states: list[Tensor],
    weights: list[Tensor],
    d_results: list[Tensor | None],
    members: int = 1,
) -> ThreeGradients:
    """The same gradients from the reference: with a graph of their own where second derivatives may be asked for."""
    further = torch.is_grad_enabled()
    with torch.enable_grad():
        # Of one operand another may be a function, as states are of the weights that made them. Each stands for itself
        # here, so that no gradient goes on through another operand: that is for whoever made the operand.
        inputs, states, weights = ([one.view_as(one) for one in group] for group in (inputs, states, weights))
        every_result = _referred(cell, inputs, states, weights, members)
    pairs = [(y, d) for y, d in zip(every_result, d_results, strict=True) if d is not None and y.requires_grad]
    every = [*inputs, *states, *weights]
    asked = [one for one in every if one.requires_grad]
    outputs, arriving = [y for y, _ in pairs], [d for _, d in pairs]
    found = iter(
        torch.autograd.grad(outputs, asked, arriving, create_graph=further, allow_unused=True) if pairs else []
    )
    gradients = [next(found, None) if one.requires_grad else None for one in every]
    end = len(inputs) + len(states)
    return gradients[: len(inputs)], gradients[len(inputs) : end], gradients[end:]


def _referred(
    cell: Recurrence, inputs: list[Tensor], states: list[Tensor], weights: list[Tensor], members: int
) -> list[Tensor]:
    """All results and all last states by the reference, of every member with its weights."""

    def alone(inputs: list[Tensor], states: list[Tensor], weights: list[Tensor]) -> list[Tensor]:
        (x, *others), by_key = inputs, dict(zip(cell.keys, weights, strict=True))
        results, last = Reference().trajectory(cell.graph, by_key, x, tuple(states), others)
        return [*results, *last]

    if members == 1:
        return alone(inputs, states, weights)
    inputs, states = ([by_member(one, members) for one in group] for group in (inputs, states))
    return [in_a_row(one) for one in torch.func.vmap(alone)(inputs, states, weights)]


def _is_batched(d: Tensor | None) -> bool:
    """Whether this stands for many gradients at once."""
    kinds = torch._C._functorch
    return d is not None and bool(kinds.is_batchedtensor(d) or kinds.is_legacy_batchedtensor(d))


for _key in ("CPU", "CUDA"):
    _LIBRARY.impl("run", _run, _key)
    _LIBRARY.impl("run_backward", _run_backward_apart, _key)
torch.library.register_fake("gatework::run", _run_fake, lib=_LIBRARY)
torch.library.register_fake("gatework::run_backward", _run_backward_fake, lib=_LIBRARY)
torch.library.register_autograd("gatework::run", _differentiate, setup_context=_remember, lib=_LIBRARY)
torch.library.register_vmap("gatework::run", partial(mapped, torch.ops.gatework.run), lib=_LIBRARY)
