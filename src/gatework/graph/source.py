"""A cell as the Python file that defines it: what was found is written down, read, and used like any other cell."""

from __future__ import annotations

import json
import keyword
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gatework.errors import EquationError
from gatework.graph import expression as language
from gatework.graph.cell import Cell
from gatework.graph.graph import Graph
from gatework.graph.naming import Names
from gatework.graph.ops import LEAVES, Op
from gatework.graph.printing import FACTOR, PRODUCT, SUM, Notation, Template, call, infix, shortest
from gatework.graph.weights import Weight

TEMPLATES: dict[Op, Template] = {
    Op.MATMUL: infix(" @ ", PRODUCT, FACTOR, FACTOR),
    Op.ADD: infix(" + ", SUM, SUM, PRODUCT),
    Op.SUBTRACT: infix(" - ", SUM, SUM, PRODUCT),
    Op.MULTIPLY: infix(" * ", PRODUCT, PRODUCT, FACTOR),
    Op.DIVIDE: infix(" / ", PRODUCT, PRODUCT, FACTOR),
    Op.NEGATE: Template("-{}", FACTOR, (FACTOR,)),
    Op.MAXIMUM: call("maximum({}, {})", 2),
    Op.MINIMUM: call("minimum({}, {})", 2),
    Op.SIGMOID: call("sigmoid({})"),
    Op.TANH: call("tanh({})"),
    Op.RELU: call("relu({})"),
    Op.SOFTPLUS: call("softplus({})"),
    Op.EXP: call("exp({})"),
    Op.LOG: call("log({})"),
    Op.SQRT: call("sqrt({})"),
    Op.ABS: call("absolute({})"),
    Op.COS: call("cos({})"),
    Op.SIN: call("sin({})"),
    Op.FLOOR: call("floor({})"),
    Op.MEAN: call("mean({})"),
    Op.SUM: call("total({})"),
    Op.STANDARD: call("standard({})"),
}
"""Operations as Python reads them: brackets wherever another order would be another computation."""

_TAKEN = frozenset({"cell", "fixed", "diagonal_blocks", "upper_blocks", *keyword.kwlist, *language.__all__})
"""Names that no equation of a file may have."""

_HEAD = '''"""{title}"""

from gatework.graph import {words}
'''


def source(cells: Sequence[Cell], title: str) -> str:
    """A Python file that defines these cells, each under its name, which has to be one of Python's.

    The equations are the same, operation for operation; a value that is used twice gets a name where it has none.
    Raises `EquationError` where a cell cannot be written: a weight that starts by a recipe, or a name that is none.

    >>> from gatework.cells import catalogue
    >>> print(source([catalogue["mgu"]], "One gate."))
    \"\"\"One gate.\"\"\"
    <BLANKLINE>
    from gatework.graph import U, W, b, cell, sigmoid, tanh
    <BLANKLINE>
    <BLANKLINE>
    @cell(source="Zhou, Wu, Zhang & Zhou 2016, arXiv:1603.09420")
    def mgu(x, h):
        \"\"\"Minimal gated unit: one gate both forgets and updates.\"\"\"
        f = sigmoid(W.f @ x + U.f @ h + b.f)
        n = tanh(W.n @ x + U.n @ (f * h) + b.n)
        h = (1 - f) * h + f * n
        return h
    <BLANKLINE>
    """
    used = {word for one in cells for word in _imports(one.graph)}
    masks = [weight.mask.kind for one in cells for weight in one.weights.values() if weight.mask]
    fixed = ["fixed"] if any(weight.fixed for one in cells for weight in one.weights.values()) else []
    declared = sorted({*fixed, *(f"{kind}_blocks" for kind in masks)})
    head = _HEAD.format(title=_plain(title), words=", ".join(sorted({"cell", *used}, key=_isort)))
    more = f"from gatework.graph.weights import {', '.join(declared)}\n" if declared else ""
    return "\n\n".join([head + more, *(_definition(one) for one in cells)])


def _isort(word: str) -> tuple[bool, str]:
    return not word.isupper(), word


