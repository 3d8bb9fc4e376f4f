"""Series that need no file: two shipped with statsmodels, and one made by a formula."""

import numpy as np
import polars as pl

from gatework.data.finding import Finding

BUNDLED = ("co2", "sunspots", "sine")


def bundled(name: str) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Return the table of a bundled series and what is to be said about it.

    >>> bundled("sunspots")[0].columns
    ['year', 'sunspots']
    """
    if name == "sine":
        return _sine()
    return (_co2() if name == "co2" else _sunspots()), ()


def _co2() -> pl.DataFrame:
    """Weekly CO₂ at Mauna Loa, 1958-2001, in parts per million; 59 weeks are missing."""
    # Imported here: statsmodels takes a second to import, and most commands never need it.
    from statsmodels.datasets import co2

    table = co2.load_pandas().data
    return pl.DataFrame({"date": table.index.to_numpy("datetime64[us]"), "co2": table["co2"].to_numpy(np.float64)})


def _sunspots() -> pl.DataFrame:
    """Yearly mean of the daily number of sunspots, 1700-2008."""
    from statsmodels.datasets import sunspots

    table = sunspots.load_pandas().data
    return pl.DataFrame(
        {"year": table["YEAR"].to_numpy(np.int64), "sunspots": table["SUNACTIVITY"].to_numpy(np.float64)}
    )


def _sine() -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """A sine of period 25 and amplitude 1 plus Gaussian noise of deviation 0.1 (seed 0), 2000 rows."""
    rows = np.arange(2000)
    noise = np.random.default_rng(0).normal(scale=0.1, size=len(rows))
    made = Finding("formula", len(rows), "sin(2πt/25) plus noise of deviation 0.1", "made by formula, seed 0")
    return pl.DataFrame({"sine": np.sin(2 * np.pi * rows / 25) + noise}), (made,)
