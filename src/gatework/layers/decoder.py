"""A decoder with attention around any cell: that of Bahdanau, Cho and Bengio, and that of Luong, Pham and Manning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.errors import UsageError
from gatework.graph import Cell
from gatework.layers.attention import SCORES, Attention, BahdanauAttention, LuongAttention, Memory
from gatework.layers.recurrent import Recurrent, States

BAHDANAU = "bahdanau"


@dataclass(frozen=True)
class Decoding:
    """What a decoder knows between two steps: the memory, the states of its layers, and what it feeds back, (B, H)."""

    memory: Memory
    states: tuple[States, ...]
    fed: Tensor | None = None


class AttentiveDecoder(nn.Module):
    """Any cell as a decoder that looks at a memory at every step.

    Args:
        cell: a name of the catalogue (`"gru"`), a file and a function (`"./mine.py:mycell"`), or a `Cell`.
        input_size: N, the entries of the input, as of what was decoded last.
        hidden_size: H, the units of every layer, or one number for each layer.
        memory_size: M, the entries of a step of the memory, as an encoder's output has.
        attention: `"bahdanau"`, or a score of `LuongAttention`: `"dot"`, `"scaled_dot"`, `"general"`, `"concat"`.
        input_feeding: with a score of Luong's, whether what a step gave enters the next with its input.
        num_layers: the number of layers, where `hidden_size` is one number.
        attention_size: the entries of the sum of an additive score, H where it is not given.
        summary_size: the entries of the summary of the source that `begin` makes the first states of, none where it
            is zero.
        summary_states: the states that are made of it, all where it is not given.
        dropout: probability that an entry is dropped between layers.
        batch_first: sequences, the memory and the weights are (B, T, …) instead of (T, B, …).
        backend: `"auto"`, or the name of one, which raises where it cannot run.

    *Bahdanau, Cho & Bengio 2014*: the context c is that of the query s before the step, the first state of the top
    layer; the cell reads `[x; c]`. The output is `[s; c]`, H + M entries, with the new s: what a word is read from.

    *Luong, Pham & Manning 2015*: the query is s after the step, and the output is `tanh(W_context @ c + W_state @ s)`,
    H entries. Without input feeding the cells run along the whole sequence first, and all steps look at the memory at
    once; with it, the cell reads `[x; output before]`, one step after the other.

    Raises:
        UsageError: a size is not positive, or there is no such cell or attention.
        EquationError: the cell's equations are wrong.
        BackendError: the back-end cannot run the cell.

    >>> import torch
    >>> decoder = AttentiveDecoder("mgu", input_size=3, hidden_size=8, memory_size=6, attention="general")
    >>> state = decoder.begin(torch.zeros(5, 2, 6), lengths=[5, 4])
    >>> output, weights, state = decoder(torch.zeros(7, 2, 3), state)
    >>> output.shape, weights.shape
    (torch.Size([7, 2, 8]), torch.Size([7, 2, 5]))
    """

    def __init__(
        self,
        cell: str | Path | Cell,
        input_size: int,
        hidden_size: int | Sequence[int],
        memory_size: int,
        attention: str = BAHDANAU,
        *,
        input_feeding: bool = False,
        num_layers: int = 1,
        attention_size: int | None = None,
        summary_size: int = 0,
        summary_states: Sequence[str] | None = None,
        dropout: float = 0.0,
        batch_first: bool = False,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if attention not in (BAHDANAU, *SCORES):
            raise UsageError(f"There is no attention {attention!r}: choose {BAHDANAU} or one of {', '.join(SCORES)}.")
        self.before = attention == BAHDANAU
        if self.before and input_feeding:
            raise UsageError("Input feeding goes with a score of Luong's: here the context enters the cell already.")
        if summary_size < 0 or (summary_states is not None and not summary_size):
            raise UsageError(
                f"What a summary makes is told where it has entries, not with summary_size={summary_size}."
            )
        widths = tuple(hidden_size) if isinstance(hidden_size, Sequence) else (hidden_size,) * num_layers
        H = widths[-1] if widths else 0
        self.input_size, self.memory_size = input_size, memory_size
        self.input_feeding, self.batch_first = input_feeding, batch_first
        self.recurrent = Recurrent(
            cell,
            input_size + (memory_size if self.before else H if input_feeding else 0),
            hidden_size,
            num_layers,
            dropout=dropout,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.output_size = H + memory_size if self.before else H
        self.attention: Attention = (
            BahdanauAttention(H, memory_size, attention_size, device=device, dtype=dtype)
            if self.before
            else LuongAttention(H, memory_size, attention, attention_size, device=device, dtype=dtype)
        )
        if not self.before:
            self.W_context = nn.Parameter(torch.empty(H, memory_size, device=device, dtype=dtype))
            self.W_state = nn.Parameter(torch.empty(H, H, device=device, dtype=dtype))
            for weight in (self.W_context, self.W_state):
                nn.init.xavier_uniform_(weight)
        self.summary_size = summary_size
        self._made = _made(self.recurrent.cell, summary_states)
        self.bridge = nn.ModuleList(
            nn.Linear(summary_size, width, device=device, dtype=dtype)
            for width in (widths if summary_size else ())
            for _ in self._made
        )

    def begin(
        self,
        memory: Tensor,
        lengths: Tensor | Sequence[int] | None = None,
        *,
        summary: Tensor | None = None,
        states: Sequence[States] | None = None,
    ) -> Decoding:
        """What the first step starts from.

        `memory` is (S, B, M), of which each sequence has as many steps as `lengths`, (B,), says; what is padded has to
        be finite. Its first states are made of a `summary` of the source, (B, summary_size), such as the last state of
        an encoder: `tanh` of a matrix times it and a bias. Or they are those given, as `Recurrent` returns them, for
        which an encoder has the same cell, widths and layers. Else they are zero.

        Raises `UsageError` where the shapes do not fit.
        """
        if self.batch_first and isinstance(memory, Tensor) and memory.dim() == 3:
            memory = memory.transpose(0, 1)
        ready = self.attention.prepare(memory, lengths)
        if summary is not None and states is not None:
            raise UsageError("The first states are made of a summary or given, not both.")
        if summary is not None:
            states = self._summarised(summary, memory)
        B = memory.shape[1]
        usual = [self.recurrent.layer(k).begin(memory, B) for k in range(len(self.recurrent.layers))]
        begin = usual if states is None else [tuple(one) for one in states]
        if not all(isinstance(one, Tensor) for layer in begin for one in layer) or [
            [one.shape for one in layer] for layer in begin
        ] != [[one.shape for one in layer] for layer in usual]:
            raise UsageError(
                f"The states are those of {len(usual)} layers, ({', '.join(self.recurrent.cell.states)}) each, of "
                f"{', '.join(map(str, self.recurrent.hidden_size))} units and {B} sequences."
            )
        fed = memory.new_zeros(B, self.output_size) if self.input_feeding else None
        return Decoding(ready, tuple(begin), fed)

    def forward(self, x: Tensor, state: Decoding) -> tuple[Tensor, Tensor, Decoding]:
        """Run along `x`, (T, B, N), the true sequence in training.

        Returns the outputs, (T, B, output_size), the weights of the attention at every step, (T, B, S), and what the
        next step starts from. Raises `UsageError` where the shapes do not fit.
        """
        B = _sequences(x, state)
        sequence = x.transpose(0, 1) if self.batch_first and x.dim() == 3 else x
        if x.dim() != 3 or tuple(sequence.shape[1:]) != (B, self.input_size) or not len(sequence):
            axes = f"{B}, T" if self.batch_first else f"T, {B}"
            raise UsageError(
                f"The input has shape {tuple(x.shape)}: it must be ({axes}, {self.input_size}), of one step or more."
            )
        if self.before or self.input_feeding:
            steps = []
            for one in sequence:
                output, weights, state = self._step(one, state)
                steps.append((output, weights))
            outputs, attended = (torch.stack(found) for found in zip(*steps, strict=True))
        else:
            hidden, states = self.recurrent(sequence, state.states)
            outputs, attended = self._after(hidden, state.memory)
            state = replace(state, states=states)
        if self.batch_first:
            return outputs.transpose(0, 1), attended.transpose(0, 1), state
        return outputs, attended, state

    def step(self, x: Tensor, state: Decoding) -> tuple[Tensor, Tensor, Decoding]:
        """Advance one step, as a sequence is generated.

        `x` is (B, N). Returns the output, (B, output_size), the weights, (B, S), and what the next step starts from.
        Raises `UsageError` where the shapes do not fit.
        """
        B = _sequences(x, state)
        if tuple(x.shape) != (B, self.input_size):
            raise UsageError(f"The input of a step has shape {tuple(x.shape)}: it must be ({B}, {self.input_size}).")
        return self._step(x, state)

    def _step(self, x: Tensor, state: Decoding) -> tuple[Tensor, Tensor, Decoding]:
        if self.before:
            query = state.states[-1][0]
            context, weights = (one.squeeze(1) for one in self.attention.attend(query.unsqueeze(1), state.memory))
            hidden, states = self.recurrent.step(torch.cat((x, context), -1), state.states)
            return torch.cat((hidden, context), -1), weights, replace(state, states=states)
        read = x if state.fed is None else torch.cat((x, state.fed), -1)
        hidden, states = self.recurrent.step(read, state.states)
        output, weights = (one.squeeze(0) for one in self._after(hidden.unsqueeze(0), state.memory))
        return output, weights, replace(state, states=states, fed=output if self.input_feeding else None)

    def _after(self, hidden: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """The attentional states, (T, B, H), of the top layer's states, (T, B, H), and the weights, (T, B, S)."""
        context, weights = (one.transpose(0, 1) for one in self.attention.attend(hidden.transpose(0, 1), memory))
        return torch.tanh(F.linear(context, self.W_context) + F.linear(hidden, self.W_state)), weights

    def _summarised(self, summary: Tensor, memory: Tensor) -> list[States]:
        """The first states, made of a summary; what is not made of it is zero."""
        if not self.bridge:
            raise UsageError("A summary is given, and the decoder has no summary_size: nothing is made of it.")
        if tuple(summary.shape) != (memory.shape[1], self.summary_size):
            wanted = f"({memory.shape[1]}, {self.summary_size})"
            raise UsageError(f"The summary has shape {tuple(summary.shape)}: it must be {wanted}.")
        found = []
        maps = iter(self.bridge)
        for k in range(len(self.recurrent.layers)):
            usual = self.recurrent.layer(k).begin(memory, memory.shape[1])
            names = zip(self.recurrent.cell.states, usual, strict=True)
            found.append(tuple(torch.tanh(next(maps)(summary)) if name in self._made else one for name, one in names))
        return found


def _sequences(x: object, state: object) -> int:
    """B, the number of sequences of what is given. Raises `UsageError` where that is something else."""
    if not isinstance(x, Tensor):
        raise UsageError(f"The input is a {type(x).__name__}: it must be a tensor.")
    if not isinstance(state, Decoding):
        raise UsageError(f"The state is a {type(state).__name__}: it must be what begin or the step before returned.")
    return len(state.memory.values)


def _made(cell: Cell, names: Sequence[str] | None) -> tuple[str, ...]:
    """The states that a summary makes, in the cell's order."""
    if isinstance(names, str):
        raise UsageError(f"summary_states is a list of names, as in [{names!r}], not {names!r}.")
    wanted = cell.states if names is None else tuple(names)
    unknown = [name for name in wanted if name not in cell.states]
    if unknown:
        raise UsageError(f"{cell.name} has the states {', '.join(cell.states)}, and no {', '.join(unknown)}.")
    return tuple(name for name in cell.states if name in wanted)
