"""Drop-ins for `torch.nn.RNN`, `torch.nn.LSTM` and `torch.nn.GRU`.

Same constructor, same `state_dict` (names, order, shapes, values), same results, also for packed sequences. They
differ in what runs them: the equations of the catalogue, on one of Gatework's back-ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from gatework.cells import catalogue
from gatework.graph import Cell, Graph
from gatework.graph.around import valid
from gatework.kernels import choose
from gatework.kernels.dispatch import Choice
from gatework.kernels.torch_layout import LAYOUTS
from gatework.layers.packed import Padding
from gatework.layers.projection import product
from gatework.layers.recurrent import States, run_stack

S = TypeVar("S", Tensor, PackedSequence)


class TorchCompatible(nn.RNNBase):
    """What the three drop-ins share: torch's parameters, read through a layout, run by a back-end."""

    def __init__(self, mode: str, *args: Any, backend: str = "auto", **kwargs: Any) -> None:
        super().__init__(mode, *args, **kwargs)
        if self.proj_size and mode != "LSTM":
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        self._layout = LAYOUTS[mode]
        self._backend_name = backend
        self.cell: Cell = catalogue[self._layout.cell]
        self._backend = choose(backend, self.cell.graph)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What runs it is chosen anew: it may have come to another machine."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.__dict__.pop("_ending", None)
        self._backend = choose(self._backend_name, self.cell.graph)

    @property
    def kernel(self) -> str:
        """The name of the back-end that runs this layer, on the device and in the type of its weights."""
        return self._backend.pick(next(self.parameters())).name

    @cached_property
    def _ending(self) -> tuple[Graph, Choice]:
        """The graph for sequences that end before others, and what runs it."""
        graph = valid(self.cell.graph)
        return graph, choose(self._backend_name, graph)

    def _run(self, x: Tensor | PackedSequence, hx: States | None) -> tuple[Any, States]:
        """Check the shapes as torch does, run, and stack the last states as torch does."""
        if isinstance(x, PackedSequence):
            return self._run_packed(x, hx)
        if x.dim() not in (2, 3):
            raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {x.dim()}D instead")
        single = x.dim() == 2
        time_first = x.unsqueeze(1) if single else x.transpose(0, 1) if self.batch_first else x
        if time_first.shape[0] == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        if hx is not None:
            for state in hx:
                if state.dim() != x.dim():
                    what = "unbatched 2-D input, hx should be 2-D" if single else "batched 3-D input, hx should be 3-D"
                    raise RuntimeError(f"For {what} but got {state.dim()}-D tensor")
        given = tuple(state.unsqueeze(1) for state in hx) if hx is not None and single else hx
        begin = self._begin(time_first, given)
        self._check(time_first.transpose(0, 1) if self.batch_first else time_first, begin, None)
        output, last = self._along(time_first, begin, given=hx is not None)
        if single:
            return output.squeeze(1), tuple(state.squeeze(1) for state in last)
        return (output.transpose(0, 1) if self.batch_first else output), last

    def _run_packed(self, x: PackedSequence, hx: States | None) -> tuple[PackedSequence, States]:
        """As `_run`: padded, with masks where sequences end, and packed again; states are in the caller's order."""
        padding = Padding(x.batch_sizes, x.data.device)
        begin = self._begin(x.data.new_empty(0, padding.batch, 0), hx)
        self._check(x.data, begin, x.batch_sizes)
        ordered = begin if hx is None else _ordered(begin, x.sorted_indices)
        output, last = self._along(padding.pad(x.data), ordered, given=hx is not None, padding=padding)
        packed = PackedSequence(padding.pack(output), x.batch_sizes, x.sorted_indices, x.unsorted_indices)
        return packed, _ordered(last, x.unsorted_indices)

    def _along(self, x: Tensor, begin: States, *, given: bool, padding: Padding | None = None) -> tuple[Tensor, States]:
        """Run all layers along (T, B, N), from states that were `given` or are zero; states are stacked as torch's."""
        mask = padding.valid(x.dtype) if padding else None

        def run(k: int, sequence: Tensor, states: States) -> tuple[Tensor, States]:
            if self.proj_size:
                return self._project(k, sequence, states, mask, given=given)
            return self._run_layer(self._weights(k), sequence, states, mask)

        output, last = run_stack(
            run,
            x,
            list(zip(*begin, strict=True)),
            directions=2 if self.bidirectional else 1,
            dropout=self.dropout,
            training=self.training,
            mirror=padding.mirror if padding else lambda one: one.flip(0),
        )
        return output, tuple(torch.stack(states) for states in zip(*last, strict=True))

    def _run_layer(
        self, weights: Mapping[str, Tensor], x: Tensor, states: States, mask: Tensor | None
    ) -> tuple[Tensor, States]:
        """One layer in one direction; where `mask`, (T, B, 1), is zero, states stay."""
        if mask is None:
            return self._backend.run(self.cell.graph, weights, x, states)
        graph, backend = self._ending
        return backend.run(graph, weights, x, states, [mask.expand(-1, -1, self.hidden_size)])

    def _project(self, k: int, x: Tensor, states: States, mask: Tensor | None, *, given: bool) -> tuple[Tensor, States]:
        """One layer in one direction with a projection: h = W_hr m, where m is the h of the cell itself.

        The loop carries m. What multiplies h multiplies m as `W_hh @ W_hr`, and the outputs are projected together
        after it. An h that is given need not be the projection of any m: the first step, which no sequence lacks, takes
        it as it is.
        """
        _, W_hh, *_, W_hr = self._stored(k)
        first = F.pad(states[0], (0, self.hidden_size - self.proj_size))
        pieces = []
        if given:
            wide = F.pad(W_hh, (0, self.hidden_size - self.proj_size))
            piece, states = self._run_layer(self._weights(k, wide), x[:1], (first, *states[1:]), None)
            pieces.append(piece)
            x, mask = x[1:], None if mask is None else mask[1:]
        else:
            states = (first, *states[1:])
        if x.shape[0]:
            piece, states = self._run_layer(self._weights(k, product(W_hh, W_hr)), x, states, mask)
            pieces.append(piece)
        output = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        return product(output, W_hr.mT), (product(states[0], W_hr.mT), *states[1:])

    def _begin(self, x: Tensor, given: States | None) -> States:
        """The states before the first step, (layers · directions, B, size) each: those that are given, or zeros."""
        if given is not None:
            return given
        layers = self.num_layers * (2 if self.bidirectional else 1)
        sizes = [self.proj_size or self.hidden_size, *[self.hidden_size] * (len(self.cell.states) - 1)]
        return tuple(x.new_zeros(layers, x.shape[1], size) for size in sizes)

    def _check(self, x: Tensor, begin: States, batch_sizes: Tensor | None) -> None:
        """Raise what torch raises where shapes do not fit."""
        given: Any = begin if len(self.cell.states) > 1 else begin[0]
        self.check_forward_args(x, given, batch_sizes)

    def _stored(self, k: int) -> list[Tensor]:
        """Torch's weights of layer k, counted with its directions."""
        return [cast(Tensor, weight) for weight in self.all_weights[k]]

    def _weights(self, k: int, recurrent: Tensor | None = None) -> dict[str, Tensor]:
        """The weights of layer k under the keys of the equations; `recurrent` stands for its recurrent matrix."""
        one = self._stored(k)
        biases = (one[2], one[3]) if self.bias else None
        return self._layout.weights(one[0], one[1] if recurrent is None else recurrent, biases)


