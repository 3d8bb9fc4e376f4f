"""The printed plan is the plan: read back and computed, stage after stage, it gives torch's numbers."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from odd_cells import CELLS
from printed import Printed
from random_cells import H, N, cells
from test_plan import steps_keep_away_from_corners
from through_torch import assert_agree, random_run, torch_says

from gatework.cells import catalogue
from gatework.graph.build import build
from gatework.graph.cost_text import cost_sections
from gatework.graph.lines import WIDTH, page
from gatework.graph.loop import Place
from gatework.graph.plan import plan
from gatework.graph.plan_text import loop_sections, plan_sections
from gatework.graph.plan_words import Words
from gatework.graph.tally import Sizes

T = 3

MGU = """\
training, forward, at every time step: stage 1 of 2
  accumulate  a0 = W_f xₜ + U_f hₜ₋₁
  read        hₜ₋₁
  then        fₜ = σ(a0 + b_f)
              v_nₜ = fₜ ⊙ hₜ₋₁
  store       fₜ, v_nₜ

training, forward, at every time step: stage 2 of 2
  accumulate  a1 = W_n xₜ + U_n v_nₜ
  read        hₜ₋₁, fₜ
  then        nₜ = tanh(a1 + b_n)
              hₜ = (1 - fₜ) ⊙ hₜ₋₁ + fₜ ⊙ nₜ
  store       hₜ, nₜ"""

RNN = """\
training, backward, at every time step, the last one first: stage 1 of 2
  accumulate  a0 = U_hᵀ d_a_hₜ₊₁
  read        d_yₜ, hₜ, carry_hₜ₊₁
  then        d_hₜ = a0 + carry_hₜ₊₁ + d_yₜ
              d_a_hₜ = d_hₜ ⊙ (1 - hₜ²)
              carry_hₜ = 0
  store       d_a_hₜ, carry_hₜ

training, backward, at every time step, the last one first: stage 2 of 2, where d_xₜ is asked for
  accumulate  d_xₜ = W_hᵀ d_a_hₜ
  store       d_xₜ

training, backward, after the first time step, where d_h₀ is asked for
  accumulate  a0 = U_hᵀ d_a_h₁
  read        carry_h₁
  then        d_h₀ = a0 + carry_h₁
  store       d_h₀"""


def test_a_second_product_in_a_step_is_a_second_stage():
    assert page(loop_sections(plan(catalogue["mgu"].graph), "forward")) == MGU


def test_the_backward_loop_of_an_rnn():
    assert page(loop_sections(plan(catalogue["rnn"].graph), "backward")) == RNN


def test_a_value_is_called_the_same_in_both_directions():
    made = plan(catalogue["gru"].graph)
    forward, backward = (page(loop_sections(made, one)) for one in ("forward", "backward"))
    assert "a_Unₜ = a2 + b_Un" in forward
    assert "d_rₜ = d_a_nₜ ⊙ a_Unₜ" in backward


def test_the_arrays_are_listed_with_what_they_hold():
    (_, lines), *_ = cost_sections(plan(catalogue["lstm"].graph), Sizes(2, 3, 4, 5))
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    assert rows["state:c"] == "(T, B, H) or (2, B, H) cₜ"
    assert rows["keep:o"] == "(T, B, H) oₜ"
    assert rows["d"] == "(ring, B, 4H) d_a_oₜ, d_a_gₜ, d_a_fₜ, d_a_iₜ"
    assert rows["end:c"] == "(B, H) carry_cₜ₊₁ of the last time step"


def compute(printed, made, direction, times):
    """Run the printed loop: what is accumulated, then what is computed from it."""
    for t in times:
        for heading, lines in loop_sections(made, direction):
            if "after the first time step" not in heading:
                compute_stage(printed, lines, t)
    for heading, lines in loop_sections(made, direction):
        if "after the first time step" in heading:
            compute_stage(printed, lines, -1)


def compute_stage(printed, lines, t):
    for line in lines:
        if " = " in line:
            printed.run(line[12:], t, stored=True)


def start(graph, run):
    printed = Printed(run.weights, {"N": N, "H": H})
    printed.at |= {(state, -1): value[0] for state, value in run.states.items()}
    for name, one in [("x", run.x), *run.others.items()]:
        printed.at |= {(name, t): one[t, 0] for t in range(T)}
    return printed


def results(printed, graph):
    found = {"y": np.stack([[printed.at[graph.states[0], t]] for t in range(T)])}
    return found | {f"last:{state}": printed.at[state, T - 1][None] for state in graph.states}


def read_back(graph, run):
    """Everything that torch says, from what is printed."""
    made = plan(graph)
    printed, words = start(graph, run), Words(made, made.backward)
    compute(printed, made, "forward", range(T))
    for t in range(T):
        printed.at[words.place(Place("dy"))[:-1], t] = run.d_output[t, 0]
    for state, value in run.d_states.items():
        printed.at[words.place(Place(f"carry:{state}"))[:-1], T] = value[0]
    compute(printed, made, "backward", reversed(range(T)))
    found = results(printed, graph)
    for name, one in [("x", run.x), *run.others.items()]:
        array = "dx" if name == "x" else f"dx:{name}"
        zero = np.zeros(one.shape[-1])
        word = words.place(Place(array))[:-1] if array in made.backward.arrays else ""
        rows = [printed.at.get((word, t), zero) for t in range(T)]
        found[f"d_{name}"] = np.stack([np.broadcast_to(row, one[0].shape) for row in rows])
    for state in graph.states:
        found[f"d_{state}"] = np.broadcast_to(printed.at[words.place(Place(f"begin:{state}"))[:-1], -1], (1, H))
    return found | summed(printed, made, run)


def summed(printed, made, run):
    """The gradients of the weights; a weight without a line has the gradient zero."""
    keys = {key.replace(".", "_"): key for key in run.weights}
    found = {f"d_{key}": np.zeros_like(value) for key, value in run.weights.items()}
    for line in plan_sections(made)[-1][1]:
        name, value = printed.gradient(line, range(T))
        found[f"d_{keys[name]}"] = found[f"d_{keys[name]}"] + value
    return found


def assert_printed_is_right(graph, run, tolerance):
    expected = torch_says(graph, run)
    assert_agree(read_back(graph, run), expected, tolerance)
    printed = start(graph, run)
    compute(printed, plan(graph), "inference", range(T))
    assert_agree(results(printed, graph), {name: expected[name] for name in results(printed, graph)}, tolerance)


@pytest.mark.parametrize("name", CELLS)
def test_what_is_printed_gives_the_numbers_of_torch(name):
    graph = CELLS[name].graph
    # Some hundred operations on numbers of order one at each of three steps.
    assert_printed_is_right(graph, random_run(graph, T=T, B=1, N=N, H=H), 1e-12)


@settings(max_examples=100, deadline=None)
@given(cells(of_input=False))
def test_what_is_printed_of_a_random_cell_gives_the_numbers_of_torch(drawn):
    outputs, named, _ = drawn
    graph = build(("h", "c"), outputs, named)
    run = random_run(graph, T=T, B=1, N=N, H=H)
    assume(steps_keep_away_from_corners(graph, run, 1e-9))
    # A thousand operations: values that grow from step to step are rounded with their own size.
    assert_printed_is_right(graph, run, 1e-9)


@pytest.mark.parametrize("name", CELLS)
def test_no_line_is_wider_than_a_terminal(name):
    made = plan(CELLS[name].graph)
    text = page([*plan_sections(made), *cost_sections(made, Sizes(512, 2000, 512, 2048))])
    assert max(map(len, text.splitlines())) <= WIDTH
