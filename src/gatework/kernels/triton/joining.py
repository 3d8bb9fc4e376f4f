"""How two steps of a scan are one: which of the functions in Triton joins them, and what it takes of each."""

from __future__ import annotations

from collections.abc import Sequence

from gatework.graph.affine import System
from gatework.graph.graph import Node
from gatework.graph.ops import Op

IDENTITY = {
    "affine": ("1.0",),
    "affine_pair": ("1.0", "0.0", "0.0", "1.0"),
    "turning": ("1.0", "0.0"),
    "summed": (),
    "replaced": (),
    "least": ("0.0",),
    "most": ("0.0",),
}
"""The functions that join two steps, and the factors of a step that changes nothing."""

NEUTRAL = {"least": "float('inf')", "most": "-float('inf')"}
"""The offset of such a step, where it is not zero."""


def joint(nodes: Sequence[Node], system: System) -> str:
    """The function that joins two steps of a system."""
    if not system.matrix:
        return "replaced"
    if system.join is not Op.ADD:
        return "least" if system.join is Op.MINIMUM else "most"
    if len(system.matrix) == 1:
        return "summed" if _is_one(nodes, system.matrix[0][0]) else "affine"
    return "turning" if _turns(nodes, system) else "affine_pair"


def _is_one(nodes: Sequence[Node], k: int | None) -> bool:
    return k is not None and nodes[k].op is Op.CONSTANT and nodes[k].value == 1.0


def _turns(nodes: Sequence[Node], system: System) -> bool:
    """Whether a pair is multiplied as the two parts of a complex number are."""
    (real, minus), (plus, same) = system.matrix
    return real == same and (_is_negative(nodes, minus, plus) or _is_negative(nodes, plus, minus))


def _is_negative(nodes: Sequence[Node], k: int | None, other: int | None) -> bool:
    return k is not None and nodes[k].op is Op.NEGATE and nodes[k].args[0] == other


def factors(combine: str, matrix: Sequence[Sequence[str]]) -> list[str]:
    """What a function that joins two steps takes of a matrix."""
    if combine == "turning":
        return [matrix[0][0], matrix[1][0]]
    return [] if combine == "summed" else [one for row in matrix for one in row]
