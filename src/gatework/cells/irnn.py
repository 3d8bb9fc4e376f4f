"""The Elman network of rectified linear units that starts as an identity, so that it remembers at first.

Where libraries differ:

- Keras has it as an example only (keras-team/keras, `examples/mnist_irnn.py`): `SimpleRNN` with relu, an identity
  matrix, and normal input weights with deviation 0.001.
"""

from gatework.graph import U, W, b, cell, relu
from gatework.graph.starts import identity, normal


@cell(source="Le, Jaitly & Hinton 2015, arXiv:1504.00941", weights={"U.h": identity(), "W.h": normal(0.001)})
def irnn(x, h):
    """Elman network of rectified linear units, started at the identity."""
    return relu(W.h @ x + U.h @ h + b.h)
