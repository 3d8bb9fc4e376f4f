"""The light Bayesian recurrent unit with minus the logarithm of its probability for a state: exactly the same unit.

Where libraries differ:

- In the authors' code (idiap/bayesian-recurrence, `libru.py`) the form in logarithms has other signs, and is another
  unit: `libru_code`.
"""

from gatework.graph import U, W, b, cell, exp, log, sigmoid, softplus


@cell(
    source="Bittar & Garner 2021, ICASSP, doi:10.1109/ICASSP39728.2021.9414259, equations 19a to 19c, with s = -log h"
)
def libru_log(x, s):
    """Light Bayesian recurrent unit, in logarithms."""
    z = sigmoid(W.z @ x + U.z @ s + b.z)
    n = softplus(W.n @ x + U.n @ s + b.n)
    return -log(z * exp(-s) + (1 - z) * exp(-n))
