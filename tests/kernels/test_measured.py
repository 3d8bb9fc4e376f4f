"""On a GPU back-ends are measured once for a kind of call: here with a processor in its place."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import gatework as gw
from gatework.cells import catalogue
from gatework.kernels import BACKENDS, Reference, dispatch, measured
from gatework.kernels.dispatch import Choice
from gatework.kernels.measured import Found

GRAPH = catalogue["gru"].graph


class Counted(Reference):
    """The reference under another name, that counts its calls; what `change` does is done to its output."""

    def __init__(self, name, pause=0.0, change=lambda output: output):
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "pause", pause)
        object.__setattr__(self, "change", change)
        object.__setattr__(self, "calls", [])

    def trajectory(self, graph, parameters, x, states, others=()):
        self.calls.append(tuple(x.shape))
        time.sleep(self.pause)
        (output,), last = super().trajectory(graph, parameters, x, states, others)
        return (self.change(output),), last


def fail(output):
    raise RuntimeError("out of registers\nand of words")


@pytest.fixture(autouse=True)
def everywhere(monkeypatch, tmp_path):
    monkeypatch.setattr(dispatch, "is_measured", lambda x: x.numel() > 0)
    monkeypatch.setenv("GATEWORK_CACHE", str(tmp_path))
    measured.forget()
    yield
    measured.forget()


def call(choice, T=5, B=4, train=True, **options):
    generator = torch.Generator().manual_seed(0)
    weights = {one.key: torch.randn(one.sizes(3, 7), generator=generator) for one in GRAPH.parameters}
    weights = {key: one.requires_grad_(train) for key, one in weights.items()}
    x = torch.randn(T, B, 3, generator=generator)
    output, _ = choice.run(GRAPH, weights, x, (torch.zeros(B, 7),), **options)
    return output, x, weights


def test_the_fastest_runs_and_is_told():
    slow, fast = Counted("slow", pause=0.02), Counted("fast")
    choice = Choice((slow, fast, Reference()))
    assert choice.pick(torch.zeros(1)) is slow
    output, x, weights = call(choice)
    assert choice.pick(torch.zeros(1)) is fast
    expected, _ = Choice((Reference(),)).run(GRAPH, weights, x, (torch.zeros(4, 7),))
    torch.testing.assert_close(output, expected)
    assert all(one.grad is None for one in weights.values())


def test_a_call_is_measured_once_and_another_kind_of_call_again():
    one, other = Counted("one"), Counted("other")
    choice = Choice((one, other))

    def calls(**sizes):
        before = len(one.calls) + len(other.calls)
        call(choice, **sizes)
        return len(one.calls) + len(other.calls) - before

    first = calls()
    assert first == 2 * (1 + measured.TIMES) + 1
    assert calls() == 1
    assert calls(T=8, B=3) == 1  # the same powers of two
    assert calls(T=9) == first
    assert calls(B=5) == first
    assert calls(train=False) == first


def test_what_is_wrong_is_left_aside_and_told():
    wrong, right = Counted("wrong", change=lambda output: output + 0.1), Counted("right", pause=0.01)
    choice = Choice((wrong, right, Reference()))
    with pytest.warns(UserWarning, match=r"^The back-end wrong is left aside on cpu: its results differ .* by 0\.1 "):
        call(choice)
    assert choice.pick(torch.zeros(1)) is right


@pytest.mark.parametrize("change", [fail, lambda output: output * torch.nan, lambda output: output.detach()])
def test_where_none_is_right_the_reference_runs(change):
    choice = Choice((Counted("broken", change=change), Reference()))
    with pytest.warns(UserWarning, match=r"^The back-end broken is left aside on cpu: "):
        call(choice)
    assert choice.pick(torch.zeros(1)).name == "reference"


def test_another_process_reads_what_was_measured(tmp_path):
    slow, fast = Counted("slow", pause=0.02), Counted("fast")
    call(Choice((slow, fast)))
    (file,) = tmp_path.iterdir()
    kept = json.loads(file.read_text())
    assert kept["best"] == "fast"
    assert set(kept["milliseconds"]) == {"slow", "fast"}
    ((kind, found),) = measured.everything()
    assert (kind["sizes"], found.best) == ({"N": 3, "H": 7, "B": 4, "T": 8}, "fast")
    measured.forget()
    slow.calls.clear()
    call(Choice((slow, fast)))
    assert not slow.calls


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "7",
        '{"best": "fast"}',
        '{"best": "fast", "kind": {}, "milliseconds": [1]}',
        '{"best": "fast", "kind": {}, "milliseconds": {"fast": "soon"}}',
        '{"best": "else", "kind": {}, "milliseconds": {}}',
        "\udc00",
    ],
)
def test_a_damaged_file_is_measured_again(tmp_path, content):
    slow, fast = Counted("slow", pause=0.02), Counted("fast")
    call(Choice((slow, fast)))
    (file,) = tmp_path.iterdir()
    file.write_bytes(content.encode(errors="surrogatepass"))
    measured.forget()
    slow.calls.clear()
    call(Choice((slow, fast)))
    assert slow.calls
    assert json.loads(file.read_text())["best"] == "fast"


def test_without_a_folder_it_is_measured_in_every_process(monkeypatch, tmp_path):
    monkeypatch.setenv("GATEWORK_CACHE", "")
    call(Choice((Counted("one"), Counted("other"))))
    (tmp_path / "file").touch()
    monkeypatch.setenv("GATEWORK_CACHE", str(tmp_path / "file"))
    measured.forget()
    call(Choice((Counted("one"), Counted("other"))))


def test_what_has_failed_is_tried_again_by_another_process(tmp_path):
    with pytest.warns(UserWarning, match="left aside"):
        call(Choice((Counted("broken", change=fail), Counted("right"))))
    assert not list(tmp_path.iterdir())


def test_random_numbers_are_the_same_whether_it_is_measured():
    choice = Choice((Counted("one"), Counted("other")))
    torch.manual_seed(5)
    call(choice)
    after = torch.rand(3)
    torch.manual_seed(5)
    call(choice)
    assert torch.equal(torch.rand(3), after)


def test_a_layer_tells_what_runs_it(monkeypatch):
    every = {"cpu": Counted("cpu", pause=0.02), "cudnn": Counted("cudnn"), "triton": Counted("triton", pause=0.02)}
    monkeypatch.setattr(dispatch, "BACKENDS", {**every, "reference": Reference()})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    layer = gw.Recurrent("gru", 3, 7)
    assert layer.kernel == "cpu"
    layer(torch.randn(4, 2, 3))
    assert layer.kernel == "cudnn"


def test_a_machine_with_a_gpu_runs_tensors_on_its_processor_as_others_do(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    found = dispatch.choose("auto", GRAPH)
    assert found.pick(torch.zeros(1)) is BACKENDS["cpu"]
    assert not dispatch.is_measured(torch.zeros(1))


def test_a_thread_measures_while_another_waits_for_it():
    """As a backward pass on a GPU, which has a thread of its own, while the pass as a whole is measured."""

    def outer():
        inner = threading.Thread(target=measured.remembered, args=("inner", dict, ["one"], lambda: Found("one")))
        inner.start()
        inner.join(timeout=20)
        return Found("one" if not inner.is_alive() else "it waits for ever")

    assert measured.remembered("outer", lambda: {"call": "outer"}, ["one"], outer).best == "one"


def test_threads_that_measure_the_same_agree():
    def measure():
        time.sleep(0.01)
        return Found("one", {"one": time.perf_counter()})

    with ThreadPoolExecutor(4) as pool:
        every = list(pool.map(lambda _: measured.remembered("same", dict, ["one"], measure), range(8)))
    assert len({one.milliseconds["one"] for one in every}) == 1
