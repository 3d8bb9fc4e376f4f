"""A click through the report in headless Chromium, at the width of a desk and of a phone."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from gatework.report import write

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no Chromium was found (looked for {', '.join(NAMES)})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*OPTIONS])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path, make_results: Callable[..., dict[str, Any]]) -> Iterator[Open]:
    """Open a report; whatever it logs or asks the network for is a failure."""
    wrong: list[str] = []
    contexts = []

    def open_report(width: int = 1280, results: dict[str, Any] | None = None, **options: Any) -> Page:
        path = tmp_path / "report.html"
        write(results or make_results(), path)
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if request.url[:4] == "http" else None)
        page.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            drawn(page)
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert wrong == []


def drawn(page: Page) -> None:
    """Wait for the pictures that can be seen."""
    expect(page.locator(".plot:visible:not([data-drawn=true])")).to_have_count(0)


def start(page: Page) -> str:
    """Return the first day in sight of the forecasts."""
    return str(page.evaluate("document.querySelector('#forecasts .plot')._fullLayout.xaxis.range[0].slice(0, 10)"))


def end(page: Page) -> str:
    """Return the last day in sight of the forecasts."""
    return str(page.evaluate("document.querySelector('#forecasts .plot')._fullLayout.xaxis.range[1].slice(0, 10)"))


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize("width", [1280, 390])
def test_every_part_fits_the_page(
    opened: Open, make_results: Callable[..., dict[str, Any]], many_cells: tuple[str, ...], width: int
) -> None:
    page = opened(width, make_results(cells=many_cells, steps=24))
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert overflow(page) <= 0
    assert page.locator(".plot .main-svg").count() > 0


@pytest.mark.parametrize("width", [1280, 390])
def test_navigation_leads_to_each_part(opened: Open, width: int) -> None:
    page = opened(width)
    links = page.locator("nav a")
    for place in range(links.count()):
        link = links.nth(place)
        link.click()
        expect(page.locator(str(link.get_attribute("href")))).to_be_in_viewport()


@pytest.mark.parametrize("width", [1280, 390])
def test_tabs_show_the_gates_of_one_cell(opened: Open, width: int) -> None:
    page = opened(width)
    page.get_by_role("tab", name="lstm").click()
    expect(page.locator("#gate-1")).to_be_visible()
    expect(page.locator("#gate-0")).to_be_hidden()
    drawn(page)
    assert page.locator("#gate-1 .heatmaplayer image").count() == 6
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="rnn")).to_be_focused()
    expect(page.locator("#gate-2")).to_be_visible()
    drawn(page)
    assert overflow(page) <= 0


@pytest.mark.parametrize("width", [1280, 390])
def test_the_table_sorts_both_ways_and_keeps_gaps_last(opened: Open, width: int) -> None:
    page = opened(width)
    head = page.get_by_role("columnheader", name="Training")
    names = page.locator("table.sortable tbody th strong")
    head.get_by_role("button").click()
    assert names.all_inner_texts()[:3] == ["gru", "rnn", "lstm"]
    head.get_by_role("button").click()
    assert names.all_inner_texts()[:3] == ["lstm", "rnn", "gru"]
    assert head.get_attribute("aria-sort") == "descending"


def test_the_copy_button_copies_the_command(opened: Open, results: dict[str, Any]) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == results["command"]


@pytest.mark.parametrize("width", [1280, 390])
def test_range_buttons_zoom(opened: Open, results: dict[str, Any], width: int) -> None:
    page, times = opened(width), results["forecasts"]["time"]
    button = page.get_by_role("button", name="Last 50", exact=True)
    if width == 390:
        expect(button).to_have_attribute("aria-pressed", "true")
    for _ in range(2):  # there, to everything, and back again
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        assert (start(page), end(page)) == (times[-50], times[-1])
        page.get_by_role("button", name="All", exact=True).click()
        expect(page.get_by_role("button", name="All", exact=True)).to_have_attribute("aria-pressed", "true")
        assert start(page) <= results["forecasts"]["history"]["time"][0]
        assert end(page) >= times[-1]


def test_the_last_points_are_those_of_the_test_part_however_long_the_history(
    opened: Open, make_results: Callable[..., dict[str, Any]]
) -> None:
    short = make_results(points=62)
    page, times = opened(1280, short), short["forecasts"]["time"]
    page.get_by_role("button", name="Last 50", exact=True).click()
    assert (start(page), end(page)) == (times[-50], times[-1])


def test_the_legend_switches_a_cell_off_and_on(opened: Open) -> None:
    page = opened()
    chip = page.locator("#forecasts .chip", has_text="lstm")
    visible = "plot => plot.data.filter(trace => trace.legendgroup === 'lstm').map(trace => trace.visible)"
    plot = page.locator("#forecasts .plot")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "false")
    assert plot.evaluate(visible) == ["legendonly", "legendonly"]
    chip.click()
    assert plot.evaluate(visible) == [True, True]


def test_pictures_follow_the_theme(opened: Open) -> None:
    page = opened(color_scheme="light")
    tick = page.locator("#cost .xtick text").first
    light = str(tick.evaluate("tick => getComputedStyle(tick).fill"))
    page.emulate_media(color_scheme="dark")
    expect(tick).not_to_have_css("fill", light)


def test_a_hostile_name_runs_nothing(opened: Open, results: dict[str, Any]) -> None:
    name = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    results["leaderboard"][0]["cell"] = results["data"]["target"] = results["unit"] = name
    page = opened(1280, results)
    assert page.locator("img").count() == 0
    assert name in page.locator("table.sortable").inner_text()


def test_verdict_and_tables_read_without_scripts(opened: Open, results: dict[str, Any]) -> None:
    page = opened(java_script_enabled=False)
    expect(page.locator("h1")).to_contain_text("No cell beats")
    assert page.locator("table.sortable tbody tr").count() == 7
    expect(page.locator("noscript")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_long_names_stay_on_the_page(opened: Open, results: dict[str, Any], width: int) -> None:
    long = "./cells/experimental/my_cell.py:my_minimal_gated_cell_of_the_second_kind"
    text = json.dumps(results).replace('"gru"', f'"{long}"').replace('"Close"', f'"{long}"')
    page = opened(width, json.loads(text) | {"verdict": f"{long} is best."})
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert overflow(page) <= 0
