"""Drop-ins for `torch.nn.RNN`, `torch.nn.LSTM` and `torch.nn.GRU`.

Same constructor, same `state_dict` (names, order, shapes, values), same results. They differ in what runs
them: the equations of the catalogue, on one of Gatework's back-ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gatework.cells import catalogue
from gatework.errors import UsageError
from gatework.graph import Cell
from gatework.kernels import choose
from gatework.layers.recurrent import States, run_stack


@dataclass(frozen=True)
class TorchLayout:
    """How torch stores a cell's weights: blocks of rows in one matrix, and two biases for every block.

    `blocks` are the equations' names in torch's order. The second bias of a block is added to the first,
    except where `recurrent` names a bias that the equations keep apart, as the candidate of the GRU does.
    """

    cell: str
    blocks: tuple[str, ...]
    recurrent: Mapping[str, str]

    def weights(self, weight_ih: Tensor, weight_hh: Tensor, biases: tuple[Tensor, Tensor] | None) -> dict[str, Tensor]:
        """Torch's tensors under the keys of the equations, without a copy where none is needed."""
        G = len(self.blocks)
        found: dict[str, Tensor] = {}
        for name, W, U in zip(self.blocks, weight_ih.chunk(G), weight_hh.chunk(G), strict=True):
            found[f"W.{name}"], found[f"U.{name}"] = W, U
        H = weight_hh.shape[1]
        zero = weight_hh.new_zeros(G * H)
        first, second = biases or (zero, zero)
        for name, b_ih, b_hh in zip(self.blocks, first.chunk(G), second.chunk(G), strict=True):
            if name in self.recurrent:
                found[f"b.{name}"], found[f"b.{self.recurrent[name]}"] = b_ih, b_hh
            else:
                found[f"b.{name}"] = b_ih + b_hh
        return found


LAYOUTS: dict[str, TorchLayout] = {
    "RNN_TANH": TorchLayout("rnn", ("h",), {}),
    "RNN_RELU": TorchLayout("rnn_relu", ("h",), {}),
    "LSTM": TorchLayout("lstm", ("i", "f", "g", "o"), {}),
    "GRU": TorchLayout("gru", ("r", "z", "n"), {"n": "Un"}),
}
"""Torch's name of the mode → how it stores the weights."""


