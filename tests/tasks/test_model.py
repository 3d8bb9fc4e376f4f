"""A model on disk: what is saved is what is loaded, and nothing damaged or foreign is."""

import json

import numpy as np
import polars as pl
import pytest
import torch

from gatework.cells import find
from gatework.errors import DataError, ModelError
from gatework.tasks.forecaster import Forecaster
from gatework.tasks.model import CONFIG, WEIGHTS, Columns, Model, conformal_reach, load_model
from gatework.tasks.transform import fit


def make_model(cell="gru", features=(), horizon=3, step="1 row"):
    torch.manual_seed(0)
    values = np.exp(np.random.default_rng(0).normal(size=(50, 1 + len(features))))
    transform = fit(values, ("difference",) * values.shape[1], horizon)
    network = Forecaster(cell, values.shape[1], (4, 3), horizon)
    torch.nn.init.normal_(network.readout.weight)
    network.eval()
    columns = Columns("y", None, tuple(features), "carry", step)
    reach = tuple(0.5 + k for k in range(horizon))
    return Model(find(cell), (4, 3), 6, transform, columns, reach, network, {"seed": 1})


def table(rows=20, **more):
    y = np.exp(np.random.default_rng(1).normal(size=rows))
    return pl.DataFrame({"y": y, **more})


def test_a_loaded_model_forecasts_what_the_saved_one_does(tmp_path):
    model = make_model()
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    assert again.predict(table()).equals(model.predict(table()))
    assert (again.widths, again.window, again.transform, again.columns, again.reach) == (
        model.widths,
        model.window,
        model.transform,
        model.columns,
        model.reach,
    )
    assert again.cell.graph == model.cell.graph
    assert {one.name for one in (tmp_path / "m").iterdir()} == {CONFIG, WEIGHTS}


def test_a_model_needs_no_file_of_its_cell(tmp_path):
    """A user's cell travels as its graph: the Python file may be gone, and is never run."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from gatework.graph import U, W, b, cell, tanh\n"
        "@cell\ndef mine(x, h):\n    n = tanh(W.n @ x + U.n @ h + b.n)\n    return h + 0.1 * n\n"
    )
    model = make_model(f"{path}:mine")
    model.save(tmp_path / "m")
    path.unlink()
    assert load_model(tmp_path / "m").predict(table()).equals(model.predict(table()))


def test_forecasts_follow_the_last_row_and_lie_in_their_interval():
    model = make_model()
    frame = model.predict(table())
    assert frame.columns == ["step", "row", "forecast", "low", "high"]
    assert frame["step"].to_list() == [1, 2, 3]
    assert frame["row"].to_list() == [20, 21, 22]
    assert ((frame["low"] < frame["forecast"]) & (frame["forecast"] < frame["high"])).all()
    units = np.array(model.transform.units)
    np.testing.assert_allclose(frame["high"] - frame["forecast"], units * np.array(model.reach), rtol=1e-9)


def test_stamps_go_on_by_the_step_of_the_series():
    dates = pl.date_range(pl.date(2020, 1, 1), pl.date(2021, 8, 1), "1mo", eager=True)
    frame = make_model(step="1 month").predict(table(rows=len(dates), month=dates))
    assert [str(one)[:10] for one in frame["time"]] == ["2021-09-01", "2021-10-01", "2021-11-01"]


def test_too_few_rows_and_missing_columns_are_refused():
    with pytest.raises(DataError, match="window of 6"):
        make_model().predict(table(rows=5))
    with pytest.raises(DataError, match="level"):
        make_model(features=("level",)).predict(table())


def test_a_table_with_another_step_is_refused():
    with pytest.raises(DataError, match="1 row apart, and the model was trained on rows 1 day apart"):
        make_model(step="1 day").predict(table())


def damage(folder, change):
    path = folder / CONFIG
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda record: record.update(format=3), "format 3"),
        (lambda record: record.pop("format"), "not that of a Gatework model"),
        (lambda record: record.pop("cell"), "damaged"),
        (lambda record: record["cell"]["graph"]["nodes"].pop(), "damaged"),
        (lambda record: record["cell"]["graph"]["nodes"][0].update(op="import os"), "damaged"),
        (lambda record: record["cell"].update(weights={"b.nothing": {"fixed": False, "mask": None}}), "damaged"),
        (lambda record: record["cell"].update(weights={"U.f": {"fixed": False, "mask": ["round", 2]}}), "damaged"),
        (lambda record: record["cell"].update(weights={"U.f": {}}), "damaged"),
        (lambda record: record.update(widths=[5, 3]), "do not fit"),
        (lambda record: record.update(widths=["a"]), "damaged"),
        (lambda record: record.update(window="six"), "damaged"),
        (lambda record: record.update(reach=[1.0]), "damaged"),
        (lambda record: record.update(reach=[1.0, 1.0, float("nan")]), "not JSON"),
        (lambda record: record.update(window=10**400), "damaged"),
        (lambda record: record["transform"].update(scale=[0.0]), "damaged"),
        (lambda record: record["columns"].update(time=7), "damaged"),
        (lambda record: record["transform"].update(columns=["cube"]), "damaged"),
        (lambda record: record["columns"].update(features=["a"]), "damaged"),
        (lambda record: record.update(columns=None), "damaged"),
        (lambda record: record.update(weights_sha256="0"), "not the file that was saved"),
    ],
)
def test_a_changed_config_is_refused_in_one_sentence(tmp_path, change, words):
    make_model().save(tmp_path)
    damage(tmp_path, change)
    with pytest.raises(ModelError, match=words) as refusal:
        load_model(tmp_path)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"{", b"[]", b"\xff\xfe"])
def test_a_config_that_is_none_is_refused(tmp_path, content):
    make_model().save(tmp_path)
    (tmp_path / CONFIG).write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        load_model(tmp_path)


def test_damaged_or_missing_weights_are_refused(tmp_path):
    make_model().save(tmp_path)
    path = tmp_path / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not the file that was saved"):
        load_model(tmp_path)
    path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path)
    with pytest.raises(ModelError, match="no model"):
        load_model(tmp_path / "nowhere")


def test_the_reach_holds_its_share_of_new_errors():
    generator = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        errors = generator.standard_t(4, size=(60, 2))
        reach = np.array(conformal_reach(errors[:50], np.ones((50, 2), dtype=bool)))
        inside.append(np.abs(errors[50:]) <= reach)
    # Exchangeable errors: at least 90 % and at most 90 % + 1/51; 8,000 draws: four standard errors are 2 %.
    assert 0.90 - 0.02 < np.mean(inside) < 0.92 + 0.02
