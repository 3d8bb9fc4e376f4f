"""What a plan costs, as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gatework.graph.cost import Cost, cost, matrices
from gatework.graph.lines import Section
from gatework.graph.loop import Plan
from gatework.graph.plan_words import Words, layout
from gatework.graph.tally import Part, Sizes
from gatework.graph.text import READING

PARTS: dict[str, Callable[[Cost], Part]] = {
    "inference": lambda one: one.inference,
    "forward": lambda one: one.forward,
    "backward": lambda one: one.backward,
    "d_weights": lambda one: one.weights,
    "d_input": lambda one: one.inputs,
    "d_start": lambda one: one.starts,
}
"""The columns of the tables. The last two are computed where they are asked for."""

Row = tuple[str, ...]
NOTHING, UNITS = "·", "kMGTPE"


def cost_sections(plan: Plan, sizes: Sizes) -> list[Section]:
    """The arrays of a plan, what is multiplied and computed, and what is read and written."""
    found = cost(plan, sizes)
    at = f"B={sizes.B}, T={sizes.T}, N={sizes.N}, H={sizes.H}, {sizes.itemsize} bytes a number"
    arrays = _arrays(plan)
    return [
        ("arrays", table(arrays, left=3)),
        (f"cost at {at}", table(_work(plan, found))),
        ("bytes that are read (r) and written (w)", table(_traffic(found, [name for name, *_ in arrays]))),
        ("a training step", _step(found)),
    ]


def _step(found: Cost) -> list[str]:
    forward, backward = found.forward.flops, found.backward.flops + found.weights.flops
    count = len(found.kept)
    return [
        f"floating-point operations of products: {amount(forward)} forward, {amount(backward)} backward",
        f"where they are asked for: {amount(found.inputs.flops)} for d_input, {amount(found.starts.flops)} for d_start",
        f"kept between the two: {amount(sum(found.kept.values()))} bytes in {count} array{'s' * (count > 1)}",
    ]


def amount(number: int) -> str:
    """A number in three digits.

    >>> amount(0), amount(999), amount(38_400_000), amount(999_999)
    ('0', '999', '38.4M', '1.00M')
    """
    if number < 1000:
        return str(number)
    digits, _, power = f"{number:.2e}".partition("e+")
    thousands, tens = divmod(int(power), 3)
    if thousands > len(UNITS):
        return f"{number:.2e}"
    return f"{float(digits) * 10**tens:.{2 - tens}f}{UNITS[thousands - 1]}"


def table(rows: Sequence[Row], left: int = 1) -> list[str]:
    """Rows in columns, the first ones flush left and the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_cells(row, widths, left)).rstrip() for row in rows]


def _cells(row: Row, widths: Sequence[int], left: int) -> list[str]:
    padded = enumerate(zip(row, widths, strict=True))
    return [text.ljust(width) if k < left else text.rjust(width) for k, (text, width) in padded]


def _arrays(plan: Plan) -> list[Row]:
    """Name, layout and content of every array."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for loop in (plan.forward, plan.backward, plan.inference):
        words = Words(plan, loop)
        for array in loop.arrays.values():
            layouts, contents = found.setdefault(array.name, ({}, {}))
            layouts[layout(array)] = contents[words.holds(array)] = None
    return [(name, *(" or ".join(one) for one in both)) for name, both in found.items()]


def _work(plan: Plan, found: Cost) -> list[Row]:
    parts = [part(found) for part in PARTS.values()]
    shapes = matrices(plan.forward)

    def row(label: str, number: Callable[[Part], int]) -> Row:
        return (label, *(amount(count) if (count := number(part)) else NOTHING for part in parts))

    def of_matrix(key: str) -> Callable[[Part], int]:
        return lambda part: part.products.get(key, 0)

    products = [
        row(f"  {READING.parameter(key):<5} {'×'.join(shape)}", of_matrix(key)) for key, shape in shapes.items()
    ]
    return [
        ("multiply-adds", *PARTS),
        *products,
        row("  of all products", lambda part: part.multiply_adds),
        row("elementwise operations", lambda part: part.operations),
        row("  σ, tanh, exp … among them", lambda part: part.functions),
        row("bytes of packed matrices", lambda part: part.weights),
        row("bytes read", lambda part: sum(part.read.values())),
        row("bytes written", lambda part: sum(part.written.values())),
    ]


def _traffic(found: Cost, arrays: Sequence[str]) -> list[Row]:
    parts = [part(found) for part in PARTS.values()]
    return [("array", *PARTS), *((name, *(_moved(part, name) for part in parts)) for name in arrays)]


def _moved(part: Part, name: str) -> str:
    numbers = [(part.read.get(name, 0), "r"), (part.written.get(name, 0), "w")]
    return " ".join(f"{amount(number)} {letter}" for number, letter in numbers if number) or NOTHING
