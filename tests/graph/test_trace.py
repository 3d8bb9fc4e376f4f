"""What users write, traced: the names on the left of the equations survive, and Python stays Python."""

import linecache
import warnings
from math import pi

import numpy as np
import pytest

from gatework.cells import find
from gatework.graph import U, W, b, cell, sigmoid, tanh
from gatework.graph.ops import Op
from gatework.graph.text import equations
from gatework.graph.weights import Weight

HALF = 0.5


def squash(a):
    inner = 2 * a
    return tanh(inner)


def constants(graph):
    return [node.value for node in graph.nodes if node.op is Op.CONSTANT]


def test_names_lines_and_states_of_a_cell(define):
    traced = define(
        """
        @cell(source="a paper", weights={"b.f": 1.0}, name="other")
        def mine(x, h, c):
            '''A title.

            More words.'''
            f = sigmoid(W.f @ x + U.f @ h + b.f)
            c = f * c + (1 - f) * tanh(W.c @ x)
            return f * c, c
        """
    )
    assert (traced.name, traced.title, traced.source) == ("other", "A title", "a paper")
    assert traced.weights == {"b.f": Weight(1.0)}
    assert traced.states == ("h", "c")
    graph = traced.graph
    assert list(graph.equations) == ["f", "c", "h"]
    assert [graph.nodes[k].line for k in graph.equations.values()] == [7, 8, 9]
    assert [graph.nodes[k].name for k in graph.outputs] == ["h", "c"]
    assert [one.key for one in graph.parameters] == ["W.f", "U.f", "b.f", "W.c"]
    assert graph.gates == ("f",)


def test_a_plain_decorator_takes_the_name_of_the_function():
    @cell
    def mine(x, h):
        return tanh(W.h @ x + U.h @ h)

    assert (mine.name, mine.title, mine.source, mine.weights) == ("mine", "mine", "", {})


def test_a_gate_is_a_sigmoid_or_one_minus_a_gate():
    @cell
    def mine(x, h):
        f = sigmoid(W.f @ x + U.f @ h)
        i = 1 - f
        k = 2 - f
        m = f - 1
        return (i + k + m) * h

    assert mine.graph.gates == ("f", "i")


def test_closures_globals_and_helpers_work_and_a_helpers_own_names_stay_inside():
    scale = 3.0

    @cell
    def mine(x, h):
        n = squash(W.n @ x + scale * h + HALF + pi)
        return n * h

    assert constants(mine.graph) == [2.0, 3.0, 0.5, pi]
    assert list(mine.graph.equations) == ["n", "h"]


def test_every_form_of_assignment_names_its_equation():
    @cell
    def mine(x, h, c):
        f, i = sigmoid(W.f @ x + U.f @ h), sigmoid(W.i @ x + U.i @ h)
        [g, k] = [tanh(W.g @ x), tanh(W.k @ x)]
        o: float = sigmoid(W.o @ x)
        r, s = (sigmoid(getattr(W, name) @ x) for name in ("r", "s"))
        first = second = tanh(W.first @ x)
        n = (m := tanh(W.m @ x)) * 2
        n += second
        h *= f * i * o * g * k * first * r * s * n * m
        return h, c + h

    # `n += …` makes a second value of the name; the one that the first line computed keeps it.
    assert list(mine.graph.equations) == [*"fi", *"gk", "o", *"rs", "first", "m", "n", "n_1", "h", "c"]


def test_python_runs_as_python():
    deep = True

    @cell
    def mine(x, h):
        total = 0.0
        for name in ("a", "b"):
            gate = sigmoid(getattr(W, name) @ x + getattr(U, name) @ h)
            total = total + gate
        gates = [sigmoid(getattr(W, f"k{k}") @ x) for k in range(2)]
        if deep:
            total = total * gates[0] if len(gates) == 2 else total
        with warnings.catch_warnings():
            n = tanh(total)

        def local(a):
            inside = a * gates[1]
            return inside + a

        return local(n) * h

    weights = {"W.a", "U.a", "W.b", "U.b", "W.k0", "W.k1"}
    assert {one.key for one in mine.graph.parameters} == weights
    assert list(mine.graph.equations) == ["gate", "total", "gate_1", "total_1", "total_2", "n", "h"]


@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), np.int64(2), 2])
def test_numbers_of_numpy_are_constants_on_either_side(number):
    @cell
    def mine(x, h):
        return tanh(number * (W.h @ x) + (U.h @ h) * number + (number - h) / number)

    assert constants(mine.graph) == [float(number)]
    assert all(type(value) is float for value in constants(mine.graph))


def test_a_square_is_a_product_and_abs_is_absolute():
    @cell
    def mine(x, h):
        return abs((W.h @ x) ** 2 - h)

    assert equations(mine.graph) == ["hₜ = abs((W_h xₜ) ⊙ (W_h xₜ) - hₜ₋₁)"]


