"""The series: what the loader found, how it was split, and what was decided for the user."""

from collections.abc import Iterator

from gatework.report.markup import Child, Markup, element
from gatework.report.numerals import count
from gatework.report.results import Finding, Results
from gatework.report.sections.frame import Section, pairs, section, sentence


def series(results: Results) -> Section:
    """Return everything that is known about the table."""
    data = results["data"]
    findings = [_finding(finding) for finding in data["findings"]]
    listed = element("ul", *findings, class_="findings") if findings else element("p", "Nothing to mend was found.")
    return section("data", "Data", "What the loader found", listed, pairs(_about(results), "broad"), _split(results))


def _finding(finding: Finding) -> Markup:
    return element("li", element("b", finding["found"]), element("span", finding["did"]))


def _about(results: Results) -> Iterator[tuple[str, Child]]:
    data = results["data"]
    yield "Source", data["source"]
    yield "Target", data["target"]
    if data["features"]:
        yield "Features", sentence(data["features"])
    yield "Rows", f"{count(data['rows'])}, of which {count(data['observed'])} observed"
    yield "Time", f"{data['start']} to {data['end']}, every {data['step']}"
    season, transform = data["season"], data["transform"]
    yield "Season", f"{season.get('length')} rows: {season['why']}" if season.get("found") else season["why"]
    yield "Transform", f"{transform.get('name', 'none')}: {transform['why']}"


def _split(results: Results) -> Markup:
    heads = (element("th", title, scope="col") for title in ("Part", "From", "To", "Rows", "Windows"))
    rows = (
        element(
            "tr",
            element("th", name, scope="row"),
            element("td", str(part["start"])),
            element("td", str(part["end"])),
            element("td", count(part["rows"])),
            element("td", count(part["windows"])),
        )
        for name, part in results["data"]["split"].items()
    )
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="narrow")
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label="How the series was split")
