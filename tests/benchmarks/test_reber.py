"""The strings are of the embedded Reber grammar, and being solved means what it says."""

import re
from collections import Counter
from random import Random

import reber
import torch
from reber import SYMBOLS, VALIDATION, Strings, embedded, page, rate, settings, train, width
from trials import Network

FROM_CROSSING = "(?:XT*VP)*(?:S|XT*VV)"
INNER = f"B(?:TS*X{FROM_CROSSING}|PT*V(?:P{FROM_CROSSING}|V))E"
EMBEDDED = re.compile(f"B(?:T{INNER}T|P{INNER}P)E")
"""Reber's grammar as a regular expression, read off the picture of the graph."""


def strings(count):
    chance = Random(0)
    return [embedded(chance) for _ in range(count)]


def word(steps):
    return "".join(symbol for symbol, _ in steps)


def test_the_strings_are_of_the_grammar():
    words = [word(steps) for steps in strings(500)]
    assert all(EMBEDDED.fullmatch(one) for one in words)
    assert len(set(words)) > 100
    assert not EMBEDDED.fullmatch("BTBPVVEPE")


def test_what_may_follow_is_what_follows_in_the_grammar():
    """Over many strings, after the same beginning come all the symbols that may follow it, and no others."""
    seen, told = {}, {}
    for steps in strings(6000):
        text = word(steps)
        for t in range(min(6, len(steps) - 1)):
            seen.setdefault(text[: t + 1], set()).add(text[t + 1])
            told.setdefault(text[: t + 1], set()).add(frozenset(steps[t][1]))
    counts = Counter(text[: t + 1] for text in map(word, strings(6000)) for t in range(min(6, len(text) - 1)))
    often = [begin for begin in seen if counts[begin] > 60]
    assert len(often) > 20
    for begin in often:
        assert told[begin] == {frozenset(seen[begin])}, begin


def test_the_branches_are_equally_likely():
    words = [word(steps) for steps in strings(4000)]
    # Four deviations of a share of one half of 4,000.
    assert abs(sum(one[1] == "T" for one in words) / 4000 - 0.5) < 4 * 0.5 / 4000**0.5
    assert abs(sum(one[3] == "T" for one in words) / 4000 - 0.5) < 4 * 0.5 / 4000**0.5


def test_the_last_but_one_symbol_is_the_second():
    for steps in strings(50):
        assert steps[-3][1] == steps[1][0] == steps[-2][0]


class Oracle:
    """Shows the symbols that may follow, and perhaps forgets the second symbol."""

    def __init__(self, given, forgets):
        self.given, self.forgets = given, forgets

    def __call__(self, x, *, last):
        shown = torch.zeros(x.shape)
        for b, steps in enumerate(self.given):
            for t, (_, follow) in enumerate(steps[:-1]):
                if self.forgets and t == len(steps) - 3:
                    follow = "TP"
                for symbol in follow:
                    shown[t, b, SYMBOLS.index(symbol)] = 1
        return shown


def test_learnt_asks_for_the_remembered_symbol_too():
    given = strings(64)
    held = Strings(given)
    assert held.learnt(Oracle(given, forgets=False)) == 1
    assert held.learnt(Oracle(given, forgets=True)) == 0


def test_one_wrong_step_spoils_one_string():
    given = strings(4)

    class Wrong(Oracle):
        def __call__(self, x, *, last):
            shown = super().__call__(x, last=last)
            shown[2, 1] = 0
            return shown

    assert Strings(given).learnt(Wrong(given, forgets=False)) == 0.75


def test_networks_are_of_about_equal_size():
    for cell in reber.CELLS:
        assert abs(Network(cell, 7, width(cell), 7).count() - reber.BUDGET) < 0.07 * reber.BUDGET


def test_training_stops_when_enough_is_read(monkeypatch):
    monkeypatch.setattr(reber, "CHECK", 2)
    monkeypatch.setattr(reber, "STRINGS", 8)
    monkeypatch.setattr(reber, "MOST", 16)
    asked = {"cell": "gru", "seed": 0, "rate": 1e-2, "hidden": 3}
    result = train(asked)
    assert (result["strings"], result["solved"], result["finite"]) == (16, False, True)
    assert result["parameters"] == Network("gru", 7, 3, 7).count()


def made(cell, speed, seed, strings):
    return {
        "settings": settings(cell, speed, seed),
        "result": {
            "parameters": 800,
            "strings": strings,
            "seconds": 0.001 * strings,
            "finite": True,
            "learnt": 0.5 if strings == reber.MOST else 1.0,
            "solved": strings < reber.MOST,
        },
        "date": "2026-01-31",
        "versions": {"torch": "2.0"},
    }


def test_the_page_counts_who_solves_it():
    needed = {1e-2: 2000, 2e-2: 800, 4e-2: 1200}
    records = [made(cell, one, seed, needed[one]) for cell in reber.CELLS for one in needed for seed in VALIDATION]
    for seed in range(3):
        records += [made("lstm", 2e-2, seed, 1200 + 400 * seed), made("rnn", 2e-2, seed, reber.MOST)]
        records += [made("mgu", 2e-2, seed, 400 if seed else reber.MOST), made("rnn", 4e-2, seed, 400)]
    text = " ".join(page(records, 3).split())
    assert "Solved from every seed by `lstm`; from some by `mgu`; from none by `rnn`." in text
    assert "| `lstm` | 10 | 800 | 0.02 | 3 of 3 | 1,600 (1,200 to 2,000) | 100.0 % | 1.00 | – |" in text
    assert "| 0 of 3 | – | 50.0 % | 1.00 | 0 % after 200,000 strings |" in text


def test_a_cell_goes_on_with_its_best_rate():
    records = [
        made("gru", one, seed, strings)
        for one, strings in ((1e-2, 800), (2e-2, 400), (4e-2, 400))
        for seed in VALIDATION
    ]
    assert rate(records, "gru") == 2e-2
