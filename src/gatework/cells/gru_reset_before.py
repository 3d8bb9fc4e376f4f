"""The gated recurrent unit as published: the reset gate acts before the recurrent product.

Where libraries differ:

- TensorFlow 1 `GRUCell`, Keras `GRU(reset_after=False)` and ONNX `GRU(linear_before_reset=0)` are this cell; torch
  has the other only, `gru`. Trained weights cannot be moved between the two.
- TensorFlow 1 starts the biases of both gates at one, Keras at zero.
- Here z keeps the old state, as in the paper and in these libraries; Chung et al. 2014 and Lasagne have z write,
  which is the same cell with the signs of W.z, U.z and b.z changed.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Cho et al. 2014, arXiv:1406.1078v3, equations 5 to 8")
def gru_reset_before(x, h):
    """Gated recurrent unit, reset before the product."""
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    n = tanh(W.n @ x + U.n @ (r * h) + b.n)
    return z * h + (1 - z) * n
