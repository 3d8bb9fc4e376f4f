"""A cell as back-ends see it: its graph, its plan, and what each of them has made of it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gatework.errors import BackendError
from gatework.graph import Graph
from gatework.graph.build import from_json
from gatework.graph.loop import Plan
from gatework.graph.plan import plan

INFERENCE, FORWARD, BACKWARD = "inference", "forward", "backward"
"""The loops of a plan, by name."""


@dataclass(frozen=True, eq=False)
class Recurrence:
    """A cell with its plan; `made` is for whatever a back-end wants to find again at the next call."""

    graph: Graph
    plan: Plan
    made: dict[object, Any] = field(default_factory=dict)

    @functools.cached_property
    def keys(self) -> tuple[str, ...]:
        """The names of the weights, in the order of the graph."""
        return tuple(parameter.key for parameter in self.graph.parameters)


@functools.lru_cache(maxsize=256)
def recurrence(record: str) -> Recurrence:
    """The cell of a graph's record."""
    graph = from_json(json.loads(record))
    return Recurrence(graph, plan(graph))


def unplanned(core: Callable[[], Graph]) -> str:
    """Why there is no plan for the loop that `core` gives; empty where there is one."""
    try:
        plan(core())
    except BackendError as error:
        return str(error)
    return ""
