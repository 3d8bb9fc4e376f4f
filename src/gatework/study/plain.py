"""Times and numbers as JSON and CSV take them."""

from __future__ import annotations

from typing import Any

import numpy as np


def stamp(time: Any) -> str | int:
    """A row's time as text that is no longer than needed, or its number."""
    (text,) = stamps(np.array([time]))
    return text


def stamps(times: np.ndarray[Any, Any]) -> list[str | int]:
    """Times as ISO text: dates alone where every time of day is midnight; row numbers stay numbers."""
    if times.dtype.kind != "M":
        return [int(one) for one in times]
    whole_days = bool((times == times.astype("datetime64[D]")).all())
    return [str(one) for one in times.astype("datetime64[D]" if whole_days else "datetime64[s]")]


def numbers(values: np.ndarray[Any, Any]) -> list[float]:
    """Numbers with six significant digits: what a picture shows."""
    return [float(f"{one:.6g}") for one in values]
