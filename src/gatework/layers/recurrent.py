"""Any cell as a torch layer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.cells import find
from gatework.errors import BackendError, UsageError
from gatework.graph import Cell, Graph, Parameter
from gatework.graph.around import INITIAL, KEPT, VALID, ground, multiplied
from gatework.graph.around import layer_norm as normalised
from gatework.graph.weights import Mask
from gatework.kernels import Reference, choose
from gatework.kernels.dispatch import Choice, is_autocast
from gatework.layers.around import Around, Rates
from gatework.layers.lengths import as_tensor, lasting
from gatework.layers.projection import PROJECT, Projection, product
from gatework.layers.standard import Standard

States = tuple[Tensor, ...]
"""The states of one layer in one direction: (B, H) each."""


@dataclass(frozen=True)
class _Asked:
    """What a call asks of a layer's graph: sequences that end or begin anew, and states beside the first."""

    training: bool
    ending: bool = False
    resetting: bool = False
    shown: tuple[str, ...] = ()


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
        around: Around | None = None,
        learn_initial: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.cell = cell
        self._projection = Projection(cell, proj_size) if proj_size else None
        self._around = around or Around()
        self._learns = learn_initial
        self._backend_name = backend
        self._names = {one.key: attribute(one.key) for one in cell.graph.parameters}
        self._variants: dict[_Asked, tuple[Graph, Choice]] = {}
        whole, sizes = cell.graph.whole, {"N": input_size, "H": hidden_size}
        self.standard = Standard(whole, sizes, device=device, dtype=dtype) if whole.results else None
        self.input_size = input_size
        self.hidden_size = hidden_size
        if cell.graph.square and input_size != hidden_size:
            raise UsageError(
                f"{cell.name} adds its input to its states: it needs as many inputs as units, "
                f"not {input_size} and {hidden_size}."
            )
        for parameter in cell.graph.parameters:
            empty = torch.empty(self._sizes(parameter), device=device, dtype=dtype)
            declared, name = cell.weight(parameter.key), attribute(parameter.key)
            if declared.fixed:
                self.register_buffer(name, empty)
            else:
                self.register_parameter(name, nn.Parameter(empty))
            if declared.mask:
                there = torch.from_numpy(declared.mask.entries(tuple(empty.shape))).to(device)
                self.register_buffer(f"{name}_mask", there, persistent=False)
        if proj_size:
            self.U_project = nn.Parameter(torch.empty(proj_size, hidden_size, device=device, dtype=dtype))
        for state in cell.states if learn_initial else ():
            start = torch.zeros(hidden_size, device=device, dtype=dtype)
            self.register_parameter(_initial(state), nn.Parameter(start))
        self.prepare()
        self.reset_parameters()

    @property
    def kernel(self) -> str:
        """The name of the back-end that runs this layer, on the device and in the type of its weights."""
        _, backend = self._variant(_Asked(training=self.training))
        first = self.first_weight()
        return backend.pick(torch.empty(0) if first is None else first).name

    def first_weight(self) -> Tensor | None:
        """A weight, which has the type and the device of all; None for a cell without."""
        parameters = self.cell.graph.parameters
        return getattr(self, attribute(parameters[0].key)) if parameters else None

    def _sizes(self, one: Parameter) -> tuple[int, ...]:
        N, H = self.input_size, self.hidden_size
        return self._projection.sizes(one, N, H) if self._projection else one.sizes(N, H)

    def weights(self) -> dict[str, Tensor]:
        """The weights under the keys of the equations, `"W.f"`; entries that are not there are zero.

        With a projection, its matrix too, and what reads the first state multiplied by it, as the equations need it.
        """
        found = {key: getattr(self, name) for key, name in self._names.items()}
        if self._projection:
            found[PROJECT] = self.U_project
        for key, declared in self.cell.weights.items():
            if declared.mask:
                found[key] = found[key] * getattr(self, f"{self._names[key]}_mask")
        if self.training:
            for one in found:
                if not self.cell.weight(one).fixed:
                    found[one] = self._around.disturbed(one, found[one])
        return self._projection.folded(found) if self._projection else found

    def begin(self, x: Tensor, B: int) -> States:
        """The states before the first step, (B, H) each: zeros, or what was learnt; of the type and device of `x`."""
        if self._learns:
            return tuple(getattr(self, _initial(state)).expand(B, -1) for state in self.cell.states)
        return tuple(x.new_zeros(B, self.hidden_size) for _ in self.cell.states)

    def prepare(self, shown: tuple[str, ...] = ()) -> None:
        """Make the graphs for all that a call may ask, with states that are `shown`.

        What is wrong with a name is told now, and what traces a call finds all that it asks for.
        """
        flags = (False, True)
        for training, ending, resetting in itertools.product(flags, flags, flags):
            graph, backend = self._variant(_Asked(training, ending, resetting, shown))
            backend.ready(graph.whole.core)

    def _variant(self, asked: _Asked) -> tuple[Graph, Choice]:
        """The graph for what is asked, and what runs it.

        What runs it without lengths and resets runs it with these, which add arithmetic on states and no more.
        """
        if asked not in self._variants:
            graph = self._around.graph(
                self.cell.graph,
                training=asked.training,
                ending=asked.ending,
                resetting=asked.resetting,
                initial=self._learns and asked.resetting,
            )
            graph = replace(graph, shown=asked.shown) if asked.shown else graph
            plain = _Asked(asked.training)
            known = self._variants.get(plain)
            core = graph.whole.core
            self._variants[asked] = graph, known[1].along(core) if known else choose(self._backend_name, core)
        return self._variants[asked]

    def reset_parameters(self) -> None:
        """Start anew.

        What the cell says of a weight, else for input matrices: uniform, variance 2 / (N + H) (Glorot & Bengio 2010).
        Recurrent matrices: orthogonal (Saxe, McClelland & Ganguli 2014), block by block where they have blocks on the
        diagonal. Biases and diagonal weights: zero.
        """
        with torch.no_grad():
            generator = np.random.default_rng(int(torch.randint(1 << 62, ())) if self.cell.weights else 0)
            declared = self.cell.start(self.input_size, self.hidden_size, generator)
            for parameter in self.cell.graph.parameters:
                weight, mask = getattr(self, attribute(parameter.key)), self.cell.weight(parameter.key).mask
                if parameter.key in declared:
                    weight.copy_(torch.from_numpy(declared[parameter.key])[tuple(map(slice, weight.shape))])
                elif parameter.kind == "W":
                    nn.init.xavier_uniform_(weight)
                elif parameter.kind == "U":
                    _orthogonal(weight, mask)
                else:
                    weight.zero_()
                if mask:
                    weight.mul_(getattr(self, f"{attribute(parameter.key)}_mask"))
            if self._projection:
                _orthogonal(self.U_project, None)
            for state in self.cell.states if self._learns else ():
                getattr(self, _initial(state)).zero_()
        if self.standard is not None:
            self.standard.reset_parameters()

    def forward(
        self,
        x: Tensor,
        states: States,
        others: Sequence[Tensor] = (),
        valid: Tensor | None = None,
        kept: Tensor | None = None,
    ) -> tuple[Tensor, States]:
        """Run along `x`, (T, B, N): returns the first state at every step, (T, B, H), and the last states.

        With a projection the first state is returned as it is projected, (T, B, P); the last states have H entries.

        `others` are the cell's inputs after the first, (T, B, H), or (B, H) where one is the same at every step. Where
        `valid`, (T, B, 1), is zero the states stay, and where `kept` is zero they begin anew before the step.
        """
        results, last = self.trajectory(x, states, others, valid, kept)
        return results[0], last

    def trajectory(
        self,
        x: Tensor,
        states: States,
        others: Sequence[Tensor] = (),
        valid: Tensor | None = None,
        kept: Tensor | None = None,
        shown: tuple[str, ...] = (),
    ) -> tuple[tuple[Tensor, ...], States]:
        """As `forward`, but with the states that are `shown` at every step, (T, B, H) each, beside the first.

        Under autocast batch norm and projection are in the type of the weights; of the loop see `Choice.trajectory`.
        """
        first, autocast = self.first_weight(), is_autocast(x)
        if first is not None and autocast:
            x, others = x.to(first.dtype), [one.to(first.dtype) for one in others]
            valid, kept = (None if one is None else one.to(first.dtype) for one in (valid, kept))
        with torch.autocast(x.device.type, enabled=False) if autocast else nullcontext():
            graph, backend, weights, more = self._prepared(x, others, valid, kept, shown)
        results, last = backend.trajectory(graph, weights, x, states, more)
        if self._projection:
            results = (product(results[0], weights[PROJECT].mT), *results[1:])
        return results, last

    def record(
        self,
        x: Tensor,
        states: States,
        others: Sequence[Tensor] = (),
        valid: Tensor | None = None,
        kept: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], Tensor, States]:
        """Every named value of the loop over time, name → (T, B, size), and what `forward` returns."""
        graph, _, weights, more = self._prepared(x, others, valid, kept)
        values = Reference().record(graph, weights, x, states, more)
        first, *_ = self.cell.states
        output = F.linear(values[first], weights[PROJECT]) if self._projection else values[first]
        return values, output, tuple(values[state][-1] for state in self.cell.states)

    def _prepared(
        self,
        x: Tensor,
        others: Sequence[Tensor],
        valid: Tensor | None,
        kept: Tensor | None,
        shown: tuple[str, ...] = (),
    ) -> tuple[Graph, Choice, dict[str, Tensor], list[Tensor]]:
        """The graph for what is asked and what runs it, its weights, and its inputs after the first."""
        asked = _Asked(self.training, ending=valid is not None, resetting=kept is not None, shown=shown)
        graph, backend = self._variant(asked)
        weights, given = self.weights(), {VALID: valid, KEPT: kept}
        for state in self.cell.states if self._learns and asked.resetting else ():
            weights[f"p.{INITIAL}_{state}"] = getattr(self, _initial(state))
        masks = self._around.masks(
            graph.inputs[len(self.cell.graph.inputs) :],
            x,
            self.hidden_size,
            training=self.training,
            given={name: one for name, one in given.items() if one is not None},
        )
        return graph.whole.core, backend, weights, self._whole(graph, weights, x, [*others, *masks], valid)

    def _whole(
        self, graph: Graph, weights: dict[str, Tensor], x: Tensor, more: list[Tensor], valid: Tensor | None
    ) -> list[Tensor]:
        """The inputs after the first, and behind them what is taken over all time steps at once."""
        if self.standard is None:
            return more
        return [*more, *self.standard(graph.whole, weights, dict(zip(graph.inputs, (x, *more), strict=True)), valid)]

    def extra_repr(self) -> str:
        """The words inside the brackets of `print(layer)`."""
        projected = f", proj_size={self._projection.size}" if self._projection else ""
        return f"{self.cell.name}, {self.input_size}, {self.hidden_size}{projected}, kernel={self._told_kernel()}"

    def _told_kernel(self) -> str:
        """The back-end that runs it, or that was asked for where it cannot run now, as before a move to a GPU."""
        try:
            return self.kernel
        except BackendError:
            return self._backend_name

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What runs it is chosen anew: it may have come to another machine."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        asked, self._variants = [*self._variants], {}
        with suppress(BackendError):  # told when it is called
            for one in asked:
                graph, backend = self._variant(one)
                backend.ready(graph.whole.core)


