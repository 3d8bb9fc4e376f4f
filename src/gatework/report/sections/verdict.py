"""The answer in one sentence, and the few facts that carry it."""

from collections.abc import Iterator

from gatework.report.markup import Child, Markup, element, join
from gatework.report.numerals import count, duration, number, percent, probability
from gatework.report.results import Results
from gatework.report.sections.frame import Section, counted
from gatework.report.standings import Standing, best_baseline, standings

Fact = tuple[str, Child, Child]


def verdict(results: Results) -> Section:
    """Return the head of the page."""
    data, first = results["data"], results["created"][:10]
    kicker = " · ".join(dict.fromkeys([data["name"], data["target"], first]))
    facts = join(
        element("div", element("dt", name), element("dd", value), element("dd", note, class_="note"))
        for name, value, note in _facts(results)
    )
    head = [
        element("p", kicker, class_="kicker"),
        element("h1", results["verdict"].replace(" %", "\u00a0%")),
        element("dl", facts, class_="facts"),
    ]
    return Section("verdict", "Verdict", Markup(element("header", *head, id="verdict")))


def _facts(results: Results) -> Iterator[Fact]:
    best = next((row for row in standings(results) if row.cell is not None), None)
    if best is not None:
        yield "Best cell", best.name, _scored(best, results)
    baseline = best_baseline(results)
    if baseline is not None:
        yield "Best baseline", baseline.name, _scored(baseline, results)
    if best is not None and best.cell is not None:
        against = best.cell["against_baseline"]
        if against is not None and against["relative"] is not None:
            notes = (
                _sign(against["relative"]),
                probability(against["p_value"]),
            )
            yield "Against the baseline", percent(against["relative"]), ", ".join(filter(None, notes))
    test = results["data"]["split"].get("test")
    if test is not None:
        days = [element("span", str(day), class_="whole") for day in (test["start"], test["end"])]
        yield "Test part", f"{count(test['windows'])} forecasts", join(days, " to ")
    yield from _size(results)


def _sign(relative: float) -> str:
    if percent(relative) == percent(0):
        return "the same error"
    return "more error" if relative > 0 else "less error"


def _scored(row: Standing, results: Results) -> str:
    return f"{results['metric'].upper()} {number(row.mean(results['metric']))} ({results['unit']})"


def _size(results: Results) -> Iterator[Fact]:
    rows = results["leaderboard"]
    sizes = sorted(row["parameters"] for row in rows if row["parameters"] is not None)
    if sizes:
        note = f"{count(sizes[0])} to {count(sizes[-1])} in {counted(len(rows), 'cell')}"
        yield "Parameters", count(rows[0]["parameters"]), note
    spent = [row["train_seconds"] * row["seeds"] for row in rows if row["train_seconds"] is not None]
    if spent:
        yield (
            "Training in all",
            duration(sum(spent)),
            counted(sum(row["seeds"] for row in rows), "trained network"),
        )
