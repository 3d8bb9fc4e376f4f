"""What a search is asked to do, beside the settings of the study that judges what it finds."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

from gatework.cells import find
from gatework.errors import UsageError
from gatework.graph import Cell
from gatework.study.options import Options, command, flag

_MOST = 100_000
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class SearchOptions:
    """The settings of a search. Raises `UsageError` where one cannot work.

    Attributes:
        candidates: how many new cells are tried.
        start: the cells that are changed first; their weights start as usual or at a number.
        beside: the cells that what is found is compared with.
        found: how many of the best are compared with them.
        time_limit: how long trainings of the search may take together, as in 90s, 10m or 2h; no limit if left out.
        search_seed: another number, other changes.
    """

    candidates: int = 45
    start: tuple[str, ...] = ("gru", "lstm", "mgu")
    beside: tuple[str, ...] = ("gru", "lstm")
    found: int = 1
    time_limit: str | None = None
    search_seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (("candidates", 1, _MOST), ("found", 1, 20), ("search_seed", 0, 2**31 - 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise UsageError(f"{flag(name)} is {value!r}: it is a whole number from {least:,} to {most:,}.")
        for name in ("start", "beside"):
            value = getattr(self, name)
            if not value:
                raise UsageError(f"{flag(name)} is empty: name at least one cell, such as gru.")
            if len(set(value)) < len(value):
                raise UsageError(f"{flag(name)} names a cell twice ({', '.join(value)}): name each once.")
        _ = self.seconds

    @property
    def seconds(self) -> float:
        """The time limit in seconds; infinite where there is none."""
        if self.time_limit is None:
            return inf
        parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", self.time_limit.strip())
        if parts is None or not float(parts[1]) > 0:
            raise UsageError(f"--time-limit is {self.time_limit!r}: write a time above zero such as 90s, 10m or 2h.")
        return float(parts[1]) * _SECONDS[parts[2]]

    def cells(self) -> list[Cell]:
        """The cells to start with. Raises `UsageError` for one that cannot be changed, `EquationError` for none."""
        found = [find(one) for one in self.start]
        for cell in found:
            recipes = [key for key, weight in cell.weights.items() if callable(weight.start)]
            if recipes:
                raise UsageError(
                    f"{cell.name} cannot be changed: its weight {recipes[0]} starts by a recipe, which no cell file "
                    "can hold; leave it out of --start."
                )
        return found

    def to_json(self) -> dict[str, Any]:
        """Every setting as plain values."""
        return {
            name: list(one) if isinstance(one := getattr(self, name), tuple) else one
            for name in self.__dataclass_fields__
        }


def search_command(data: str, search: SearchOptions, options: Options, out: Path | None) -> str:
    """The command that repeats a search: what differs from the defaults."""
    study = shlex.split(command(data, replace(options, cells=Options().cells), out))
    default, own = SearchOptions().to_json(), []
    for name, value in search.to_json().items():
        if value != default[name]:
            own += [flag(name), ",".join(value) if isinstance(value, list) else str(value)]
    return shlex.join(["gatework", "search", *study[2:], *own])
