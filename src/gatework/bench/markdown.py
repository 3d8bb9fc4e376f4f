"""Tables and numbers as Markdown, and as a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, text: int = 1) -> list[str]:
    """The lines of a table; the first `text` columns hold words, all others numbers.

    >>> table(("cell", "ms"), [("gru", "1.5")])
    ['| cell | ms |', '|---|---:|', '| gru | 1.5 |']
    """
    rule = ["---" if k < text else "---:" for k in range(len(headings))]
    return [_line(headings), f"|{'|'.join(rule)}|", *map(_line, rows)]


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def digits(number: float | None) -> str:
    """Three significant digits, and all of those before the point; a dash for what was not measured.

    >>> digits(0.012345), digits(12.345), digits(1234.5), digits(None)
    ('0.0123', '12.3', '1,234', '-')
    """
    if number is None:
        return "-"
    if abs(number) >= 100:
        return f"{number:,.0f}"
    text = f"{number:#.3g}"
    return f"{number:.4f}" if "e" in text else text.rstrip(".")


def percent(share: float) -> str:
    """A share in whole per cent.

    >>> percent(0.456)
    '46 %'
    """
    return f"{100 * share:.0f} %"


def counted(number: int, what: str) -> str:
    """A number and a noun.

    >>> counted(1, "thread"), counted(2, "thread")
    ('1 thread', '2 threads')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"
