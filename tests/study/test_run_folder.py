"""The run folder: what was finished is there again, and nothing foreign is touched."""

import json

import numpy as np
import pytest
import torch

from gatework.cells import catalogue
from gatework.errors import RunFolderError
from gatework.study.run_folder import FORMAT, RunFolder, read_record
from gatework.study.trial import Outcome, Trial
from gatework.tasks.training import Epoch, Settings

SUBJECT = {"data": "abc", "window": 60, "layers": (5, 4)}


def trial(seed=0, **settings):
    return Trial("gru", catalogue["gru"], (5, 4), seed, Settings(**settings), "problem")


def outcome():
    generator = np.random.default_rng(0)
    return Outcome(
        validation_error=1.25,
        epochs=(Epoch(0.5, 0.75, 0.1), Epoch(0.25, 0.5, 0.2)),
        best_epoch=2,
        step_microseconds=42.0,
        test=generator.normal(size=(7, 2)),
        validation=generator.normal(size=(3, 2)),
        weights={"readout.weight": torch.randn(2, 4)},
    )


def same(one, other):
    assert one.summary() == other.summary()
    for key, value in one.arrays().items():
        assert torch.equal(value, other.arrays()[key])


def test_a_finished_trial_is_found_again(tmp_path):
    kept = outcome()
    with RunFolder(tmp_path / "run", SUBJECT) as folder:
        assert folder.finished([trial()]) == {}
        folder.keep(trial(), kept)
    with RunFolder(tmp_path / "run", SUBJECT) as folder:
        found = folder.finished([trial(), trial(seed=1)])
    assert list(found) == [trial().key]
    same(found[trial().key], kept)


def test_a_trial_is_in_optunas_storage(tmp_path):
    import optuna

    with RunFolder(tmp_path, SUBJECT) as folder:
        folder.keep(trial(), outcome())
    (stored,) = optuna.load_study(study_name="gatework", storage=f"sqlite:///{tmp_path}/trials.db").trials
    assert stored.value == 1.25
    assert stored.params == {"seed": 0}
    assert stored.intermediate_values == {1: 0.75, 2: 0.5}
    assert stored.user_attrs["cell"] == "gru"


@pytest.mark.parametrize("content", [None, b"", b"garbage"])
def test_a_trial_whose_arrays_are_gone_is_not_finished(tmp_path, content):
    with RunFolder(tmp_path, SUBJECT) as folder:
        folder.keep(trial(), outcome())
        path = tmp_path / "trials" / f"{trial().key}.safetensors"
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        assert folder.finished([trial()]) == {}
        folder.keep(trial(), outcome())
        assert list(folder.finished([trial()])) == [trial().key]


def test_the_key_follows_the_content_and_not_the_line():
    assert trial().key == trial().key
    assert len({trial().key, trial(seed=1).key, trial(dropout=0.5).key, trial(epochs=3).key}) == 4
    moved = catalogue["gru"].graph.to_json()
    from dataclasses import replace

    from gatework.graph.build import from_json

    for node in moved["nodes"]:
        node["line"] += 10
    shifted = replace(catalogue["gru"], graph=from_json(moved))
    assert Trial("gru", shifted, (5, 4), 0, Settings(), "problem").key == trial().key


def test_another_study_is_refused_and_left_alone(tmp_path):
    with RunFolder(tmp_path, SUBJECT):
        pass
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir() if one.is_file()}
    with (
        pytest.raises(RunFolderError, match=r"another window \(60, not 30\)"),
        RunFolder(tmp_path, {**SUBJECT, "window": 30}),
    ):
        pass
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir() if one.is_file()} == before


def test_another_version_is_refused(tmp_path):
    with RunFolder(tmp_path, SUBJECT):
        pass
    path = tmp_path / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": FORMAT + 1}))
    with pytest.raises(RunFolderError, match=f"format {FORMAT + 1}"), RunFolder(tmp_path, SUBJECT):
        pass


def test_a_folder_that_is_no_run_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunFolderError, match="no run folder"), RunFolder(tmp_path, SUBJECT):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(RunFolderError, match="is a file"), RunFolder(tmp_path / "thesis.tex", SUBJECT):
        pass


def test_damage_is_told_in_one_sentence(tmp_path):
    with RunFolder(tmp_path, SUBJECT):
        pass
    (tmp_path / "trials.db").write_bytes(b"not a database" * 100)
    with pytest.raises(RunFolderError, match=r"trials\.db is damaged"), RunFolder(tmp_path, SUBJECT):
        pass
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(RunFolderError, match="cannot be read"), RunFolder(tmp_path, SUBJECT):
        pass
    with pytest.raises(RunFolderError, match="cannot be read"):
        read_record(tmp_path / "study.json")


def test_two_processes_do_not_share_a_folder(tmp_path):
    other = RunFolder(tmp_path, SUBJECT)
    with RunFolder(tmp_path, SUBJECT), pytest.raises(RunFolderError, match="Another gatework"):
        other.__enter__()
    with RunFolder(tmp_path, SUBJECT):
        pass


def test_a_folder_from_a_run_that_was_killed_at_once_is_used(tmp_path):
    (tmp_path / "trials").mkdir()
    (tmp_path / "lock").touch()
    with RunFolder(tmp_path, SUBJECT) as folder:
        assert folder.finished([trial()]) == {}


def test_a_file_is_written_at_once_or_not_at_all(tmp_path):
    with RunFolder(tmp_path, SUBJECT) as folder:
        folder.write_json("results.json", {"format": 1})
        with pytest.raises(ValueError, match="not JSON compliant"):
            folder.write_json("results.json", {"format": float("nan")})
        assert json.loads((tmp_path / "results.json").read_text()) == {"format": 1}
