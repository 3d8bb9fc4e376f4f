"""The gradient of one time step, for reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gatework.graph.derivative import Gradient, derive
from gatework.graph.graph import Graph, Node
from gatework.graph.keeping import keep
from gatework.graph.lines import Lines, Section
from gatework.graph.naming import Names, gradient_names, sum_key
from gatework.graph.ops import COMPUTED, LEAVES, Op
from gatework.graph.printing import APPLIED
from gatework.graph.simplify import prune
from gatework.graph.text import READING

SUMMED = "Σ over time steps and sequences"


def gradient_sections(graph: Graph) -> list[Section]:
    """The forward equations, those of the gradients, and what is kept for them.

    >>> from gatework.cells import catalogue
    >>> for heading, lines in gradient_sections(catalogue["rnn"].graph)[1:3]:
    ...     print(heading, *lines, sep="\\n  ")
    backward, from d_hₜ, which arrives from the output and from time step t+1
      d_a_hₜ = d_hₜ ⊙ (1 - hₜ²)
    gradients of the state and of the input
      d_hₜ₋₁ = U_hᵀ d_a_hₜ
      d_xₜ = W_hᵀ d_a_hₜ
    """
    return _Written(derive(graph)).sections()


class _Written:
    def __init__(self, gradient: Gradient) -> None:
        self._graph, self._end = gradient.forward, len(gradient.forward.nodes)
        nodes, moved = prune(gradient.nodes, [*self._graph.outputs, *gradient.roots])
        assert nodes[: self._end] == self._graph.nodes
        self._nodes, self._kept = nodes, keep(gradient)
        self._states = [None if k is None else moved[k] for k in gradient.states]
        self._inputs = [None if k is None else moved[k] for k in gradient.inputs]
        self._weights = {key: moved[k] for key, k in gradient.parameters.items()}
        self._names = Names(node.name for node in self._graph.nodes)
        self._uses = Counter(arg for node in nodes for arg in node.args)
        self._uses.update(moved[k] for k in gradient.roots)
        self._moves = _depending(nodes)
        self._lines = Lines(nodes, self._words(), self._uses, self._fresh)

    def sections(self) -> list[Section]:
        forward = self._forward()
        arriving = [READING.now(self._names.once(f"d_{state}")) for state in self._graph.states]
        verb = "arrives" if len(arriving) == 1 else "arrive"
        heading = f"backward, from {' and '.join(arriving)}, which {verb} from the output and from time step t+1"
        vectors = [k for k, node in enumerate(self._nodes) if len(node.shape) < 2]
        backward = self._lines.equations(k for k in vectors if k >= self._end)
        states = "state" if len(arriving) == 1 else "states"
        return [
            ("forward", forward),
            (heading, [_added(line, arriving) for line in backward]),
            (f"gradients of the {states} and of the input", self._results()),
            (f"gradients of the weights, {SUMMED}", [self._weight(one.key) for one in self._graph.parameters]),
            ("between forward and backward", self._keeping()),
        ]

    def _forward(self) -> list[str]:
        lines = self._lines.equations(range(self._end))
        states = zip(map(READING.now, self._graph.states), self._graph.outputs, strict=True)
        return [*lines, *(f"{state} = {word}" for state, k in states if (word := self._lines.text(k)) != state)]

    def _words(self) -> dict[int, str]:
        words = {k: name for k, node in enumerate(self._graph.nodes) if (name := READING.name(node))}
        for state, k in zip(self._graph.states, self._graph.outputs, strict=True):
            words.setdefault(k, READING.now(state))
        # A cell may have an equation with the name of a gradient: the gradient gets another one then.
        words |= {
            k: READING.now(self._names.once(node.name))
            for k, node in enumerate(self._nodes)
            if k >= self._end and node.name and node.op in COMPUTED | {Op.GRADIENT}
        }
        outers = [(key, k) for key, root in self._weights.items() for k in _outers(self._nodes, root)]
        vectors = [(key, k) for key, k in self._weights.items() if len(self._nodes[k].shape) == 1]
        for k, name in gradient_names(outers, vectors, self._names, words).items():
            if self._uses[k] > 1:
                words.setdefault(k, READING.now(name))
        return words

    def _fresh(self, k: int) -> str:
        """A name for a value that is used more than once."""
        matrices = {one: self._nodes[node.args[0]].name for one, node in enumerate(self._nodes) if node.op is Op.MATMUL}
        key = sum_key(self._nodes, k, matrices) if k < self._end else ""
        if key:
            return READING.now(self._names.give(f"a_{key[2:]}", f"a_{key[0]}{key[2:]}"))
        return READING.now(self._names.next("d" if self._moves[k] else "v"))

    def _results(self) -> list[str]:
        states = [READING.before(self._names.once(f"d_{state}")) for state in self._graph.states]
        inputs = [READING.now(self._names.once(f"d_{name}")) for name in self._graph.inputs]
        found = [*self._states, *self._inputs]
        return [f"{left} = {self._value(k)}" for left, k in zip([*states, *inputs], found, strict=True)]

    def _value(self, k: int | None) -> str:
        return "0" if k is None else self._lines.text(k)

    def _weight(self, key: str) -> str:
        left = f"d_{READING.parameter(key)}"
        if key not in self._weights:
            return f"{left} = 0"
        return f"{left} = Σ {self._lines.text(self._weights[key], APPLIED)}"

    def _keeping(self) -> list[str]:
        there = {k for k, node in enumerate(self._graph.nodes) if node.op in LEAVES}
        there.update(self._graph.outputs, self._kept)
        read = {arg for node in self._nodes[self._end :] for arg in node.args if arg < self._end}
        return [
            f"kept besides the input and the states: {self._listed(self._kept)}",
            f"computed again: {self._listed(sorted(read - there))}",
        ]

    def _listed(self, nodes: Iterable[int]) -> str:
        return ", ".join(map(self._lines.text, nodes)) or "nothing"


def _outers(nodes: tuple[Node, ...], root: int) -> list[int]:
    """The columns of the products of which a matrix's gradient is the sum."""
    found, stack = [], [root]
    while stack:
        node = nodes[stack.pop()]
        if node.op is Op.OUTER:
            found.append(node.args[0])
        elif node.op is Op.ADD:
            stack.extend(reversed(node.args))
    return found


def _depending(nodes: tuple[Node, ...]) -> list[bool]:
    """For every node, whether it depends on the gradients that arrive."""
    found: list[bool] = []
    for node in nodes:
        found.append(node.op is Op.GRADIENT or any(found[arg] for arg in node.args))
    return found


def _added(line: str, arriving: Iterable[str]) -> str:
    """`d_cₜ = d_cₜ + …` as `d_cₜ += …`: to what arrives, the time step adds."""
    for name in arriving:
        begin = f"{name} = {name} + "
        if line.startswith(begin):
            return f"{name} += {line.removeprefix(begin)}"
    return line
