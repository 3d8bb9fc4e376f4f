"""Words of findings and errors: short quotes, short lists and the nearest name."""

import difflib
from collections.abc import Sequence

import numpy as np

from gatework.data.step import Step

# Comparing with every name of a 200,000-column table would take seconds.
_NAMES_COMPARED = 5000


def shorten(text: str, limit: int = 40) -> str:
    """Return printable `text`, with its middle left out when it is longer than `limit`.

    >>> shorten("a" * 50, limit=9)
    'aaaa…aaaa'
    """
    printable = "".join(letter if letter.isprintable() else "�" for letter in text[: 4 * limit])
    if len(text) <= limit:
        return printable
    half = (limit - 1) // 2
    ending = "".join(letter if letter.isprintable() else "�" for letter in text[-half:])
    return f"{printable[:half]}…{ending}"


def listed(names: Sequence[str], limit: int = 5) -> str:
    """Join names with commas, the first `limit` of them.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    shown = ", ".join(shorten(name, 24) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "row"), counted(2067, "value")
    ('1 row', '2067 values')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def guess(name: str, names: Sequence[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest of `names`, or nothing when none is near.

    >>> guess("close", ["Open", "Close"])
    " (did you mean 'Close'?)"
    """
    same = [other for other in names if other.casefold() == name.casefold()]
    near = same or difflib.get_close_matches(name, list(names[:_NAMES_COMPARED]), n=1)
    return f" (did you mean '{shorten(near[0])}'?)" if near else ""


def moment(time: np.datetime64 | np.int64, step: Step) -> str:
    """Return a stamp as precisely as the step needs it; a row number counts from 1.

    >>> moment(np.datetime64("2015-02-01T00:00:00.000000"), Step(1, "month"))
    '2015-02'
    """
    if not isinstance(time, np.datetime64):
        return f"row {int(time) + 1}"
    seconds = time.astype("datetime64[s]")
    if step.unit == "year":
        return str(seconds.astype("datetime64[Y]"))
    if step.unit in {"month", "quarter"}:
        return str(seconds.astype("datetime64[M]"))
    day = seconds.astype("datetime64[D]")
    if seconds == day.astype("datetime64[s]") and step.unit not in {"second", "minute", "hour"}:
        return str(day)
    minutes = seconds.astype("datetime64[m]")
    shown = minutes if seconds == minutes.astype("datetime64[s]") else seconds
    return str(shown).replace("T", " ")


def span(times: np.ndarray, step: Step) -> str:
    """Return the first and the last of `times` (n,), or the only one, in brackets.

    >>> span(np.array([3, 8]), Step(1, "row"))
    '(row 4 … row 9)'
    """
    first, last = moment(times[0], step), moment(times[-1], step)
    return f"({first})" if len(times) == 1 else f"({first} … {last})"
