"""Peers that need a library of their own: refused where it is absent, equal to torch where it is there."""

import pytest

from gatework.bench import side
from gatework.bench.agreement import check
from gatework.bench.case import make_case
from gatework.bench.shapes import Shape
from gatework.bench.sides import PEERS, choose_peers
from gatework.bench.torch_sides import reference
from gatework.cells import catalogue
from gatework.errors import UsageError

OPTIONAL = [name for name, one in PEERS.items() if one.packages]


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn", "rnn_relu"])
@pytest.mark.filterwarnings("default")  # those of other people's libraries
def test_an_installed_peer_computes_what_the_equations_say(name, cell, monkeypatch):
    if reason := PEERS[name].missing():
        pytest.skip(reason)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    case = make_case(catalogue[cell], Shape(3, 4, 2, 5), input_grad=True)
    results = PEERS[name].build(case).results()
    check(case, name, results, reference(case).results())
    assert set(results.gradients) in ({*case.weights, "x"}, set())


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_peer_that_is_not_installed_is_refused_by_name_and_left_out_of_all(name, monkeypatch):
    monkeypatch.setattr(side, "find_spec", lambda package: None)
    with pytest.raises(UsageError, match=f"The peer {name} cannot be measured: .* not installed"):
        choose_peers([name])
    assert [one.name for one in choose_peers(["all"])] == ["torch", "eager", "compile"]
    assert [one.name for one in choose_peers(["default"])] == ["torch", "eager"]
    assert choose_peers(["none"]) == ()


def test_a_peer_that_is_misspelt():
    with pytest.raises(UsageError, match=r"did you mean torch\?"):
        choose_peers(["torhc"])


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_says_why_it_does_not_run_a_cell(name):
    assert PEERS[name].refusal(catalogue["gru"], "float32") == ""
    assert (PEERS[name].refusal(catalogue["mgu"], "float32") == "") == (name == "eager")