class TorchCompatible(nn.RNNBase):
    """What the three drop-ins share: torch's parameters, read through a layout, run by a back-end."""

    def __init__(self, mode: str, *args: Any, backend: str = "auto", **kwargs: Any) -> None:
        if kwargs.get("proj_size", 0):
            raise UsageError("A recurrent projection (proj_size) is not supported by this layer yet: leave it out.")
        super().__init__(mode, *args, **kwargs)
        self._layout = LAYOUTS[mode]
        self.cell: Cell = catalogue[self._layout.cell]
        self._backend = choose(backend, self.cell.graph)

    @property
    def kernel(self) -> str:
        """The name of the back-end that runs this layer, on the device and in the type of its weights."""
        return self._backend.pick(next(self.parameters())).name

    def _run(self, x: Tensor, hx: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Check the shapes as torch does, run, and stack the last states as torch does."""
        if isinstance(x, PackedSequence):
            raise UsageError("A PackedSequence is not supported by this layer yet: pad the sequences.")
        if x.dim() not in (2, 3):
            raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {x.dim()}D instead")
        single = x.dim() == 2
        time_first = x.unsqueeze(1) if single else x.transpose(0, 1) if self.batch_first else x
        if time_first.shape[0] == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        begin = self._begin(x, time_first, hx, single=single)
        directions = 2 if self.bidirectional else 1
        output, last = run_stack(
            lambda k, sequence, states: self._backend.run(self.cell.graph, self._weights(k), sequence, states),
            time_first,
            begin,
            directions=directions,
            dropout=self.dropout,
            training=self.training,
        )
        stacked = tuple(torch.stack(states) for states in zip(*last, strict=True))
        if single:
            return output.squeeze(1), tuple(state.squeeze(1) for state in stacked)
        return (output.transpose(0, 1) if self.batch_first else output), stacked

    def _begin(self, x: Tensor, time_first: Tensor, hx: tuple[Tensor, ...] | None, *, single: bool) -> list[States]:
        layers = self.num_layers * (2 if self.bidirectional else 1)
        count = len(self.cell.states)
        if hx is None:
            zeros = time_first.new_zeros(layers, time_first.shape[1], self.hidden_size)
            stacked: tuple[Tensor, ...] = (zeros,) * count
        else:
            for state in hx:
                if state.dim() != x.dim():
                    what = "unbatched 2-D input, hx should be 2-D" if single else "batched 3-D input, hx should be 3-D"
                    raise RuntimeError(f"For {what} but got {state.dim()}-D tensor")
            stacked = tuple(state.unsqueeze(1) for state in hx) if single else hx
        given: Any = stacked if count > 1 else stacked[0]
        batched = time_first.transpose(0, 1) if self.batch_first else time_first
        self.check_forward_args(batched, given, None)
        return [tuple(state[k] for state in stacked) for k in range(layers)]

    def _weights(self, k: int) -> dict[str, Tensor]:
        one = [cast(Tensor, weight) for weight in self.all_weights[k]]
        biases = (one[2], one[3]) if self.bias else None
        return self._layout.weights(one[0], one[1], biases)


class GRU(TorchCompatible):
    """`torch.nn.GRU` on Gatework's back-ends: same arguments, weights and results.

    Initialisation is torch's: every weight uniform between ±1/√H. `backend` chooses what runs it.

    >>> import torch
    >>> ours, theirs = GRU(3, 5, num_layers=2), torch.nn.GRU(3, 5, num_layers=2)
    >>> ours.load_state_dict(theirs.state_dict())
    <All keys matched successfully>
    >>> x = torch.randn(7, 2, 3)
    >>> torch.allclose(ours(x)[0], theirs(x)[0], atol=1e-6)
    True
    """

    def __init__(self, *args: Any, backend: str = "auto", **kwargs: Any) -> None:
        super().__init__("GRU", *args, backend=backend, **kwargs)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `torch.nn.GRU.forward`: returns the output at every step, and `h_n`."""
        output, (h_n,) = self._run(input, None if hx is None else (hx,))
        return output, h_n


class RNN(TorchCompatible):
    """`torch.nn.RNN` on Gatework's back-ends: same arguments, weights and results.

    Initialisation is torch's: every weight uniform between ±1/√H. `backend` chooses what runs it.
    """

    def __init__(self, *args: Any, backend: str = "auto", nonlinearity: str = "tanh", **kwargs: Any) -> None:
        if len(args) > 3:  # torch.nn.RNN takes nonlinearity as its fourth positional argument
            args, nonlinearity = (*args[:3], *args[4:]), args[3]
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self.nonlinearity = nonlinearity
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, backend=backend, **kwargs)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As `torch.nn.RNN.forward`: returns the output at every step, and `h_n`."""
        output, (h_n,) = self._run(input, None if hx is None else (hx,))
        return output, h_n


class LSTM(TorchCompatible):
    """`torch.nn.LSTM` on Gatework's back-ends: same arguments, weights and results.

    Initialisation is torch's: every weight uniform between ±1/√H, the forget bias included;
    `Recurrent("lstm", …)` starts it at one. `backend` chooses what runs it.
    """

    def __init__(self, *args: Any, backend: str = "auto", **kwargs: Any) -> None:
        super().__init__("LSTM", *args, backend=backend, **kwargs)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As `torch.nn.LSTM.forward`: returns the output at every step, and `(h_n, c_n)`."""
        output, (h_n, c_n) = self._run(input, hx)
        return output, (h_n, c_n)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """As torch's LSTM: both states are checked."""
        nn.LSTM.check_forward_args(cast(nn.LSTM, self), input, hidden, batch_sizes)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """As torch's LSTM."""
        return nn.LSTM.get_expected_cell_size(cast(nn.LSTM, self), input, batch_sizes)
