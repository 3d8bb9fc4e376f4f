"""`gatework doctor` says what runs here and why the rest does not."""

import hashlib
import importlib
import json
import sys

import pytest
import torch

from gatework.cells import catalogue
from gatework.cli.main import status
from gatework.kernels import measured
from gatework.kernels.triton import build

doctor = importlib.import_module("gatework.cli.doctor")

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton.runtime.interpreter")


def test_every_back_end_is_tried(capsys):
    assert status(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["torch"]
    assert found["processor"]["count"] >= 1
    runs = {name: one["runs"] for name, one in found["backends"].items()}
    triton = "yes" if not build.refusal() else "no"
    cudnn = "yes" if torch.cuda.is_available() else "no"
    assert runs == {"cpu": "yes", "cudnn": cudnn, "triton": triton, "reference": "yes"}
    assert "0e+00 from the reference" in found["backends"]["reference"]["says"]
    assert "kept" in found["kernels"]


def test_the_text_says_the_same(capsys):
    assert status(["doctor"]) == 0
    told = capsys.readouterr().out
    for line in ("versions", "processor", "GPU", "back-end cpu", "back-end reference", "back-end triton", "on disk"):
        assert f"\n{line}" in f"\n{told}"


FAILURES = {"far": lambda: 0.5, "no number": lambda: float("nan"), "an error": lambda: 1 / 0}


@pytest.mark.parametrize("failure", FAILURES)
def test_what_should_run_and_does_not_is_named(monkeypatch, capsys, failure):
    original = doctor._difference

    def difference(name, device):
        return FAILURES[failure]() if name == "cpu" else original(name, device)

    monkeypatch.setattr(doctor, "_difference", difference)
    assert status(["doctor"]) == 2
    told = capsys.readouterr()
    assert "back-end cpu        wrong: " in told.out
    assert told.err.startswith("gatework: The back-end cpu should run here and does not: ")


def test_without_triton_the_reason_is_told(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "triton", None)
    assert status(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["backends"]["triton"] == {"runs": "no", "says": "Triton is not installed"}


def test_a_gpu_is_described(monkeypatch, capsys):
    one = type("Properties", (), {"name": "Some GPU", "major": 9, "minor": 0, "total_memory": 80 * 2**30})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: one)
    assert status(["doctor"]) == 0
    assert "Some GPU, 80 GiB, compute capability 9.0, cuDNN" in capsys.readouterr().out


def test_what_was_measured_is_told(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GATEWORK_CACHE", str(tmp_path))
    measured.forget()
    graph = catalogue["gru"].graph
    for T in range(1, 3 + doctor.SHOWN):
        kind = {
            "cell": hashlib.sha256(graph.record.encode()).hexdigest() if T > 1 else "none of ours",
            "device": "a GPU",
            "type": "float32",
            "training": True,
            "sizes": {"N": 3, "H": 7, "B": 4, "T": T},
        }
        found = measured.Found("triton", {"cudnn": 2.0, "triton": 1.0})
        measured.remembered(T, lambda kind=kind: kind, ["cudnn", "triton"], lambda found=found: found, what="")
    assert status(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["measured"]
    assert sorted(one["sizes"]["T"] for one in found) == list(range(1, 3 + doctor.SHOWN))
    assert {one["cell"] for one in found} == {"gru", "another cell"}
    assert status(["doctor"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "training, float32 N=3 H=7 B=4 T=" in shown
    assert "on a GPU: triton (cudnn 2 ms, triton 1 ms)" in shown
    assert "and 2 more; --json has all" in shown
    measured.forget()
