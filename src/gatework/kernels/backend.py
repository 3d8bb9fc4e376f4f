"""What a back-end is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from gatework.graph import Graph

Ran = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
"""The first state and those that are shown after every step, and all states after the last one."""


class Backend(Protocol):
    """What runs graphs."""

    @property
    def name(self) -> str:
        """What users call it."""

    def refusal(self, graph: Graph) -> str:
        """Why it cannot run this graph; empty where it can."""

    def ready(self, graph: Graph) -> None:
        """Have at hand what running this graph asks of it, before anything traces that."""

    def unfit(self, x: Tensor) -> str:
        """Why it cannot run on this tensor's device, or with its type; empty where it can."""

    def trajectory(
        self,
        graph: Graph,
        parameters: Mapping[str, Tensor],
        x: Tensor,
        states: tuple[Tensor, ...],
        others: Sequence[Tensor] = (),
    ) -> Ran:
        """Run the cell along (T, B, N)."""
