"""The long short-term memory that every framework means by the name: a forget gate, no peepholes.

Where libraries differ:

- The gates lie on disk in different orders: i, f, g, o in torch `nn.LSTM` and Keras `LSTM`, i, g, f, o in TensorFlow
  1 `LSTMCell`, i, o, f, g in ONNX `LSTM`.
- The forget gate starts half open in torch, whose biases are uniform within ±1/√H, and open in Keras, which starts
  its bias at one (`unit_forget_bias`); TensorFlow 1 adds one when it runs, so that a stored bias of zero means one.
- torch keeps two biases for each gate; only their sum acts.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Gers, Schmidhuber & Cummins 2000, Neural Computation 12:2451-2471", weights={"b.f": 1.0})
def lstm(x, h, c):
    """Long short-term memory."""
    i = sigmoid(W.i @ x + U.i @ h + b.i)
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    g = tanh(W.g @ x + U.g @ h + b.g)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c
