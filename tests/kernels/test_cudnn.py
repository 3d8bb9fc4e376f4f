"""Torch's kernels as a back-end: here those for a processor, which have the same calls as cuDNN's."""

import pytest
import torch

import gatework as gw
from gatework.cells import catalogue
from gatework.errors import BackendError
from gatework.graph.around import valid
from gatework.kernels import BACKENDS, cudnn, dispatch

CELLS = ("rnn", "rnn_relu", "lstm", "gru")
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
"""Sums of some ten numbers in float32, in another order."""


@pytest.fixture(autouse=True)
def processor(monkeypatch):
    if not torch.cuda.is_available():
        monkeypatch.setattr(cudnn, "DEVICE", "cpu")
        monkeypatch.setattr(cudnn, "_missing", lambda: "")


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def layers(cell, **options):
    made = [gw.Recurrent(cell, 3, 7, backend=name, **options).to(DEVICE) for name in ("reference", "cudnn")]
    made[1].load_state_dict(made[0].state_dict())
    assert made[1].kernel == "cudnn"
    return made


def gradients(layer, x, states=None):
    x = x.clone().requires_grad_()
    output, last = layer(x, states)
    total = output.square().sum() + sum((one * one.detach().cos()).sum() for of_layer in last for one in of_layer)
    total.backward()
    return [output, *(one for of_layer in last for one in of_layer), x.grad, *(one.grad for one in layer.parameters())]


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"learn_initial": True}], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_results_and_gradients_are_the_references(cell, options):
    reference, ours = layers(cell, **options)
    x = torch.randn(5, 4, 3, device=DEVICE)
    for found, expected in zip(gradients(ours, x), gradients(reference, x), strict=True):
        torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.parametrize("cell", CELLS)
def test_without_gradients(cell):
    reference, ours = layers(cell)
    x = torch.randn(5, 4, 3, device=DEVICE)
    with torch.no_grad():
        (output, last), (expected, expected_last) = ours(x), reference(x)
    torch.testing.assert_close(output, expected, **CLOSE)
    for one, other in zip(last[0], expected_last[0], strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


def test_gradients_of_gradients_in_evaluation():
    found = []
    for layer in layers("lstm"):
        x = torch.linspace(-1, 1, 2 * 2 * 3, device=DEVICE).view(2, 2, 3).requires_grad_()
        output, _ = layer.eval()(x)
        (first,) = torch.autograd.grad(output.pow(2).sum(), x, create_graph=True)
        found.append(torch.autograd.grad(first.pow(2).sum(), x)[0])
    torch.testing.assert_close(*found, **CLOSE)


def test_a_backward_pass_twice_and_of_one_result_alone():
    layer = layers("gru")[1]
    output, last = layer(torch.randn(3, 2, 3, device=DEVICE))
    (first,) = torch.autograd.grad(last[0][0].sum(), layer.layer(0).U_n, retain_graph=True)
    (second,) = torch.autograd.grad(last[0][0].sum(), layer.layer(0).U_n)
    assert torch.equal(first, second)
    assert output.requires_grad


@pytest.mark.parametrize(("ours", "theirs"), [(gw.LSTM, torch.nn.LSTM), (gw.GRU, torch.nn.GRU)])
def test_drop_ins_are_torchs_layers(ours, theirs):
    layer, other = ours(3, 7, backend="cudnn").to(DEVICE), theirs(3, 7).to(DEVICE)
    layer.load_state_dict(other.state_dict())
    x = torch.randn(5, 4, 3, device=DEVICE)
    torch.testing.assert_close(layer(x)[0], other(x)[0], **CLOSE)


def test_other_cells_are_refused():
    told = "it has kernels for rnn, rnn_relu, lstm, gru and for no other cell"
    for graph in (catalogue["mgu"].graph, valid(catalogue["gru"].graph)):
        assert BACKENDS["cudnn"].refusal(graph) == told
    with pytest.raises(BackendError, match=f"^The back-end cudnn cannot run this cell: {told}\\.$"):
        gw.Recurrent("gru_reset_before", 3, 7, backend="cudnn")


def test_it_gives_way_where_it_cannot_do_what_is_asked(monkeypatch):
    backend, x = BACKENDS["cudnn"], torch.zeros(2, 2, 3, device=DEVICE)
    assert backend.unfit(x) == ""
    assert backend.unfit(x[:, :0]) == "there is no sequence to run along"
    assert backend.unfit(x.long()) == "it computes with real numbers, not in int64"
    torch.use_deterministic_algorithms(True)
    try:
        assert backend.unfit(x) == "torch is asked for deterministic results, which it does not promise"
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.func.vmap(lambda one: one if backend.unfit(one) else one + 1)(x).sum() == 0


def test_without_a_gpu_the_reason_is_told(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert BACKENDS["cudnn"].refusal(catalogue["gru"].graph) == "torch finds no GPU here"
    assert BACKENDS["cudnn"].unfit(torch.zeros(1)) == "it runs on cuda, not on cpu"


@pytest.mark.parametrize("call", [{"lengths": torch.tensor([3, 1])}, {"resets": torch.zeros(3, 2, dtype=torch.bool)}])
def test_lengths_and_resets_are_for_others(call, monkeypatch):
    x, given = torch.randn(3, 2, 3, device=DEVICE), {name: one.to(DEVICE) for name, one in call.items()}
    layer = gw.Recurrent("gru", 3, 7, backend="cudnn").to(DEVICE)
    told = (
        "^The back-end cudnn cannot run this layer: it has kernels for rnn, rnn_relu, lstm, gru and for no other cell"
    )
    with pytest.raises(BackendError, match=told):
        layer(x, **given)
    layer(x)
    # Where it is one of several, the others run it.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(dispatch, "BACKENDS", {name: BACKENDS[name] for name in ("cudnn", "cpu", "reference")})
    several = gw.Recurrent("gru", 3, 7).to(DEVICE)
    assert several.kernel == "cudnn"
    several(x, **given)[0].sum().backward()
    assert several.layer(0).U_n.grad.isfinite().all()


def test_nothing_is_kept_after_a_backward_pass_and_a_second_one_computes_it_again():
    layer = layers("lstm")[1]
    output, _ = layer(torch.randn(3, 2, 3, device=DEVICE))
    node = output.grad_fn
    while "Differentiable" not in node.name():
        node = next(one for one, _ in node.next_functions if one is not None)
    first = torch.autograd.grad(output.sum(), layer.layer(0).U_i, retain_graph=True)[0]
    assert node.results is None
    second = torch.autograd.grad(output.sum(), layer.layer(0).U_i)[0]
    assert torch.equal(first, second)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(output.sum(), layer.layer(0).U_i)
