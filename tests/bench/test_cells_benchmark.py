"""The benchmark of the whole catalogue: what is stored, how it goes on, and the page that is made of it."""

import importlib
import sys
from pathlib import Path

import pytest

from gatework.bench.shapes import SHAPES, Shape
from gatework.bench.timing import Effort
from gatework.cells import catalogue

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
cells = importlib.import_module("cells")

FEW = Effort(seconds=0.0, least=1, most=1)
ONE, OTHER = Shape(2, 3, 1, 4), Shape(1, 2, 3, 5)


def measured(names, seconds=1, processor="p"):
    one = {mode: {"ms": 1.0, "gflops": 2.0, "kernel": "cpu", "per_flop": 1.0} for mode in cells.MODES}
    about = {"command": "python benchmarks/cells.py", "processor": processor, "torch": "t", "seconds": seconds}
    return {**about, "cells": dict.fromkeys(dict.fromkeys(["lstm", *names]), one)}


@pytest.fixture
def asked(monkeypatch):
    """A machine that measures nothing, and the shapes and cells that it was asked for."""
    calls = []

    def measure(shape, names, _effort):
        calls.append((str(shape), list(names)))
        return measured(names)

    monkeypatch.setattr(cells, "measure", measure)
    return calls


def test_a_measurement_has_our_times_beside_those_of_the_lstm():
    found = cells.measure(ONE, ["gru", "mgu"], FEW)
    assert list(found["cells"]) == ["lstm", "gru", "mgu"]
    for modes in found["cells"].values():
        assert list(modes) == ["forward", "training"]
        assert all(one["ms"] > 0 < one["per_flop"] and one["kernel"] == "cpu" for one in modes.values())
    assert found["cells"]["lstm"]["training"]["per_flop"] == 1.0


def test_what_is_stored_is_not_measured_again(tmp_path, asked):
    path = tmp_path / "results" / "cells.json"
    cells.measure_all([ONE], ["gru"], FEW, path, missing=True)
    cells.measure_all([ONE, OTHER], ["gru", "mgu"], FEW, path, missing=True)
    cells.measure_all([ONE, OTHER], ["gru", "mgu"], FEW, path, missing=True)
    assert asked == [(str(ONE), ["gru"]), (str(ONE), ["mgu"]), (str(OTHER), ["gru", "mgu"])]
    assert list(cells.read(path)[str(ONE)]["cells"]) == ["gru", "lstm", "mgu"]
    assert cells.read(path)[str(ONE)]["seconds"] == 2
    cells.measure_all([ONE], ["gru"], FEW, path, missing=False)
    assert list(cells.read(path)[str(ONE)]["cells"]) == ["gru", "lstm"]


def test_a_shape_is_stored_before_the_next_is_measured(tmp_path, asked, monkeypatch):
    path, first = tmp_path / "cells.json", cells.measure

    def once(shape, names, effort):
        if asked:
            raise KeyboardInterrupt
        return first(shape, names, effort)

    monkeypatch.setattr(cells, "measure", once)
    with pytest.raises(KeyboardInterrupt):
        cells.measure_all([ONE, OTHER], ["gru"], FEW, path, missing=False)
    assert list(cells.read(path)) == [str(ONE)]


def test_numbers_of_two_machines_do_not_stand_at_one_shape(tmp_path, asked):
    path = tmp_path / "cells.json"
    cells.write(path, {str(ONE): measured(["gru"], processor="another")})
    cells.measure_all([ONE], ["gru", "mgu"], FEW, path, missing=True)
    assert list(cells.read(path)[str(ONE)]["cells"]) == ["lstm", "mgu"]


def test_one_table_has_every_cell_at_every_shape():
    page = cells.page({str(shape): measured(catalogue) for shape in SHAPES})
    _, table = page.split("## Every cell at every shape")
    assert f"| cell | {' | '.join(map(str, SHAPES))} |" in table
    for name in catalogue:
        assert f"| `{name}` | {' | '.join(['1.00 / 1.00 (1.00 / 1.00)'] * 7)} |" in table


def test_the_page_is_made_of_the_record():
    assert cells.PAGE.read_text(encoding="utf-8") == cells.page(cells.read(cells.RECORD)), "--page writes it anew"
