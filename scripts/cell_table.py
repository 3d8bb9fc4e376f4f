"""Every cell in every way to run it: whether it works, how long a training step takes, how far the numbers are off.

`python scripts/cell_table.py` measures (some three minutes, one thread) and writes `docs/results/table.md`;
`tests/cells/test_table.py` computes the same entries and compares what works with the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from gatework.bench.machine import processor
from gatework.bench.timing import Effort, interleave
from gatework.cells import catalogue
from gatework.errors import BackendError, UsageError
from gatework.graph import Cell, Graph
from gatework.graph.around import ground
from gatework.graph.ops import REDUCTIONS, Op
from gatework.graph.shapes import reached
from gatework.layers import ConvRecurrent, Recurrent

PAGE = Path(__file__).parent.parent / "docs" / "results" / "table.md"

T, B, N, H = 8, 4, 8, 16
"""The sizes of every entry; a cell that needs as many inputs as units has H."""

ROUNDS = Effort(seconds=0.3, least=5, most=15)
"""How long the page measures for one time."""

Tensors = tuple[Tensor, ...]
Call = Callable[[Tensor, Tensors, Tensors], tuple[Tensor, Tensors]]
"""A layer as a function: input, other inputs and states in; output and last states out."""


@dataclass(frozen=True)
class Layer:
    """A cell made ready in one way: `call`, and its trained weights in the order of the equations."""

    call: Call
    weights: Tensors


@dataclass(frozen=True)
class Numbers:
    """What a training step gives: the results, the gradients and, where asked for, the gradients of those."""

    results: Tensors = ()
    gradients: Tensors = ()


@dataclass(frozen=True)
class Entry:
    """One cell in one way: why it does not work, empty where it does, and how far it is from the reference.

    Differences are those of the tensor that is furthest off, over its largest entry, or over 0.1 where that is less;
    None where a way has no such numbers. `step` is what is timed, and `beside` what its time is compared with, where
    that is not the reference's training step.
    """

    why: str = ""
    forward: float | None = None
    gradient: float | None = None
    step: Callable[[], object] | None = field(default=None, compare=False)
    beside: Callable[[], object] | None = field(default=None, compare=False)


class Problem:
    """One cell with random numbers: weights uniform between ±1/√H, states as four steps from zero leave them."""

    def __init__(self, name: str) -> None:
        self.cell: Cell = ground(catalogue[name])  # one layer has none below
        self.inputs = H if self.cell.graph.square else N
        random = torch.Generator().manual_seed(0)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=random, dtype=torch.float64)

        layer = self._layer("reference", torch.float64)
        trained = {name for name, _ in layer.named_parameters()}
        self.state = {
            name: torch.empty_like(one).uniform_(-(H**-0.5), H**-0.5, generator=random) if name in trained else one
            for name, one in layer.state_dict().items()
        }
        names = self.cell.graph.inputs[1:]
        whole, more = normal(4 + T, B, self.inputs), tuple(normal(4 + T, B, H) for _ in names)
        zeros = tuple(torch.zeros(B, H, dtype=torch.float64) for _ in self.cell.states)
        with torch.no_grad():
            _, states = self.dense("reference").call(whole[:4], tuple(one[:4] for one in more), zeros)
        self.x, self.others, self.states = whole[4:], tuple(one[4:] for one in more), states
        self.cotangents = (normal(T, B, H), *(normal(B, H) for _ in self.cell.states))
        self._normal = normal

    def _layer(self, backend: str, dtype: torch.dtype) -> Recurrent:
        return Recurrent(self.cell, self.inputs, H, backend=backend, dtype=dtype)

    def dense(self, backend: str, dtype: torch.dtype = torch.float64, *, compiled: bool = False) -> Layer:
        """`Recurrent` on a back-end, under `torch.compile` where asked for. Raises `BackendError`."""
        layer = self._layer(backend, dtype)
        layer.load_state_dict(self.state)
        names = self.cell.graph.inputs[1:]
        run: Callable[..., tuple[Tensor, tuple[Tensors, ...]]] = layer
        if compiled:
            torch._dynamo.reset()  # what was compiled for the cells before counts against a limit
            run = torch.compile(layer, backend="aot_eager", fullgraph=True)

        def call(x: Tensor, others: Tensors, states: Tensors) -> tuple[Tensor, Tensors]:
            output, (last,) = run(x, [states], others=dict(zip(names, others, strict=True)))
            return output, last

        return Layer(call, tuple(layer.parameters()))

    def dense_weights(self) -> dict[str, Tensor]:
        """The weights under the keys of the equations."""
        layer = self._layer("reference", torch.float64)
        layer.load_state_dict(self.state)
        return {key: one.detach() for key, one in layer.layer(0).weights().items()}

    def convolved(self) -> Layer:
        """`ConvRecurrent` with kernels of one place, on pictures of one place. Raises `UsageError`."""
        layer = ConvRecurrent(self.cell, self.inputs, H, 1).double()
        with torch.no_grad():
            for one, weight in zip(layer.parameters(), self.dense("reference").weights, strict=True):
                one.copy_(weight.reshape(one.shape))

        def call(x: Tensor, _others: Tensors, states: Tensors) -> tuple[Tensor, Tensors]:
            output, (last,) = layer(x[..., None, None], [tuple(one[..., None, None] for one in states)])
            return output[..., 0, 0], tuple(one[..., 0, 0] for one in last)

        return Layer(call, tuple(layer.parameters()))

    def step(self, layer: Layer, *, twice: bool = False) -> Numbers:
        """A training step: the results, and the gradients of a weighted sum of them for all that went in.

        With `twice` the gradients of a weighted sum of those gradients are its gradients.
        """
        kind = layer.weights[0].dtype
        given = [one.to(kind, copy=True).requires_grad_() for one in (self.x, *self.others, *self.states)]
        more = 1 + len(self.others)
        output, last = layer.call(given[0], tuple(given[1:more]), tuple(given[more:]))
        results, inputs = (output, *last), [*given, *layer.weights]
        found = _gradients(results, inputs, self.cotangents, create_graph=twice)
        if twice:
            ones = [(one, weight) for one, weight in zip(found, self._directions, strict=True) if one.requires_grad]
            found = _gradients([one for one, _ in ones], inputs, [weight for _, weight in ones])
        return Numbers(tuple(one.detach() for one in results), found)

    @cached_property
    def expected(self) -> Numbers:
        """The reference's numbers."""
        return self.step(self.dense("reference"))

    @cached_property
    def _directions(self) -> Tensors:
        return tuple(self._normal(*one.shape) for one in self.expected.gradients)

    def entry(self, layer: Layer, *, twice: bool = False) -> Entry:
        """How far a way to run the cell is from the reference, and what its time is compared with."""
        reference = self.dense("reference")
        found, expected = self.step(layer, twice=twice), self.step(reference, twice=True) if twice else self.expected
        return Entry(
            forward=None if twice else _difference(found.results, expected.results),
            gradient=_difference(found.gradients, expected.gradients),
            step=lambda: self.step(layer, twice=twice),
            beside=(lambda: self.step(reference, twice=True)) if twice else None,
        )


