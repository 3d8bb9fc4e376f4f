"""Ways of writing numbers, words and codes for missing values."""

import numpy as np
import polars as pl
import pytest

from gatework.data import load
from gatework.data.codes import missing_codes
from gatework.data.numbers import is_numeric, read_numbers
from gatework.errors import DataError


def numbers(words, **options):
    return read_numbers(pl.Series("y", words, dtype=pl.String), treated="treated", **options)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["1,234.5", "2", "1,234,567"], [1234.5, 2, 1234567]),
        (["1.234,5", "2,25"], [1234.5, 2.25]),
        (["0,123", "0,456", "1,789"], [0.123, 0.456, 1.789]),
        (["$5", "-$5", "$1,234"], [5, -5, 1234]),
        (["7 %", "7.5%"], [7, 7.5]),
        ([" 3 ", "\t4"], [3, 4]),
        (["€ 5", "6 EUR"], [5, 6]),
        (["1 234,5", "2\u00a0345,5"], [1234.5, 2345.5]),
        (["−4", "4"], [-4, 4]),
        (["1e3", "-2.5E-1", "+7", ".5", "5."], [1000, -0.25, 7, 0.5, 5]),
    ],
    ids=str,
)
def test_numbers_are_read(words, expected):
    assert is_numeric(pl.Series(words))
    assert numbers(words).values.tolist() == expected


def test_how_they_are_written_is_said():
    assert numbers(["1.234,5", "2,25"]).findings[0].line() == "y is written with decimal commas: read as numbers"
    assert numbers(["1", "2"]).findings == ()


@pytest.mark.parametrize("word", ["NA", "n/a", "?", "-", "null", "None", "#N/A", ".", "missing", "---"])
def test_words_for_missing(word):
    found = numbers(["1", word, "3"])
    assert np.isnan(found.values).tolist() == [False, True, False]
    assert found.findings[0].line() == f"1 value of y is written as '{word}': treated"


def test_few_other_words_are_missing_and_many_are_text():
    few = numbers([*map(str, range(30)), "broken"])
    assert np.isnan(few.values[-1])
    assert few.findings[0].found == "1 value of y is written as 'broken'"
    with pytest.raises(DataError, match=r"^column 'y' holds text such as 'NW' \(row 2\), not numbers; .*\.$"):
        numbers(["1", "NW", "SE"])


def test_empty_values_are_counted():
    found = read_numbers(pl.Series("y", [1.0, None, float("nan"), 2.0]), treated="treated")
    assert [finding.line() for finding in found.findings] == ["2 values of y are empty: treated"]


@pytest.mark.parametrize("bad", [float("inf"), -float("inf"), 1e308])
def test_infinite_values_are_refused_with_their_row(bad):
    with pytest.raises(DataError, match=r"^column 'y' holds .* \(row 3\), which no cell can learn; .*\.$"):
        read_numbers(pl.Series("y", [1.0, 2.0, bad]), treated="treated")


def test_other_types_are_refused():
    with pytest.raises(DataError, match=r"^column 'y' holds values of type list.*not numbers; .*\.$"):
        read_numbers(pl.Series("y", [[1], [2]]), treated="treated")


@pytest.mark.parametrize("code", [-999.0, -9999.0, 999.0, 99999.0, -99.99])
def test_codes_become_missing(code):
    values = np.array([10.0, 12.0, code, 11.0, 9.0, code, 10.5])
    found = read_numbers(pl.Series("y", values), treated="treated")
    assert np.isnan(found.values).tolist() == (values == code).tolist()
    assert found.findings[0].kind == "coded_missing"
    assert found.findings[0].count == 2


@pytest.mark.parametrize(
    "values",
    [
        # Once may be true.
        [10.0, 12.0, -999.0, 11.0, 9.0],
        # In or near the range of the others.
        [-999.0, -998.0, -1003.0, -999.0, -1010.0],
        [0.0, 500.0, 800.0, 999.0, 999.0, 1200.0],
        [*np.arange(980.0, 999.0), 999.0, 999.0],
        [-50.0, -120.0, -99.0, -99.0, 30.0],
        # Nothing to compare with.
        [999.0, 999.0],
    ],
    ids=str,
)
def test_genuine_values_stay(values):
    assert not list(missing_codes(np.array(values)))


def test_target_that_is_constant_or_empty():
    with pytest.raises(DataError, match=r"^column 'y' is 5 in all of its 3 rows, .*choose another target\.$"):
        load(pl.DataFrame({"y": [5.0, 5.0, 5.0]}))
    with pytest.raises(DataError, match=r"^column 'y' holds no value at all; choose another column\.$"):
        load(pl.DataFrame({"y": [None, None, float("nan")]}), target="y")
