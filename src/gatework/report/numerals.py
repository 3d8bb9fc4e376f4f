"""Numbers as a reader wants them: few digits, a real minus sign, a unit."""

import math
from collections.abc import Iterable, Sequence

MISSING = "–"
TIED = "\u00a0"
_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"))


def decimals(values: Iterable[float | None], digits: int = 4) -> int:
    """Return how many decimals show the smallest of the values with so many significant digits.

    >>> decimals([581.6, 1205.9])
    1
    """
    sizes = [abs(value) for value in values if value]
    smallest = min(sizes, default=1.0)
    return min(6, max(0, digits - 1 - math.floor(math.log10(smallest))))


def number(value: float | None, places: int | None = None) -> str:
    """Return a number with four significant digits, or with so many decimals.

    >>> number(581.6345), number(-12345.6), number(2.5e9)
    ('581.6', '−12,346', '2.5 G')
    """
    if value is None:
        return MISSING
    if abs(value) >= 1e6:
        return _scaled(value)
    if value and abs(value) < 1e-4:
        return f"{value:.2e}".replace("-", "−")
    shown = f"{value:,.{decimals([value]) if places is None else places}f}"
    return shown.replace("-", "−")


def count(value: float | None) -> str:
    """Return a whole number with thousands marked."""
    return MISSING if value is None else f"{value:,.0f}"


def percent(fraction: float | None) -> str:
    """Return a signed percentage, whose sign of percent stays on its line.

    >>> percent(-0.0123).split()
    ['−1.2', '%']
    """
    if fraction is None:
        return MISSING
    return ("+" if round(fraction, 5) > 0 else "−" if round(fraction, 5) < 0 else "") + share(fraction)


def share(fraction: float) -> str:
    """Return the size of a percentage, without its sign."""
    size = abs(fraction)
    places = 2 if size < 0.001 else 1 if size < 0.1 else 0
    return f"{100 * size:,.{places}f}{TIED}%" if round(size, 5) else f"0{TIED}%"


def probability(value: float | None) -> str:
    """Return a p value as papers write it."""
    if value is None:
        return ""
    shown = "p < 0.001" if value < 0.001 else f"p = {value:.2g}" if value < 0.1 else f"p = {value:.2f}"
    return shown.replace(" ", TIED)


def duration(seconds: float | None) -> str:
    """Return a time span in the units a person would use.

    >>> duration(0.00021), duration(12.34), duration(250), duration(7300)
    ('210 µs', '12.3 s', '4 min 10 s', '2 h 1 min')
    """
    if seconds is None:
        return MISSING
    if seconds < 1:
        size, unit = (1e6, "µs") if seconds < 1e-3 else (1e3, "ms")
        return f"{seconds * size:.3g} {unit}"
    if seconds < 60:
        return f"{seconds:.{1 if seconds >= 10 else 2}f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def trim(values: Sequence[float | None], digits: int = 6) -> list[float | None]:
    """Return the values with fewer digits, to keep the page small."""
    return [None if value is None else float(f"{value:.{digits}g}") for value in values]


def _scaled(value: float) -> str:
    size, letter = next(scale for scale in _SCALES if abs(value) >= scale[0])
    return f"{value / size:.4g} {letter}".replace("-", "−")
