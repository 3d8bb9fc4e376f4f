"""The light Bayesian recurrent unit: its state is a probability, and the network sees its logarithm.

Where z is near one, 1 - z has lost its digits in single precision, and the logarithm of what is left is far off: from
h = 0 on two correct programs may differ in the first digit. `libru_log` is the same unit, exactly, and keeps them.

Where libraries differ:

- The authors' code (idiap/bayesian-recurrence, `libru.py`) has two forms that are not one unit: `probs` is this cell,
  `logprobs` is `libru_code`. The form in logarithms that is this cell is `libru_log`.
- That code normalises both input products with one set of running statistics, and has no biases unless asked.
"""

from gatework.graph import U, W, b, cell, log, sigmoid

TINY = 1e-11
"""What keeps the logarithm of a probability of zero finite."""


@cell(source="Bittar & Garner 2021, ICASSP, doi:10.1109/ICASSP39728.2021.9414259, equations 19a to 19c")
def libru(x, h):
    """Light Bayesian recurrent unit, in probabilities."""
    s = log(h + TINY)
    z = sigmoid(W.z @ x + U.z @ s + b.z)
    n = sigmoid(W.n @ x + U.n @ s + b.n)
    return z * h + (1 - z) * n
