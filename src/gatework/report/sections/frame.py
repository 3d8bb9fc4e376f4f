"""The frame around every part of the page, and the small tables in it."""

from collections.abc import Iterable
from dataclasses import dataclass

from gatework.report.markup import Child, Markup, element, join
from gatework.report.numerals import TIED


@dataclass(frozen=True)
class Section:
    """One part of the page: its anchor, its short name in the navigation, and its HTML."""

    anchor: str
    short: str
    html: Markup


def section(anchor: str, short: str, title: str, *children: Child) -> Section:
    """Return a part of the page under a heading."""
    heading = element("h2", title, id=f"{anchor}-title")
    return Section(anchor, short, element("section", heading, *children, id=anchor, aria_labelledby=f"{anchor}-title"))


def pairs(rows: Iterable[tuple[str, Child]], kind: str = "") -> Markup:
    """Return names and values as a description list."""
    return element(
        "dl",
        join(element("div", element("dt", name), element("dd", value)) for name, value in rows),
        class_=f"pairs {kind}".strip(),
    )


def fold(title: str, *children: Child) -> Markup:
    """Return a long part that opens when asked."""
    return element("details", element("summary", title), *children)


def sentence(values: Iterable[str]) -> str:
    """Return the values as an English list.

    >>> sentence(["a", "b", "c"])
    'a, b and c'
    """
    words = list(values)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def counted(size: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(3, "seed").split()
    ['3', 'seeds']
    """
    return f"{size:,}{TIED}{noun}" if size == 1 else f"{size:,}{TIED}{noun}s"
