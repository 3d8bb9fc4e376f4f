"""Numbers that stand for "missing", such as -999."""

from collections.abc import Iterator

import numpy as np

_CODES = (-9999.0, -999.9, -999.0, -99.99, -99.0, 999.0, 9999.0, 99999.0)
_WIDTHS = 5.0


def missing_codes(values: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """Yield every code that `values` (T,) use for "missing", with the mask (T,) of the rows that hold it.

    Only the usual codes count, only when they occur at least twice, and only when they lie more than five
    interquartile ranges beyond the smallest or largest other value: a true 999 among its like stays.

    >>> [code for code, _ in missing_codes(np.array([3.0, 4.0, -999.0, 5.0, -999.0]))]
    [-999.0]
    """
    masks = {code: values == code for code in _CODES if np.count_nonzero(values == code) >= 2}
    if not masks:
        return
    others = values[~np.isnan(values) & ~np.isin(values, list(masks))]
    if len(others) < 3:
        return
    low, high = others.min(), others.max()
    quarter, three_quarters = np.quantile(others, [0.25, 0.75])
    # Where most values are equal the quartiles meet: the whole range is then the safer width.
    width = (three_quarters - quarter) or (high - low)
    for code, mask in masks.items():
        if width > 0 and (code < low - _WIDTHS * width or code > high + _WIDTHS * width):
            yield code, mask
