"""The cell that reinforcement learning found by composing it, tree by tree.

Where libraries differ:

- TensorFlow Addons `NASCell` multiplies the two products under n3, as here; torchrecurrent and RecurrentLayers.jl add
  them.
"""

from gatework.graph import U, W, cell, relu, sigmoid, tanh


@cell(source="Zoph & Le 2017, arXiv:1611.01578")
def nas(x, h, c):
    """Cell found by neural architecture search."""
    n0 = sigmoid(W.n0 @ x + U.n0 @ h)
    n1 = relu(W.n1 @ x + U.n1 @ h)
    n2 = sigmoid(W.n2 @ x + U.n2 @ h)
    n3 = relu((W.n3 @ x) * (U.n3 @ h))
    n4 = tanh(W.n4 @ x + U.n4 @ h)
    n5 = sigmoid(W.n5 @ x + U.n5 @ h)
    n6 = tanh(W.n6 @ x + U.n6 @ h)
    n7 = sigmoid(W.n7 @ x + U.n7 @ h)
    left = tanh(tanh(n0 * n1) + c)
    c = left * tanh(n2 + n3)
    h = tanh(c * tanh(tanh(n4 * n5) + sigmoid(n6 + n7)))
    return h, c
