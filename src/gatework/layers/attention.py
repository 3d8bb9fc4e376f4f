"""Attention: which steps of a memory matter to a query, and their mean, weighted by that.

Two families: additive scores (Bahdanau, Cho & Bengio 2014, arXiv:1409.0473), and the scores of Luong, Pham & Manning
(2015, arXiv:1508.04025). The memory is what an encoder gave at every step, (S, B, M).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.errors import UsageError
from gatework.layers.lengths import lasting

SCORES = ("dot", "scaled_dot", "general", "concat")
"""The scores of `LuongAttention`."""


@dataclass(frozen=True)
class Memory:
    """A memory that is ready for queries: what does not depend on these is computed once.

    `values` are (B, S, M), and `keys` (B, S, …) what the scores read of them; `valid`, (B, 1, S), is true where a
    sequence has not ended, None where all go on to the end.
    """

    values: Tensor
    keys: Tensor
    valid: Tensor | None


class Attention(nn.Module, ABC):
    """What all kinds share: a softmax of scores over the steps of each sequence, and the mean that it weighs.

    A kind says what is computed of the memory (`keys`) and how a query meets it (`scores`).
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        if min(query_size, memory_size) < 1:
            raise UsageError(f"Attention needs positive sizes, not {query_size} of a query, {memory_size} of a memory.")
        self.query_size, self.memory_size = query_size, memory_size

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """What the scores read of the memory, (B, S, M)."""

    @abstractmethod
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """How well each query, (B, T, Q), fits each step of the memory: (B, T, S)."""

    def prepare(self, memory: Tensor, lengths: Tensor | Sequence[int] | None = None) -> Memory:
        """A memory, (S, B, M), for any number of queries; `lengths`, (B,), says how many steps each sequence has.

        What is padded has to be finite. Raises `UsageError` where the shapes do not fit.
        """
        if not isinstance(memory, Tensor):
            raise UsageError(f"The memory is a {type(memory).__name__}: it must be a tensor.")
        if memory.dim() != 3 or memory.shape[2] != self.memory_size or memory.shape[0] == 0:
            raise UsageError(f"The memory has shape {tuple(memory.shape)}: it must be (S, B, {self.memory_size}).")
        S, B, _ = memory.shape
        values = memory.transpose(0, 1)
        valid = None if lengths is None else lasting(lengths, S, B, memory.device, of="the memory").T.unsqueeze(1)
        return Memory(values, self.keys(values), valid)

    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """The contexts, (B, T, M), of queries, (B, T, Q), and their weights, (B, T, S)."""
        scores = self.scores(query, memory.keys)
        if memory.valid is not None:
            scores = scores.masked_fill(~memory.valid, -torch.inf)
        weights = scores.softmax(-1)
        return weights @ memory.values, weights

    def forward(
        self, query: Tensor, memory: Tensor, lengths: Tensor | Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend to a memory, (S, B, M), of which each sequence has as many steps as `lengths`, (B,), says.

        `query` is (T, B, Q), or (B, Q) for one step. Returns the contexts, (T, B, M) or (B, M), and the weights,
        (T, B, S) or (B, S): they are zero where a sequence has ended, and add up to one. What is padded has to be
        finite.

        Raises `UsageError` where the shapes do not fit.
        """
        single = query.dim() == 2
        ready = self.prepare(memory, lengths)
        if query.dim() not in (2, 3) or tuple(query.shape[-2:]) != (memory.shape[1], self.query_size):
            B, Q = memory.shape[1], self.query_size
            raise UsageError(f"The query has shape {tuple(query.shape)}: it must be (T, {B}, {Q}), or ({B}, {Q}).")
        context, weights = self.attend(query.unsqueeze(1) if single else query.transpose(0, 1), ready)
        if single:
            return context.squeeze(1), weights.squeeze(1)
        return context.transpose(0, 1), weights.transpose(0, 1)


class BahdanauAttention(Attention):
    """Additive scores: `v @ tanh(W_query @ s + W_memory @ m)` (Bahdanau, Cho & Bengio 2014).

    Args:
        query_size: Q, the entries of a query.
        memory_size: M, the entries of a step of the memory.
        attention_size: the entries of the sum, Q where it is not given.

    T queries need T · B · S · `attention_size` numbers at a time.

    >>> import torch
    >>> attention = BahdanauAttention(8, 6)
    >>> context, weights = attention(torch.zeros(3, 2, 8), torch.zeros(5, 2, 6), lengths=[5, 4])
    >>> context.shape, weights.shape
    (torch.Size([3, 2, 6]), torch.Size([3, 2, 5]))
    >>> weights[0].sum(-1), weights[0, 1, 4]
    (tensor([1., 1.], grad_fn=<SumBackward1>), tensor(0., grad_fn=<SelectBackward0>))
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        attention_size: int | None = None,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(query_size, memory_size)
        self.attention_size = query_size if attention_size is None else attention_size
        if self.attention_size < 1:
            raise UsageError(f"The sum that is scored has one entry or more, not {attention_size}.")
        self.W_query = nn.Parameter(torch.empty(self.attention_size, query_size, device=device, dtype=dtype))
        self.W_memory = nn.Parameter(torch.empty(self.attention_size, memory_size, device=device, dtype=dtype))
        self.v = nn.Parameter(torch.empty(self.attention_size, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew: uniform, variance 2 / (rows + columns) (Glorot & Bengio 2010)."""
        for weight in (self.W_query, self.W_memory, self.v.unsqueeze(0)):
            nn.init.xavier_uniform_(weight)

    def keys(self, values: Tensor) -> Tensor:
        """`W_memory @ m`, for each step."""
        return F.linear(values, self.W_memory)

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """`v @ tanh(W_query @ s + keys)`, for each query and each step."""
        together = F.linear(query, self.W_query).unsqueeze(2) + keys.unsqueeze(1)
        return torch.tanh(together) @ self.v


class LuongAttention(Attention):
    """The scores of Luong, Pham & Manning (2015), by products of the query s and a step m of the memory.

    Args:
        query_size: Q, the entries of a query.
        memory_size: M, the entries of a step of the memory.
        score: `"dot"`, s · m, and `"scaled_dot"`, that by √Q (Vaswani et al. 2017), need Q = M; `"general"` is
            s · (W @ m); `"concat"` is `v @ tanh(W_query @ s + W_memory @ m)`, which is additive too: the paper's matrix
            that multiplies both is these two, side by side.
        attention_size: the entries of the sum of `"concat"`, Q where it is not given.

    >>> import torch
    >>> attention = LuongAttention(2, 2, "dot")
    >>> memory = torch.tensor([[[30.0, 0.0]], [[0.0, 30.0]]])
    >>> context, weights = attention(torch.tensor([[30.0, 0.0]]), memory)
    >>> context, weights
    (tensor([[30.,  0.]]), tensor([[1., 0.]]))
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        score: str = "general",
        attention_size: int | None = None,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(query_size, memory_size)
        if score not in SCORES:
            raise UsageError(f"There is no score {score!r}: choose one of {', '.join(SCORES)}.")
        if score in ("dot", "scaled_dot") and query_size != memory_size:
            raise UsageError(
                f"The score {score!r} needs a query as long as a step of the memory, not {query_size} and "
                f"{memory_size}: choose 'general' or 'concat'."
            )
        if attention_size is not None and score != "concat":
            raise UsageError(f"The score {score!r} has no sum of its own: attention_size is for 'concat'.")
        self.score = score
        self.additive = (
            BahdanauAttention(query_size, memory_size, attention_size, device=device, dtype=dtype)
            if score == "concat"
            else None
        )
        if score == "general":
            self.W = nn.Parameter(torch.empty(query_size, memory_size, device=device, dtype=dtype))
            nn.init.xavier_uniform_(self.W)

    def keys(self, values: Tensor) -> Tensor:
        """What is multiplied with the query, for each step."""
        if self.additive:
            return self.additive.keys(values)
        return F.linear(values, self.W) if self.score == "general" else values

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """One number for each query and each step."""
        if self.additive:
            return self.additive.scores(query, keys)
        scores = query @ keys.transpose(1, 2)
        return scores / self.query_size**0.5 if self.score == "scaled_dot" else scores
