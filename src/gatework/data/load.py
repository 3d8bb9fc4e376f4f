"""From a table to a series: the pipeline, in the order in which things are done."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gatework.data.bundled import BUNDLED, bundled
from gatework.data.clock import find_clock
from gatework.data.columns import Columns, choose_columns
from gatework.data.finding import Finding
from gatework.data.grid import POLICIES, Rows, align, drop_missing, fill, leading, missing_steps, treatment
from gatework.data.numbers import read_numbers
from gatework.data.outage import blank_outages, constant_runs
from gatework.data.read import Table, read
from gatework.data.sequence import time_order
from gatework.data.series import Series
from gatework.data.step import Step
from gatework.data.wording import counted, shorten, span
from gatework.errors import DataError, UsageError

_GAPS = {"missing_values", "coded_missing", "outage", "missing_steps"}


def load(
    source: object,
    *,
    target: str | None = None,
    time: str | None = None,
    features: Sequence[str] = (),
    missing: str = "carry",
    name: str | None = None,
) -> Series:
    """Return the series in a CSV or Parquet file, a dataframe or a bundled table, with all that was found in it.

    `source` is a path, any dataframe that narwhals knows, or a name in `BUNDLED`. `target` is the column to forecast
    (by default the only numeric one), `time` the column of stamps (by default found), `features` further columns.
    `missing` says what becomes of missing values and steps: "carry" holds the last observed value, which uses the
    past only; "interpolate" draws a line through the target's interior gaps; "drop" leaves the rows out and takes
    the others as consecutive; "refuse" raises. Raises `DataError` for what cannot be made into a series, and
    `UsageError` for an unknown policy, each with one sentence.

    >>> series = load("sunspots")
    >>> series.target, series.step.name, series.values.shape
    ('sunspots', '1 year', (309, 1))
    """
    if missing not in POLICIES:
        raise UsageError(f"missing='{missing}' is not a policy; choose one of {', '.join(POLICIES)}.")
    wanted = (features,) if isinstance(features, str) else tuple(dict.fromkeys(features))
    table = _table(source, [column for column in (target, time, *wanted) if column is not None])
    clock = find_clock(table.frame, table.names, time, target)
    columns = choose_columns(table, clock, target, wanted)
    goal, goal_findings = _numbers(table, (columns.target,), treatment(missing))
    # Features are never interpolated: they must not know what comes.
    carried = treatment("carry" if missing == "interpolate" else missing)
    further, further_findings = _numbers(table, columns.features, carried)
    values, number_findings = np.column_stack([goal, further]), [*goal_findings, *further_findings]
    others, _ = _numbers(table, columns.others, "", strict=False)

    order = time_order(clock, values)
    down, outage_findings = blank_outages(order.times, values[order.rows], others[order.rows], order.step, columns.used)
    rows = Rows(order.times, down)
    _check_varies(rows, columns)
    gaps = missing_steps(rows, order.step, missing) if order.step.unit != "row" else []
    outages = [Finding(one.kind, one.count, one.found, treatment(missing)) for one in outage_findings]
    found = (*table.findings, *clock.findings, *order.findings, *columns.findings, *number_findings, *outages, *gaps)
    if missing == "refuse":
        _refuse_gaps(found, columns, table)

    rows, observed, grid_findings = _without_gaps(rows, order.step, missing)
    return Series(
        name=name or table.name,
        target=columns.target,
        features=columns.features,
        values=rows.values,
        observed=observed,
        times=rows.times,
        step=order.step,
        findings=(*found, *grid_findings, *_constants(rows, observed, order.step, columns)),
        missing=missing,
    )


def _table(source: object, wanted: list[str]) -> Table:
    """Read a source; the name of a bundled series comes before a file of that name."""
    if isinstance(source, str) and source in BUNDLED:
        frame, findings = bundled(source)
        return Table(source, frame, tuple(frame.columns), findings)
    return read(Path(source) if isinstance(source, str) else source, wanted)


def _numbers(
    table: Table, names: tuple[str, ...], treated: str, *, strict: bool = True
) -> tuple[np.ndarray, list[Finding]]:
    """Return columns as (T, C) numbers; where not `strict`, a column that cannot be read is left out."""
    read_columns: list[np.ndarray] = []
    findings: list[Finding] = []
    for name in names:
        try:
            numbers = read_numbers(table.frame[name], treated=treated, decimal_comma=table.decimal_comma)
        except DataError:
            if strict:
                raise
            continue
        read_columns.append(numbers.values)
        findings += numbers.findings
    return np.column_stack(read_columns) if read_columns else np.empty((len(table.frame), 0)), findings


def _check_varies(rows: Rows, columns: Columns) -> None:
    """Refuse columns that never have a value, and a target that never changes."""
    for position, name in enumerate(columns.used):
        if np.isnan(rows.values[:, position]).all():
            raise DataError(f"column '{shorten(name)}' holds no value at all; choose another column.")
    known = rows.values[~np.isnan(rows.values[:, 0]), 0]
    if known.min() == known.max():
        raise DataError(
            f"column '{shorten(columns.target)}' is {known[0]:g} in all of its {counted(len(known), 'row')}, "
            "so there is nothing to forecast; choose another target."
        )


def _refuse_gaps(findings: Sequence[Finding], columns: Columns, table: Table) -> None:
    """Raise what is missing, as the user asked for with the policy "refuse"."""
    gaps = [finding for finding in findings if finding.kind in _GAPS]
    if gaps:
        more = f" (and {counted(len(gaps) - 1, 'more finding')})" if len(gaps) > 1 else ""
        raise DataError(
            f"cannot use '{shorten(columns.target, 24)}' of {shorten(table.name, 24)} without filling gaps: "
            f"{shorten(gaps[0].found, 100)}{more}; choose --missing carry, interpolate or drop."
        )


def _without_gaps(rows: Rows, step: Step, missing: str) -> tuple[Rows, np.ndarray, list[Finding]]:
    """Apply the policy: rows without NaN, the mask of what was observed, and what was done."""
    if missing == "drop":
        whole = drop_missing(rows, has_clock=step.unit != "row")
        if not len(whole.times):
            raise DataError("no row has a value in every used column, so dropping leaves none; choose --missing carry.")
        return whole, np.ones(whole.values.shape, bool), []
    aligned, findings = align(rows, step) if step.unit != "row" else (rows, [])
    observed = ~np.isnan(aligned.values)
    # Filled before they are cut: the last value seen may lie in a row that is left out.
    filled = fill(aligned.values, missing)
    first, cut = leading(aligned, step)
    return Rows(aligned.times[first:], filled[first:]), observed[first:], [*findings, *cut]


def _constants(rows: Rows, observed: np.ndarray, step: Step, columns: Columns) -> list[Finding]:
    """Report long constant runs among the observed values of every used column."""
    findings = []
    for position, name in enumerate(columns.used):
        seen = np.flatnonzero(observed[:, position])
        values = rows.values[seen, position]
        runs = list(constant_runs(values))
        if not runs:
            continue
        start, end = max(runs, key=lambda run: run[1] - run[0])
        where = span(rows.times[seen[[start, end - 1]]], step)
        more = f", and in {counted(len(runs) - 1, 'other long run')}" if len(runs) > 1 else ""
        words = f"{shorten(name)} stays at {values[start]:g} for {end - start} rows {where}{more}"
        findings.append(Finding("constant_run", len(runs), words, "kept; check that its source was not stuck"))
    return findings
