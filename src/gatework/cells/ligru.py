"""The light gated recurrent unit of speech recognition: no reset gate, relu, and batch norm of the input's products.

Its gate keeps: one is the old state. The norm's shift stands for the bias.
"""

from gatework.graph import U, W, b, cell, p, relu, sigmoid, standard

NORM = {"p.z": 1.0, "p.n": 1.0}


@cell(source="Ravanelli, Brakel, Omologo & Bengio 2018, arXiv:1803.10225", weights=NORM)
def ligru(x, h):
    """Light gated recurrent unit, with batch norm."""
    z = sigmoid(p.z * standard(W.z @ x) + b.z + U.z @ h)
    n = relu(p.n * standard(W.n @ x) + b.n + U.n @ h)
    return z * h + (1 - z) * n