def _gradients(
    results: Sequence[Tensor], inputs: Sequence[Tensor], weights: Sequence[Tensor], *, create_graph: bool = False
) -> Tensors:
    """The gradients of a weighted sum, zero for what it does not depend on."""
    total = sum((one * weight.to(one.dtype)).sum() for one, weight in zip(results, weights, strict=True))
    found = torch.autograd.grad(total, inputs, create_graph=create_graph, allow_unused=True)
    return tuple(torch.zeros_like(a) if b is None else b for a, b in zip(inputs, found, strict=True))


def _difference(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """How far the tensor that is furthest off is off, over its largest entry or 0.1."""
    return max(
        float((one.reshape(other.shape).double() - other).detach().abs().max() / max(float(other.abs().max()), 0.1))
        for one, other in zip(found, expected, strict=True)
    )


def mixes(graph: Graph) -> str:
    """What in a time step mixes the entries of a state; empty where the state enters elementwise only.

    Where it does, everything but arithmetic on entries can be computed for the whole sequence before the loop.
    """
    for node, recurrent in zip(graph.nodes, reached(graph.nodes, {Op.STATE}), strict=True):
        if recurrent and node.op is Op.MATMUL:
            return "a matrix multiplies what depends on a state"
        if recurrent and node.op in REDUCTIONS:
            return f"it takes the {node.op} of what depends on a state"
    return ""


def _scan(problem: Problem) -> Entry:
    return Entry(mixes(problem.cell.graph))


WAYS: Mapping[str, Callable[[Problem], Entry]] = {
    "reference": lambda problem: Entry(step=lambda: problem.step(problem.dense("reference"))),
    "cpu": lambda problem: problem.entry(problem.dense("cpu")),
    "scan": _scan,
    "conv": lambda problem: problem.entry(problem.convolved()),
    "torch.compile": lambda problem: problem.entry(problem.dense("auto", compiled=True)),
    "double backward": lambda problem: problem.entry(problem.dense("auto"), twice=True),
}
"""The columns: every way to run a cell, in float64."""

SINGLE: Mapping[str, Callable[[Problem], Entry]] = {
    "reference, float32": lambda problem: problem.entry(problem.dense("reference", torch.float32)),
    "cpu, float32": lambda problem: problem.entry(problem.dense("cpu", torch.float32)),
}
"""What single precision costs: differences from the reference in float64."""


def entry(problem: Problem, way: str) -> Entry:
    """The entry of a cell in one column; what Gatework refuses is its reason."""
    try:
        return {**WAYS, **SINGLE}[way](problem)
    except (BackendError, UsageError) as error:
        return Entry(str(error).rstrip("."))


def times(
    entries: Mapping[str, Entry], effort: Effort, of: Callable[[Sequence[float]], float] = median
) -> dict[str, float]:
    """Seconds of the reference's training step, and those of every other way over the same of the reference.

    `of` makes one number of the rounds.
    """
    calls = {(way, side): call for way, one in entries.items() for side in _SIDES if (call := getattr(one, side))}
    seconds = interleave(calls, effort)
    found = {"reference": of(reference := seconds["reference", "step"])}
    for way, side in calls:
        if side == "step" and way != "reference":
            found[way] = of(seconds[way, side]) / of(seconds.get((way, "beside"), reference))
    return found


_SIDES = ("step", "beside")


def _works_row(name: str, entries: Mapping[str, Entry]) -> str:
    """The row of a cell that says which ways work."""
    return f"| `{name}` | {' | '.join('no' if entries[way].why else 'yes' for way in WAYS)} |"


def _reasons(entries: Mapping[str, Mapping[str, Entry]]) -> list[str]:
    """Why ways do not work, a line for each reason."""
    whys: dict[tuple[str, str], list[str]] = {}
    for way in WAYS:
        for name, found in entries.items():
            if found[way].why:
                whys.setdefault((way, found[way].why), []).append(f"`{name}`")
    return [f"- {way}, {', '.join(names)}: {why}." for (way, why), names in whys.items()]


def written(page: str) -> dict[tuple[str, str], str]:
    """What a page says of every cell in every way: why it does not work, empty where it does."""
    rows = re.findall(r"^\| `(\w+)` \| ((?:yes|no)\b.*) \|$", page, re.MULTILINE)
    found = {(name, way): word for name, row in rows for way, word in zip(WAYS, row.split(" | "), strict=True)}
    found = {key: "" for key, word in found.items() if word == "yes"}
    for way, names, why in re.findall(r"^- ([\w. ]+), (`\w+`(?:, `\w+`)*): (.*)\.$", page, re.MULTILINE):
        found |= {(name, way): why for name in re.findall(r"\w+", names)}
    return found


def _times_row(name: str, found: Mapping[str, float]) -> str:
    first, *others = (way for way in WAYS if way != "scan")
    cells = [f"{1e6 * found[first]:,.0f}", *(f"{found[way]:.2g}" if way in found else "" for way in others)]
    return f"| `{name}` | {' | '.join(cells)} |"


def _errors_row(name: str, entries: Mapping[str, Entry]) -> str:
    cells = []
    for way in _WITH_ERRORS:
        found = [
            f"{one:.0e}" if one else "0" for one in (entries[way].forward, entries[way].gradient) if one is not None
        ]
        cells.append(" / ".join(found))
    return f"| `{name}` | {' | '.join(cells)} |"


_WITH_ERRORS = (*(way for way in WAYS if way not in ("reference", "scan")), *SINGLE)


ABOUT = f"""\
`tests/cells/test_table.py` computes the entries anew in every run of the tests. B = {B}, T = {T}, N = {N}, H = {H}, in
float64 but for what the last table says.

- **reference**: `Recurrent` on the back-end that defines what a cell means, a loop in torch.
- **cpu**: the compiled kernel.
- **scan**: whether the state enters elementwise only: a time step has no product with a state and no sum over its
  entries, and all products can be computed for the whole sequence before the loop.
- **conv**: `ConvRecurrent` with kernels of one place, which is the same layer, on pictures of one place.
- **torch.compile**: `torch.compile(layer, backend="aot_eager", fullgraph=True)`, the layer on the back-end `auto`;
  `aot_eager` needs no C++ compiler, and the kernel is ours under every backend.
- **double backward**: the gradient of a sum of gradients, through the layer on `auto`."""

TIME = """\
A training step: forward, backward, the gradients of the weights, the input and the first states. Microseconds of the
reference; of the others the share of its time, of the double backward that of the reference's double backward. Sizes
are small, and what a call costs in Python shows: [real sizes](cells.md)."""

ERROR = """\
The largest difference from the reference in float64, output and last states / gradients, over the largest entry of the
same tensor, or over 0.1 where that is less; of the double backward that of the gradients of gradients. The last two
columns say what single precision costs the reference itself and the compiled kernel."""


def page(effort: Effort = ROUNDS) -> str:
    """The page, measured now."""
    about = processor()
    works, timed, errors, whole = [], [], [], {}
    for name in catalogue:
        problem = Problem(name)
        whole[name] = entries = {way: entry(problem, way) for way in (*WAYS, *SINGLE)}
        works.append(_works_row(name, entries))
        timed.append(_times_row(name, times({way: entries[way] for way in WAYS}, effort)))
        errors.append(_errors_row(name, entries))
    measured = [f"{way}, µs" if way == "reference" else way for way in WAYS if way != "scan"]
    sections = [
        "# Every cell in every way to run it",
        f"`python scripts/cell_table.py` on {about['name']}, one thread, torch {torch.__version__}; the load then was"
        f" {about['load']}.",
        ABOUT,
        "## Does it work",
        "\n".join([f"| cell | {' | '.join(WAYS)} |", f"|---|{'---|' * len(WAYS)}", *works]),
        "Why not:",
        "\n".join(_reasons(whole)),
        "## Time",
        TIME,
        "\n".join([_heading(measured), *timed]),
        "## Error",
        ERROR,
        "\n".join([_heading(_WITH_ERRORS), *errors]),
    ]
    return "\n\n".join(sections) + "\n"


def _heading(columns: Sequence[str]) -> str:
    return f"| cell | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}"


def main() -> None:
    """Measure, and write."""
    torch.set_num_threads(1)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
