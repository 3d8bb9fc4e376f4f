"""The unit-wise Bayesian recurrent unit: a hidden Markov chain of two states in every unit, and no recurrent matrix.

Where libraries differ:

- The authors' code limits what goes into the exponential at 10, as here. The paper's text has the other sign there: the
  same unit with other signs of its weights.
"""

from gatework.graph import W, b, cell, exp, minimum, p, sigmoid


@cell(source="Bittar & Garner 2022, arXiv:2207.10486, forward pass")
def ubru(x, a):
    """Unit-wise Bayesian recurrent unit."""
    r = exp(minimum(W.r @ x + b.r, 10))
    stay = sigmoid(p.stay)
    rise = sigmoid(p.rise)
    q = stay * a + rise * (1 - a)
    return q / (q + r * (1 - q))
