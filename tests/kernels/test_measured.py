"""On a GPU back-ends are measured once for a kind of call: here with a processor in its place."""

import json
import pickle
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import gatework as gw
from gatework.cells import catalogue
from gatework.kernels import BACKENDS, Reference, dispatch, measured, rivals
from gatework.kernels.dispatch import Choice
from gatework.kernels.folder import default_folder
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


def call(choice, T=5, B=4, train=True, scale=1.0, **options):
    generator = torch.Generator().manual_seed(0)
    weights = {one.key: scale * torch.randn(one.sizes(3, 7), generator=generator) for one in GRAPH.parameters}
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
    assert first == 2 * (2 + measured.TIMES) + 1
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


def test_zeros_are_wrong_however_small_the_numbers_are():
    choice = Choice((Counted("zeros", change=lambda output: output * 0), Reference()))
    with pytest.warns(UserWarning, match=r"^The back-end zeros is left aside on cpu: its results differ "):
        call(choice, scale=1e-3)


def test_what_fails_at_full_length_is_left_aside():
    def change(output):
        return output if len(output) <= rivals.CHECKED else fail(output)

    choice = Choice((Counted("short", change=change), Counted("right")))
    with pytest.warns(UserWarning, match=r"^The back-end short is left aside on cpu: out of registers\.$"):
        call(choice, T=rivals.CHECKED + 1)
    assert choice.pick(torch.zeros(1)).name == "right"


@pytest.mark.parametrize("cell", ["qrnn", "lru", "grid_lstm"])
def test_a_state_that_nothing_depends_on_has_a_gradient_of_zeros(cell):
    """For some back-ends, and none for others: neither is wrong."""
    graph = catalogue[cell].graph.whole.core
    weights = {one.key: torch.randn(one.sizes(7, 7)).requires_grad_() for one in graph.parameters}
    states = tuple(torch.zeros(4, 7, requires_grad=True) for _ in graph.states)
    others = [torch.randn(5, 4, 7) for _ in graph.inputs[1:]]
    choice = Choice((BACKENDS["cpu"], Counted("other")))
    choice.run(graph, weights, torch.randn(5, 4, 7), states, others)
    assert choice.pick(torch.zeros(1)).name in ("cpu", "other")


def test_what_is_known_is_found_without_measuring():
    one, other = Counted("one", pause=0.02), Counted("other")
    weights = {each.key: torch.randn(each.sizes(3, 7)) for each in GRAPH.parameters}
    job = rivals.Job(GRAPH, weights, torch.randn(5, 4, 3), (torch.zeros(4, 7),), ())
    assert rivals.known_fastest((one, other), job) is None
    assert not one.calls
    rivals.fastest((one, other), job)
    assert rivals.known_fastest((one, other), job).best == "other"
    measured.forget()
    assert rivals.known_fastest((one, other), job).best == "other"  # from disk


def test_saved_tensors_of_a_measurement_are_nobodys():
    seen = []
    one, other = Counted("one"), Counted("other")
    choice = Choice((one, other))
    call(choice)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: (seen.append(1), tensor)[1], lambda tensor: tensor):
        call(choice)
        once = len(seen)
        measured.forget()
        call(choice)
    assert len(seen) == 2 * once


def test_warnings_that_are_errors_do_not_measure_again():
    broken, right = Counted("broken", change=fail), Counted("right")
    choice = Choice((broken, right))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="left aside"):
            call(choice)
    before = len(right.calls)
    call(choice)
    assert len(right.calls) == before + 1


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
        '{"best": "fast", "kind": {"sizes": {}}, "milliseconds": {"fast": 1%s}}' % ("0" * 400),
        '{"best": "fast", "kind": {"sizes": {}}, "milliseconds": {"fast": NaN}}',
        '{"best": "fast", "kind": {"sizes": [1]}, "milliseconds": {"fast": 1}}',
        '{"best": ["fast"], "kind": {"sizes": {}}, "milliseconds": {"fast": 1}}',
        "[" * 100_000,
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


def test_a_folder_of_a_user_that_there_is_not_is_none(monkeypatch):
    monkeypatch.setenv("GATEWORK_CACHE", "~nobody-of-this-name/kernels")
    assert default_folder() is None
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
        inner = threading.Thread(
            target=measured.remembered, args=("inner", dict, ["one"], lambda: Found("one")), kwargs={"what": ""}
        )
        inner.start()
        inner.join(timeout=20)
        return Found("one" if not inner.is_alive() else "it waits for ever")

    assert measured.remembered("outer", lambda: {"call": "outer"}, ["one"], outer, what="").best == "one"


def test_threads_that_measure_the_same_agree():
    def measure():
        time.sleep(0.01)
        return Found("one", {"one": time.perf_counter()})

    with ThreadPoolExecutor(4) as pool:
        every = list(pool.map(lambda _: measured.remembered("same", dict, ["one"], measure, what=""), range(8)))
    assert len({one.milliseconds["one"] for one in every}) == 1


def test_a_pickle_chooses_anew_where_it_comes_to(monkeypatch):
    layers = gw.Recurrent("gru", 3, 7), gw.GRU(3, 7)
    packed = [pickle.dumps(layer) for layer in layers]
    every = {"cpu": Counted("cpu", pause=0.02), "cudnn": Counted("cudnn"), "triton": Counted("triton", pause=0.02)}
    monkeypatch.setattr(dispatch, "BACKENDS", {**every, "reference": Reference()})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    x = torch.randn(4, 2, 3)
    for layer, text in zip(layers, packed, strict=True):
        here = pickle.loads(text)  # noqa: S301 - made above
        torch.testing.assert_close(here(x)[0], layer(x)[0])
        assert here.kernel == "cudnn"


def test_a_layer_that_cannot_run_yet_is_printed(monkeypatch):
    monkeypatch.setitem(dispatch.BACKENDS, "triton", dispatch.Refused("triton", ""))
    layer = gw.Recurrent("gru", 3, 7, backend="triton")
    monkeypatch.setattr(dispatch.Refused, "unfit", lambda self, x: "it runs on cuda here, not on cpu")
    assert "kernel=triton" in repr(layer)
