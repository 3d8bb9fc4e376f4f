"""Equations in words and in LaTeX, and the table of a graph."""

import pytest

from gatework.cells import catalogue
from gatework.graph import U, W, absolute, b, cell, exp, maximum, mean, minimum, p, relu, sigmoid, sqrt, tanh
from gatework.graph.latex import latex
from gatework.graph.listing import listing
from gatework.graph.printing import shortest
from gatework.graph.text import equations

GRU = """\
rₜ = σ(W_r xₜ + U_r hₜ₋₁ + b_r)
zₜ = σ(W_z xₜ + U_z hₜ₋₁ + b_z)
nₜ = tanh(W_n xₜ + b_n + rₜ ⊙ (U_n hₜ₋₁ + b_Un))
hₜ = (1 - zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁"""

LSTM = """\
iₜ = σ(W_i xₜ + U_i hₜ₋₁ + b_i)
fₜ = σ(W_f xₜ + U_f hₜ₋₁ + b_f)
gₜ = tanh(W_g xₜ + U_g hₜ₋₁ + b_g)
oₜ = σ(W_o xₜ + U_o hₜ₋₁ + b_o)
cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
hₜ = oₜ ⊙ tanh(cₜ)"""

LATEX_GRU = r"""
\begin{aligned}
  r_{t} &= \sigma\left(W_{r} x_{t} + U_{r} h_{t-1} + b_{r}\right) \\
  z_{t} &= \sigma\left(W_{z} x_{t} + U_{z} h_{t-1} + b_{z}\right) \\
  n_{t} &= \tanh\left(W_{n} x_{t} + b_{n} + r_{t} \odot \left(U_{n} h_{t-1} + b_{\mathrm{Un}}\right)\right) \\
  h_{t} &= \left(1 - z_{t}\right) \odot n_{t} + z_{t} \odot h_{t-1}
\end{aligned}"""

LATEX_LSTM = r"""
\begin{aligned}
  i_{t} &= \sigma\left(W_{i} x_{t} + U_{i} h_{t-1} + b_{i}\right) \\
  f_{t} &= \sigma\left(W_{f} x_{t} + U_{f} h_{t-1} + b_{f}\right) \\
  g_{t} &= \tanh\left(W_{g} x_{t} + U_{g} h_{t-1} + b_{g}\right) \\
  o_{t} &= \sigma\left(W_{o} x_{t} + U_{o} h_{t-1} + b_{o}\right) \\
  c_{t} &= f_{t} \odot c_{t-1} + i_{t} \odot g_{t} \\
  h_{t} &= o_{t} \odot \tanh\left(c_{t}\right)
\end{aligned}"""


@pytest.mark.parametrize(("name", "expected"), [("gru", GRU), ("lstm", LSTM)])
def test_equations_in_words(name, expected):
    assert "\n".join(equations(catalogue[name].graph)) == expected


@pytest.mark.parametrize(("name", "expected"), [("gru", LATEX_GRU), ("lstm", LATEX_LSTM)])
def test_equations_in_latex(name, expected):
    assert latex(catalogue[name].graph) == expected.lstrip()


def test_brackets_stand_where_they_change_the_value_or_the_reading():
    @cell
    def mine(x, h):
        a = 1 - (h - (h + 2)) - (-h)
        d = -(h + a) * -h - -2
        e = (h / a) / (h * a) / h
        k = (W.k @ x) * h + W.l @ x - U.k @ (h * a) - U.l @ tanh(h)
        m = -(h * e) + -k
        return d * m

    assert equations(mine.graph) == [
        "aₜ = 1 - (hₜ₋₁ - (hₜ₋₁ + 2)) - (-hₜ₋₁)",
        "dₜ = (-(hₜ₋₁ + aₜ)) ⊙ (-hₜ₋₁) - (-2)",
        "eₜ = hₜ₋₁ / aₜ / (hₜ₋₁ ⊙ aₜ) / hₜ₋₁",
        "kₜ = (W_k xₜ) ⊙ hₜ₋₁ + W_l xₜ - U_k (hₜ₋₁ ⊙ aₜ) - U_l tanh(hₜ₋₁)",
        "mₜ = -hₜ₋₁ ⊙ eₜ + (-kₜ)",
        "hₜ = dₜ ⊙ mₜ",
    ]


def test_every_function_and_names_of_several_letters_in_latex():
    @cell
    def mine(x, h):
        alpha = exp(sqrt(absolute(h)) / 1e-05)
        lambda_f_in = maximum(relu(alpha), minimum(h, 0.5))
        forget = sigmoid(p.forget * h) * mean(h + b.a_b)
        return -tanh(lambda_f_in * forget + W.h @ x)

    assert latex(mine.graph).splitlines()[1:-1] == [
        r"  \alpha_{t} &= \exp\left(\frac{\sqrt{\left|h_{t-1}\right|}}{\left(1 \cdot 10^{-5}\right)}\right) \\",
        r"  \lambda_{f,in,t} &= \max\left(\operatorname{relu}\left(\alpha_{t}\right), "
        r"\min\left(h_{t-1}, 0.5\right)\right) \\",
        r"  \mathrm{forget}_{t} &= \sigma\left(p_{\mathrm{forget}} \odot h_{t-1}\right) \odot "
        r"\operatorname{mean}\left(h_{t-1} + b_{a,b}\right) \\",
        r"  h_{t} &= -\tanh\left(\lambda_{f,in,t} \odot \mathrm{forget}_{t} + W_{h} x_{t}\right)",
    ]


@pytest.mark.parametrize("value", [0.1, 1 / 3, -2.0, 1e-300, 12345678.9, 1e22])
def test_a_printed_constant_is_exactly_the_constant(value):
    assert float(shortest(value)) == value


def test_the_listing_has_a_row_for_every_node():
    assert listing(catalogue["rnn"].graph) == [
        ("%0", "parameter", "", "H×N", "W.h"),
        ("%1", "input", "", "N", "x"),
        ("%2", "matmul", "%0 %1", "H", ""),
        ("%3", "parameter", "", "H×H", "U.h"),
        ("%4", "state", "", "H", "h"),
        ("%5", "matmul", "%3 %4", "H", ""),
        ("%6", "add", "%2 %5", "H", ""),
        ("%7", "parameter", "", "H", "b.h"),
        ("%8", "add", "%6 %7", "H", ""),
        ("%9", "tanh", "%8", "H", "h → state h"),
    ]
    constant = next(row for row in listing(catalogue["mgu"].graph) if row[1] == "constant")
    assert constant[2:] == ("", "·", "1")