def _imports(graph: Graph) -> set[str]:
    """The words of the language that a graph needs."""
    found = {node.name[0] for node in graph.nodes if node.op is Op.PARAMETER}
    texts = {TEMPLATES[node.op].text for node in graph.nodes if node.op in TEMPLATES}
    return found | {text.partition("(")[0] for text in texts if text[0].isalpha()}


def _definition(cell: Cell) -> str:
    graph = _named(cell.graph)
    if not cell.name.isidentifier() or cell.name in _TAKEN:
        raise EquationError(f"the cell {cell.name} cannot be written to a file: its name is none of Python's")
    lines, again = _lines(graph)
    said = [f"source={_quoted(cell.source)}"] if cell.source else []
    said += ["square=True"] if graph.square else []
    starts = [f"{_quoted(key)}: {_weight(cell, key, weight)}" for key, weight in cell.weights.items()]
    said += [f"weights={{{', '.join(starts)}}}"] if starts else []
    others = ["*", *graph.inputs[1:]] if graph.inputs[1:] else []
    body = [
        f'"""{_plain(cell.title or cell.name)}."""',
        *(f"{old} = {state}" for state, old in again.items()),
        *lines,
        f"return {', '.join(graph.nodes[k].name for k in graph.outputs)}",
    ]
    decorator = f"@cell({', '.join(said)})" if said else "@cell"
    arguments = ", ".join([graph.inputs[0], *graph.states, *others])
    return "\n".join([decorator, f"def {cell.name}({arguments}):", *(f"    {line}" for line in body), ""])


def _named(graph: Graph) -> Graph:
    """The graph with a name for every new state and every value that is used twice, and none that Python has taken."""
    names = Names([*graph.inputs, *graph.states, *_TAKEN, *graph.equations])
    uses = Counter(arg for node in graph.nodes for arg in node.args)
    nodes = list(graph.nodes)
    for k, node in enumerate(nodes):
        if node.op in LEAVES:
            continue
        if k in graph.outputs and not node.name:
            state = graph.states[graph.outputs.index(k)]
            nodes[k] = replace(node, name=state if state not in graph.equations else names.next("v"))
        elif node.name in _TAKEN:
            nodes[k] = replace(node, name=names.give(f"{node.name}_"))
        elif not node.name and uses[k] > 1:
            nodes[k] = replace(node, name=names.next("v"))
    return Graph(tuple(nodes), graph.states, graph.outputs, graph.inputs, graph.masks)


def _lines(graph: Graph) -> tuple[list[str], dict[str, str]]:
    """An equation a line; and for states whose old value is read after the new one is there, a name for the old."""
    written, again = set[str](), set[str]()
    for name, k in graph.equations.items():
        again |= _states_in(graph, k) & written
        written |= {name} & set(graph.states)
    names = Names([*graph.inputs, *graph.states, *_TAKEN, *graph.equations])
    old = {state: names.give(f"{state}_before") for state in graph.states if state in again}
    notation = Notation(
        TEMPLATES,
        parameter=str,
        number=str,
        now=str,
        before=lambda state: old.get(state, state),
        brackets="({})",
        equals=" = ",
    )
    return notation.equations(graph)[: len(graph.equations)], old


def _states_in(graph: Graph, root: int) -> set[str]:
    """The states that an equation itself reads, through values without a name."""
    found, stack = set[str](), list(graph.nodes[root].args)
    while stack:
        node = graph.nodes[stack.pop()]
        if node.op is Op.STATE:
            found.add(node.name)
        elif not node.name:
            stack.extend(node.args)
    return found


def _weight(cell: Cell, key: str, weight: Weight) -> str:
    """What is declared of a weight, as it is written."""
    if callable(weight.start):
        raise EquationError(
            f"the cell {cell.name} cannot be written to a file: its weight {key} starts by a recipe, {weight.start}"
        )
    start = "" if weight.start is None else shortest(float(weight.start))
    if weight.fixed and weight.mask:
        raise EquationError(f"the cell {cell.name} cannot be written to a file: its fixed weight {key} has blocks")
    if weight.fixed:
        return f"fixed({start})"
    if weight.mask:
        return f"{weight.mask.kind}_blocks({', '.join(filter(None, (str(weight.mask.blocks), start)))})"
    return start or "None"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _plain(text: str) -> str:
    """A sentence that may stand between quotation marks."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())
