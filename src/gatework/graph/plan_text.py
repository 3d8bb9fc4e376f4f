"""A plan for reading: what each stage accumulates, computes and stores, and what the arrays hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gatework.graph.cost import elementwise
from gatework.graph.gradient_text import SUMMED
from gatework.graph.lines import Lines, Section
from gatework.graph.loop import Place, Plan, Stage
from gatework.graph.plan_words import AFTER, DURING, Words
from gatework.graph.text import READING

TITLES = {
    "inference": "inference, at every time step",
    "forward": "training, forward, at every time step",
    "backward": "training, backward, at every time step, the last one first",
}
"""The loops of a plan, and what is said of them."""


def plan_sections(plan: Plan) -> list[Section]:
    """The loops, stage by stage, and the sums after the backward loop.

    >>> from gatework.cells import catalogue
    >>> from gatework.graph.plan import plan
    >>> heading, lines = plan_sections(plan(catalogue["rnn"].graph))[0]
    >>> print(heading, *lines, sep="\\n  ")
    inference, at every time step
      accumulate  a0 = W_h xₜ + U_h hₜ₋₁
      then        hₜ = tanh(a0 + b_h)
      store       hₜ
    """
    loops = [section for direction in TITLES for section in loop_sections(plan, direction)]
    heading = f"training, gradients of the weights, {SUMMED}, whenever the ring is full"
    return [*loops, (heading, _sums(plan, Words(plan, plan.backward)))]


def loop_sections(plan: Plan, direction: str) -> list[Section]:
    """One of the loops, `inference`, `forward` or `backward`, stage by stage."""
    return _loop(TITLES[direction], Words(plan, getattr(plan, direction)))


def _loop(title: str, words: Words) -> list[Section]:
    found, stages = [], words.loop.stages
    for index, stage in enumerate(stages):
        several = f": stage {index + 1} of {len(stages)}" if len(stages) > 1 else ""
        written = _Stage(words, stage, DURING)
        found.append((f"{title}{several}{written.condition() if stage.optional else ''}", written.lines()))
    if words.loop.last:
        written = _Stage(words, words.loop.last, AFTER)
        found.append((f"training, backward, after the first time step{written.condition()}", written.lines()))
    return found


def _sums(plan: Plan, words: Words) -> list[str]:
    matrices = [(one.matrix, one.block, f" {words.place(one.vector)}ᵀ") for one in plan.outers]
    vectors = [(key, block, "") for key, block in plan.columns.items()]
    return [
        f"d_{READING.parameter(key)} = Σ {words.place(Place('d', block))}{vector}"
        for key, block, vector in (*matrices, *vectors)
    ]


class _Stage:
    def __init__(self, words: Words, stage: Stage, times: tuple[str, str, str]) -> None:
        self._nodes, self._stage, self._words, self._times = words.loop.nodes, stage, words, times
        self._computed = elementwise(self._nodes, stage)
        uses = Counter(arg for k in self._computed for arg in self._nodes[k].args)
        uses.update(store.node for store in stage.stores)
        self._lines = Lines(self._nodes, self._known(), uses, lambda k: READING.now(words.names.give(f"v{k}")))

    def lines(self) -> list[str]:
        """What is accumulated, computed and stored."""
        then = self._lines.equations(self._computed)
        for store in self._stage.stores:
            here, value = self._place(store.place), self._lines.text(store.node)
            if here != value:
                then.append(f"{here} = {value}")
        parts = {"accumulate": self._sums(), "read": self._read(), "then": then, "store": [", ".join(self._stored())]}
        return [f"{label if not k else '':<12}{line}" for label, part in parts.items() for k, line in enumerate(part)]

    def condition(self) -> str:
        """When a stage runs that does not always run."""
        return f", where {' or '.join(self._stored())} is asked for"

    def _stored(self) -> list[str]:
        return [self._place(store.place) for store in self._stage.stores]

    def _place(self, place: Place) -> str:
        return self._words.place(place, self._times)

    def _known(self) -> dict[int, str]:
        words = {k: name for k in range(len(self._nodes)) if (name := self._words.value(k))}
        for store in reversed(self._stage.stores):
            if not self._nodes[store.node].name or store.node in self._stage.products:
                words[store.node] = self._place(store.place)
        words |= {k: f"sum({self._place(place)})" for k, place in self._stage.totals.items()}
        return words | {k: self._place(place) for k, place in self._stage.reads.items()}

    def _sums(self) -> list[str]:
        lines = []
        for k in sorted(self._stage.products):
            terms = (
                f"{READING.parameter(term.matrix)}{'ᵀ' if term.transposed else ''} {self._place(term.vector)}"
                for term in self._stage.products[k]
            )
            lines.append(f"{self._lines.words[k]} = {' + '.join(terms)}")
        return lines

    def _read(self) -> Iterable[str]:
        order = list(self._words.loop.arrays)
        found = {*self._stage.reads.values(), *self._stage.totals.values()}
        places = sorted(found, key=lambda place: (order.index(place.array), place.block, place.shift))
        return [", ".join(map(self._place, places))] if places else []
