"""A recurrent projection around any cell: its output, and what its matrices read of it, have fewer entries (Sak,
Senior & Beaufays 2014, arXiv:1402.1128).

The output is `U.project @ h`, P entries of H, and a matrix `U.k` that multiplies h multiplies these instead: it is
(H, P). So it is the cell itself with `U.k @ U.project` in the place of such a matrix; what reads h entry by entry, as
the GRU's update, reads all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gatework.errors import UsageError
from gatework.graph import Cell, Parameter
from gatework.graph.ops import Op

PROJECT = "U.project"
"""The key of the projection's matrix, (P, H)."""


@dataclass(frozen=True)
class Projection:
    """Which matrices of a cell read P entries.

    Raises `UsageError` where one of them multiplies something else too, or is fixed, or is cut into blocks.
    """

    cell: Cell
    size: int

    def __post_init__(self) -> None:
        elsewhere = {matrix for matrix, first in self._read if not first}
        if PROJECT in {one.key for one in self.cell.graph.parameters}:
            raise UsageError(f"{self.cell.name} has a {PROJECT} of its own: proj_size makes one of that name.")
        for key in self.keys:
            declared = self.cell.weight(key)
            if key in elsewhere or declared.fixed or declared.mask:
                why = (
                    "multiplies something else too" if key in elsewhere else "is fixed" if declared.fixed else "is cut"
                )
                raise UsageError(f"{self.cell.name} takes no proj_size: its weight {key}, which reads h, {why}.")

    @property
    def _read(self) -> list[tuple[str, bool]]:
        """The matrix of every product, and whether it multiplies the first state."""
        nodes, state = self.cell.graph.nodes, self.cell.states[0]
        vectors = [(nodes[one.args[0]].name, nodes[one.args[1]]) for one in nodes if one.op is Op.MATMUL]
        return [(matrix, vector.op is Op.STATE and vector.name == state) for matrix, vector in vectors]

    @cached_property
    def keys(self) -> frozenset[str]:
        """The matrices that multiply the first state."""
        return frozenset(matrix for matrix, first in self._read if first)

    def sizes(self, one: Parameter, N: int, H: int) -> tuple[int, ...]:
        """The shape of a weight for `N` inputs and `H` units."""
        return (H, self.size) if one.key in self.keys else one.sizes(N, H)

    def folded(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights as the cell's equations read them, all with H columns."""
        return {key: product(one, weights[PROJECT]) if key in self.keys else one for key, one in weights.items()}


def product(matrix: Tensor, project: Tensor) -> Tensor:
    """A matrix, (…, P), times a projection, (P, H), in the type of both: autocast would make it a coarser one."""
    with torch.autocast(matrix.device.type, enabled=False):
        return matrix @ project