def _ordered(states: States, order: Tensor | None) -> States:
    """Stacked states with their sequences in another order."""
    return states if order is None else tuple(state.index_select(1, order) for state in states)


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

    def forward(self, input: S, hx: Tensor | None = None) -> tuple[S, Tensor]:
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

    def forward(self, input: S, hx: Tensor | None = None) -> tuple[S, Tensor]:
        """As `torch.nn.RNN.forward`: returns the output at every step, and `h_n`."""
        output, (h_n,) = self._run(input, None if hx is None else (hx,))
        return output, h_n


class LSTM(TorchCompatible):
    """`torch.nn.LSTM` on Gatework's back-ends: same arguments, weights and results.

    Initialisation is torch's: every weight uniform between ±1/√H, the forget bias included;
    `Recurrent("lstm", …)` starts it at one. `backend` chooses what runs it.

    With `proj_size` the products in the loop are H × H, as wide as without a projection, where torch's are H × P and
    P × H; the outputs are projected together after it.

    >>> import torch
    >>> output, (h_n, c_n) = LSTM(3, 8, proj_size=2)(torch.zeros(7, 4, 3))
    >>> output.shape, h_n.shape, c_n.shape
    (torch.Size([7, 4, 2]), torch.Size([1, 4, 2]), torch.Size([1, 4, 8]))
    """

    def __init__(self, *args: Any, backend: str = "auto", **kwargs: Any) -> None:
        super().__init__("LSTM", *args, backend=backend, **kwargs)

    def forward(self, input: S, hx: tuple[Tensor, Tensor] | None = None) -> tuple[S, tuple[Tensor, Tensor]]:
        """As `torch.nn.LSTM.forward`: returns the output at every step, and `(h_n, c_n)`."""
        output, (h_n, c_n) = self._run(input, hx)
        return output, (h_n, c_n)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """As torch's LSTM: both states are checked."""
        nn.LSTM.check_forward_args(cast(nn.LSTM, self), input, hidden, batch_sizes)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """As torch's LSTM."""
        return nn.LSTM.get_expected_cell_size(cast(nn.LSTM, self), input, batch_sizes)
