"""Recurrent cells written as their equations, and an honest study of which one forecasts your data best.

>>> import gatework as gw
>>> gw.cells["gru"].states
('h',)
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gatework.cells import catalogue as cells
from gatework.graph import Cell, cell

if TYPE_CHECKING:
    from gatework.layers import (
        GRU,
        LSTM,
        RNN,
        AttentiveDecoder,
        BahdanauAttention,
        ConvRecurrent,
        LuongAttention,
        Recurrent,
    )
    from gatework.study import Study, compare
    from gatework.tasks import Model
    from gatework.tasks import load_model as load

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AttentiveDecoder",
    "BahdanauAttention",
    "Cell",
    "ConvRecurrent",
    "LuongAttention",
    "Model",
    "Recurrent",
    "Study",
    "cell",
    "cells",
    "compare",
    "load",
]
__version__ = version("gatework")

_HOMES = {
    "GRU": ("gatework.layers", "GRU"),
    "LSTM": ("gatework.layers", "LSTM"),
    "RNN": ("gatework.layers", "RNN"),
    "AttentiveDecoder": ("gatework.layers", "AttentiveDecoder"),
    "BahdanauAttention": ("gatework.layers", "BahdanauAttention"),
    "LuongAttention": ("gatework.layers", "LuongAttention"),
    "ConvRecurrent": ("gatework.layers", "ConvRecurrent"),
    "Recurrent": ("gatework.layers", "Recurrent"),
    "Study": ("gatework.study", "Study"),
    "compare": ("gatework.study", "compare"),
    "Model": ("gatework.tasks", "Model"),
    "load": ("gatework.tasks", "load_model"),
}
"""Names that need torch: loaded when they are asked for, so that listing cells does not wait for it."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gatework' has no attribute {name!r}")
    home, inside = _HOMES[name]
    return getattr(importlib.import_module(home), inside)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
