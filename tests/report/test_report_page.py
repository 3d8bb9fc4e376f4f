"""The page as a whole: complete, safe, self-contained, and alive when parts of the results are missing."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from gatework.report import render, write

HOSTILE = "<script>alert('x')</script>\"'&</script>%{x}"


def own(page: str) -> str:
    """Return the page without the plotting library."""
    return page.replace(get_plotlyjs(), "")


def hostile(value: Any) -> Any:
    """Return the results with every string of text replaced by a hostile one that is still told apart."""
    if isinstance(value, dict):
        return {key: hostile(child) for key, child in value.items()}
    if isinstance(value, list):
        return [hostile(child) for child in value]
    return HOSTILE + value if isinstance(value, str) else value


def renamed(results: dict[str, Any]) -> dict[str, Any]:
    """Return the results with hostile names of cells, columns, baselines and gates, keys included."""
    cells = {row["cell"]: HOSTILE + row["cell"] for row in results["leaderboard"]}
    bad = hostile(results) | {"metric": "mae", "created": results["created"]}
    bad["forecasts"]["time"] = results["forecasts"]["time"]
    bad["forecasts"]["history"] = results["forecasts"]["history"]
    for part in ("curves", "gates"):
        bad[part] = {cells[name]: value for name, value in bad[part].items()}
    bad["forecasts"]["cells"] = {cells[k]: v for k, v in bad["forecasts"]["cells"].items()}
    for gates in bad["gates"].values():
        gates["values"] = {HOSTILE + name: value for name, value in gates["values"].items()}
        gates["kinds"] = {}
    return bad


def test_the_page_says_what_was_promised(results: dict[str, Any]) -> None:
    page = own(render(results))
    for words in (
        results["command"],
        "BCHARTS-BITSTAMPUSD",
        "21 rows are all zero",
        "treated as missing",
        "2.13.0+cpu",
    ):
        assert words in page
    for anchor in (
        "verdict",
        "leaderboard",
        "pairs",
        "cost",
        "forecasts",
        "learning",
        "gates",
        "data",
        "repeat",
    ):
        assert f'id="{anchor}"' in page
        assert f'href="#{anchor}"' in page


def test_the_plotting_library_is_in_the_page_exactly_once(results: dict[str, Any]) -> None:
    assert render(results).count(get_plotlyjs()) == 1


def test_nothing_comes_from_outside(results: dict[str, Any]) -> None:
    page = own(render(results))
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|src=|@import|url\(|<link[^>]+href=\"(?!data:)", page)


def test_hostile_strings_stay_text(results: dict[str, Any]) -> None:
    page = own(render(renamed(results)))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    # Three scripts of the page's own and one block of data for each figure, all of them closed once.
    assert page.count("<script") == page.count("</script>")


def test_the_page_is_small_beside_the_plotting_library(make_results: Callable[..., dict[str, Any]]) -> None:
    page = own(render(make_results(cells=("gru", "lstm", "rnn"), points=5000, integer=True)))
    assert len(page) < 800_000


@pytest.mark.parametrize("part", ["comparisons", "curves", "horizon", "forecasts", "gates"])
@pytest.mark.parametrize("empty", [None, "absent"])
def test_a_missing_part_is_left_out(results: dict[str, Any], part: str, empty: str | None) -> None:
    results[part] = None
    if empty == "absent":
        del results[part]
    page = own(render(results))
    anchor = {"comparisons": "pairs", "curves": "learning"}.get(part, part)
    assert f'id="{anchor}"' not in page
    assert f'href="#{anchor}"' not in page


def test_missing_numbers_do_not_break_the_page(results: dict[str, Any]) -> None:
    last, first = results["leaderboard"][-1], results["leaderboard"][0]
    last["test"] = {"mae": {"mean": math.nan, "interval": None, "seeds": [None]}, "mape": None}
    last |= {"train_seconds": None, "step_microseconds": None, "parameters": None, "against_baseline": None}
    first["against_baseline"] = {
        "baseline": "persistence",
        "difference": None,
        "relative": None,
        "p_value": None,
    }
    page = own(render(results))
    assert "NaN" not in page.split("<script>")[0]
    assert "None" not in page.split("<script>")[0]


def test_a_study_of_nothing_still_renders(results: dict[str, Any]) -> None:
    results |= {
        "leaderboard": [],
        "baselines": [],
        "comparisons": [],
        "curves": {},
        "gates": {},
        "forecasts": None,
    }
    assert results["verdict"].split(":")[0] in render(results)


@pytest.mark.parametrize(
    "variant",
    [{"seeds": 1}, {"steps": 24}, {"integer": True}, {"features": ("Open", "High")}, {"points": 40}],
    ids=str,
)
def test_every_variant_renders(make_results: Callable[..., dict[str, Any]], variant: dict[str, Any]) -> None:
    page = own(render(make_results(**variant)))
    assert ('id="horizon"' in page) == (variant.get("steps", 1) > 1)


def test_the_same_results_give_the_same_page(make_results: Callable[..., dict[str, Any]]) -> None:
    assert render(make_results()) == render(make_results())


def test_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path, results: dict[str, Any]) -> None:
    path = tmp_path / "new" / "report.html"
    write(results, path)
    write(results, path)
    assert [child.name for child in path.parent.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == render(results)


def test_a_failed_write_keeps_the_old_report(
    tmp_path: Path, results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("gatework.report.page.os.replace", fail)
    with pytest.raises(OSError, match="the disk is full"):
        write(results, path)
    assert path.read_text() == "old"
    assert [child.name for child in tmp_path.iterdir()] == ["report.html"]
