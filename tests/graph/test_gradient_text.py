"""The printed gradient is the gradient: read back and computed, it gives torch's numbers."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from odd_cells import CELLS
from printed import Printed
from random_cells import H, N, cells
from test_plan import steps_keep_away_from_corners
from through_torch import assert_agree, random_run, torch_says

from gatework.cells import catalogue
from gatework.graph import U, W, cell, tanh
from gatework.graph.build import build
from gatework.graph.gradient_text import gradient_sections
from gatework.graph.lines import WIDTH, page
from gatework.graph.ops import Op
from gatework.graph.simplify import simplify
from gatework.graph.text import equation

T = 3

GRU = """\
forward
  rₜ = σ(W_r xₜ + U_r hₜ₋₁ + b_r)
  zₜ = σ(W_z xₜ + U_z hₜ₋₁ + b_z)
  a_Unₜ = U_n hₜ₋₁ + b_Un
  nₜ = tanh(W_n xₜ + b_n + rₜ ⊙ a_Unₜ)
  hₜ = (1 - zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁

backward, from d_hₜ, which arrives from the output and from time step t+1
  d_nₜ = d_hₜ ⊙ (1 - zₜ)
  d_zₜ = d_hₜ ⊙ hₜ₋₁ - d_hₜ ⊙ nₜ
  d_a_nₜ = d_nₜ ⊙ (1 - nₜ²)
  d_rₜ = d_a_nₜ ⊙ a_Unₜ
  d_a_Unₜ = d_a_nₜ ⊙ rₜ
  d_a_zₜ = d_zₜ ⊙ zₜ ⊙ (1 - zₜ)
  d_a_rₜ = d_rₜ ⊙ rₜ ⊙ (1 - rₜ)

gradients of the state and of the input
  d_hₜ₋₁ = d_hₜ ⊙ zₜ + U_nᵀ d_a_Unₜ + U_zᵀ d_a_zₜ + U_rᵀ d_a_rₜ
  d_xₜ = W_nᵀ d_a_nₜ + W_zᵀ d_a_zₜ + W_rᵀ d_a_rₜ

gradients of the weights, Σ over time steps and sequences
  d_W_r = Σ d_a_rₜ xₜᵀ
  d_U_r = Σ d_a_rₜ hₜ₋₁ᵀ
  d_b_r = Σ d_a_rₜ
  d_W_z = Σ d_a_zₜ xₜᵀ
  d_U_z = Σ d_a_zₜ hₜ₋₁ᵀ
  d_b_z = Σ d_a_zₜ
  d_W_n = Σ d_a_nₜ xₜᵀ
  d_b_n = Σ d_a_nₜ
  d_U_n = Σ d_a_Unₜ hₜ₋₁ᵀ
  d_b_Un = Σ d_a_Unₜ

between forward and backward
  kept besides the input and the states: rₜ, zₜ, a_Unₜ, nₜ
  computed again: 1 - zₜ"""


def test_the_gradient_of_a_gru():
    assert page(gradient_sections(catalogue["gru"].graph)) == GRU


def test_what_arrives_for_a_state_is_added_to():
    backward = gradient_sections(catalogue["lstm"].graph)[1]
    assert backward[0] == "backward, from d_hₜ and d_cₜ, which arrive from the output and from time step t+1"
    assert "d_cₜ += d_hₜ ⊙ oₜ ⊙ (1 - tanh(cₜ)²)" in backward[1]


def test_squares_and_products_have_the_brackets_that_they_need():
    @cell
    def mine(x, h):
        a = (h + 1) * (h + 1)
        s = (h * h) * (h * h)
        q = h * (a / s) * (a * s) / (a * s)
        return tanh(W.h @ x + U.h @ (h * h)) * q - h * h

    graph = simplify(mine.graph)
    nodes = graph.nodes
    assert [equation(nodes, k) for k in graph.equations.values()] == [
        "aₜ = (hₜ₋₁ + 1)²",
        "sₜ = (hₜ₋₁²)²",
        "qₜ = hₜ₋₁ ⊙ aₜ / sₜ ⊙ aₜ ⊙ sₜ / (aₜ ⊙ sₜ)",
        "hₜ = tanh(W_h xₜ + U_h (hₜ₋₁²)) ⊙ qₜ - hₜ₋₁²",
    ]
    assert equation(nodes, next(k for k, node in enumerate(nodes) if node.op is Op.STATE)) == "hₜ₋₁"


def read_back(graph, run):
    """Everything that torch says, from what is printed."""
    (_, forward), (arriving, backward), (_, results), (_, weights), _ = gradient_sections(graph)
    printed = Printed(run.weights, {"N": N, "H": H})
    for state in graph.states:
        printed.at[state, -1] = run.states[state][0]
    for t in range(T):
        printed.at |= {(name, t): one[t, 0] for name, one in [("x", run.x), *run.others.items()]}
        for line in forward:
            printed.run(line, t)
    names = [word.strip(",")[: -len("ₜ")] for word in arriving.split() if word.strip(",").endswith("ₜ")]
    for name, state in zip(names, graph.states, strict=True):
        printed.at[name, T - 1] = run.d_states[state][0]
    for t in reversed(range(T)):
        printed.at[names[0], t] = printed.at[names[0], t] + run.d_output[t, 0]
        for line in (*backward, *results):
            printed.run(line, t)
    found = {"y": np.stack([[printed.at[graph.states[0], t]] for t in range(T)])}
    found |= {f"last:{state}": _row(printed.at[state, T - 1]) for state in graph.states}
    found |= {f"d_{state}": _row(printed.at[name, -1]) for name, state in zip(names, graph.states, strict=True)}
    for name, one in [("x", run.x), *run.others.items()]:
        rows = [np.broadcast_to(printed.at[f"d_{name}", t], one[t].shape) for t in range(T)]
        found[f"d_{name}"] = np.stack(rows)
    keys = {key.replace(".", "_"): key for key in run.weights}
    for line in weights:
        name, value = printed.gradient(line, range(T))
        found[f"d_{keys[name]}"] = np.broadcast_to(value, run.weights[keys[name]].shape)
    return found


def _row(value):
    return np.broadcast_to(value, (1, H))


@pytest.mark.parametrize("name", CELLS)
def test_what_is_printed_gives_the_numbers_of_torch(name):
    graph = CELLS[name].graph
    run = random_run(graph, T=T, B=1, N=N, H=H)
    # Some hundred operations on numbers of order one at each of three steps.
    assert_agree(read_back(graph, run), torch_says(graph, run), 1e-12)


@settings(max_examples=100, deadline=None)
@given(cells(of_input=False))
def test_what_is_printed_of_a_random_cell_gives_the_numbers_of_torch(drawn):
    outputs, named, _ = drawn
    graph = build(("h", "c"), outputs, named)
    run = random_run(graph, T=T, B=1, N=N, H=H)
    assume(steps_keep_away_from_corners(graph, run, 1e-9))
    # A thousand operations: values that grow from step to step are rounded with their own size.
    assert_agree(read_back(graph, run), torch_says(graph, run), 1e-9)


@pytest.mark.parametrize("name", CELLS)
def test_no_line_is_wider_than_a_terminal(name):
    assert max(map(len, page(gradient_sections(CELLS[name].graph)).splitlines())) <= WIDTH
