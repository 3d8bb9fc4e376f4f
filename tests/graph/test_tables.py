"""Every consumer of a graph is a table with one row for every operation."""

import string

import pytest

from gatework.graph import latex, ops, shapes, text
from gatework.graph.ops import ARITY, COMPUTED, LEAVES, Op
from gatework.kernels import reference

EVERY = {"ops.ARITY": ops.ARITY, "ops.MEANING": ops.MEANING}
COMPUTING = {
    "shapes.RULES": shapes.RULES,
    "text.TEMPLATES": text.TEMPLATES,
    "latex.TEMPLATES": latex.TEMPLATES,
    "reference.TORCH": reference.TORCH,
}


@pytest.mark.parametrize("table", [*EVERY, *COMPUTING])
def test_a_table_has_one_row_for_every_operation(table):
    rows, needed = (EVERY[table], set(Op)) if table in EVERY else (COMPUTING[table], COMPUTED)
    missing = ", ".join(sorted(needed - set(rows)))
    assert not missing, f"{table} has no row for {missing}"
    beyond = ", ".join(sorted(set(rows) - needed))
    assert not beyond, f"{table} has a row for {beyond}"


def test_leaves_have_no_operands_and_all_others_have():
    assert {op for op in Op if ARITY[op] == 0} == LEAVES


@pytest.mark.parametrize("notation", [text, latex])
def test_a_template_has_a_place_for_every_operand(notation):
    for op, template in notation.TEMPLATES.items():
        places = [field for _, field, _, _ in string.Formatter().parse(template.text) if field is not None]
        assert len(places) == len(template.operands) == ARITY[op], op
