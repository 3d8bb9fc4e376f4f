"""What every side of a comparison offers: whether it can run a cell, and the cell ready to run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from torch import Tensor

from gatework.bench.case import Case
from gatework.graph import Cell

FORWARD, TRAINING = "forward", "training"
MODES = (FORWARD, TRAINING)
"""A forward pass without gradients; and a training step: forward, backward, the gradients of all weights."""


@dataclass(frozen=True)
class Results:
    """What a side computed: the output, (T, B, H), and the gradients under the names of the case's weights.

    `gradients` holds `"x"` too where the case asks for it, and is empty for a side that has no training step.
    """

    output: Tensor
    gradients: Mapping[str, Tensor]


@dataclass(frozen=True)
class Runner:
    """A side made ready for one case: `calls` holds what is timed for each mode, `results` computes once and converts.

    `kernel` says what runs it.
    """

    kernel: str
    calls: Mapping[str, Callable[[], object]]
    results: Callable[[], Results]


class Side(ABC):
    """Somebody's recurrent layer.

    `title` is what tables explain the name with; `packages` are what has to be installed. A side that is
    `bound_to_shape` compiles for one shape only; `patience` are the seconds that it may take for that, None for any.
    """

    name: str
    title: str
    packages: tuple[str, ...] = ()
    bound_to_shape = False
    patience: float | None = None

    def missing(self) -> str:
        """What keeps the side from running here; empty where nothing does."""
        absent = [one for one in self.packages if find_spec(one) is None]
        return f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not installed" if absent else ""

    @abstractmethod
    def refusal(self, cell: Cell, dtype: str) -> str:
        """Why the side does not run this cell; empty where it does."""

    @abstractmethod
    def build(self, case: Case) -> Runner:
        """The cell with the weights of the case."""
