import re
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatework.errors import DataError
from gatework.study.statistics import Comparison, Outcome
from gatework.study.verdict import BaselineResult, CellResult, Evidence, readable, verdict

NAIVE = BaselineResult("persistence", 581.6)
SEASONAL = BaselineResult("seasonal naive", 600.0)
RIDGE = BaselineResult("ridge autoregression", 570.0, naive=False)


def cell(name: str, error: float, seconds: float = 10.0, **p_values: float) -> CellResult:
    """A cell whose p-values default to certainty against every baseline."""
    names = {"naive": "persistence", "seasonal": "seasonal naive", "ridge": "ridge autoregression"}
    sure = dict.fromkeys(names.values(), 0.001)
    return CellResult(name, error, seconds, 20_000, sure | {names[key]: p for key, p in p_values.items()})


def pair(first: str, second: str, outcome: Outcome) -> Comparison:
    return Comparison(first, second, 0.0, 0.0, 0.0, 0.0, 1.0, 5, outcome)


def say(
    *cells: CellResult,
    baselines: tuple[BaselineResult, ...] = (NAIVE, SEASONAL),
    pairs: tuple[Comparison, ...] = (),
    unit: str = "dollars",
    seeds: int = 5,
) -> str:
    return verdict(Evidence(cells, baselines, pairs, unit, seeds))


# --- no cell beats the best baseline


def test_none_beats_the_naive_forecast() -> None:
    assert say(cell("lstm", 602.9), cell("gru", 585.21, naive=0.4)) == (
        "None of the cells beats persistence: the best, gru, errs by 585.2 dollars on average "
        "where persistence errs by 581.6."
    )


def test_none_beats_it_and_surely_so() -> None:
    assert say(cell("lstm", 802.9), cell("gru", 785.21), unit="") == (
        "None of the cells beats persistence: the best, gru, errs by 785.2 on average "
        "where persistence errs by 581.6, and the difference is larger than chance explains."
    )


def test_one_cell_does_not_beat_it() -> None:
    assert say(cell("gru", 585.2, naive=0.4)) == (
        "gru does not beat persistence: it errs by 585.2 dollars on average where persistence errs by 581.6."
    )


def test_one_cell_is_surely_worse() -> None:
    assert say(cell("gru", 1500.0)) == (
        "gru does not beat persistence: it errs by 1,500 dollars on average where persistence errs by 581.6, "
        "and the difference is larger than chance explains."
    )


def test_the_naive_forecasts_are_beaten_but_not_the_ridge() -> None:
    assert say(cell("gru", 575.0, ridge=0.3), cell("lstm", 577.0), baselines=(NAIVE, SEASONAL, RIDGE)) == (
        "None of the cells beats the ridge autoregression: the best, gru, errs by 575 dollars on average "
        "where the ridge autoregression errs by 570, though gru beats persistence by 1.1 %."
    )


def test_a_lead_over_the_naive_forecasts_that_may_be_chance_is_not_told() -> None:
    assert say(cell("gru", 575.0, ridge=0.3, naive=0.2), baselines=(NAIVE, RIDGE)) == (
        "gru does not beat the ridge autoregression: it errs by 575 dollars on average "
        "where the ridge autoregression errs by 570."
    )


def test_errors_that_look_alike_get_more_digits() -> None:
    assert say(cell("gru", 581.6021, naive=0.9), cell("lstm", 590.0)) == (
        "None of the cells beats persistence: the best, gru, errs by 581.602 dollars on average "
        "where persistence errs by 581.6."
    )


def test_a_baseline_without_error_cannot_be_beaten() -> None:
    assert say(cell("gru", 0.0), baselines=(BaselineResult("persistence", 0.0),)) == (
        "gru does not beat persistence: it errs by 0 dollars on average where persistence errs by 0."
    )


# --- ahead, perhaps by chance


def test_the_best_cell_may_be_ahead_by_chance() -> None:
    assert say(cell("gru", 575.2, naive=0.2), cell("lstm", 590.0)) == (
        "gru has the lowest error of the cells: it errs by 575.2 dollars on average "
        "where persistence errs by 581.6, which may be chance."
    )


def test_a_single_cell_may_be_ahead_by_chance() -> None:
    assert say(cell("gru", 575.2, naive=0.2)) == (
        "gru errs by 575.2 dollars on average where persistence errs by 581.6, which may be chance."
    )


def test_an_untested_difference_may_be_chance() -> None:
    assert "may be chance" in say(CellResult("gru", 1.0, 10.0, 20_000))


