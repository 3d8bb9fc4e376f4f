"""What is to be measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

from gatework.bench.case import DTYPES
from gatework.bench.machine import available
from gatework.bench.shapes import Shape
from gatework.bench.side import Side
from gatework.bench.timing import Effort
from gatework.cells import catalogue, find
from gatework.errors import UsageError
from gatework.graph import Cell


@dataclass(frozen=True)
class Request:
    """Every cell at every shape on every number of threads, beside the peers.

    `catalogue` adds all cells of the catalogue at one shape, `growth` the curves in T, B and H; both on the first
    number of threads. Raises `UsageError` where that cannot be measured here.
    """

    cells: tuple[str, ...]
    shapes: tuple[Shape, ...]
    threads: tuple[int, ...]
    peers: tuple[Side, ...]
    dtype: str = "float32"
    input_grad: bool = False
    effort: Effort = field(default_factory=Effort)
    catalogue: bool = False
    growth: bool = False

    def __post_init__(self) -> None:
        if not (self.cells and self.shapes and self.threads):
            raise UsageError("A benchmark needs at least one cell, one shape and one number of threads.")
        if self.dtype not in DTYPES:
            raise UsageError(f"There is no dtype {self.dtype!r} to measure in: choose from {', '.join(DTYPES)}.")
        for count in self.threads:
            if not 1 <= count <= available():
                raise UsageError(f"--threads is {count}: the number of processors here is {available()}.")
        names = [find(cell).name for cell in self.cells]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"Two of the cells are named {name}: name each once.")

    @cached_property
    def by_text(self) -> Mapping[str, Cell]:
        """The cells by what names them: what the user wrote, and the names of the catalogue."""
        return {text: find(text) for text in (*self.cells, *catalogue)}

    def settings(self) -> dict[str, object]:
        """The settings that the numbers depend on, as plain data."""
        return {
            "cells": list(self.cells),
            "threads": list(self.threads),
            "peers": [one.name for one in self.peers],
            "dtype": self.dtype,
            "input_grad": self.input_grad,
            **asdict(self.effort),
        }
