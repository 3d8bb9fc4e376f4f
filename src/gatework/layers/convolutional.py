"""Any cell on sequences of pictures: the same equations, with convolutions for products."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.cells import find
from gatework.errors import UsageError
from gatework.graph import Cell, Graph, Parameter
from gatework.graph.around import ground
from gatework.graph.ops import REDUCTIONS, WHOLE, Op
from gatework.kernels.reference import evaluate
from gatework.layers.recurrent import attribute

States = tuple[Tensor, ...]
"""The states of one layer: (B, H, …) each, with the picture's sizes."""

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


class ConvLayer(nn.Module):
    """One cell, one layer: the weights, and the recurrence over time.

    A matrix `W.f`, (H, N), is a kernel (H, N, k, …) here; a bias is one number for each channel; a diagonal weight is
    one for each channel, or for each channel and place of the picture where `image_size` is given.
    """

    def __init__(
        self,
        cell: Cell,
        input_channels: int,
        hidden_channels: int,
        kernel_size: tuple[int, ...],
        image_size: tuple[int, ...] | None,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.input_channels, self.hidden_channels = input_channels, hidden_channels
        self.kernel_size, self.image_size = kernel_size, image_size
        _refuse(cell, input_channels, hidden_channels)
        for one in cell.graph.parameters:
            self.register_parameter(attribute(one.key), nn.Parameter(torch.empty(self._shape(one))))
        self.reset_parameters()
        self._early, self._groups = _products(cell.graph)

    def _shape(self, one: Parameter) -> tuple[int, ...]:
        sizes = one.sizes(self.input_channels, self.hidden_channels)
        if len(sizes) == 2:
            return (*sizes, *self.kernel_size)
        places = (1,) * len(self.kernel_size)
        return (*sizes, *(self.image_size or places)) if one.kind == "p" else (*sizes, *places)

    def reset_parameters(self) -> None:
        """Start anew: kernels as the matrices of a `RecurrentLayer`, biases as the cell says, all else at zero."""
        generator = np.random.default_rng(int(torch.randint(1 << 62, ())))
        declared = self.cell.start(self.input_channels, self.hidden_channels, generator)
        with torch.no_grad():
            for one in self.cell.graph.parameters:
                weight = getattr(self, attribute(one.key))
                if one.kind == "W":
                    nn.init.xavier_uniform_(weight)
                elif one.kind == "U":
                    nn.init.orthogonal_(weight)
                elif one.key in declared:
                    weight.copy_(torch.from_numpy(declared[one.key]).reshape(-1, *(1,) * len(self.kernel_size)))
                else:
                    weight.zero_()

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Run along `x`, (T, B, N, …): returns the first state at every step, and the last states."""
        graph, outputs = self.cell.graph, []
        ahead = self._ahead(x)
        for t in range(x.shape[0]):
            values = self._step(x[t], states, {k: value[t] for k, value in ahead.items()})
            states = tuple(values[k].expand_as(states[0]) for k in graph.outputs)
            outputs.append(states[0])
        return torch.stack(outputs), states

    def _ahead(self, x: Tensor) -> dict[int, Tensor]:
        """The products with the input, of all time steps at once."""
        if not self._early:
            return {}
        T, B = x.shape[:2]
        found = self._convolved(x.flatten(0, 1), self._early)
        return {k: value.unflatten(0, (T, B)) for k, value in found.items()}

    def _convolved(self, vector: Tensor, products: Sequence[int]) -> dict[int, Tensor]:
        """All products of one picture, as one convolution."""
        nodes = self.cell.graph.nodes
        kernels = [getattr(self, attribute(nodes[nodes[k].args[0]].name)) for k in products]
        padding = tuple(size // 2 for size in self.kernel_size)
        joined = _CONVOLUTIONS[len(self.kernel_size)](vector, torch.cat(kernels), padding=padding)
        return dict(zip(products, joined.split([len(one) for one in kernels], dim=1), strict=True))

    def _step(self, x: Tensor, states: States, known: dict[int, Tensor]) -> list[Tensor]:
        """The values of all nodes; `known` are those of products that were computed before."""
        graph = self.cell.graph

        def product(k: int, values: Sequence[Tensor]) -> Tensor:
            if k not in known:
                vector = graph.nodes[k].args[1]
                known.update(self._convolved(values[vector], self._groups[vector]))
            return known[k]

        parameters = {one.key: getattr(self, attribute(one.key)) for one in graph.parameters}
        leaves = {graph.inputs[0]: x, **dict(zip(graph.states, states, strict=True))}
        return evaluate(graph.nodes, parameters, leaves, {Op.MATMUL: product})

    def extra_repr(self) -> str:
        """The words inside the brackets of `print(layer)`."""
        return f"{self.cell.name}, {self.input_channels}, {self.hidden_channels}, kernel_size={self.kernel_size}"


def _products(graph: Graph) -> tuple[list[int], dict[int, list[int]]]:
    """The products with the input itself, and those of every other vector by its position."""
    groups: dict[int, list[int]] = {}
    for k, node in enumerate(graph.nodes):
        if node.op is Op.MATMUL:
            groups.setdefault(node.args[1], []).append(k)
    early = [k for vector, found in groups.items() for k in found if graph.nodes[vector].op is Op.INPUT]
    return early, groups


def _refuse(cell: Cell, inputs: int, hidden: int) -> None:
    """Raise `UsageError` for a cell whose equations mean nothing for pictures, or not with these channels."""
    odd = next((node.op for node in cell.graph.nodes if node.op in REDUCTIONS | WHOLE), None)
    fixed = next((one.key for one in cell.graph.parameters if cell.weight(one.key).fixed), "")
    masked = next((one.key for one in cell.graph.parameters if cell.weight(one.key).mask), "")
    if odd or fixed or masked:
        why = (
            f"it takes the {odd} of a vector"
            if odd
            else f"its weight {fixed or masked} is {'fixed' if fixed else 'cut'}"
        )
        raise UsageError(f"{cell.name} cannot be convolutional: {why}, which has no meaning for pictures.")
    if len(cell.graph.inputs) > 1:
        what = "a state of the layer below, which one layer does without" if cell.graph.below else "further inputs"
        raise UsageError(f"{cell.name} cannot be convolutional: it reads {what}.")
    if cell.graph.square and inputs != hidden:
        raise UsageError(
            f"{cell.name} adds its input to its states: it needs as many input channels as hidden ones, "
            f"not {inputs} and {hidden}."
        )


class ConvRecurrent(nn.Module):
    """Any cell with convolutions for products, in one or several layers (Shi et al. 2015; Ballas et al. 2016).

    Args:
        cell: a name of the catalogue (`"lstm_peephole"`), a file and a function, or a `Cell`.
        input_channels: N, the channels of the input.
        hidden_channels: H, the channels of every layer, or one number for each layer.
        kernel_size: an odd number, or one for each axis of the picture; pictures keep their size.
        num_layers: the number of layers, where `hidden_channels` is one number.
        image_size: the sizes of the picture; diagonal weights are then one number for each place, as in the paper,
            and not one for each channel.
        batch_first: sequences are (B, T, N, …) instead of (T, B, N, …).

    It runs in torch's operations, on every device; the products of all gates with one picture are one convolution.

    Raises:
        UsageError: a size is not positive, a kernel is even, or the cell means nothing for pictures.

    >>> layer = ConvRecurrent("gru_reset_before", 1, 8, kernel_size=3)
    >>> output, states = layer(torch.zeros(10, 2, 1, 16, 16))
    >>> output.shape, states[0][0].shape
    (torch.Size([10, 2, 8, 16, 16]), torch.Size([2, 8, 16, 16]))
    """

    def __init__(
        self,
        cell: str | Path | Cell,
        input_channels: int,
        hidden_channels: int | Sequence[int],
        kernel_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        image_size: Sequence[int] | None = None,
        batch_first: bool = False,
    ) -> None:
        super().__init__()
        widths = (hidden_channels,) * num_layers if isinstance(hidden_channels, int) else tuple(hidden_channels)
        axes = len(image_size) if image_size else 2 if isinstance(kernel_size, int) else len(kernel_size)
        kernel = (kernel_size,) * axes if isinstance(kernel_size, int) else tuple(kernel_size)
        if axes not in _CONVOLUTIONS or len(kernel) != axes or any(size < 1 or size % 2 == 0 for size in kernel):
            raise UsageError(f"A kernel has an odd size for each of 1 to 3 axes of the picture, not {kernel}.")
        if not widths or min(input_channels, *widths, *(image_size or (1,))) < 1 or num_layers not in (1, len(widths)):
            raise UsageError(f"{num_layers} layers were asked for, with {input_channels} and {widths} channels.")
        self.cell, self.axes, self.batch_first = find(cell), axes, batch_first
        if len(widths) == 1:
            self.cell = ground(self.cell)
        reads = (input_channels, *widths[:-1])
        size = tuple(image_size) if image_size else None
        self.layers = nn.ModuleList(
            ConvLayer(self.cell, N, H, kernel, size) for N, H in zip(reads, widths, strict=True)
        )

    def forward(self, x: Tensor, states: Sequence[States] | None = None) -> tuple[Tensor, tuple[States, ...]]:
        """Run along sequences of pictures.

        `x` is (T, B, N, …), or (B, T, N, …) with `batch_first`; `states` are as they are returned: for each layer the
        tuple of the cell's states, zeros where they are not given. Returns the top layer's output at every step and the
        states after the last step. Raises `UsageError` where the shapes do not fit.
        """
        first: Any = self.layers[0]
        if x.dim() != 3 + self.axes or x.shape[2] != first.input_channels:
            lead = "B, T" if self.batch_first else "T, B"
            sizes = ", ".join(["height", "width", "depth"][: self.axes])
            raise UsageError(
                f"The input has shape {tuple(x.shape)}: it must be ({lead}, {first.input_channels}, {sizes})."
            )
        x = x.transpose(0, 1) if self.batch_first else x
        if x.shape[0] == 0:
            raise UsageError("The input has no time step: a sequence holds at least one.")
        last = []
        for k, layer in enumerate(self.layers):
            x, state = layer(x, states[k] if states is not None else self._begin(layer, x))
            last.append(state)
        return (x.transpose(0, 1) if self.batch_first else x), tuple(last)

    def _begin(self, layer: Any, x: Tensor) -> States:
        shape = (x.shape[1], layer.hidden_channels, *x.shape[3:])
        return tuple(x.new_zeros(shape) for _ in self.cell.states)
