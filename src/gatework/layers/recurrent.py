"""Any cell as a torch layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.cells import find
from gatework.errors import UsageError
from gatework.graph import Cell
from gatework.kernels import Reference, choose

States = tuple[Tensor, ...]
"""The states of one layer in one direction: (B, H) each."""


class RecurrentLayer(nn.Module):
    """One cell, one layer, one direction: the weights, and the recurrence over time.

    The weights carry the names of the equations: `W.f` of the equations is the parameter `W_f`, and so on.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        *,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.input_size = input_size
        self.hidden_size = hidden_size
        self._backend = choose(backend, cell.graph)
        for parameter in cell.graph.parameters:
            empty = torch.empty(parameter.sizes(input_size, hidden_size), device=device, dtype=dtype)
            self.register_parameter(parameter.key.replace(".", "_", 1), nn.Parameter(empty))
        self.reset_parameters()

    @property
    def kernel(self) -> str:
        """The name of the back-end that runs this layer, on the device and in the type of its weights."""
        return self._backend.pick(next(self.parameters())).name

    def weights(self) -> dict[str, Tensor]:
        """The weights under the keys of the equations, `"W.f"`."""
        return {one.key: getattr(self, one.key.replace(".", "_", 1)) for one in self.cell.graph.parameters}

    def reset_parameters(self) -> None:
        """Start anew.

        Input matrices: uniform, variance 2 / (N + H) (Glorot & Bengio 2010). Recurrent matrices: orthogonal
        (Saxe, McClelland & Ganguli 2014). Biases: what the cell says, else zero; the forget gates of `lstm`
        and `cifg` start at one (Jozefowicz, Zaremba & Sutskever 2015). Diagonal weights: zero.
        """
        with torch.no_grad():
            for parameter in self.cell.graph.parameters:
                weight = getattr(self, parameter.key.replace(".", "_", 1))
                if parameter.kind == "W":
                    nn.init.xavier_uniform_(weight)
                elif parameter.kind == "U":
                    # In single precision at least: torch orthogonalises no half-precision matrix.
                    exact = torch.promote_types(weight.dtype, torch.float32)
                    weight.copy_(nn.init.orthogonal_(torch.empty_like(weight, dtype=exact)))
                else:
                    weight.fill_(self.cell.bias.get(parameter.name, 0.0) if parameter.kind == "b" else 0.0)

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Run along `x`, (T, B, N): returns the first state at every step, (T, B, H), and the last states."""
        return self._backend.run(self.cell.graph, self.weights(), x, states)

    def extra_repr(self) -> str:
        """The words inside the brackets of `print(layer)`."""
        return f"{self.cell.name}, {self.input_size}, {self.hidden_size}, kernel={self.kernel}"


def _is_size(size: object) -> bool:
    return isinstance(size, Integral) and int(size) > 0


Runner = Callable[[int, Tensor, States], tuple[Tensor, States]]
"""Runs layer k (counted with its directions) along (T, B, N)."""


def run_stack(
    run: Runner,
    x: Tensor,
    states: Sequence[States],
    *,
    directions: int,
    dropout: float,
    training: bool,
) -> tuple[Tensor, list[States]]:
    """Run layers on top of each other, both directions side by side, with dropout between layers.

    `x` is (T, B, N); `states` has one entry for each layer and direction, in torch's order: layer 0 forward,
    layer 0 backward, layer 1 forward, …
    """
    last: list[States] = []
    layers = len(states) // directions
    for layer in range(layers):
        outputs = []
        for direction in range(directions):
            k = layer * directions + direction
            sequence = x.flip(0) if direction else x
            output, final = run(k, sequence, states[k])
            outputs.append(output.flip(0) if direction else output)
            last.append(final)
        x = outputs[0] if directions == 1 else torch.cat(outputs, dim=-1)
        if dropout and layer < layers - 1:
            x = F.dropout(x, dropout, training)
    return x, last


class Recurrent(nn.Module):
    """Any cell, in layers of equal or different widths, in one or both directions.

    Args:
        cell: a name of the catalogue (`"gru"`), a file and a function (`"./mine.py:mycell"`), or a `Cell`.
        input_size: N, the entries of the input.
        hidden_size: H, the units of every layer, or one number for each layer.
        num_layers: the number of layers, where `hidden_size` is one number.
        batch_first: sequences are (B, T, N) instead of (T, B, N).
        dropout: probability that an entry is dropped between layers.
        bidirectional: a second cell reads every sequence from its end; the outputs stand side by side.
        backend: `"auto"`, or the name of one, which raises where it cannot run.

    Initialisation is that of `RecurrentLayer.reset_parameters`.

    Raises:
        UsageError: a size is not positive, or there is no such cell.
        EquationError: the cell's equations are wrong.
        BackendError: the back-end cannot run the cell.

    >>> import torch
    >>> layer = Recurrent("mgu", 3, (16, 8))
    >>> output, states = layer(torch.zeros(20, 4, 3))
    >>> output.shape, len(states), states[1][0].shape
    (torch.Size([20, 4, 8]), 2, torch.Size([4, 8]))
    """

    def __init__(
        self,
        cell: str | Path | Cell,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        widths = tuple(hidden_size) if isinstance(hidden_size, Sequence) else (hidden_size,) * num_layers
        if not widths or not all(_is_size(size) for size in (input_size, *widths)):
            raise UsageError(f"A layer needs positive sizes, not {input_size} inputs and {widths} units.")
        if num_layers not in (1, len(widths)):
            raise UsageError(f"{num_layers} layers were asked for, with {len(widths)} widths {widths}.")
        if not 0.0 <= dropout < 1.0:
            raise UsageError(f"Dropout is a probability from 0 to below 1, not {dropout:g}.")
        self.cell = find(cell)
        self.input_size = input_size
        self.hidden_size = widths
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.directions = 2 if bidirectional else 1
        reads = (input_size, *(width * self.directions for width in widths[:-1]))
        self.layers = nn.ModuleList(
            RecurrentLayer(self.cell, N, H, backend=backend, device=device, dtype=dtype)
            for N, H in zip(reads, widths, strict=True)
            for _ in range(self.directions)
        )

    @property
    def kernel(self) -> str:
        """The name of the back-end that runs the layers."""
        return self.layer(0).kernel

    def layer(self, k: int) -> RecurrentLayer:
        """Layer `k`, counted with its directions: layer 0 forward, layer 0 backward, layer 1 forward, …"""
        return cast(RecurrentLayer, self.layers[k])

    def forward(self, x: Tensor, states: Sequence[States] | None = None) -> tuple[Tensor, tuple[States, ...]]:
        """Run along sequences.

        `x` is (T, B, N), (B, T, N) with `batch_first`, or (T, N) for one sequence. `states` are as they are
        returned: for each layer and direction the tuple of the cell's states, (B, H) each, or (H,) for one
        sequence; zeros where they are not given. Returns the top layer's output at every step and the states
        after the last step.

        Raises `UsageError` where the shapes do not fit.
        """
        single = x.dim() == 2
        if x.dim() not in (2, 3) or x.shape[-1] != self.input_size:
            axes = "B, T" if self.batch_first else "T, B"
            raise UsageError(
                f"The input has shape {tuple(x.shape)}: it must be ({axes}, {self.input_size}), "
                f"or (T, {self.input_size}) for one sequence."
            )
        if single:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        if x.shape[0] == 0:
            raise UsageError("The input has no time step: a sequence holds at least one.")
        begin = self._begin(x, states, single=single)
        output, last = run_stack(
            lambda k, sequence, one: self.layer(k)(sequence, one),
            x,
            begin,
            directions=self.directions,
            dropout=self.dropout,
            training=self.training,
        )
        if single:
            return output.squeeze(1), tuple(tuple(state.squeeze(0) for state in one) for one in last)
        return (output.transpose(0, 1) if self.batch_first else output), tuple(last)

    def step(self, x: Tensor, states: Sequence[States] | None = None) -> tuple[Tensor, tuple[States, ...]]:
        """Advance one time step, as a stream comes in.

        `x` is (B, N), or (N,) for one sequence; `states` are as they are returned, zeros where they are not given.
        Returns the top layer's output, (B, H) or (H,), and the new states.

        Raises `UsageError` where the shapes do not fit, or where a direction reads from the end.

        >>> import torch
        >>> layer, states = Recurrent("gru", 3, 8), None
        >>> for x in torch.zeros(5, 2, 3):
        ...     output, states = layer.step(x, states)
        >>> output.shape
        torch.Size([2, 8])
        """
        if self.directions == 2:
            raise UsageError("A layer of both directions reads a sequence from its end too: it cannot go step by step.")
        if x.dim() not in (1, 2) or x.shape[-1] != self.input_size:
            N = self.input_size
            raise UsageError(f"The input of a step has shape {tuple(x.shape)}: it must be (B, {N}), or ({N},).")
        time = 0 if x.dim() == 1 or not self.batch_first else 1
        output, last = self(x.unsqueeze(time), states)
        return output.squeeze(time), last

    def record(self, x: Tensor) -> list[Mapping[str, Tensor]]:
        """Every named value of the equations along `x`, which is (T, B, N) whatever `batch_first` says.

        Returns for each layer and direction: name → (T, B, H), the new states under their names. A backward
        direction is recorded in the order of `x`. Dropout is off.
        """
        recorded: list[Mapping[str, Tensor]] = []

        def run(k: int, sequence: Tensor, states: States) -> tuple[Tensor, States]:
            layer = self.layer(k)
            backward = self.directions == 2 and k % 2 == 1
            values = Reference().record(self.cell.graph, layer.weights(), sequence, states)
            recorded.append({name: value.flip(0) if backward else value for name, value in values.items()})
            return layer(sequence, states)  # type: ignore[no-any-return]

        begin = self._begin(x, None, single=False)
        run_stack(run, x, begin, directions=self.directions, dropout=0.0, training=False)
        return recorded

    def _begin(self, x: Tensor, states: Sequence[States] | None, *, single: bool) -> list[States]:
        B = x.shape[1]
        if states is None:
            return [tuple(x.new_zeros(B, self.layer(k).hidden_size) for _ in self.cell.states) for k in self._all()]
        if len(states) != len(self.layers) or any(len(one) != len(self.cell.states) for one in states):
            raise UsageError(
                f"The states are {len(self.layers)} tuples (layers × directions) "
                f"of {len(self.cell.states)} tensors each."
            )
        begin = [tuple(state.unsqueeze(0) if single else state for state in one) for one in states]
        for k, one in enumerate(begin):
            expected = (B, self.layer(k).hidden_size)
            for name, state in zip(self.cell.states, one, strict=True):
                if tuple(state.shape) != expected:
                    raise UsageError(f"State {name} of layer {k} has shape {tuple(state.shape)}, not {expected}.")
        return begin

    def _all(self) -> range:
        return range(len(self.layers))
