"""Graphs from records: what `from_json` takes, and every way in which a record is refused."""

import json
import math
from dataclasses import replace

import pytest

from gatework.cells import catalogue
from gatework.errors import EquationError
from gatework.graph.build import build, from_json
from gatework.graph.expression import Expression
from gatework.graph.ops import Op


def record(name="lstm"):
    return json.loads(json.dumps(catalogue[name].graph.to_json()))


def node(op, args=(), name="", shape=("H",), value=0.0):
    return {"op": op, "args": list(args), "name": name, "value": value, "shape": list(shape), "line": 0}


def position(one, name):
    return next(k for k, node in enumerate(one["nodes"]) if node["name"] == name)


def change(one, which, /, **fields):
    one["nodes"][position(one, which)].update(fields)


def dead_node(one):
    one["nodes"].append(node("tanh", [position(one, "i")], "spare"))


def dead_weight(one):
    one["nodes"].append(node("parameter", name="b.spare"))


def one_weight_twice(one):
    change(one, "b.i", name="b.f")


def matrix_as_a_vector(one):
    """b.i becomes a matrix in a sum: its letters say H × H, which no elementwise operation can mean."""
    change(one, "b.i", name="W.spare", shape=["H", "H"])


def matrix_on_the_right(one):
    product = next(node for node in one["nodes"] if node["op"] == "matmul")
    product["args"].reverse()


def no_input(one):
    change(one, "x", op="state", name="y", shape=["H"])


DAMAGE = {
    "a dead node": (dead_node, "nothing uses one of its nodes"),
    "a dead weight": (dead_weight, "nothing uses one of its nodes"),
    "one weight twice": (one_weight_twice, "a name is that of two nodes"),
    "one equation twice": (lambda one: change(one, "i", name="f"), "a name is that of two nodes"),
    "an equation named as the input": (lambda one: change(one, "i", name="x"), "the name of the input"),
    "an equation named as a state": (lambda one: change(one, "i", name="c"), "a name is that of two nodes"),
    "states exchanged": (lambda one: one["states"].reverse(), "the name of the input or of another state"),
    "an unknown state": (lambda one: one.update(states=["h", "q"]), "its states are not those of its nodes"),
    "one state twice": (lambda one: one.update(states=["h", "h"]), "an input or a state has the name of another"),
    "a nameless state": (lambda one: one.update(states=["h", None]), "one of its states has no name"),
    "a state less": (lambda one: one["states"].pop(), "its states and outputs do not match"),
    "no input": (no_input, "its inputs and its states are not those of its nodes"),
    "a matrix as a vector": (matrix_as_a_vector, "a matrix can only be multiplied with a vector"),
    "a matrix on the right": (matrix_on_the_right, "only a weight matrix stands left of @"),
    "a name that is none": (lambda one: change(one, "i", name="a b"), "one of its names is no name"),
    "a weight of no kind": (lambda one: change(one, "b.i", name="q.i"), "a weight or a constant has the name"),
    "a weight without a name": (lambda one: change(one, "b.i", name="b."), "one of its names is no name"),
    "a weight with a point": (lambda one: change(one, "b.i", name="b.i.j"), "one of its names is no name"),
    "an unknown operation": (lambda one: change(one, "i", op="erf"), "there is no operation 'erf'"),
    "an operand too many": (lambda one: change(one, "i", args=[0, 0]), "has the operands (0, 0)"),
    "an operand that comes later": (lambda one: change(one, "i", args=[999]), "has the operands (999,)"),
    "an operand before the first": (lambda one: change(one, "i", args=[-1]), "has the operands (-1,)"),
    "an operand that is text": (lambda one: change(one, "i", args=["0"]), "has the operands ('0',)"),
    "an operand that is true": (lambda one: change(one, "i", args=[True]), "has the operands (True,)"),
    "an operand with a fraction": (lambda one: change(one, "i", args=[1.5]), "has the operands (1.5,)"),
    "operands in a text": (lambda one: change(one, "i", args="0"), "args is missing or is no list"),
    "another shape": (lambda one: change(one, "b.i", shape=["N"]), "its shapes do not follow"),
    "a shape in a text": (lambda one: change(one, "b.i", shape="H"), "shape is missing or is no list"),
    "a line that is true": (lambda one: change(one, "i", line=True), "line is missing or is no int"),
    "a line below zero": (lambda one: change(one, "i", line=-1), "out of range"),
    "a value that is no number": (lambda one: change(one, "i", value=math.nan), "out of range"),
    "a value beyond all floats": (lambda one: change(one, "i", value=10**400), "out of range"),
    "a value of an equation": (lambda one: change(one, "i", value=2.0), "the sigmoid i has a value"),
    "no nodes": (lambda one: one.pop("nodes"), "nodes is missing or is no list"),
    "the first state as one more": (lambda one: one.update(shown=["h"]), "what is shown is none of the states"),
    "a state shown twice": (lambda one: one.update(shown=["c", "c"]), "what is shown is none of the states"),
    "shown in a text": (lambda one: one.update(shown="c"), "shown is missing or is no list"),
    "an output of another": (lambda one: one.update(outputs=[3, 999]), "its states and outputs do not match"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_record_is_refused_with_the_reason(case):
    damage, words = DAMAGE[case]
    one = record()
    assert from_json(one) == catalogue["lstm"].graph
    damage(one)
    with pytest.raises(EquationError) as error:
        from_json(one)
    assert words in str(error.value)


@pytest.mark.parametrize("name", catalogue)
def test_the_graph_of_every_cell_survives_its_record(name):
    assert from_json(record(name)) == catalogue[name].graph


def test_a_record_from_before_states_were_shown_shows_none():
    old = record("lstm")
    del old["shown"]
    assert from_json(old) == catalogue["lstm"].graph
    shown = replace(catalogue["lstm"].graph, shown=("c",))
    assert from_json(shown.to_json()) == shown


def test_errors_in_a_cell_without_a_source_name_the_cell():
    x, h = Expression(Op.INPUT, name="x"), Expression(Op.STATE, name="h")
    with pytest.raises(EquationError, match=r"^the cell: the shapes do not close: N entries"):
        build(("h",), [x * h])
    with pytest.raises(EquationError, match=r"^mine: state h is never read"):
        build(("h",), [x * 2], place="mine")
