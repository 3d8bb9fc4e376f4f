"""Elman's simple recurrent network.

Where libraries differ:

- torch `nn.RNN` and ONNX `RNN` keep two biases, one for each product; only their sum acts.
- torch starts all weights uniformly within ±1/√H; Keras `SimpleRNN` starts the input matrix by Glorot, the recurrent
  one orthogonally and the bias at zero.
"""

from gatework.graph import U, W, b, cell, tanh


@cell(source="Elman 1990, Cognitive Science 14:179-211")
def rnn(x, h):
    """Simple recurrent network, tanh."""
    return tanh(W.h @ x + U.h @ h + b.h)
