"""Equations in words: one walk over the graph, and a table of templates for each notation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """A way to write equations: templates for operations, and words for the leaves and the named values."""

    templates: Mapping[Op, Template]
    parameter: Callable[[str], str]
    number: Callable[[str], str]
    now: Callable[[str], str]
    before: Callable[[str], str]
    brackets: str
    equals: str

    def equations(self, graph: Graph) -> list[str]:
        """One line for each named value, then one for each state that carries another name."""
        lines = [
            f"{self.now(name)}{self.equals}{self._term(graph, k, 0, root=True)}" for name, k in graph.equations.items()
        ]
        for state, k in zip(graph.states, graph.outputs, strict=True):
            if graph.nodes[k].name != state:
                lines.append(f"{self.now(state)}{self.equals}{self._term(graph, k, 0)}")
        return lines

    def _term(self, graph: Graph, k: int, needed: int, *, root: bool = False) -> str:
        node = graph.nodes[k]
        if node.op is Op.CONSTANT:
            text = self.number(shortest(node.value))
            return self.brackets.format(text) if node.value < 0 and needed > SIGNED else text
        leaf = self._leaf(node)
        if leaf:
            return leaf
        if node.name and not root:
            return self.now(node.name)
        template = self.templates[node.op]
        operands = [self._term(graph, arg, binds) for arg, binds in zip(node.args, template.operands, strict=True)]
        text = template.text.format(*operands)
        return self.brackets.format(text) if template.binds < needed else text

    def _leaf(self, node: Node) -> str:
        match node.op:
            case Op.INPUT:
                return self.now(node.name)
            case Op.STATE:
                return self.before(node.name)
            case Op.PARAMETER:
                return self.parameter(node.name)
            case _:
                return ""


def shortest(value: float) -> str:
    """The shortest decimal number that is exactly this one.

    >>> shortest(1.0), shortest(0.1), shortest(1e-05)
    ('1', '0.1', '1e-05')
    """
    return repr(value).removesuffix(".0")
