"""The LSTM whose input gate is one minus its forget gate.

Where libraries differ:

- ONNX `LSTM(input_forget=1)` has it; TensorFlow 1 `CoupledInputForgetGateLSTMCell` has it with peepholes for two
  gates, as `lstm_cifg` here.
"""

from gatework.graph import U, W, b, cell, sigmoid, tanh


@cell(source="Greff et al. 2017, arXiv:1503.04069, variant CIFG, without peepholes", weights={"b.f": 1.0})
def cifg(x, h, c):
    """Long short-term memory with coupled input and forget gates."""
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    i = 1 - f
    g = tanh(W.g @ x + U.g @ h + b.g)
    o = sigmoid(W.o @ x + U.o @ h + b.o)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c
