"""Times of several calls, taken in turn, so that what slows the machine down for a while slows all of them down."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median, quantiles
from time import perf_counter
from typing import TypeVar

K = TypeVar("K")
"""What a call is known by."""

TURN = 0.01
"""Seconds that a call is repeated for in one turn: long against the threads that another side leaves spinning."""


@dataclass(frozen=True)
class Effort:
    """How long is measured: `seconds` for each call, but at least `least` rounds and at most `most`."""

    seconds: float = 0.7
    least: int = 5
    most: int = 50


QUICK = Effort(seconds=0.1, least=3, most=9)


Turn = Callable[[Callable[[], object], int], float]
"""Runs a call so many times, and says how many seconds one took."""


def interleave(
    calls: Mapping[K, Callable[[], object]], effort: Effort, turn: Turn | None = None
) -> dict[K, list[float]]:
    """Seconds of one call, by its key, for every round: A B C, B C A, …

    Each call is run twice before, and in every turn as often as fills `TURN`. The garbage collector rests meanwhile.
    `turn` is for another clock than the processor's.
    """
    turn = turn or _turn
    repeats = {name: _warm_up(call, turn) for name, call in calls.items()}
    seconds: dict[K, list[float]] = {name: [] for name in calls}
    order = list(calls)
    resting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        end = perf_counter() + effort.seconds * len(calls)
        for done in range(effort.most):
            if done >= effort.least and perf_counter() > end:
                break
            for name in order:
                seconds[name].append(turn(calls[name], repeats[name]))
            order.append(order.pop(0))
    finally:
        if resting:
            gc.enable()
    return seconds


def fastest(call: Callable[[], object], *, seconds: float = 0.1) -> float:
    """Seconds of the fastest call of several: what the hardware can do where nothing disturbs it."""
    return min(interleave({"": call}, Effort(seconds, least=5, most=1000))[""])


def spread(seconds: Sequence[float]) -> tuple[float, float, float]:
    """The first quartile, the median and the third quartile.

    >>> spread([3.0, 1.0, 2.0])
    (1.5, 2.0, 2.5)
    """
    low, middle, high = quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else [seconds[0]] * 3
    return low, middle, high


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """How many times our time theirs is: the median over rounds, each against the same round's.

    >>> ratio([2.0, 4.0, 60.0], [1.0, 2.0, 3.0])
    2.0
    """
    return median(a / b for a, b in zip(theirs, ours, strict=True))


def _warm_up(call: Callable[[], object], turn: Turn) -> int:
    """Run a call, and say how often it has to be run to fill a turn."""
    call()
    return max(1, ceil(TURN / max(turn(call, 1), 1e-9)))


def _turn(call: Callable[[], object], repeats: int) -> float:
    began = perf_counter()
    for _ in range(repeats):
        call()
    return (perf_counter() - began) / repeats
