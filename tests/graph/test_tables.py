"""Every consumer of a graph is a table with one row for every operation that it can meet."""

import string

import pytest

from gatework.cells import catalogue
from gatework.errors import EquationError
from gatework.graph import derivative, keeping, latex, ops, shapes, steps, text
from gatework.graph.build import from_json
from gatework.graph.ops import (
    AHEAD,
    ARITY,
    COMPUTED,
    DERIVED,
    ELEMENTWISE,
    LANGUAGE,
    LEAVES,
    PLANNED,
    PRODUCTS,
    REDUCTIONS,
    WHOLE,
    Op,
)
from gatework.kernels import reference
from gatework.kernels.cpu import functions
from gatework.kernels.triton import writing

WRITTEN = LANGUAGE & COMPUTED
TABLES = {
    "ops.ARITY": (ops.ARITY, set(Op)),
    "ops.MEANING": (ops.MEANING, set(Op)),
    "text.TEMPLATES": (text.TEMPLATES, COMPUTED),
    "latex.TEMPLATES": (latex.TEMPLATES, COMPUTED),
    "shapes.RULES": (shapes.RULES, WRITTEN),
    "reference.TORCH": (reference.TORCH, WRITTEN - WHOLE),
    "derivative.DERIVATIVES": (derivative.DERIVATIVES, WRITTEN - WHOLE),
    "steps.FOLD": (steps.FOLD, WRITTEN & ELEMENTWISE),
    "keeping.PRICES": (keeping.PRICES, ELEMENTWISE | {Op.SPREAD}),
    "functions.LLVM": (functions.LLVM, ELEMENTWISE - AHEAD),
    "writing.TRITON": (writing.TRITON, ELEMENTWISE - AHEAD),
}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_one_row_for_every_operation(table):
    rows, needed = TABLES[table]
    missing = ", ".join(sorted(needed - set(rows)))
    assert not missing, f"{table} has no row for {missing}"
    beyond = ", ".join(sorted(set(rows) - needed))
    assert not beyond, f"{table} has a row for {beyond}"


def test_leaves_have_no_operands_and_all_others_have():
    assert {op for op in Op if ARITY[op] == 0} == LEAVES


def test_every_operation_belongs_to_one_kind():
    kinds = [LEAVES, PRODUCTS, REDUCTIONS, WHOLE, ELEMENTWISE, {Op.SPREAD}]
    assert sorted(op for kind in kinds for op in kind) == sorted(Op)
    assert PLANNED < DERIVED
    assert not LANGUAGE & DERIVED


@pytest.mark.parametrize("notation", [text, latex])
def test_a_template_has_a_place_for_every_operand(notation):
    for op, template in notation.TEMPLATES.items():
        places = [field for _, field, _, _ in string.Formatter().parse(template.text) if field is not None]
        assert len(places) == len(template.operands) == ARITY[op], op


@pytest.mark.parametrize("op", sorted(DERIVED))
def test_a_record_holds_nothing_that_only_derivatives_and_plans_have(op):
    record = catalogue["lstm"].graph.to_json()
    same = [node for node in record["nodes"] if len(node["args"]) == ARITY[op]]
    same[-1]["op"] = op.value
    with pytest.raises(EquationError, match=f"there is no operation '{op.value}'"):
        from_json(record)
