"""Learning curves, a small picture per cell."""

from gatework.report.embed import picture
from gatework.report.figures.curves import curves
from gatework.report.markup import Markup, element
from gatework.report.results import Results
from gatework.report.sections.frame import Section, section


def learning(results: Results) -> Section | None:
    """Return the learning curves, or None when none were stored."""
    figures = curves(results)
    if not figures:
        return None
    multiples = element("div", *(_one(name, figure) for name, figure in figures.items()), class_="multiples")
    reading = (
        "Loss by epoch, in scaled units, a line per seed: solid on the validation part, dotted in training. "
        "The dot is the epoch that was kept. A solid line that climbs while the dotted one falls has learned "
        "by heart."
    )
    return section("learning", "Learning", "How the cells learned", multiples, element("p", reading, class_="note"))


def _one(name: str, figure: object) -> Markup:
    return element("div", element("h3", name), picture(figure, f"Learning curves of {name}"))
