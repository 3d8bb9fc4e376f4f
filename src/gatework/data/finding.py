"""What the loader noticed in a table, and what it did about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing found in a table, said in one line.

    `kind` is a fixed word that programs can test: "time", "step", "unsorted", "duplicates", "missing_steps",
    "missing_values", "coded_missing", "outage", "constant_run", "non_numeric", "leading", "irregular", "off_grid",
    "no_stamp", "formatted", "row_counter", "headerless", "encoding", "wide", "renamed" or "formula". `count` says how
    many values, rows or columns are concerned.

    >>> Finding("unsorted", 1, "1 row is older than the row above it", "sorted by time").line()
    '1 row is older than the row above it: sorted by time'
    """

    kind: str
    count: int
    found: str
    did: str

    def line(self) -> str:
        """Return what was found and what was done, as one line of text."""
        return f"{self.found}: {self.did}"
