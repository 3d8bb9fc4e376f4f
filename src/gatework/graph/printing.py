"""Equations in words: one walk over the graph, and a table of templates for each notation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gatework.graph.graph import Graph, Node
from gatework.graph.ops import Op

SIGNED, SUM, APPLIED, PRODUCT, FACTOR, ATOM = range(6)
"""How tightly a term holds together: a looser one is put in brackets inside a tighter one.

A signed term stands alone or first in a sum; a matrix applied to a vector stands in a sum, not in a product.
"""


@dataclass(frozen=True, slots=True)
class Template:
    """How an operation is written: its text, how tightly it holds, and how tightly its operands must."""

    text: str
    binds: int
    operands: tuple[int, ...]


def infix(symbol: str, binds: int, left: int, right: int) -> Template:
    """An operation between its operands."""
    return Template(f"{{}}{symbol}{{}}", binds, (left, right))


def call(text: str, arity: int = 1) -> Template:
    """A function: its template holds the brackets."""
    return Template(text, ATOM, (0,) * arity)


@dataclass(frozen=True)
class Notation:
    """A way to write equations: templates for operations, and words for the leaves and the named values.

    `square` is how a value times itself is written, where that is not a product like any other.
    """

    templates: Mapping[Op, Template]
    parameter: Callable[[str], str]
    number: Callable[[str], str]
    now: Callable[[str], str]
    before: Callable[[str], str]
    brackets: str
    equals: str
    square: str = ""

    def equations(self, graph: Graph) -> list[str]:
        """One line for each named value, then one for each state that carries another name."""

        def term(k: int, *, root: bool) -> str:
            return self.term(graph.nodes, k, lambda one: self.name(graph.nodes[one]), root=root)

        lines = [f"{self.now(name)}{self.equals}{term(k, root=True)}" for name, k in graph.equations.items()]
        for state, k in zip(graph.states, graph.outputs, strict=True):
            if graph.nodes[k].name != state:
                lines.append(f"{self.now(state)}{self.equals}{term(k, root=False)}")
        return lines

    def name(self, node: Node) -> str:
        """The word for a leaf or for a value with a name; empty for a number and for a value without one."""
        match node.op:
            case Op.STATE:
                return self.before(node.name)
            case Op.PARAMETER:
                return self.parameter(node.name)
            case Op.SIZE | Op.ACCUMULATED | Op.LOADED:
                return node.name
            case _:
                return self.now(node.name) if node.name else ""

    def term(
        self, nodes: Sequence[Node], k: int, word: Callable[[int], str], needed: int = 0, *, root: bool = False
    ) -> str:
        """A value in words, in brackets where it holds together less tightly than is needed.

        `word` gives the word for a value, or nothing: then the value is written out, as is the one at the `root`.
        """
        node = nodes[k]
        if node.op is Op.CONSTANT:
            text = self.number(shortest(node.value))
            return self.brackets.format(text) if node.value < 0 and needed > SIGNED else text
        if not (root and node.args) and (known := word(k)):
            return known
        template, args = self.templates[node.op], node.args
        if self.square and node.op is Op.MULTIPLY and args[0] == args[1]:
            template, args = Template(self.square, FACTOR, (ATOM,)), args[:1]
        operands = [self.term(nodes, arg, word, b) for arg, b in zip(args, template.operands, strict=True)]
        text = template.text.format(*operands)
        return self.brackets.format(text) if template.binds < needed else text


def shortest(value: float) -> str:
    """The shortest decimal number that is exactly this one.

    >>> shortest(1.0), shortest(0.1), shortest(1e-05)
    ('1', '0.1', '1e-05')
    """
    return repr(value).removesuffix(".0")
