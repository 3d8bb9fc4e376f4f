"""The recurrent network whose units see of the state only themselves."""

from gatework.graph import W, b, cell, p, relu
from gatework.graph.starts import uniform


@cell(source="Li, Li, Cook, Zhu & Gao 2018, arXiv:1803.04831", weights={"p.h": uniform(-1, 1)})
def indrnn(x, h):
    """Independently recurrent network."""
    return relu(W.h @ x + p.h * h + b.h)
