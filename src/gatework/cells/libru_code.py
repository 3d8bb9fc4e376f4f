"""The light Bayesian recurrent unit as its authors' code has it in logarithms: another unit than the published one.

Where libraries differ:

- It is the form `logprobs` of that code; its form `probs` is `libru`.
"""

from gatework.graph import U, W, b, cell, exp, log, sigmoid, softplus


@cell(source="Bittar & Garner 2021, code idiap/bayesian-recurrence, libru.py, form logprobs")
def libru_code(x, s):
    """Light Bayesian recurrent unit, form of the code."""
    z = sigmoid(W.z @ x + U.z @ s + b.z)
    n = softplus(W.n @ x + U.n @ s + b.n)
    return log(z * exp(s) + (1 - z) * exp(n))
