"""The pooling of the quasi-recurrent network over a window of one step.

Where libraries differ:

- The gate f keeps, as in the paper; in salesforce/pytorch-qrnn and SpeechBrain it writes: their f is one minus this
  one.
- These libraries read a window of several steps with a convolution; here it is one step.
"""

from gatework.graph import W, b, cell, sigmoid, tanh


@cell(source="Bradbury, Merity, Xiong & Socher 2017, arXiv:1611.01576, fo-pooling")
def qrnn(x, h, c):
    """Quasi-recurrent network, fo-pooling."""
    f = sigmoid(W.f @ x + b.f)
    o = sigmoid(W.o @ x + b.o)
    g = tanh(W.g @ x + b.g)
    c = f * c + (1 - f) * g
    h = o * c
    return h, c
