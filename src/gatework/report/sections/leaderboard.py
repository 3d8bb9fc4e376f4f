"""The ranking: the picture and the table, baselines among the cells."""

from collections.abc import Callable
from dataclasses import dataclass

from gatework.report.embed import picture
from gatework.report.figures.ranking import ranking
from gatework.report.markup import Child, Markup, element, join
from gatework.report.numerals import MISSING, count, decimals, duration, number, percent, probability
from gatework.report.results import Results
from gatework.report.sections.frame import Section, section
from gatework.report.standings import Standing, lowest, metrics, standings

PERCENTAGES = ("mape", "smape")


@dataclass(frozen=True)
class Column:
    """One column of numbers: how a row is read, written and explained."""

    title: str
    value: Callable[[Standing], float | None]
    show: Callable[[Standing], Child]
    judged: bool = True


def leaderboard(results: Results) -> Section | None:
    """Return the ranking, or None when nothing was measured."""
    rows = standings(results)
    if not rows:
        return None
    figure = ranking(results)
    label = "Ranking by " + results["metric"].upper() + ": " + ", ".join(row.name for row in rows)
    drawn = None if figure is None else picture(figure, label, _reading(results))
    reading = (
        "● marks the best of a column; p is that of the difference to the best baseline, adjusted for the number of "
        "cells; MASE is the error in units of the usual change over a season. Click on a heading to sort."
    )
    notes = [*results.get("notes", []), results["metrics_note"], reading]
    foot = element("p", " ".join(filter(None, notes)), class_="note")
    return section("leaderboard", "Ranking", _title(results), drawn, table(results), foot)


def table(results: Results) -> Markup:
    """Return the leaderboard as a table that can be sorted; the text of a cell never decides its place."""
    rows, columns = standings(results), _columns(results)
    heads = [_head("Cell or baseline"), *(_head(column.title) for column in columns)]
    best = [min((lowest(column.value(row)) for row in rows), default=0.0) for column in columns]
    body = (_row(place, row, columns, best) for place, row in enumerate(rows))
    whole = element("table", element("thead", element("tr", *heads)), element("tbody", *body), class_="sortable")
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label="Leaderboard")


def _title(results: Results) -> str:
    return f"Who forecasts best, by {results['metric'].upper()} on the test part"


def _reading(results: Results) -> str:
    unit = f"Further left is better; the scale is {results['metric'].upper()}, in units of {results['unit']}."
    line = "Grey diamonds are forecasts that need no network, the dashed line is the best of them."
    intervals = any(row.interval(results["metric"]) for row in standings(results))
    bars = "Bars are 95 % intervals of the mean, small dots single seeds." if intervals else "One seed: no intervals."
    return f"{unit} {bars} {line}"


def _columns(results: Results) -> list[Column]:
    measured = [_measure(name, results) for name in metrics(results)]
    return [
        *measured,
        Column("vs best baseline", _relative, _against, judged=False),
        Column("Parameters", lambda row: row.cell and row.cell["parameters"], _parameters, judged=False),
        Column(
            "Training",
            lambda row: row.cell and row.cell["train_seconds"],
            lambda row: duration(row.cell["train_seconds"]) if row.cell else MISSING,
        ),
        Column("One step", lambda row: row.cell and row.cell["step_microseconds"], _latency),
    ]


def _measure(name: str, results: Results) -> Column:
    means = [row.mean(name) for row in standings(results)]
    places, unit = (decimals(means, 3), "\u00a0%") if name in PERCENTAGES else (decimals(means), "")

    def show(row: Standing) -> Child:
        mean, interval = row.mean(name), row.interval(name)
        shown = MISSING if mean is None else number(mean, places) + unit
        if interval is None or name != results["metric"]:
            return shown
        return join([shown, element("small", f"{number(interval[0], places)} – {number(interval[1], places)}")])

    return Column(name.upper(), lambda row: row.mean(name), show)


def _relative(row: Standing) -> float | None:
    against = row.cell["against_baseline"] if row.cell else None
    return None if against is None else against["relative"]


def _against(row: Standing) -> Child:
    against = row.cell["against_baseline"] if row.cell else None
    if against is None:
        return MISSING
    return join([percent(against["relative"]), element("small", probability(against["p_value"]))])


def _parameters(row: Standing) -> Child:
    if row.cell is None:
        return MISSING
    units = " + ".join(map(str, row.cell["hidden"]))
    return join([count(row.cell["parameters"]), element("small", f"{units} units" if units else "")])


def _latency(row: Standing) -> Child:
    micros = row.cell["step_microseconds"] if row.cell else None
    return MISSING if micros is None else duration(micros / 1e6)


def _head(title: str) -> Markup:
    return element("th", element("button", title, type="button"), scope="col", aria_sort="none")


def _row(place: int, row: Standing, columns: list[Column], best: list[float]) -> Markup:
    name = element("th", element("strong", row.name), element("small", _subtitle(row)), scope="row", data_value=place)
    cells = (_cell(column, row, low) for column, low in zip(columns, best, strict=True))
    return element("tr", name, *cells, class_="cell" if row.cell else "baseline")


def _subtitle(row: Standing) -> str:
    title = row.title if row.title.lower() != row.name.lower() else ""
    extra = row.note if row.cell is None else ""
    return ", ".join(filter(None, (title, extra, "" if row.cell else "baseline")))


def _cell(column: Column, row: Standing, lowest_value: float) -> Markup:
    value = column.value(row)
    is_best = column.judged and value is not None and value == lowest_value
    return element("td", column.show(row), class_="best" if is_best else None, data_value=value)
