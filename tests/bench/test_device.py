"""The benchmark on a GPU, as far as it goes without one: under Triton's interpreter, by the processor's clock."""

import importlib
import json
from dataclasses import replace

import pytest
import torch

from gatework.bench import device as gpu
from gatework.bench import device_rates, device_sides, members, uneven
from gatework.bench.device_page import device_page
from gatework.bench.members import Ensemble, together
from gatework.bench.shapes import Shape
from gatework.bench.timing import Effort
from gatework.bench.torch_sides import Compiled
from gatework.bench.uneven import Uneven
from gatework.cli.main import status
from gatework.errors import BackendError, GateworkError, UsageError
from gatework.kernels.triton import build

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning:triton.runtime.interpreter"),
    pytest.mark.skipif(bool(build.refusal()), reason="Triton's interpreter is not here"),
]

FEW = Effort(0.0, 1, 1)
SHAPE = Shape(2, 3, 4, 4)
bench = importlib.import_module("gatework.cli.bench")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """The flags of torch that a benchmark sets, and rates that nobody has to wait for."""
    monkeypatch.setattr(gpu, "measure_rates", lambda *_: gpu.DeviceRates(1e12, 1e12, 0.0))
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def measured(cells=("gru", "mgu"), kinds=("float32",), seconds=float("inf")):
    return list(gpu.measure_device(cells, (SHAPE,), kinds, torch.device("cpu"), FEW, seconds))


def test_every_side_in_both_passes():
    rows = measured()
    found = {(row.cell, row.side, row.mode) for row in rows}
    assert found == {
        (cell, side, mode)
        for cell, sides in {"gru": ("ours", "torch", "eager"), "mgu": ("ours", "eager")}.items()
        for side in sides
        for mode in ("forward", "training")
    }
    assert {row.kernel for row in rows if row.side == "ours"} == {"triton"}
    assert all(0 < row.low_ms <= row.ms <= row.high_ms for row in rows)
    assert all(row.difference < 1e-5 for row in rows)
    assert all(row.ratio == 1 for row in rows if row.side == "torch")
    theirs = {row.mode: row.ms for row in rows if row.side == "torch"}
    assert all(row.ratio == pytest.approx(theirs[row.mode] / row.ms) for row in rows)  # torch's GRU for mgu too
    assert all(row.ratio is None for row in measured(("mgu",)))


def test_a_long_case_is_checked_along_its_first_steps(monkeypatch):
    monkeypatch.setattr(device_sides, "CHECKED_STEPS", 2)
    checked = []
    original = gpu._checked
    monkeypatch.setattr(gpu, "_checked", lambda case, *given: (checked.append(case.shape), original(case, *given))[1])
    assert {row.shape for row in measured(("gru",))} == {"2,3,4,4"}
    assert set(checked) == {Shape(2, 2, 4, 4)}


def test_every_width_is_measured_before_the_rims():
    first = gpu.GRID[1 : 1 + 5 * 2]
    assert {shape.H for shape in first} == {64, 128, 256, 512, 1024}
    assert {shape.T for shape in first} == {256}
    assert len(set(gpu.GRID)) == 1 + 5 * 4 * 3


def test_members_are_trained_together_and_in_turn():
    ensemble = Ensemble(3, SHAPE)
    cells, where = ("gru", "mgu", "lstm"), torch.device("cpu")
    rows = list(gpu.measure_device(cells, (), ("float32",), where, FEW, first=(ensemble,)))
    assert [(row.cell, row.mode, row.kernel) for row in rows] == [
        (cell, mode, kernel)
        for cell in ("gru", "lstm")  # mgu is none of torch's
        for mode in ("forward", "training")
        for kernel in ("triton, together", "torch, in turn", "reference loop, together")
    ]
    assert {row.shape for row in rows} == {"3 × 2,3,4,4"}
    assert all(row.difference < 1e-5 for row in rows)
    (alone, *_) = measured(("gru",))
    assert rows[0].floor_ms == pytest.approx(3 * alone.floor_ms)
    assert "| 3 × 2,3,4,4 | triton, together |" in device_page(rows, {"device": "a GPU"}, "gatework bench")


def test_the_command_measures_the_seeds_of_a_study(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "check_device", lambda _: torch.device("cpu"))
    monkeypatch.setattr(members, "SEEDS", Ensemble(2, SHAPE))
    monkeypatch.setattr(uneven, "UNEVEN", (Uneven(SHAPE),))
    monkeypatch.setattr(gpu, "QUICK", (SHAPE,))
    assert status(["bench", "--device", "cuda", "--cells", "gru", "--dtype", "float32", "--quick"]) == 0
    told = capsys.readouterr().out
    for what in ("2 × 2,3,4,4 training: triton, together", "2,3,4,4 uneven forward: triton", "2,3,4,4 forward: triton"):
        assert f"gru float32 {what}" in told


def test_sequences_of_many_lengths():
    where = torch.device("cpu")
    rows = list(gpu.measure_device(("lstm", "mgu"), (), ("float32",), where, FEW, first=(Uneven(Shape(3, 8, 4, 4)),)))
    assert [(row.cell, row.side, row.mode) for row in rows] == [
        ("lstm", side, mode) for mode in ("forward", "training") for side in ("ours", "torch")
    ]
    assert all(row.difference < 1e-5 for row in rows)
    assert {row.shape for row in rows} == {"3,8,4,4 uneven"}
    (even, *_) = gpu.measure_device(("lstm",), (Shape(3, 8, 4, 4),), ("float32",), where, FEW)
    assert rows[0].floor_ms == pytest.approx(even.floor_ms * (2 + 5 + 8) / (3 * 8), rel=0.05)


