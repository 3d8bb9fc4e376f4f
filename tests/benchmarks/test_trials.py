"""The store of finished trials, the network around a cell, and the figures of a page."""

import doctest

import pytest
import torch
import trials
from scipy.stats import ttest_rel
from trials import Network, Store, descend, differences, document, grouped, table, under


def test_examples():
    assert doctest.testmod(trials).failed == 0


def test_a_broken_line_is_trained_again(tmp_path):
    store = Store(tmp_path / "made" / "trials.jsonl")
    assert store.records() == []
    store.add({"cell": "gru", "seed": 0}, {"loss": 0.5})
    store.add({"cell": "lstm", "seed": 0}, {"loss": 0.25})
    with store.path.open("a") as file:
        file.write('{"settings": {"cell": "mgu", "se')
    assert [one["result"]["loss"] for one in store.records()] == [0.5, 0.25]
    assert store.holds({"cell": "lstm", "seed": 0})
    assert not store.holds({"cell": "mgu", "seed": 0})
    store.add({"cell": "mgu", "seed": 0}, {"loss": 0.125})
    assert [one["settings"]["cell"] for one in store.records()] == ["gru", "lstm", "mgu"]


def test_only_what_was_asked_for_is_shown():
    records = [{"settings": {"cell": cell, "seed": seed}} for cell in ("gru", "lstm") for seed in (1, 0, 7)]
    asked = [{"cell": cell, "seed": seed} for cell in ("lstm", "gru", "mgu") for seed in (0, 1)]
    found = grouped(under([*records, *records], asked))  # a trial that was run twice counts once
    assert list(found) == ["lstm", "gru"]
    assert [one["settings"]["seed"] for one in found["gru"]] == [0, 1]


def test_differences_are_those_of_a_paired_test():
    figures = {"a": [97.1, 98.2, 97.9, 98.4], "b": [97.5, 98.9, 98.1, 99.0], "c": [97.0, 98.3, 97.9, 98.3]}
    found = differences(figures, "a")
    tests = {name: ttest_rel(figures[name], figures["a"]) for name in "bc"}
    low, high = tests["b"].confidence_interval(0.95)
    assert found["b"].mean == pytest.approx(0.475)
    assert (found["b"].mean - found["b"].reach, found["b"].mean + found["b"].reach) == pytest.approx((low, high))
    # Two comparisons: the smaller p-value counts twice (Holm).
    assert found["b"].p_value == pytest.approx(2 * tests["b"].pvalue)
    assert found["c"].p_value == pytest.approx(max(tests["c"].pvalue, 2 * tests["b"].pvalue))
    assert (found["b"].shown, found["c"].shown) == (True, False)


def test_one_seed_shows_no_difference():
    assert not differences({"a": [1.0], "b": [9.0]}, "a")["b"].shown


def test_equal_figures_show_no_difference():
    assert not differences({"a": [1.0, 2.0], "b": [1.0, 2.0]}, "a")["b"].shown


def test_a_constant_difference_is_shown():
    assert differences({"a": [1.0, 2.0], "b": [2.0, 3.0]}, "a")["b"].shown


@pytest.mark.parametrize(("cell", "more"), [("gru", 0), ("lru", 3 * 5 + 5)])
def test_the_network_counts_its_weights(cell, more):
    from gatework.cells import catalogue

    network = Network(cell, 3, 5, 2)
    assert network.count() == catalogue[cell].count(5 if more else 3, 5) + 5 * 2 + 2 + more
    assert network(torch.zeros(7, 4, 3), last=False).shape == (7, 4, 2)
    assert network(torch.zeros(7, 4, 3), last=True).shape == (4, 2)


def test_the_last_output_is_the_last_of_all():
    network, x = Network("gru", 3, 5, 2), torch.randn(7, 4, 3)
    torch.testing.assert_close(network(x, last=True), network(x, last=False)[-1])


def test_what_is_not_finite_ends_training_and_changes_nothing():
    network = Network("rnn", 1, 2, 1)
    optimizer = torch.optim.Adam(network.parameters(), 0.1)
    before = [one.clone() for one in network.parameters()]
    loss = network(torch.ones(3, 1, 1), last=True).sum()
    assert not descend(loss * torch.inf, network, optimizer, 1.0)
    assert all(torch.equal(one, old) for one, old in zip(network.parameters(), before, strict=True))
    assert descend(network(torch.ones(3, 1, 1), last=True).sum(), network, optimizer, 1.0)
    assert not all(torch.equal(one, old) for one, old in zip(network.parameters(), before, strict=True))


def test_a_document_is_wrapped_and_its_tables_are_not():
    text = document("Title", "word\n    " * 40, table(("a", "b"), [("x" * 150, "1")]))
    head, words, lines = text.rstrip("\n").split("\n\n")
    assert head == "# Title"
    assert words.split() == ["word"] * 40
    assert max(len(line) for line in words.splitlines()) <= 120
    assert lines.splitlines()[1:] == ["| --- | ---: |", f"| {'x' * 150} | 1 |"]
