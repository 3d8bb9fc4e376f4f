"""The long short-term memory whose gates see the cell: input and forget gate the old one, the output gate the new one.

Every unit sees its own cell only. `peepholes` names the gates that do: `lstm_peephole(peepholes="o")`.

Where libraries differ:

- torch `nn.LSTM` and Keras `LSTM` have no peepholes; TensorFlow 1 `LSTMCell(use_peepholes=True)`, TensorFlow Addons
  `PeepholeLSTMCell` and ONNX `LSTM` (input P, in the order i, o, f) have these.
- RecurrentLayers.jl's `PeepholeLSTM` lets the output gate see the old cell, where its own documentation and the paper
  have the new one.
- DyNet and the depth-gated code use full matrices in the place of the diagonal weights.
"""

from gatework.graph import U, W, b, cell, p, sigmoid, tanh


@cell(
    source="Gers & Schmidhuber 2000, IJCNN 3:189-194; Gers, Schraudolph & Schmidhuber 2002, JMLR 3:115-143",
    weights={"b.f": 1.0},
)
def lstm_peephole(x, h, c, *, peepholes="ifo"):
    """Long short-term memory with peepholes."""
    if not set(peepholes) <= set("ifo"):
        raise ValueError("peepholes is a word of the letters i, f and o")
    i = sigmoid(W.i @ x + U.i @ h + p.i * c + b.i) if "i" in peepholes else sigmoid(W.i @ x + U.i @ h + b.i)
    f = sigmoid(W.f @ x + U.f @ h + p.f * c + b.f) if "f" in peepholes else sigmoid(W.f @ x + U.f @ h + b.f)
    g = tanh(W.g @ x + U.g @ h + b.g)
    c = f * c + i * g
    o = sigmoid(W.o @ x + U.o @ h + p.o * c + b.o) if "o" in peepholes else sigmoid(W.o @ x + U.o @ h + b.o)
    h = o * tanh(c)
    return h, c
