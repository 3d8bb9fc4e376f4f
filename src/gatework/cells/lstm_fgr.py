"""The long short-term memory whose gates see all three gates of the step before."""

from gatework.graph import U, W, b, cell, p, sigmoid, tanh


@cell(
    source="Greff, Srivastava, Koutník, Steunebrink & Schmidhuber 2017, arXiv:1503.04069, variant FGR",
    weights={"b.f": 1.0},
)
def lstm_fgr(x, h, c, i, f, o):
    """Long short-term memory with full gate recurrence."""
    recurrent = U.i2o @ i + U.f2o @ f + U.o2o @ o
    i, f = (
        sigmoid(W.i @ x + U.i @ h + U.i2i @ i + U.f2i @ f + U.o2i @ o + p.i * c + b.i),
        sigmoid(W.f @ x + U.f @ h + U.i2f @ i + U.f2f @ f + U.o2f @ o + p.f * c + b.f),
    )
    g = tanh(W.g @ x + U.g @ h + b.g)
    c = f * c + i * g
    o = sigmoid(W.o @ x + U.o @ h + recurrent + p.o * c + b.o)
    h = o * tanh(c)
    return h, c, i, f, o
