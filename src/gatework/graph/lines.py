"""Values as lines of equations: what has a name, and what would be long to write out again and again."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence

from gatework.graph.graph import Node
from gatework.graph.ops import PRODUCTS, REDUCTIONS, Op
from gatework.graph.text import READING

SHORT = 12
"""Letters up to which a value is written out wherever it is used."""

WIDTH = 110
"""Columns of the terminal that are filled."""

Section = tuple[str, list[str]]
"""A heading, and the lines below it."""


class Lines:
    """Writes nodes as equations.

    `words` are what leaves and named values are called; a value that is used more than once is given a word by `fresh`
    when it comes to its line. `uses` says how often each value is read.
    """

    def __init__(
        self, nodes: Sequence[Node], words: Mapping[int, str], uses: Mapping[int, int], fresh: Callable[[int], str]
    ) -> None:
        self.nodes, self._uses, self._fresh = nodes, uses, fresh
        self.words = dict(words)

    def text(self, k: int, needed: int = 0) -> str:
        """A value by its word, or written out."""
        return READING.term(self.nodes, k, self._word, needed)

    def equations(self, order: Iterable[int]) -> list[str]:
        """A line for every one of these nodes that has a word, or needs one. Operands come before what uses them."""
        return [f"{self.words[k]} = {self._right(k)}" for k in order if self.nodes[k].args and self._has_line(k)]

    def _word(self, k: int) -> str:
        return self.words.get(k, "")

    def _right(self, k: int) -> str:
        node = self.nodes[k]
        if node.op is Op.SPREAD and self.nodes[node.args[0]].op is Op.CONSTANT:
            return self.text(node.args[0])
        return READING.term(self.nodes, k, self._word, root=True)

    def _has_line(self, k: int) -> bool:
        if k not in self.words and self._uses.get(k, 0) > 1 and not self.is_short(k):
            self.words[k] = self._fresh(k)
        return k in self.words

    def is_short(self, k: int) -> bool:
        """Whether a value is as well written out as named."""
        return self.nodes[k].op not in PRODUCTS | REDUCTIONS and len(self._right(k)) <= SHORT


def page(sections: Iterable[Section]) -> str:
    """Sections as text: headings at the margin, lines below them, long ones folded."""
    return "\n\n".join("\n".join([heading, *(fold(line, "  ") for line in lines)]) for heading, lines in sections)


def fold(line: str, indent: str) -> str:
    """A line in as many rows as it needs; those below the first begin behind its equals sign."""
    begin = line.find("= ") + 2
    return textwrap.fill(
        line,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + " " * (begin if begin < WIDTH // 3 else 4),
        break_long_words=False,
        break_on_hyphens=False,
    )