def _initial(state: str) -> str:
    return f"p_{INITIAL}_{state}"


def attribute(key: str) -> str:
    """The name under which a layer holds a weight: `W_f` for `W.f`."""
    return key.replace(".", "_", 1)


def _orthogonal(weight: Tensor, mask: Mask | None) -> None:
    # In single precision at least: torch orthogonalises no half-precision matrix.
    exact = torch.promote_types(weight.dtype, torch.float32)
    blocks = mask.blocks if mask and mask.kind == "diagonal" else 1
    rows = [-(-k * weight.shape[0] // blocks) for k in range(blocks + 1)]
    for begin, end in itertools.pairwise(rows):
        block = weight[begin:end, begin:end] if blocks > 1 else weight
        if block.numel():
            block.copy_(nn.init.orthogonal_(torch.empty_like(block, dtype=exact)))


def _by_name(rate: float | Rates, names: Sequence[str]) -> dict[str, float]:
    """Probabilities by name; one number is for all of these, and zero for none."""
    rates = rate if isinstance(rate, Mapping) else dict.fromkeys(names, rate)
    if not all(_is_number(one) for one in rates.values()):
        raise UsageError(f"A probability is a number, or one for each name, not {rate!r}.")
    return {name: float(one) for name, one in rates.items() if one}


def _is_number(value: object) -> bool:
    return type(value) is not bool and isinstance(value, Real)


def _check_tensor(x: object) -> None:
    if not isinstance(x, Tensor):
        raise UsageError(f"The input is a {type(x).__name__}: it must be a tensor.")


def _is_size(size: object) -> bool:
    return isinstance(size, Integral) and _is_whole(size) and int(size) > 0


def _is_whole(value: object) -> bool:
    return type(value) is not bool and isinstance(value, Integral)


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
    residual: bool = False,
    mirror: Callable[[Tensor], Tensor] = lambda x: x.flip(0),
) -> tuple[Tensor, list[States]]:
    """Run layers on top of each other, both directions side by side, with dropout between layers.

    With `residual`, a layer adds its input to its output where they have the same size. `mirror` turns sequences
    around for the second direction, and its output back.

    `x` is (T, B, N); `states` has one entry for each layer and direction, in torch's order: layer 0 forward,
    layer 0 backward, layer 1 forward, …
    """
    last: list[States] = []
    layers = len(states) // directions
    for layer in range(layers):
        outputs = []
        for direction in range(directions):
            k = layer * directions + direction
            sequence = mirror(x) if direction else x
            output, final = run(k, sequence, states[k])
            outputs.append(mirror(output) if direction else output)
            last.append(final)
        joined = outputs[0] if directions == 1 else torch.cat(outputs, dim=-1)
        x = joined + x if residual and joined.shape == x.shape else joined
        if dropout and layer < layers - 1:
            x = F.dropout(x, dropout, training)
    return x, last


@dataclass(frozen=True)
class _Given:
    """What a call is given: `x`, (T, B, N), the states before the first step, masks (T, B, 1), and further inputs."""

    x: Tensor
    begin: list[States]
    valid: Tensor | None
    kept: Tensor | None
    others: Mapping[str, Tensor]
    single: bool

    def masks(self, *, backward: bool) -> tuple[Tensor | None, Tensor | None]:
        """The masks as a layer reads them that runs from the end, or from the beginning."""
        valid, kept = self.valid, self.kept
        if not backward:
            return valid, kept
        if kept is not None:  # what begins anew before a step ends, seen from the end, after it
            kept = torch.cat((torch.ones_like(kept[:1]), kept.flip(0)[:-1]))
        return (None if valid is None else valid.flip(0)), kept


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
        residual: a layer adds its input to its output, where they have the same size.
        layer_norm: products are normalised before they are added: all that meet one vector together (True, as Ba,
            Kiros & Hinton 2016), or `"each"` alone; an LSTM's cell is normalised in its output.
        zoneout: probability that a unit keeps its old state (Krueger et al. 2017), one for all states, or by name.
        recurrent_dropout: probability that an entry is dropped for a whole sequence: of the first state that matrices
            multiply, there (Gal & Ghahramani 2016), or of states and equations by name, `{"g": 0.2}`.
        weight_dropout: probability that an entry of a recurrent matrix is left out of a call in training.
        weight_noise: deviation of what is added to every weight in training.
        learn_initial: the states before the first step are learnt, not zero.
        proj_size: P, where the output, and what the matrices of the next step read of it, is to have fewer entries than
            the state (Sak, Senior & Beaufays 2014): `U_project`, (P, H), makes them. The states are still (B, H), and
            the loop takes as long: a projection saves weights, not time.
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
        residual: bool = False,
        layer_norm: bool | str = False,
        zoneout: float | Rates = 0.0,
        recurrent_dropout: float | Rates = 0.0,
        weight_dropout: float = 0.0,
        weight_noise: float = 0.0,
        learn_initial: bool = False,
        proj_size: int = 0,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not _is_whole(num_layers):
            raise UsageError(f"The number of layers is a whole number from 1 on, not {num_layers!r}.")
        widths = tuple(hidden_size) if isinstance(hidden_size, Sequence) else (hidden_size,) * num_layers
        if not widths or not all(_is_size(size) for size in (input_size, *widths)):
            raise UsageError(f"A layer needs positive sizes, not {input_size} inputs and {widths} units.")
        if num_layers not in (1, len(widths)):
            raise UsageError(f"{num_layers} layers were asked for, with {len(widths)} widths {widths}.")
        if not (_is_number(dropout) and 0.0 <= dropout < 1.0):
            raise UsageError(f"Dropout is a probability from 0 to below 1, not {dropout}.")
        if proj_size and not (_is_size(proj_size) and proj_size < min(widths)):
            raise UsageError(f"A projection has 1 to {min(widths) - 1} entries, fewer than the units, not {proj_size}.")
        if layer_norm not in (True, False, "each"):
            raise UsageError(f"layer_norm is True, False or 'each', not {layer_norm!r}.")
        self.cell = normalised(find(cell), joint=layer_norm is True) if layer_norm else find(cell)
        self.residual = bool(residual)
        around = Around(
            _by_name(zoneout, self.cell.states),
            _by_name(recurrent_dropout, multiplied(self.cell.graph)[:1] or self.cell.states[:1]),
            weight_dropout,
            weight_noise,
        )
        self.input_size = input_size
        self.hidden_size = widths
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.directions = 2 if bidirectional else 1
        self.proj_size = int(proj_size)
        reads = (input_size, *((self.proj_size or width) * self.directions for width in widths[:-1]))
        if self.cell.graph.below and len(set(widths)) > 1:
            states = ", ".join(self.cell.graph.below.values())
            raise UsageError(
                f"{self.cell.name} reads {states} of the layer below: all layers have the same width, not {widths}."
            )
        if self.proj_size and self.cell.states[0] in self.cell.graph.below.values():
            raise UsageError(
                f"{self.cell.name} takes no proj_size: it reads {self.cell.states[0]} of the layer below, "
                "entry by entry."
            )
        self.layers = nn.ModuleList(
            RecurrentLayer(
                self.cell if k else ground(self.cell),
                N,
                H,
                backend=backend,
                around=around,
                learn_initial=learn_initial,
                proj_size=self.proj_size,
                device=device,
                dtype=dtype,
            )
            for k, (N, H) in enumerate(zip(reads, widths, strict=True))
            for _ in range(self.directions)
        )
        self._shown = tuple(one for one in dict.fromkeys(self.cell.graph.below.values()) if one != self.cell.states[0])
        for k in filter(self._is_read, self._all()):
            self.layer(k).prepare(self._shown)

    @property
    def kernel(self) -> str:
        """The name of the back-end that runs the layers."""
        return self.layer(0).kernel

    def layer(self, k: int) -> RecurrentLayer:
        """Layer `k`, counted with its directions: layer 0 forward, layer 0 backward, layer 1 forward, …"""
        return cast(RecurrentLayer, self.layers[k])

    def forward(
        self,
        x: Tensor,
        states: Sequence[States] | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        resets: Tensor | None = None,
        others: Mapping[str, Tensor] | None = None,
    ) -> tuple[Tensor, tuple[States, ...]]:
        """Run along sequences.

        `x` is (T, B, N), (B, T, N) with `batch_first`, or (T, N) for one sequence. `states` are as they are
        returned: for each layer and direction the tuple of the cell's states, (B, H) each, or (H,) for one
        sequence; zeros, or what was learnt, where they are not given. Returns the top layer's output at every step and
        the states after the last step.

        `lengths`, (B,), says how many steps of each sequence there are: after these its states stay, its output is
        zero, and the other direction begins there; what is padded has to be finite. `resets`, of the axes of `x`
        without the last, is true at steps before which the states begin anew, as at the start of an episode.
        `others` are the inputs of a cell that has more than one, by name, shaped like `x` with H entries; one layer of
        one direction takes them.

        Raises `UsageError` where the shapes do not fit.
        """
        given = self._given(x, states, lengths, resets, others)
        shown: list[dict[str, Tensor]] = []

        def run(k: int, sequence: Tensor, one: States) -> tuple[Tensor, States]:
            masks = given.masks(backward=self._is_backward(k))
            others = self._read(k, given.others, shown)
            if not self._is_read(k):
                return self.layer(k)(sequence, one, others, *masks)  # type: ignore[no-any-return]
            results, final = self.layer(k).trajectory(sequence, one, others, *masks, shown=self._shown)
            shown.append(dict(zip((self.cell.states[0], *self._shown), results, strict=True)))
            return results[0], final

        output, last = self._stack(run, given)
        if given.valid is not None:
            output = output * given.valid.to(output.dtype)
        if given.single:
            return output.squeeze(1), tuple(tuple(state.squeeze(0) for state in one) for one in last)
        return (output.transpose(0, 1) if self.batch_first else output), tuple(last)

    def _given(
        self,
        x: Tensor,
        states: Sequence[States] | None,
        lengths: Tensor | Sequence[int] | None,
        resets: Tensor | None,
        others: Mapping[str, Tensor] | None,
    ) -> _Given:
        """What a call is given, checked, time first."""
        self._check_type(x)
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
        valid = None if lengths is None else self._valid(x, lengths)
        kept = None if resets is None else self._kept(x, resets, single=single)
        if valid is not None and kept is not None:  # where a sequence has ended nothing begins
            kept = torch.maximum(kept, 1 - valid)
        return _Given(x, begin, valid, kept, self._others(others, x, single=single), single)

    def _stack(self, run: Runner, given: _Given) -> tuple[Tensor, list[States]]:
        return run_stack(
            run,
            given.x,
            given.begin,
            directions=self.directions,
            dropout=self.dropout,
            training=self.training,
            residual=self.residual,
        )

    def _is_read(self, k: int) -> bool:
        """Whether a layer above reads a state of layer `k`."""
        return bool(self.cell.graph.below) and k + self.directions < len(self.layers)

    def _is_backward(self, k: int) -> bool:
        return self.directions == 2 and k % 2 == 1

    def _check_type(self, x: Tensor) -> None:
        _check_tensor(x)
        weight = self.layer(0).first_weight()
        if weight is None or x.dtype == weight.dtype:
            return
        if not is_autocast(x):
            ours, theirs = (str(one).removeprefix("torch.") for one in (weight.dtype, x.dtype))
            raise UsageError(
                f"The input is {theirs} and the layer {ours}: convert one of them, as with x.to(torch.{ours})."
            )

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
        _check_tensor(x)
        if self.directions == 2:
            raise UsageError("A layer of both directions reads a sequence from its end too: it cannot go step by step.")
        if x.dim() not in (1, 2) or x.shape[-1] != self.input_size:
            N = self.input_size
            raise UsageError(f"The input of a step has shape {tuple(x.shape)}: it must be (B, {N}), or ({N},).")
        time = 0 if x.dim() == 1 or not self.batch_first else 1
        output, last = self(x.unsqueeze(time), states)
        return output.squeeze(time), last

    def record(
        self,
        x: Tensor,
        states: Sequence[States] | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        resets: Tensor | None = None,
        others: Mapping[str, Tensor] | None = None,
    ) -> list[Mapping[str, Tensor]]:
        """Every named value of the equations along sequences: all states, all gates, and what they are made of.

        The arguments are those of `forward`. Returns for each layer and direction: name → what the equation of that
        name gives at every step, with the axes of `x` and H entries, the new states under their names. A backward
        direction is recorded in the order of `x`. The layer is as after training: nothing is dropped or disturbed.

        It runs on the reference, step by step, and has gradients.

        >>> import torch
        >>> layer = Recurrent("lstm", 3, 8)
        >>> (values,) = layer.record(torch.zeros(5, 2, 3))
        >>> sorted(values), values["f"].shape
        (['c', 'f', 'g', 'h', 'i', 'o'], torch.Size([5, 2, 8]))
        """
        modes = {one: one.training for one in self.modules()}
        self.eval()
        try:
            return self._recorded(self._given(x, states, lengths, resets, others))
        finally:
            for one, training in modes.items():
                one.training = training

    def _recorded(self, given: _Given) -> list[Mapping[str, Tensor]]:
        recorded: list[Mapping[str, Tensor]] = []
        in_order: list[Mapping[str, Tensor]] = []  # of time as the layer reads it

        def turned(value: Tensor) -> Tensor:
            return value.squeeze(1) if given.single else value.transpose(0, 1) if self.batch_first else value

        def run(k: int, sequence: Tensor, states: States) -> tuple[Tensor, States]:
            backward = self._is_backward(k)
            others, masks = self._read(k, given.others, in_order), given.masks(backward=backward)
            values, output, last = self.layer(k).record(sequence, states, others, *masks)
            in_order.append(values)
            recorded.append({name: turned(one.flip(0) if backward else one) for name, one in values.items()})
            return output, last

        self._stack(run, given)
        return recorded

    def _begin(self, x: Tensor, states: Sequence[States] | None, *, single: bool) -> list[States]:
        B = x.shape[1]
        if states is None:
            return [self.layer(k).begin(x, B) for k in self._all()]
        count = len(self.cell.states)
        fits = isinstance(states, Sequence) and all(isinstance(one, Sequence) and len(one) == count for one in states)
        fits = fits and all(isinstance(state, Tensor) for one in states for state in one)
        if not fits or len(states) != len(self.layers):
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

    def _valid(self, x: Tensor, lengths: Tensor | Sequence[int]) -> Tensor:
        """Ones as long as a sequence lasts: (T, B, 1)."""
        return lasting(lengths, x.shape[0], x.shape[1], x.device).to(x.dtype).unsqueeze(-1)

    def _kept(self, x: Tensor, resets: Tensor | Sequence[object], *, single: bool) -> Tensor:
        """Zeros where states begin anew: (T, B, 1)."""
        T, B, _ = x.shape
        wanted = (T,) if single else (B, T) if self.batch_first else (T, B)
        found = as_tensor(resets, x.device)
        if found is None or found.shape != wanted:
            shape = "no numbers" if found is None else f"the shape {tuple(found.shape)}"
            raise UsageError(f"The resets have {shape}: true or false for each of {wanted}.")
        found = found.unsqueeze(1) if single else found.transpose(0, 1) if self.batch_first else found
        return 1 - (found != 0).to(x.dtype).unsqueeze(-1)

    def _read(self, k: int, more: Mapping[str, Tensor], shown: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """The inputs of layer `k` after the first: `more` are from outside, `shown` the states of layers so far."""
        found = dict(more)
        if k >= self.directions:
            found |= {name: shown[k - self.directions][state] for name, state in self.cell.graph.below.items()}
        return [found[name] for name in self.layer(k).cell.graph.inputs[1:]]

    def _others(self, given: Mapping[str, Tensor] | None, x: Tensor, *, single: bool) -> dict[str, Tensor]:
        """The cell's inputs after the first that come from outside, (T, B, H)."""
        names, given = self.layer(0).cell.graph.inputs[1:], given or {}
        if set(given) != set(names):
            wanted = f"others={{{', '.join(f'{name!r}: …' for name in names)}}}" if names else "no others"
            raise UsageError(f"{self.cell.name} takes {wanted}, and was given {', '.join(given) or 'none'}.")
        if names and len(self.layers) > 1:
            raise UsageError(
                f"{self.cell.name} reads further inputs: build one layer of one direction, and stack them."
            )
        found = {}
        for name in names:
            one = given[name]
            one = one.unsqueeze(1) if single else one.transpose(0, 1) if self.batch_first else one
            if one.shape != (*x.shape[:2], self.hidden_size[0]):
                raise UsageError(f"The input {name} is shaped like the first, with {self.hidden_size[0]} entries.")
            found[name] = one
        return found

    def _all(self) -> range:
        return range(len(self.layers))