@pytest.mark.parametrize("B", [1, 2, 7])
def test_lengths_go_up_to_the_longest(B):
    lengths = Uneven(Shape(B, 9, 1, 1)).lengths.tolist()
    assert (len(lengths), max(lengths)) == (B, 9)
    assert lengths == sorted(lengths)
    assert min(lengths) >= 1


def test_the_compiled_loop_where_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(Compiled, "build", lambda _, case: replace(device_sides.eager(case), kernel="torch.compile"))
    rows = gpu.measure_device(("gru", "mgu"), (SHAPE,), ("float32",), torch.device("cpu"), FEW, compiled=True)
    assert [(row.cell, row.mode) for row in rows if row.side == "compile"] == [("gru", "forward"), ("gru", "training")]


def test_the_floor_is_that_of_steps_where_there_is_nothing_else_to_do(monkeypatch):
    monkeypatch.setattr(gpu, "measure_rates", lambda *_: gpu.DeviceRates(1e30, 1e30, 1e-3))
    floors = {row.mode: row.floor_ms for row in measured(("gru",))}
    assert floors == {"forward": pytest.approx(SHAPE.T), "training": pytest.approx(2 * SHAPE.T)}


def test_rates_are_measured():
    found = device_rates.measure_rates(torch.device("cpu"), torch.float32)
    assert found.product > 1e6
    assert found.copy > 1e6
    assert 0 <= found.step < 1


def test_wrong_results_of_members_are_not_timed(monkeypatch):
    monkeypatch.setattr(
        device_sides, "in_turn", lambda case, kernel, make: together(replace(case, x=-case.x), kernel, "cpu")
    )
    with pytest.raises(BackendError, match=r"^gru was not timed at 2,3,4,4, because the results of torch are"):
        list(gpu.measure_device(("gru",), (), ("float32",), torch.device("cpu"), FEW, first=(Ensemble(3, SHAPE),)))


def test_bfloat16_is_compared_with_the_exact_numbers():
    rows = measured(("gru",), ("bfloat16",))
    assert {row.kind for row in rows} == {"bfloat16"}
    assert 1e-5 < max(row.difference for row in rows) < 0.1


def test_wrong_results_are_not_timed(monkeypatch):
    original = device_sides.eager

    def wrong(case):
        runner = original(case)
        results = runner.results()
        return type(runner)("wrong", runner.calls, lambda: type(results)(results.output + 0.1, results.gradients))

    monkeypatch.setattr(device_sides, "eager", wrong)
    rows = []
    told = r"^gru was not timed at 2,3,4,4, because the results of eager are .* So it is 1 times more\.$"
    with pytest.raises(BackendError, match=told):
        rows.extend(gpu.measure_device(("gru", "mgu"), (SHAPE,), ("float32",), torch.device("cpu"), FEW))
    assert rows == []


def test_when_the_time_is_over_what_was_measured_is_there():
    assert measured(seconds=-1.0) == []


def test_the_page_has_a_line_for_each_side():
    page = device_page(measured(("gru",)), {"device": "a GPU"}, "gatework bench --device cuda")
    assert "## gru, float32" in page
    assert page.count("| 2,3,4,4 |") == 3


def test_the_command(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(gpu, "check_device", lambda _: torch.device("cpu"))
    out = tmp_path / "gpu.md"
    arguments = ["bench", "--device", "cuda", "--cells", "mgu", "--shapes", "2,3,4,4", "--dtype", "float32", "--quick"]
    assert status([*arguments, "--json", "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert [row["side"] for row in json.loads(told.out)["rows"]] == ["ours", "eager"] * 2
    assert "mgu float32 2,3,4,4 forward: triton" in told.err
    assert "## mgu, float32" in out.read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--device", "cuda"], "--device is cuda, and torch finds no GPU here"),
        (["--device", "cuda", "--growth"], "--growth is for a benchmark of the processor"),
        (["--device", "cuda", "--threads", "1"], "--threads is for a benchmark of the processor"),
        (["--minutes", "1"], "--minutes is for a benchmark on a GPU"),
    ],
)
def test_what_does_not_go_together_is_told(arguments, sentence, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert status(["bench", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"gatework: {sentence}")


def test_what_is_not_there_is_told_before_anything_is_measured():
    given = ((SHAPE,), ("float32",), torch.device("cpu"), FEW)
    with pytest.raises(UsageError, match="There is no dtype 'int8' to measure in"):
        gpu.measure_device(("gru",), (SHAPE,), ("float32", "int8"), torch.device("cpu"), FEW)
    with pytest.raises(GateworkError, match="gruu"):
        gpu.measure_device(("gru", "gruu"), *given)


def test_what_was_measured_before_a_failure_is_told(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(gpu, "check_device", lambda _: torch.device("cpu"))
    original = device_sides.make_case

    def failing(cell, *given, **more):
        if cell.name == "lstm":
            raise BackendError("No memory is left.")
        return original(cell, *given, **more)

    monkeypatch.setattr(device_sides, "make_case", failing)
    out = tmp_path / "gpu.md"
    arguments = ["bench", "--device", "cuda", "--cells", "mgu,lstm", "--shapes", "2,3,4,4", "--dtype", "float32"]
    assert status([*arguments, "--quick", "--json", "--out", str(out)]) == 2
    told = capsys.readouterr()
    assert len(json.loads(told.out)["rows"]) == 4
    assert told.err.endswith("gatework: No memory is left.\n")
    assert "## mgu, float32" in out.read_text()
