"""The sentence of a search: better is said only where chance does not explain it, and nothing found is an answer."""

import pytest

from gatework.study.search_verdict import search_verdict
from gatework.study.statistics import Comparison


def pair(first, second, outcome, seeds=5):
    return Comparison(first, second, -0.1, -0.05, -0.06, -0.04, 0.01, seeds, outcome)


def say(errors, *pairs, found=("found_1",), beside=("gru", "lstm"), unit="", early=""):
    return search_verdict(found, beside, errors, pairs, unit, early)


ERRORS = {"found_1": 9.0, "gru": 10.0, "lstm": 11.0}


def test_better_than_all():
    said = say(ERRORS, pair("found_1", "gru", "first"), pair("lstm", "found_1", "second"), unit="nats")
    assert said == (
        "The search found a cell that is better than gru and lstm: found_1 errs by 9 nats on average, 10 % below gru, "
        "which is larger than chance explains."
    )


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        ("undecided", "found_1 errs by 9 on average where gru errs by 10, which may be chance."),
        ("equivalent", "found_1 errs by 9 on average where gru errs by 10, too little to matter."),
        ("first", "found_1 errs by 9 on average where gru errs by 10, and that is larger than chance explains."),
    ],
)
def test_nothing_better(outcome, end):
    said = say(ERRORS, pair("gru", "found_1", outcome), pair("found_1", "lstm", "undecided"))
    assert said == f"The search found nothing better than gru or lstm: {end}"


def test_better_than_one_of_two():
    said = say(ERRORS, pair("gru", "found_1", "undecided"), pair("found_1", "lstm", "first"))
    assert said.startswith("The search found a cell that is better than lstm, but not than gru: found_1 errs by 9 ")
    assert said.endswith("where gru errs by 10, which may be chance.")


def test_one_seed_says_nothing():
    said = say(ERRORS, pair("gru", "found_1", "undecided", seeds=1), pair("found_1", "lstm", "undecided", seeds=1))
    assert said.endswith("and one seed says nothing of chance.")


def test_a_pair_that_was_not_tested_is_not_decided():
    assert "which may be chance" in say(ERRORS)


def test_the_best_of_several_found_cells_speaks():
    said = say({**ERRORS, "found_2": 8.0}, pair("found_2", "gru", "first"), found=("found_1", "found_2"))
    assert "found_2 errs by 8" in said


def test_numbers_that_are_close_are_told_apart():
    assert "errs by 8.70001 on average where gru errs by 8.7" in say({"found_1": 8.70001, "gru": 8.7}, beside=("gru",))


def test_who_went_astray_is_named():
    assert say({"gru": 10.0}) == "The search found nothing: the forecasts of found_1 are not finite with fresh seeds."
    assert "gru and lstm went astray" in say({"found_1": 9.0})


@pytest.mark.parametrize("errors", [ERRORS, {"gru": 10.0}, {"found_1": 9.0}])
@pytest.mark.parametrize("outcome", ["first", "undecided"])
def test_a_search_that_ended_early_says_so_whatever_it_found(errors, outcome):
    pairs = (pair("found_1", "gru", outcome), pair("found_1", "lstm", "first"))
    whole, said = say(errors, *pairs), say(errors, *pairs, early="its time was up before the last round")
    head = "The search ended early, because its time was up before the last round, and found "
    assert said == whole.replace("The search found ", head, 1)
    assert said != whole
