"""Changed cells are cells; what computes nothing is refused; the same draw gives the same change."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gatework.cells import catalogue, find
from gatework.errors import EquationError
from gatework.graph import U, W, b, cell, sigmoid, tanh
from gatework.graph.build import from_json
from gatework.graph.canonical import canonical
from gatework.graph.changes import KINDS
from gatework.graph.mutate import _changed, _check, mutate
from gatework.graph.ops import Op
from gatework.graph.source import source

CELLS = ("gru", "lstm", "mgu", "mut1", "rnn", "lstm_peephole")


def mutants(name, count, first=0):
    """So many changed cells; draws that give none are left out."""
    found = []
    for seed in range(first, 50 * count):
        try:
            found.append(mutate(catalogue[name], np.random.default_rng(seed)))
        except EquationError:
            continue
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("name", CELLS)
def test_a_changed_cell_is_a_cell_that_a_file_can_hold(name, tmp_path):
    for k, mutant in enumerate(mutants(name, 6)):
        graph = mutant.cell.graph
        assert from_json(json.loads(graph.record)) == graph
        assert graph.states == catalogue[name].states
        assert canonical(mutant.cell) != canonical(catalogue[name])
        assert mutant.changes
        assert set(mutant.cell.weights) <= set(catalogue[name].weights)
        (tmp_path / f"m{k}.py").write_text(source([mutant.cell], "A change."), encoding="utf-8")
        back = find(f"{tmp_path}/m{k}.py:{name}")
        assert canonical(back) == canonical(mutant.cell)
        assert back.count(3, 5) == mutant.cell.count(3, 5)


def test_changes_of_changes_stay_cells():
    one, made = catalogue["lstm"], 0
    for seed in range(90):
        try:
            one = mutate(one, np.random.default_rng(seed)).cell
        except EquationError:
            continue
        made += 1
        assert from_json(json.loads(one.graph.record)) == one.graph
        if len(one.graph.nodes) > 100:
            one = catalogue["lstm"]
    assert made > 25


def test_the_same_draw_gives_the_same_change():
    first, second = (mutate(catalogue["gru"], np.random.default_rng(3)) for _ in range(2))
    assert first.cell.graph == second.cell.graph
    assert first.changes == second.changes


def test_declared_starts_stay_with_their_weights():
    found = mutants("lstm", 15)
    kept = [one for one in found if "b.f" in {key.key for key in one.cell.graph.parameters}]
    assert len(kept) > 5
    assert all(one.cell.weight("b.f").start == 1.0 for one in kept)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.words)
def test_every_kind_of_change_can_be_made(kind, monkeypatch):
    monkeypatch.setattr("gatework.graph.mutate.KINDS", (kind,))
    made = set()
    for seed in range(40):
        try:
            graph, words = _changed(catalogue["lstm"].graph, np.random.default_rng(seed))
        except EquationError:
            continue
        assert words.partition(": ")[0] in {*graph.equations, *catalogue["lstm"].graph.equations}
        made.add(graph.record)
    assert len(made) > 1


def test_a_matrix_is_called_after_what_it_multiplies():
    for seed in range(60):
        try:
            graph = mutate(catalogue["gru"], np.random.default_rng(seed)).cell.graph
        except EquationError:
            continue
        recurrent = []
        for node in graph.nodes:
            recurrent.append(node.op is Op.STATE or any(recurrent[arg] for arg in node.args))
            if node.op is Op.MATMUL:
                assert graph.nodes[node.args[0]].name[0] == ("U" if recurrent[-1] else "W")


@cell
def _deaf(x, h, c):
    c = tanh(W.c @ x + c)
    h = tanh(U.h @ h)
    return h, c


@cell
def _twins(x, h, c):
    both = tanh(W.c @ x + U.h @ h + c)
    return both, both


@cell
def _twice(x, h):
    return tanh(W.a @ x + b.a + W.c @ x + U.a @ h)


@cell
def _two_biases(x, h):
    return tanh(W.a @ x + b.a + U.a @ h + b.c)


@cell
def _constant(x, h):
    return tanh(W.a @ x + sigmoid(2) * h)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (_deaf, "does not depend on the input"),
        (_twins, "two of its states are one"),
        (_twice, "where one would do"),
        (_two_biases, "where one would do"),
        (_constant, "computes a constant"),
    ],
)
def test_what_is_no_use_is_refused(one, words):
    with pytest.raises(EquationError, match=words):
        _check(one.graph)


def test_an_output_that_sees_its_past_through_another_state_is_recurrent():
    @cell
    def behind(x, h, c):
        h = tanh(W.h @ x + c)
        c = sigmoid(U.c @ c + W.c @ x)
        return h, c

    _check(behind.graph)


def test_cells_that_differ_in_names_and_order_only_are_the_same():
    @cell
    def one(x, h):
        f = sigmoid(W.f @ x + U.f @ h + b.f)
        n = tanh(W.n @ x + U.n @ h)
        return f * h + (1 - f) * n

    @cell
    def other(x, s):
        new = tanh(U.c @ s + W.c @ x)
        keep = sigmoid(b.k + (W.k @ x + U.k @ s))
        return s * keep + new * (1 - keep)

    @cell
    def tied(x, h):
        f = sigmoid(W.f @ x + U.f @ h + b.f)
        n = tanh(W.f @ x + U.n @ h)
        return f * h + (1 - f) * n

    assert canonical(one) == canonical(other)
    assert canonical(one) != canonical(tied)
    found = {canonical(catalogue[name]) for name in catalogue}
    assert len(found) == len(catalogue)


def test_another_start_is_another_cell():
    lstm = catalogue["lstm"]
    assert canonical(lstm) != canonical(replace(lstm, weights={"b.f": 2.0}))
