"""The long short-term memory without the state in its gates, which share what they forget and write.

Where libraries differ:

- In lucidrains/minGRU-pytorch the first state goes through an activation when a sequence is computed in parallel, and
  not when it goes step by step: the two modes of that code differ.
"""

from gatework.graph import W, b, cell, sigmoid


@cell(source="Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, arXiv:2410.01201")
def minlstm(x, h):
    """Minimal long short-term memory for parallel scans."""
    f = sigmoid(W.f @ x + b.f)
    i = sigmoid(W.i @ x + b.i)
    n = W.n @ x + b.n
    return (f * h + i * n) / (f + i)