def test_a_name_that_is_taken_is_numbered_and_a_states_name_is_its_new_value():
    @cell
    def mine(x, h, c):
        x = tanh(W.x @ x)
        f = sigmoid(W.f @ x + U.f @ h)
        f = f * 2
        f_1 = f * 3
        c = f_1 * c
        d = tanh(c)
        h = f * h
        return tanh(h), d

    assert equations(mine.graph) == [
        "x_1ₜ = tanh(W_x xₜ)",
        "fₜ = σ(W_f x_1ₜ + U_f hₜ₋₁)",
        "f_2ₜ = fₜ ⊙ 2",
        "f_1ₜ = f_2ₜ ⊙ 3",
        "c_1ₜ = f_1ₜ ⊙ cₜ₋₁",
        "dₜ = tanh(c_1ₜ)",
        "h_1ₜ = f_2ₜ ⊙ hₜ₋₁",
        "hₜ = tanh(h_1ₜ)",
        "cₜ = dₜ",
    ]


def test_a_state_returned_under_the_name_of_another_is_told_apart():
    @cell
    def mine(x, h, c):
        h = tanh(W.h @ x + U.h @ h)
        n = h * c
        return n, h

    assert equations(mine.graph) == ["h_1ₜ = tanh(W_h xₜ + U_h hₜ₋₁)", "nₜ = h_1ₜ ⊙ cₜ₋₁", "hₜ = nₜ", "cₜ = h_1ₜ"]


def test_one_value_for_two_states():
    @cell
    def mine(x, h, c):
        h = tanh(W.h @ x + U.h @ h + c)
        return h, h

    assert mine.graph.outputs[0] == mine.graph.outputs[1]
    assert equations(mine.graph) == ["hₜ = tanh(W_h xₜ + U_h hₜ₋₁ + cₜ₋₁)", "cₜ = hₜ"]


def test_aliases_of_leaves_keep_the_names_of_the_leaves():
    @cell
    def mine(x, h):
        before, matrix, bias, u = h, W.h, b.h, x
        return tanh(matrix @ u + bias) + before

    assert equations(mine.graph) == ["hₜ = tanh(W_h xₜ + b_h) + hₜ₋₁"]


def test_the_input_and_the_states_have_the_users_names():
    @cell
    def mine(u, y):
        return tanh(W.y @ u + U.y @ y)

    assert equations(mine.graph) == ["yₜ = tanh(W_y uₜ + U_y yₜ₋₁)"]


class Holder:
    @cell
    def inside(x, h):  # noqa: N805
        """A docstring with \"quotes\" and 'others',
and a line that starts before the function does: W.f @ x."""  # fmt: skip
        n = tanh(W.n @ x)
        return n * h


def test_a_cell_in_a_class_and_a_docstring_that_starts_before_its_function():
    assert list(Holder.inside.graph.equations) == ["n", "h"]
    assert Holder.inside.title == "A docstring with \"quotes\" and 'others',"


def test_a_file_with_tabs_comments_and_a_docstring_with_backslashes(define):
    traced = define(
        'if True:\n\t@cell\n\tdef mine(x, h):\n\t\tr"""\\sigma(h)"""\n# less indented\n'
        "\t\tn = tanh(\nW.n @ x)  # and this\n\t\tf = sigmoid(U.f @ h); return n * f\n"
    )
    assert list(traced.graph.equations) == ["n", "f", "h"]
    assert [traced.graph.nodes[k].line for k in traced.graph.equations.values()] == [7, 9, 9]


def test_annotations_are_not_evaluated(define):
    text = """
        @cell
        def mine(x: Missing, h: "Absent[int]") -> Nowhere:
            n: Unknown = tanh(W.n @ x)
            return n * h
    """
    header = "from __future__ import annotations\nfrom gatework.graph import *\n"
    assert list(define(text, header=header).graph.equations) == ["n", "h"]


def test_names_beyond_ascii(define):
    traced = define("@cell\ndef zelle(x, h):\n    ζ = sigmoid(W.ζ @ x)\n    return ζ * h\n")
    assert equations(traced.graph) == ["ζₜ = σ(W_ζ xₜ)", "hₜ = ζₜ ⊙ hₜ₋₁"]
    assert traced.graph.gates == ("ζ",)


def test_a_cell_of_a_notebook_is_read_from_linecache():
    name = "<ipython-input-3-0123456789ab>"
    text = "@cell\ndef mine(x, h):\n    n = tanh(W.n @ x)\n    return n * h\n"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    space = {"cell": cell, "tanh": tanh, "W": W}
    try:
        exec(compile(text, name, "exec"), space)  # noqa: S102
    finally:
        del linecache.cache[name]
    graph = space["mine"].graph
    assert [graph.nodes[k].line for k in graph.equations.values()] == [3, 4]


def test_a_cell_is_a_record_that_can_be_compared_and_hashed(tmp_path):
    text = "from gatework.graph import *\n@cell\ndef mine(x, h):\n    return tanh(W.h @ x + U.h @ h)\n"
    found = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(text)
        found.append(find(str(tmp_path / folder / "mine.py")))
    assert found[0] == found[1]
    assert hash(found[0]) == hash(found[1])


def test_symbols_print_what_they_are():
    assert repr(tanh(W.f @ cell_input())) == "<tanh(matmul)>"
    assert repr(b.f) == "<b.f>"


def cell_input():
    from gatework.graph.expression import Expression

    return Expression(Op.INPUT, name="x")
