"""The sides by name, and which of them take part."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from gatework.bench.jax_side import Scan
from gatework.bench.keras_side import Keras
from gatework.bench.onnx_side import Onnx
from gatework.bench.side import Side
from gatework.bench.torch_sides import Compiled, Eager, Ours, Torch
from gatework.errors import UsageError

OURS = Ours()

PEERS: dict[str, Side] = {one.name: one for one in (Torch(), Eager(), Compiled(), Onnx(), Keras(), Scan())}
"""Whom we are measured beside."""

SIDES: dict[str, Side] = {OURS.name: OURS, **PEERS}


def choose_peers(names: Sequence[str]) -> tuple[Side, ...]:
    """The peers that are asked for.

    `default` are all that are installed and do not compile for minutes, `all` are all that are installed, `none` are
    none. Raises `UsageError` for a name that nobody has, and for a peer that cannot run here.
    """
    if not names:
        raise UsageError("--peers is empty: write names with commas between them, or none.")
    if len(names) == 1 and names[0] in ("default", "all", "none"):
        found = [one for one in PEERS.values() if not one.missing()] if names[0] != "none" else []
        return tuple(one for one in found if names[0] == "all" or one.patience is None)
    return tuple(_peer(name) for name in dict.fromkeys(names))


def _peer(name: str) -> Side:
    if name not in PEERS:
        near = difflib.get_close_matches(name, PEERS, 1)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(PEERS)}, or default, all or none."
        raise UsageError(f"There is no peer {name!r}: {hint}")
    if reason := PEERS[name].missing():
        raise UsageError(f"The peer {name} cannot be measured: {reason}.")
    return PEERS[name]
