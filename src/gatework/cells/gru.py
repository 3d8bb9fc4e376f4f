"""The gated recurrent unit of cuDNN, torch and Keras: the reset gate acts after the recurrent product.

Where libraries differ:

- torch `nn.GRU`, cuDNN, Keras `GRU(reset_after=True)`, which is its default, and ONNX `GRU(linear_before_reset=1)`
  are this cell. Keras's own documentation says that the default is the other one, `gru_reset_before`.
- The gates lie on disk as r, z, n in torch, and as z, r, n in Keras and ONNX.
- torch keeps six biases and Keras a pair of three, (2, 3H); four of them act apart, as here: that of the recurrent
  product inside the reset gate is one of its own.
- Here and in these libraries z keeps the old state; other libraries have z write, which is the same cell with the
  signs of W.z, U.z and b.z changed.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Cho et al. 2014, arXiv:1406.1078v1")
def gru(x, h):
    """Gated recurrent unit, reset after the product."""
    r = sigmoid(W.r @ x + U.r @ h + b.r)
    z = sigmoid(W.z @ x + U.z @ h + b.z)
    n = tanh(W.n @ x + b.n + r * (U.n @ h + b.Un))
    return (1 - z) * n + z * h
