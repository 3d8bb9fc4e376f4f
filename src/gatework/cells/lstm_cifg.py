"""The long short-term memory with peepholes whose input gate is one minus its forget gate.

Where libraries differ:

- The paper computes the input gate and takes one minus it for the forget gate; TensorFlow 1
  `CoupledInputForgetGateLSTMCell` computes the forget gate, as here. The two are one cell with other signs of
  weights.
"""

from gatework.graph import U, W, b, cell, p, sigmoid, tanh


@cell(
    source="Greff, Srivastava, Koutník, Steunebrink & Schmidhuber 2017, arXiv:1503.04069, variant CIFG",
    weights={"b.f": 1.0},
)
def lstm_cifg(x, h, c):
    """Long short-term memory, coupled input and forget gates, peepholes."""
    f = sigmoid(W.f @ x + U.f @ h + p.f * c + b.f)
    i = 1 - f
    g = tanh(W.g @ x + U.g @ h + b.g)
    c = f * c + i * g
    o = sigmoid(W.o @ x + U.o @ h + p.o * c + b.o)
    h = o * tanh(c)
    return h, c
