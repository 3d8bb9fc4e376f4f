"""The chaos-free network: without input its state dies away.

Where libraries differ:

- TensorFlow's `CFNCell` has 1 - i for the gate of the input, so that a bias of one closes it; here i opens it, and
  its bias starts at minus one: the same start.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Laurent & von Brecht 2017, arXiv:1612.06212", weights={"b.f": 1.0, "b.i": -1.0})
def cfn(x, h):
    """Chaos-free network."""
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    return f * tanh(h) + i * tanh(W.n @ x)
