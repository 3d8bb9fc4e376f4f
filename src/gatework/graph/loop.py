"""What a kernel does at every time step: records, and nothing that computes.

A loop runs forward or backward in time. At every step it goes through stages: a stage accumulates products of matrices
with vectors that are complete, and then evaluates elementwise operations on the accumulators. A vector is complete
once its stage is over, so a product with a vector of the same time step begins another stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gatework.graph.graph import Node


class Keeping(StrEnum):
    """How long an array keeps what is written to it, which is how its memory is laid out."""

    SEQUENCE = "sequence"  # one slot for each time step: (T, B, columns)
    START = "start"  # before the first time step: (B, columns)
    RING = "ring"  # a slot for each of the last time steps, used again and again
    PAIR = "pair"  # this time step and the one before
    STEP = "step"  # within a time step


@dataclass(frozen=True, slots=True)
class Array:
    """A place for vectors: `columns` is a letter, `blocks` the number of vectors that lie side by side.

    `start` names the array that is read in place of this one for times outside the sequence; without one they count as
    zero.
    """

    name: str
    keeping: Keeping
    columns: str
    blocks: int = 1
    start: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A vector in an array: the block, and the slot, `shift` time steps from the one that is computed.

    Where the shifted time lies outside the sequence, the array's `start` is read.
    """

    array: str
    block: int = 0
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """A matrix, by its key, or its transpose, times a vector."""

    matrix: str
    transposed: bool
    vector: Place


@dataclass(frozen=True, slots=True)
class Store:
    """A node's value is written to a place."""

    node: int
    place: Place


@dataclass(frozen=True)
class Stage:
    """Products, then an elementwise part.

    `columns` is the letter of the size of its vectors. `products` gives the terms of every accumulated node, `totals`
    the vector whose entries a node sums, `reads` the place that a node's value is read from. All else that the stores
    need is computed from those, from constants and from vectors of weights. A stage that is `optional` runs only
    where its result is asked for.
    """

    columns: str
    products: Mapping[int, tuple[Term, ...]]
    totals: Mapping[int, Place]
    reads: Mapping[int, Place]
    stores: tuple[Store, ...]
    optional: bool = False


@dataclass(frozen=True)
class Loop:
    """One direction of a cell in time; `last`, where there is one, runs once after it, on the last step's vectors."""

    nodes: tuple[Node, ...]
    stages: tuple[Stage, ...]
    arrays: Mapping[str, Array]
    last: Stage | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    """A gradient of a matrix: the sum over sequences and time of a block of `d` times the transpose of a vector."""

    matrix: str
    block: int
    vector: Place


@dataclass(frozen=True)
class Plan:
    """How a cell is run: its loops, and what is summed after the backward loop.

    `kept` are the arrays, besides the states, that the forward loop of a training step writes and the backward loop
    reads. `outers` are the gradients of matrices, and `columns` those of vectors: key → block of the array `d`.
    """

    inference: Loop
    forward: Loop
    backward: Loop
    kept: tuple[str, ...]
    outers: tuple[Outer, ...]
    columns: Mapping[str, int]
