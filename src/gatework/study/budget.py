"""Equal parameters: the widths at which a cell spends a budget, solved from the cell's own count."""

from __future__ import annotations

from itertools import product

from gatework.errors import UsageError
from gatework.graph import Cell
from gatework.tasks.forecaster import count

TOLERANCE = 0.01
"""How far from the budget a network may be; where no widths come as near, the nearest are taken."""

_LARGEST_UNEVENNESS = 10


def widths_for(cell: Cell, inputs: int, horizon: int, budget: int, depth: int) -> tuple[int, ...]:
    """The widths of `depth` layers whose forecaster has about `budget` trained weights.

    Equal widths where they come within one per cent of the budget, else the least uneven that do, else the nearest:
    one unit more in every layer is a step of some per cent, so that a budget is met by widening one layer only.

    Raises `UsageError` where not even layers of one unit fit.

    >>> from gatework.cells import catalogue
    >>> widths_for(catalogue["lstm"], inputs=1, horizon=1, budget=20_000, depth=2)
    (45, 35)
    """
    smallest = count(cell, inputs, (1,) * depth, horizon)
    if smallest > budget:
        raise UsageError(
            f"{budget} parameters are too few: {cell.name} in {depth} layers with {inputs} inputs needs at least "
            f"{smallest}."
        )

    def error(widths: tuple[int, ...]) -> float:
        return abs(count(cell, inputs, widths, horizon) - budget) / budget

    base = _even_width(cell, inputs, horizon, budget, depth)
    around = [tuple(max(1, base + d) for d in change) for change in _changes(depth)]
    if cell.graph.below:  # its layers are of one width
        around = [widths for widths in around if len(set(widths)) == 1]
    near = [widths for widths in around if error(widths) <= TOLERANCE]
    if not near:
        return min(around, key=lambda widths: (error(widths), widths))
    return min(near, key=lambda widths: (max(widths) - min(widths), error(widths), widths))


def _even_width(cell: Cell, inputs: int, horizon: int, budget: int, depth: int) -> int:
    """The largest width of equal layers that keeps within the budget, by bisection."""
    low, high = 1, 2
    while count(cell, inputs, (high,) * depth, horizon) <= budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if count(cell, inputs, (middle,) * depth, horizon) <= budget:
            low = middle
        else:
            high = middle
    return low


def _changes(depth: int) -> list[tuple[int, ...]]:
    """Changes of width, of the first two layers alone where there are more."""
    span = range(-_LARGEST_UNEVENNESS, _LARGEST_UNEVENNESS + 1)
    uneven = [(*change, *(0,) * (depth - len(change))) for change in product(span, repeat=min(depth, 2))]
    return [*uneven, *((shift,) * depth for shift in (-1, 0, 1))]