def test_a_steadier_cell_can_be_surely_ahead_where_the_best_is_not() -> None:
    assert say(cell("gru", 570.0, naive=0.2), cell("lstm", 572.0), cell("rnn", 590.0)).endswith(
        "which may be chance, while lstm beats persistence by more than chance explains."
    )
    assert say(cell("gru", 570.0, naive=0.2), cell("lstm", 572.0), cell("mgu", 573.0)).endswith(
        "while lstm and mgu beat persistence by more than chance explains."
    )


# --- a cell beats every baseline


def test_a_single_cell_wins() -> None:
    assert say(cell("gru", 535.1)) == (
        "gru beats persistence: it errs by 535.1 dollars on average, 8 % below persistence, "
        "and the difference is larger than chance explains."
    )


def test_one_of_two_cells_is_best() -> None:
    pairs = (pair("gru", "lstm", "second"),)
    assert say(cell("gru", 560.0), cell("lstm", 546.6), baselines=(NAIVE, RIDGE), pairs=pairs) == (
        "lstm is best: it errs by 546.6 dollars on average, 4.1 % below the ridge autoregression and 2.4 % "
        "below gru, and both differences are larger than chance explains."
    )


def test_one_of_three_cells_is_best() -> None:
    pairs = (pair("lstm", "gru", "first"), pair("lstm", "rnn", "first"), pair("gru", "rnn", "undecided"))
    assert say(cell("gru", 560.0), cell("lstm", 500.0), cell("rnn", 570.0), pairs=pairs) == (
        "lstm is best: it errs by 500 dollars on average, 14 % below persistence and 11 % below gru, "
        "the next cell, and both differences are larger than chance explains."
    )


def test_too_noisy_to_tell() -> None:
    pairs = (pair("gru", "lstm", "undecided"), pair("gru", "rnn", "first"))
    assert say(cell("gru", 540.0), cell("lstm", 550.0), cell("rnn", 570.0), pairs=pairs) == (
        "gru has the lowest error, 540 dollars on average, 7.2 % below persistence, but the test part is too "
        "short or too noisy to tell it from lstm."
    )


def test_a_pair_that_was_not_compared_is_not_told_apart() -> None:
    assert say(cell("gru", 540.0), cell("lstm", 550.0), cell("rnn", 570.0)).endswith("to tell it from lstm or rnn.")


def test_trained_once() -> None:
    assert say(cell("gru", 540.0), cell("lstm", 550.0), pairs=(pair("gru", "lstm", "undecided"),), seeds=1) == (
        "gru has the lowest error, 540 dollars on average, 7.2 % below persistence, but each cell was "
        "trained only once, too few times to tell it from lstm."
    )


# --- alike

ALIKE = (pair("gru", "lstm", "equivalent"),)


def test_two_alike_and_one_trains_faster() -> None:
    assert say(cell("gru", 535.1, 10.0), cell("lstm", 535.2, 21.0), pairs=ALIKE) == (
        "No difference that matters between gru and lstm; gru trains 2.1× faster; both beat persistence by 8 %."
    )


def test_a_small_gain_of_speed_is_not_worth_a_word() -> None:
    assert say(cell("gru", 535.1, 10.0), cell("lstm", 535.2, 11.9), pairs=ALIKE) == (
        "No difference that matters between gru and lstm; both beat persistence by 8 %."
    )


@pytest.mark.parametrize("seconds", [0.0, nan, inf])
def test_an_unknown_training_time_is_not_mentioned(seconds: float) -> None:
    text = say(cell("gru", 535.1, seconds), cell("lstm", 535.2, 21.0), pairs=ALIKE)
    assert text == "No difference that matters between gru and lstm; both beat persistence by 8 %."


def test_the_least_margin_speaks_for_all() -> None:
    assert say(cell("gru", 530.0), cell("lstm", 535.1), pairs=ALIKE).endswith("both beat persistence by at least 8 %.")


def test_alike_but_only_one_is_sure_to_beat_the_baseline() -> None:
    assert say(cell("gru", 535.1), cell("lstm", 537.0, naive=0.06), pairs=ALIKE) == (
        "No difference that matters between gru and lstm; gru beats persistence by 8 %."
    )


def test_three_alike() -> None:
    three = (*ALIKE, pair("gru", "mgu", "equivalent"), pair("lstm", "mgu", "equivalent"))
    cells = cell("gru", 535.1, 10.0), cell("lstm", 535.2, 30.0), cell("mgu", 535.3, 20.0)
    assert say(*cells, pairs=three) == (
        "No difference that matters between gru, lstm and mgu; gru trains 3.0× faster than lstm; "
        "all beat persistence by 8 %."
    )


