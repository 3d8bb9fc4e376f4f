"""The parts of the page that are one picture each: cost, forecasts, error by horizon."""

from gatework.report.embed import picture
from gatework.report.figures.cost import cost
from gatework.report.figures.forecasts import WINDOW, forecasts, windows
from gatework.report.figures.horizon import horizon
from gatework.report.markup import Markup, element
from gatework.report.palette import SHOWN_CELLS
from gatework.report.results import Results
from gatework.report.sections.frame import Section, section


def cost_section(results: Results) -> Section | None:
    """Return error against training time."""
    figure = cost(results)
    if figure is None:
        return None
    reading = (
        "Down is more accurate, left is cheaper; a cell with another one below it and to its left is not "
        "worth its time. The dashed line is the best baseline, which costs nothing. Click on a name to hide "
        "it."
    )
    label = f"{results['metric'].upper()} of each cell against its training time"
    return section("cost", "Cost", "What the accuracy costs", picture(figure, label, reading))


def forecasts_section(results: Results) -> Section | None:
    """Return forecasts beside the truth."""
    figure, stored = forecasts(results), results.get("forecasts")
    if figure is None or not stored:
        return None
    ahead = f"{stored['step']} step{'s' if stored['step'] > 1 else ''} ahead"
    reading = (
        "Above, what was forecast and what came true; below, the difference, which is zero for a perfect "
        "forecast. With a mouse, drag sideways to zoom and double-click to see all."
    )
    if len(stored["cells"]) > SHOWN_CELLS:
        reading += f" The best {SHOWN_CELLS} cells are shown: click on a name for more."
    label = f"Forecasts {ahead} against the truth on the test part"
    title = f"Forecasts and truth, {ahead}"
    return section("forecasts", "Forecasts", title, picture(figure, label, reading, _ranges(windows(results))))


def horizon_section(results: Results) -> Section | None:
    """Return the error at each step, where there is more than one."""
    figure = horizon(results)
    if figure is None:
        return None
    reading = (
        "How fast a forecast loses its worth. Where a cell is above a grey line, a forecast without a network beats it."
    )
    label = f"{results['metric'].upper()} at each step ahead"
    return section("horizon", "Horizon", "How far ahead it holds", picture(figure, label, reading))


def _ranges(sizes: list[int]) -> Markup | None:
    if not sizes:
        return None
    chosen = WINDOW if WINDOW in sizes else None
    buttons = [_range(f"Last {size:,}", size, size == chosen) for size in sizes]
    return element("div", *buttons, _range("All", 0, chosen is None), class_="ranges", role="group", aria_label="Range")


def _range(title: str, size: int, pressed: bool) -> Markup:
    return element("button", title, type="button", data_last=size, aria_pressed="true" if pressed else "false")
