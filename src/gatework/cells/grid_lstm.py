"""The grid LSTM of two dimensions: one LSTM goes along time, another up the layers, and each reads what both know.

`h` and `m` are the hidden and the memory vector of the time dimension, `hd` and `md` those that go up; the input of a
layer is the `hd` of the one below. With `priority=True` the depth dimension reads what the time dimension has just
computed. The first layer, which has none below, begins with an empty memory of depth.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Kalchbrenner, Danihelka & Graves 2015, arXiv:1507.01526", weights={"b.f": 1.0, "b.fd": 1.0})
def grid_lstm(x, hd, md, h, m, *, md_below, priority=False):
    """Grid long short-term memory, of time and depth."""
    before = h
    u = sigmoid(W.u @ x + U.u @ h + b.u)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    c = tanh(W.c @ x + U.c @ h + b.c)
    m = f * m + u * c
    h = tanh(o * m)
    read = h if priority else before
    ud = sigmoid(W.ud @ x + U.ud @ read + b.ud)
    fd = sigmoid(W.fd @ x + U.fd @ read + b.fd)
    od = sigmoid(W.od @ x + U.od @ read + b.od)
    cd = tanh(W.cd @ x + U.cd @ read + b.cd)
    md = fd * md_below + ud * cd
    hd = tanh(od * md)
    return hd, md, h, m
