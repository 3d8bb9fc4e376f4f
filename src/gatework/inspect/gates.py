"""The gates of a trained network along a window, under the names of its equations."""

from __future__ import annotations

import numpy as np
import torch

from gatework.graph import Graph
from gatework.graph.ops import Op
from gatework.tasks.forecaster import Forecaster
from gatework.tasks.transform import Floats


def record_gates(network: Forecaster, window: Floats) -> tuple[dict[str, Floats], dict[str, str]]:
    """Every named value of the top layer along one window.

    `window` is (1, L, C) as the network reads it. Returns name → values (L, H), in the order of the equations, and
    name → kind: `gate` (0 to 1), `candidate` (a nonlinearity's value), `state`, or `value`.
    """
    with torch.no_grad():
        top = network.recurrent.record(torch.from_numpy(window.astype(np.float32)))[-1]
    graph = network.recurrent.cell.graph
    names = [*graph.equations, *(state for state in graph.states if state not in graph.equations)]
    names = [name for name in names if name in top]  # of the loop, and of what a layer with none below has
    return {name: top[name][0].double().numpy() for name in names}, {name: kind(graph, name) for name in names}


def kind(graph: Graph, name: str) -> str:
    """What a named value is: `gate`, `candidate`, `state` or `value`."""
    if name in graph.gates:
        return "gate"
    if name in graph.states or graph.equations.get(name) in graph.outputs:
        return "state"
    squashed = graph.nodes[graph.equations[name]].op in {Op.TANH, Op.RELU, Op.SOFTPLUS}
    return "candidate" if squashed else "value"
