"""What a layer adds to its cell at run time: the graph for what is asked, and the masks that it reads."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor

from gatework.errors import UsageError
from gatework.graph import Graph
from gatework.graph.around import DROP, KEPT, VALID, ZONE, kept, recurrent_dropout, valid, zoneout
from gatework.kernels.members import transformed
from gatework.kernels.memory import room

Rates = Mapping[str, float]
"""Probabilities by the name of a state or an equation."""


@dataclass(frozen=True)
class Around:
    """The regularisation of a layer: probabilities of `zoneout` by state, of `dropout` by state or equation.

    `weight_dropout` is the probability that an entry of a recurrent matrix is left out of a call (Merity, Keskar &
    Socher 2018, arXiv:1708.02182), `weight_noise` the deviation of what is added to every weight (Graves 2011). All act
    in training alone, but for zoneout, which afterwards takes the mean of its masks.
    """

    zoneout: Rates = field(default_factory=dict)
    dropout: Rates = field(default_factory=dict)
    weight_dropout: float = 0.0
    weight_noise: float = 0.0

    def __post_init__(self) -> None:
        rates = {**_named("zoneout", self.zoneout), **_named("recurrent dropout", self.dropout)}
        for what, rate in {**rates, "weight dropout": self.weight_dropout}.items():
            if not 0 <= rate < 1:
                raise UsageError(f"The {what} is a probability from 0 to below 1, not {rate:g}.")
        if not 0 <= self.weight_noise < float("inf"):
            raise UsageError(f"The weight noise is a deviation, zero or more, not {self.weight_noise:g}.")

    def graph(self, graph: Graph, *, training: bool, ending: bool, resetting: bool, initial: bool) -> Graph:
        """A cell's graph with what is asked around it; `ending` sequences have lengths. Raises `EquationError`."""
        dropped = tuple(self.dropout) if training else ()
        return _graph(graph, tuple(self.zoneout), dropped, ending=ending, resetting=resetting, initial=initial)

    def masks(
        self, names: tuple[str, ...], x: Tensor, H: int, *, training: bool, given: Mapping[str, Tensor]
    ) -> list[Tensor]:
        """What the added inputs hold, for a sequence (T, B, N); `given` are those that the caller has, (T, B, 1)."""
        T, B, _ = x.shape
        found = []
        for name in names:
            kind, _, of = name.partition("_")
            if name in (VALID, KEPT):
                found.append(_spread(given[name], (T, B, H)))
            elif kind == ZONE:
                keep = 1 - self.zoneout[of]
                found.append(coins(x, (T, B, H), keep) if training else x.new_full((B, H), keep))
            else:
                assert kind == DROP, f"nothing is known of the input {name}"
                keep = 1 - self.dropout[of]
                found.append(coins(x, (B, H), keep) / keep)
        return found

    def disturbed(self, key: str, weight: Tensor) -> Tensor:
        """A weight as a call in training sees it."""
        if self.weight_noise:
            weight = weight + self.weight_noise * torch.randn_like(weight)
        if self.weight_dropout and key.startswith("U"):
            weight = torch.nn.functional.dropout(weight, self.weight_dropout)
        return weight


@functools.lru_cache(maxsize=1024)
def _graph(
    graph: Graph, zoned: tuple[str, ...], dropped: tuple[str, ...], *, ending: bool, resetting: bool, initial: bool
) -> Graph:
    """The graph for what is asked, the same one for all layers that ask for it."""
    if dropped:
        graph = recurrent_dropout(graph, dropped)
    if zoned:
        graph = zoneout(graph, zoned)
    # After these, which read states: what they read begins anew as well.
    if resetting:
        graph = kept(graph, initial=initial)
    return valid(graph) if ending else graph


def _spread(mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A mask that is the same for all units."""
    if torch.compiler.is_compiling() or transformed():
        return mask.expand(shape)
    return room(mask, *shape).copy_(mask)


def coins(like: Tensor, shape: tuple[int, ...], keep: float) -> Tensor:
    """Ones with this probability, to a part in 65,536, and zeros: of the type and device of `like`.

    Four come from each random number of 64 bits; torch's own way takes one for each, and with it half as long as a
    whole training step.
    """
    count = prod(shape)
    # What makes a tensor, not what fills one: of that torch.func.vmap asks whether its members share what is drawn.
    if transformed():  # torch 2.11 has no vmap of a view as numbers of another kind
        drawn = torch.randint(-(1 << 15), 1 << 15, shape, dtype=torch.int16, device=like.device)
        return (drawn <= _last(keep)).to(like.dtype)
    if torch.compiler.is_compiling():
        bits = torch.randint(-(1 << 63), (1 << 63) - 1, (-(-count // 4),), device=like.device)
        return (_quarters(bits, count) <= _last(keep)).view(shape).to(like.dtype)
    bits = room(like.new_empty(0, dtype=torch.float64), -(-count // 4)).view(torch.int64).random_(-(1 << 63), None)
    # Truth values first and numbers then take ten times as long.
    return torch.le(_quarters(bits, count), _last(keep), out=room(like, count)).view(shape)


def _quarters(bits: Tensor, count: int) -> Tensor:
    return bits.view(torch.int16)[:count]


def _last(keep: float) -> int:
    """The largest of the numbers from -32,768 to 32,767 that stands for a one."""
    return max(round(keep * 65536), 1) - 32769


def _named(what: str, rates: Rates) -> dict[str, float]:
    return {f"{what} of {name}": rate for name, rate in rates.items()}
