"""Tensors, tools and processes that the operator meets in the wild: it gives what torch gives, or one sentence."""

import os
import subprocess
import sys
import threading
from concurrent.futures import Future

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing._internal.two_tensor import TwoTensor

import gatework as gw
from gatework.errors import BackendError, UsageError
from gatework.graph import cell, mean, tanh
from gatework.kernels.cpu import build as building
from gatework.kernels.cpu import engine
from gatework.kernels.cpu.host import host

T, B, N, H = 6, 4, 3, 8
KINDS = {"GRU": gw.GRU, "LSTM": gw.LSTM, "RNN": gw.RNN}


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_under_compile_a_drop_in_has_no_break(kind):
    torch.manual_seed(0)
    made, x = KINDS[kind](N, H, 2), numbers(T, B, N)
    compiled = torch.compile(made, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(x)[0], made(x)[0])


def test_an_exported_program_is_loaded_in_another_process(tmp_path):
    layer, x, path = gw.Recurrent("gru", N, H), numbers(T, B, N), tmp_path / "program.pt2"
    torch.export.save(torch.export.export(layer, (x,)), path)
    run = f"torch.export.load({str(path)!r}).module()(torch.ones({T}, {B}, {N}))"
    code = f"import gatework.kernels, torch; print({run}[0].sum().detach())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(layer(torch.ones(T, B, N))[0].sum().detach())


def test_a_tensor_of_another_class_goes_through_torch():
    layer, x = gw.Recurrent("gru", N, H).requires_grad_(False), numbers(T, B, N)
    output, _ = layer(TwoTensor(x, 2 * x))
    assert torch.equal(output.a, layer(x)[0])
    assert torch.equal(output.b, layer(2 * x)[0])


def test_a_fake_tensor_gives_a_fake_tensor():
    fake = FakeTensorMode(allow_non_fake_inputs=True).from_tensor(numbers(T, B, N))
    assert gw.Recurrent("gru", N, H)(fake)[0].shape == (T, B, H)


def test_a_negated_view_is_negative():
    layer, x = gw.Recurrent("gru", N, H), numbers(T, B, N)
    assert torch.equal(layer(torch._neg_view(x))[0], layer(-x)[0])


def test_gradients_of_many_results_at_once():
    layer, x = gw.Recurrent("gru", N, H), numbers(T, B, N).requires_grad_()
    sums = layer(x)[0].sum((1, 2))
    (together,) = torch.autograd.grad(sums, x, torch.eye(T), is_grads_batched=True, retain_graph=True)
    apart = [torch.autograd.grad(one, x, retain_graph=True)[0] for one in sums]
    torch.testing.assert_close(together, torch.stack(apart), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_what_torch_jit_traces_is_the_reference():
    layer, x = gw.GRU(N, H).eval(), numbers(T, B, N)
    traced = torch.jit.trace(layer, (x,), check_trace=False)
    torch.testing.assert_close(traced(2 * x)[0], layer(2 * x)[0], rtol=1e-5, atol=1e-6)
    with pytest.raises(BackendError, match=r"torch\.jit traces it"):
        torch.jit.trace(gw.Recurrent("gru", N, H, backend="cpu"), (x,))


def test_a_cell_without_weights_runs():
    @cell
    def nothing(x, h):
        return tanh(h * 0.5 + mean(x))

    layer = gw.Recurrent(nothing, N, H)
    assert layer(numbers(T, B, N))[0].shape == (T, B, H)
    assert "nothing" in repr(layer)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_gradient_of_a_relu_of_nan_is_that_of_torch(value):
    torch.manual_seed(0)
    ours, theirs = gw.RNN(N, H, nonlinearity="relu"), torch.nn.RNN(N, H, nonlinearity="relu")
    theirs.load_state_dict(ours.state_dict())
    found = []
    for layer in (ours, theirs):
        x = numbers(T, B, N)
        x[2, 0, 1] = value
        x.requires_grad_()
        layer(x)[0].sum().backward()
        found.append(x.grad)
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5, equal_nan=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_while_another_thread_compiles_leaves_no_lock_behind():
    taken, done = threading.Event(), threading.Event()

    def hold():
        with engine.LOCKS.kernels, building.LOCKS.libraries:
            taken.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    child = os.fork()
    if not child:
        free = engine.LOCKS.kernels.acquire(timeout=5) and building.LOCKS.libraries.acquire(timeout=5)
        os._exit(0 if free else 1)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


TEXT = 'define void @"nothing"() {\n  ret void\n}\n'


def test_who_waits_for_one_that_was_interrupted_compiles_itself():
    key = building.fingerprint(TEXT, host())
    interrupted = Future()
    building._running[key] = interrupted
    found = []
    thread = threading.Thread(target=lambda: found.append(building.build(TEXT, host(), cache=None)))
    thread.start()
    with building.LOCKS.libraries:
        del building._running[key]
    interrupted.set_exception(KeyboardInterrupt())
    thread.join(30)
    assert found


def test_stored_code_that_cannot_be_linked_is_compiled_anew(tmp_path):
    folder = tmp_path / "kernels"
    key = building.fingerprint(TEXT, host())
    building._store(folder, key, b"no code at all")
    library = building.build(TEXT, host(), cache=folder)
    assert not library.cached
    del library
    assert building.build(TEXT, host(), cache=folder).cached


@pytest.mark.parametrize("dtype", [torch.float16, torch.int64, torch.float64, torch.complex64])
def test_an_input_of_another_type_is_told_in_one_sentence(dtype):
    layer = gw.Recurrent("gru", N, H)
    with pytest.raises(UsageError, match=r"^The input is \w+ and the layer float32: convert one of them"):
        layer(torch.ones(T, B, N, dtype=dtype))


@pytest.mark.parametrize("given", [[1.0, 2.0], None, "x"])
def test_what_is_no_tensor_is_told_in_one_sentence(given):
    with pytest.raises(UsageError, match=r"^The input is a \w+: it must be a tensor\.$"):
        gw.Recurrent("gru", N, H)(given)


def test_states_that_are_none_are_told_in_one_sentence():
    with pytest.raises(UsageError, match=r"^The states are 1 tuples"):
        gw.Recurrent("gru", N, H)(numbers(T, B, N), (None, None))
