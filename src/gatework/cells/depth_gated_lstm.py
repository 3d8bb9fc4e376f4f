"""The depth-gated LSTM: a gate lets the cell of the layer below into the cell of this one, at the same time step.

The equations are the paper's; the authors' code couples the input gate with the forget gate, and has full matrices
where these have peepholes. The first layer, which has none below, is the LSTM with peepholes.
"""

from gatework.graph import U, W, b, cell, p, sigmoid, tanh


@cell(source="Yao, Cohn, Vylomova, Duh & Dyer 2015, arXiv:1508.03790", weights={"b.f": 1.0})
def depth_gated_lstm(x, h, c, *, c_below):
    """Depth-gated long short-term memory."""
    i = sigmoid(W.i @ x + U.i @ h + p.i * c + b.i)
    f = sigmoid(W.f @ x + U.f @ h + p.f * c + b.f)
    g = tanh(W.g @ x + U.g @ h + b.g)
    d = sigmoid(W.d @ x + p.d * c + p.below * c_below + b.d)
    c = d * c_below + f * c + i * g
    o = sigmoid(W.o @ x + U.o @ h + p.o * c + b.o)
    h = o * tanh(c)
    return h, c
