"""The argument of a kernel: a table of 64-bit integers, numbers and addresses by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir

from gatework.kernels.cpu.code import I64, POINTER, Code


@dataclass(frozen=True)
class Frame:
    """Names in the order of the table."""

    names: tuple[str, ...]

    @staticmethod
    def of(names: Iterable[str]) -> Frame:
        """A table with these names, each once."""
        return Frame(tuple(dict.fromkeys(names)))

    def index(self, name: str) -> int:
        """The position of a name."""
        return self.names.index(name)


class Arguments:
    """The entries of a frame inside a function, loaded when they are first used."""

    def __init__(self, code: Code, frame: Frame, pointer: Any) -> None:
        self._code, self._frame, self._pointer = code, frame, pointer
        self._loaded: dict[str, Any] = {}

    def number(self, name: str) -> Any:
        """An integer."""
        return self._load(name, I64)

    def pointer(self, name: str) -> Any:
        """An address."""
        return self._load(name, POINTER)

    def _load(self, name: str, kind: Any) -> Any:
        if name not in self._loaded:
            # In the first block: a value that is loaded inside a loop would not be there after it.
            builder = self._code.opening
            index = ir.Constant(I64, self._frame.index(name))
            place = builder.gep(self._pointer, [index], source_etype=I64)
            self._loaded[name] = builder.load(place, typ=kind, name=name)
        return self._loaded[name]
