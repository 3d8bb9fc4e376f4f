"""The gates of each cell along a real window, with the equations they come from."""

from gatework.report.embed import picture
from gatework.report.figures.gates import gates
from gatework.report.markup import Markup, element
from gatework.report.results import CellResult, Results
from gatework.report.sections.frame import Section, section


def inside(results: Results) -> Section | None:
    """Return a panel per cell under a row of tabs, or None when no gates were stored."""
    figures = gates(results)
    if not figures:
        return None
    rows = [row for row in results["leaderboard"] if row["cell"] in figures]
    tabs = [_tab(place, row["cell"]) for place, row in enumerate(rows)]
    bodies = [_panel(place, row, figures[row["cell"]], results) for place, row in enumerate(rows)]
    reading = (
        "One window of the test part, left to right. Each row of a map is one unit, in the same order in "
        "every map, sorted by its mean state; the names are those of the equations."
    )
    return section(
        "gates",
        "Gates",
        "What happens inside the cells",
        element("div", *tabs, role="tablist", class_="tabs", aria_label="Cells"),
        *bodies,
        element("p", reading, class_="note"),
    )


def _tab(place: int, name: str) -> Markup:
    return element(
        "button",
        name,
        type="button",
        role="tab",
        id=f"tab-{place}",
        aria_controls=f"gate-{place}",
        aria_selected="true" if place == 0 else "false",
    )


def _panel(place: int, row: CellResult, figure: object, results: Results) -> Markup:
    name, layer = row["cell"], results["gates"][row["cell"]]["layer"]
    title = element("h3", f"{name}: {row['title']}", element("small", f"layer {layer}"))
    equations = element("pre", "\n".join(row["equations"]), class_="equations") if row["equations"] else None
    return element(
        "div",
        title,
        equations,
        picture(figure, f"Gates of {name} along one test window"),
        role="tabpanel",
        id=f"gate-{place}",
        aria_labelledby=f"tab-{place}",
    )
