"""The long short-term memory as first published: nothing is ever forgotten."""

from gatework.graph import U, W, b, cell, sigmoid
from gatework.graph.starts import steps, uniform


@cell(
    source="Hochreiter & Schmidhuber 1997, Neural Computation 9:1735-1780; equations 2.1 to 2.4 of Gers et al. 2000",
    weights={
        "b.i": steps(-0.5, -0.5, 4),
        "b.o": steps(-0.5, -0.5, 4),
        **{key: uniform(-0.2, 0.2) for key in ("W.i", "U.i", "W.o", "U.o", "W.g", "U.g")},
    },
)
def lstm_1997(x, h, c):
    """Long short-term memory of 1997, without a forget gate."""
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    g = 4 * sigmoid(W.g @ x + U.g @ h + b.g) - 2
    c = c + i * g
    h = o * (2 * sigmoid(c) - 1)
    return h, c
