"""A cell written as a Python file is the same cell when the file is read."""

import json
from dataclasses import replace

import pytest

from gatework.cells import catalogue, find
from gatework.errors import EquationError
from gatework.graph import U, W, b, cell, maximum, p, sigmoid, tanh
from gatework.graph.build import build
from gatework.graph.canonical import canonical
from gatework.graph.expression import Expression
from gatework.graph.ops import COMPUTED, LANGUAGE, Op
from gatework.graph.source import TEMPLATES, source
from gatework.graph.weights import fixed


def reread(one, folder):
    """The cell as it comes back from a file."""
    path = folder / f"{one.name}.py"
    path.write_text(source([one], "Written."), encoding="utf-8")
    return find(f"{path}:{one.name}")


def bare(graph):
    """A graph's record without the lines of its file."""
    record = graph.to_json()
    return json.dumps({**record, "nodes": [{**node, "line": 0} for node in record["nodes"]]})


@pytest.mark.parametrize("name", catalogue)
def test_every_cell_of_the_catalogue_comes_back(name, tmp_path):
    one = catalogue[name]
    written = replace(one, weights={key: weight for key, weight in one.weights.items() if not callable(weight.start)})
    back = reread(written, tmp_path)
    assert bare(back.graph) == bare(one.graph)
    assert (back.weights, back.title, back.source) == (written.weights, one.title, one.source)


def test_every_operation_can_be_written():
    assert set(TEMPLATES) == COMPUTED & LANGUAGE


def test_the_order_of_operations_is_kept(tmp_path):
    @cell
    def odd(x, h):
        a = 1 - (h - (h + 2)) - (-h)
        d = -(h + a) * -h - -2 * (a / (h * a) / h) - (a + (h + a))
        f = tanh(U.f @ (-(W.k @ x) * h) + (b.k + (p.k * h + d)))
        return (maximum(a, -0.5) - (f - (1e-05 - f))) / (h / (a * 3.25))

    assert bare(reread(odd, tmp_path).graph) == bare(odd.graph)


def test_a_state_that_is_read_after_it_is_written_has_a_name_for_its_old_value(tmp_path):
    x, h, c = (Expression(op, name=name) for op, name in ((Op.INPUT, "x"), (Op.STATE, "h"), (Op.STATE, "c")))
    new = sigmoid(W.a @ x) * c + U.c @ h
    new.name = "c"
    late = replace(catalogue["lstm"], name="late", graph=build(("h", "c"), [tanh(new + c), new], [new]), weights={})
    assert "c_before = c\n" in source([late], "Written.")
    assert canonical(reread(late, tmp_path)) == canonical(late)


def test_what_is_shared_is_computed_once_and_names_of_the_language_are_left_to_it(tmp_path):
    x, h = Expression(Op.INPUT, name="x"), Expression(Op.STATE, name="h")
    shared = W.a @ x + U.a @ h
    gate = sigmoid(shared)
    gate.name = "p"
    graph = build(("h",), [gate * tanh(shared) + p.k * h], [gate])
    one = replace(catalogue["rnn"], name="mine", graph=graph, weights={})
    text = source([one], "Written.")
    assert text.count("W.a @ x") == 1
    assert "p_ = sigmoid(v_1)" in text
    assert canonical(reread(one, tmp_path)) == canonical(one)


def test_what_no_file_can_hold_is_refused():
    with pytest.raises(EquationError, match=r"b\.f starts by a recipe"):
        source([catalogue["slstm"]], "Written.")
    with pytest.raises(EquationError, match="its name is none of Python's"):
        source([replace(catalogue["gru"], name="gru(fast)")], "Written.")
    with pytest.raises(EquationError, match="its name is none of Python's"):
        source([replace(catalogue["gru"], name="tanh")], "Written.")


def test_fixed_weights_and_blocks_are_written(tmp_path):
    weights = {"U.n": catalogue["slstm"].weights["U.z"], "b.n": fixed(0.5)}
    one = replace(catalogue["gru"], weights=weights)
    assert reread(one, tmp_path).weights == one.weights


def test_text_that_would_end_the_docstring_is_made_harmless(tmp_path):
    one = replace(catalogue["gru"], title='a """ b \\', source='say "so" \\ and\nso')
    assert reread(one, tmp_path).source == one.source


def test_several_cells_stand_in_one_file(tmp_path):
    path = tmp_path / "both.py"
    path.write_text(source([catalogue["gru"], catalogue["lstm"]], "Both."))
    assert [find(f"{path}:{name}").states for name in ("gru", "lstm")] == [("h",), ("h", "c")]
