"""The words and tables of the page, and the numbers in them."""

import doctest
import importlib
from collections.abc import Callable
from typing import Any

import pytest

from gatework.report.markup import Markup, element, join, plain
from gatework.report.numerals import count, decimals, duration, number, percent, probability, trim
from gatework.report.sections.comparisons import comparisons, in_words, matrix
from gatework.report.sections.leaderboard import table
from gatework.report.sections.settings import settings
from gatework.report.sections.verdict import verdict

DOCUMENTED = ("markup", "numerals", "sections.frame")


@pytest.mark.parametrize("module", DOCUMENTED)
def test_the_examples_in_the_documentation_run(module: str) -> None:
    outcome = doctest.testmod(importlib.import_module(f"gatework.report.{module}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (581.6345, "581.6"),
        (0, "0.000"),
        (None, "–"),
        (-12345.6, "−12,346"),
        (3.2e9, "3.2 G"),
        (1.5e-7, "1.50e−07"),
    ],
)
def test_a_number_has_four_digits(value: float | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.006, "+0.6 %"), (-0.2, "−20 %"), (0.0, "0 %"), (1e-9, "0 %"), (0.00042, "+0.04 %"), (None, "–")],
)
def test_a_percentage_has_a_sign(value: float | None, shown: str) -> None:
    assert percent(value).replace("\u00a0", " ") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.00021, "210 µs"),
        (0.0123, "12.3 ms"),
        (26, "26.0 s"),
        (250, "4 min 10 s"),
        (7300, "2 h 1 min"),
        (None, "–"),
    ],
)
def test_a_duration_has_a_unit(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_small_numbers_of_numbers() -> None:
    assert decimals([581.6, 1205.9, None]) == 1
    assert decimals([]) == 3
    assert count(19841) == "19,841"
    assert probability(0.0001).replace("\u00a0", " ") == "p < 0.001"
    assert probability(None) == ""
    assert trim([1.23456789, None], 3) == [1.23, None]


def test_markup_escapes_all_but_markup() -> None:
    assert element("p", "<i>", Markup("<b>"), title='"', hidden=False) == '<p title="&quot;">&lt;i&gt;<b></p>'
    assert join(["a", None, "&"], Markup("<br>")) == "a<br><br>&amp;"
    assert plain("x" * 99).endswith("…")


def test_the_verdict_is_the_headline_with_its_facts(results: dict[str, Any]) -> None:
    html = verdict(results).html
    assert "<h1>No cell beats" in html
    for fact in ("gru", "persistence", "709 forecasts", "19,841", "9\u00a0trained networks"):
        assert fact in html


def test_the_table_marks_the_best_and_interleaves_baselines(results: dict[str, Any]) -> None:
    html = table(results)
    rows = html.split("<tr")[2:]
    kinds = ["baseline" if 'class="baseline"' in row else "cell" for row in rows]
    assert kinds == ["baseline", "baseline", "cell", "cell", "cell", "baseline", "baseline"]
    assert rows[0].count('class="best"') == 4
    assert 'class="best" data-value="581.6">581.6<' in rows[0]


def test_the_matrix_reads_both_ways(results: dict[str, Any]) -> None:
    results["comparisons"] = [
        {
            "first": "gru",
            "second": "rnn",
            "relative": -0.2,
            "interval": None,
            "p_value": None,
            "outcome": "first",
        }
    ]
    html = matrix(results)
    assert '<td class="first">better<small>−20\u00a0%</small></td>' in html
    assert '<td class="second">worse<small>+25\u00a0%</small></td>' in html


@pytest.mark.parametrize(
    ("outcome", "relative", "words"),
    [
        ("first", -0.04, "gru beats lstm: its error is 4.0 % lower."),
        ("second", 0.04, "lstm beats gru, whose error is 4.0 % higher."),
        ("equivalent", -0.002, "gru is as good as lstm: its error is 0.2 % lower, too little to matter."),
        ("undecided", None, "gru and lstm can’t be told apart: the error of gru is unknown."),
    ],
)
def test_a_pair_in_words(outcome: str, relative: float | None, words: str) -> None:
    pair: Any = {"first": "gru", "second": "lstm", "relative": relative, "interval": None, "p_value": None}
    assert in_words(pair | {"outcome": outcome}).replace("\u00a0", " ") == words


def test_many_pairs_are_folded(
    make_results: Callable[..., dict[str, Any]], many_cells: tuple[str, ...], results: dict[str, Any]
) -> None:
    few, many = comparisons(results), comparisons(make_results(cells=many_cells))
    assert few is not None
    assert many is not None
    assert "<details>" not in few.html
    assert "All 66 pairs in words" in many.html


def test_settings_read_like_words(results: dict[str, Any]) -> None:
    results["settings"] = {
        "learning_rate": 0.001,
        "layers": [50, 100],
        "tune": None,
        "shuffle": False,
        "x": {"a": 1},
    }
    html = settings(results).html
    for shown in ("learning rate", "0.001", "50, 100", "none", "no", "{&quot;a&quot;: 1}"):
        assert f">{shown}<" in html
