"""Choose the columns of a series: its target, its features, and what is left aside."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gatework.data.clock import Clock
from gatework.data.finding import Finding
from gatework.data.numbers import is_numeric
from gatework.data.read import Table
from gatework.data.wording import counted, guess, listed, shorten
from gatework.errors import DataError

_COUNTER_NAMES = frozenset(
    {"", "no", "nr", "id", "index", "row", "rows", "i", "n", "t", "#", "step", "time", "unnamed: 0", "column_1"}
)


@dataclass(frozen=True)
class Columns:
    """The columns that make a series, the other numeric ones, and what is to be said about the rest."""

    target: str
    features: tuple[str, ...]
    others: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def used(self) -> tuple[str, ...]:
        """The target and the features, in the order of a series' values."""
        return (self.target, *self.features)


def choose_columns(table: Table, clock: Clock, target: str | None, features: Sequence[str]) -> Columns:
    """Return the columns to use: the ones asked for, or the only numeric one as the target.

    Raises `DataError` when a name is unknown, when several columns could be the target, or when none holds numbers.
    """
    frame = table.frame
    free = [name for name in frame.columns if name not in clock.columns]
    numeric = [name for name in free if is_numeric(frame[name], decimal_comma=table.decimal_comma)]
    counters = [name for name in numeric if _counts_rows(frame[name]) and name not in {target, *features}]
    candidates = [name for name in numeric if name not in counters]
    goal = _target(target, table, candidates, clock)
    for name in features:
        _check_feature(name, goal, table, clock)
    findings = []
    if counters:
        words = f"{listed(counters)} only number{'s' if len(counters) == 1 else ''} the rows"
        findings.append(Finding("row_counter", len(counters), words, "ignored"))
    text = [name for name in free if name not in numeric and name not in {goal, *features}]
    if text:
        words = f"{counted(len(text), 'column')} {'is' if len(text) == 1 else 'are'} not numeric ({listed(text)})"
        findings.append(Finding("non_numeric", len(text), words, "ignored"))
    others = tuple(name for name in candidates if name not in {goal, *features})
    return Columns(goal, tuple(features), others, tuple(findings))


def _target(target: str | None, table: Table, candidates: list[str], clock: Clock) -> str:
    if target is not None:
        if target not in table.frame.columns:
            raise _unknown(target, "the target", table)
        if target in clock.columns:
            raise DataError(f"column '{shorten(target)}' tells the time and cannot be the target; choose another one.")
        return target
    if table.wide:
        raise DataError(
            f"cannot choose one of {len(table.names):,} columns of {shorten(table.name)} to forecast; "
            f"name it with --target (the first are {listed(table.names, 3)})."
        )
    if len(candidates) == 1:
        return candidates[0]
    texts = [name for name in table.frame.columns if name not in clock.columns]
    if not candidates and len(texts) == 1:
        # Reading it will fail, and say at which row.
        return texts[0]
    if not candidates:
        raise DataError(
            f"no column of {shorten(table.name)} holds numbers to forecast; its columns are {listed(table.names)}."
        )
    raise DataError(
        f"{len(candidates)} columns of {shorten(table.name)} hold numbers; "
        f"choose the one to forecast with --target: {listed(candidates, 6)}."
    )


def _check_feature(name: str, target: str, table: Table, clock: Clock) -> None:
    if name not in table.frame.columns:
        raise _unknown(name, "a feature", table)
    if name == target:
        raise DataError(
            f"column '{shorten(name)}' is the target, whose past every cell reads; leave it out of --features."
        )
    if name in clock.columns and not table.frame[name].dtype.is_numeric():
        raise DataError(f"column '{shorten(name)}' tells the time; to use it as a feature, encode it as numbers.")


def _unknown(name: str, role: str, table: Table) -> DataError:
    return DataError(
        f"no column of {shorten(table.name)} is named '{shorten(name)}'{guess(name, table.names)}, "
        f"so it cannot be {role}; the columns are {listed(table.names)}."
    )


def _counts_rows(column: pl.Series) -> bool:
    """Say whether a column is the row number that spreadsheets and dataframes write beside their rows."""
    if column.name.strip().casefold() not in _COUNTER_NAMES or not column.dtype.is_integer() or len(column) < 2:
        return False
    return not column.null_count() and bool((np.diff(column.to_numpy()) == 1).all())
