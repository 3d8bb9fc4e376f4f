"""The network that forecasts: recurrent layers, and a linear read-out of the last output."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from gatework.graph import Cell
from gatework.graph.around import ground
from gatework.layers import Recurrent


class Forecaster(nn.Module):
    """Recurrent layers, then `horizon` numbers from the top layer's output at the end of the window.

    All steps of the horizon are answered at once, from the final state, which has seen the whole window. Dropout acts
    between layers and before the read-out. The read-out starts at zero, so that training starts from the forecast that
    an answer of zero means.
    """

    def __init__(
        self,
        cell: str | Cell,
        inputs: int,
        widths: Sequence[int],
        horizon: int,
        *,
        dropout: float = 0.0,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, inputs, widths, batch_first=True, dropout=dropout, backend=backend)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(widths[-1], horizon)
        nn.init.zeros_(self.readout.weight)
        nn.init.zeros_(self.readout.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Windows (B, L, C) → answers (B, h)."""
        # The last state is the last output; its gradient is one vector, that of all outputs a sequence of zeros.
        _, states = self.recurrent(x)
        answer: Tensor = self.readout(self.dropout(states[-1][0]))
        return answer


def count(cell: Cell, inputs: int, widths: Sequence[int], horizon: int) -> int:
    """The number of trained weights of a `Forecaster`, from the cell's own count.

    >>> from gatework.cells import catalogue
    >>> count(catalogue["gru"], 1, (50, 100), 1)
    53351
    """
    reads = (inputs, *widths[:-1])
    cells = [ground(cell), *[cell] * (len(widths) - 1)]
    layers = sum(one.count(N, H) for one, N, H in zip(cells, reads, widths, strict=True))
    return layers + widths[-1] * horizon + horizon
