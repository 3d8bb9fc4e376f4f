"""Times and numbers as JSON and CSV take them."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np


def stamp(time: Any) -> str | int:
    """A row's time as text that is no longer than needed, or its number."""
    (text,) = stamps(np.array([time]))
    return text


def stamps(times: np.ndarray[Any, Any]) -> list[str | int]:
    """Times as text that is no longer than all of them need; row numbers stay numbers.

    >>> stamps(np.array(["2020-01-01", "2020-01-02"], "M8[us]")), stamps(np.array(["2020-01-01T06:30"], "M8[us]"))
    (['2020-01-01', '2020-01-02'], ['2020-01-01 06:30'])
    """
    if times.dtype.kind != "M":
        return [int(one) for one in times]
    units = ("datetime64[D]", "datetime64[m]", "datetime64[s]")
    unit = next((unit for unit in units if (times == times.astype(unit)).all()), "datetime64[us]")
    return [str(one).replace("T", " ") for one in times.astype(unit)]


def numbers(values: np.ndarray[Any, Any]) -> list[float]:
    """Numbers with six significant digits: what a picture shows."""
    return [float(f"{one:.6g}") for one in values]


def finite(value: Any) -> Any:
    """Plain data in which numbers that are not finite, which JSON does not know, are None.

    >>> finite({"loss": [0.5, float("nan")]})
    {'loss': [0.5, None]}
    """
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value