def test_two_of_three_alike_cells_surely_beat_the_baseline() -> None:
    three = (*ALIKE, pair("gru", "mgu", "equivalent"), pair("lstm", "mgu", "equivalent"))
    text = say(cell("gru", 535.1), cell("lstm", 535.2, naive=0.2), cell("mgu", 535.3), pairs=three)
    assert text.endswith("; gru and mgu beat persistence by 8 %.")


def test_alike_to_the_best_is_not_alike_to_each_other() -> None:
    chain = (*ALIKE, pair("gru", "mgu", "equivalent"), pair("lstm", "mgu", "undecided"))
    assert say(cell("gru", 535.1), cell("lstm", 535.2), cell("mgu", 535.3), pairs=chain) == (
        "No difference that matters between gru, which errs least, and lstm or mgu; all beat persistence by 8 %."
    )


def test_alike_and_better_than_the_rest() -> None:
    pairs = (*ALIKE, pair("rnn", "gru", "second"), pair("lstm", "rnn", "undecided"))
    assert say(cell("gru", 535.1), cell("lstm", 535.2), cell("rnn", 570.0), pairs=pairs) == (
        "No difference that matters between gru and lstm; gru is better than rnn; both beat persistence by 8 %."
    )


# --- what went wrong


def test_cells_that_diverged_are_left_out() -> None:
    assert say(cell("rnn", nan), cell("gru", 535.1)).startswith("gru beats persistence")
    assert say(cell("rnn", inf)) == "No cell could be trained: the error of every one grew without bound."


def test_without_a_baseline_there_is_no_verdict() -> None:
    with pytest.raises(DataError, match="no baseline has a finite error"):
        say(cell("gru", 1.0), baselines=(BaselineResult("persistence", nan),))


# --- for all evidence

ERRORS = st.floats(0, 1e12) | st.just(nan) | st.just(inf)
NAMES = ["rnn", "gru", "lstm", "./mycell.py:mycell"]
OUTCOMES = st.sampled_from(["first", "second", "equivalent", "undecided"])


@st.composite
def evidence(draw: st.DrawFn) -> Evidence:
    baselines = (
        BaselineResult("persistence", draw(st.floats(0, 1e12))),
        BaselineResult("ridge", draw(ERRORS), False),
    )
    cells = tuple(
        CellResult(
            name,
            draw(ERRORS),
            draw(ERRORS),
            draw(st.integers(1, 10**7)),
            draw(st.dictionaries(st.sampled_from(["persistence", "ridge"]), st.floats(0, 1))),
        )
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True))
    )
    pairs = tuple(pair(a.name, b.name, draw(OUTCOMES)) for a in cells for b in cells if a.name < b.name)
    return Evidence(cells, baselines, pairs, draw(st.sampled_from(["", "°C", "dollars"])), draw(st.integers(1, 9)))


@given(evidence())
def test_it_is_always_one_sentence_with_finite_numbers(given_evidence: Evidence) -> None:
    text = verdict(given_evidence)
    assert text.endswith(".")
    assert ". " not in text
    assert "\n" not in text
    assert "  " not in text
    assert not re.search(r"\b(nan|inf)\b", text)


@given(evidence())
def test_better_is_never_claimed_of_what_may_be_chance(given_evidence: Evidence) -> None:
    text = verdict(given_evidence)
    finite = {cell.name: cell for cell in given_evidence.cells}
    for name, result in finite.items():
        if f"{name} is best" in text or text.startswith(f"{name} beats"):
            least = min(b.error for b in given_evidence.baselines if b.error == b.error)
            beaten = [b.name for b in given_evidence.baselines if b.error == least]
            assert any(result.p_values.get(baseline, 1.0) < 0.05 for baseline in beaten)
    if not any(p.outcome == "equivalent" for p in given_evidence.comparisons):
        assert "No difference" not in text


@given(st.floats(1e-6, 1e14))
def test_a_readable_number_keeps_three_digits(number: float) -> None:
    assert float(readable(number).replace(",", "")) == pytest.approx(number, rel=6e-4)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (5.0, "5"),
        (0.067123, "0.06712"),
        (581.64, "581.6"),
        (30125.7, "30,126"),
        (1.5e-9, "1.500e-09"),
    ],
)
def test_readable_numbers(number: float, text: str) -> None:
    assert readable(number) == text


@pytest.mark.parametrize(("error", "margin"), [(0.0, "100 %"), (581.599, "less than 0.01 %"), (581.0, "0.1 %")])
def test_margins(error: float, margin: str) -> None:
    assert margin in say(cell("gru", error))
