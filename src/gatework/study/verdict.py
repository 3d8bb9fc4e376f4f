"""One plain sentence: which cell forecasts the series best, and whether that is more than chance.

Two rules. Better is said only of a difference that chance does not explain; alike only of cells shown to be
alike, and never because a test found nothing. "None beats the baseline" and "cannot tell" are answers like
the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import floor, isfinite, log10

from gatework.errors import DataError
from gatework.study.statistics import Comparison

BEYOND_CHANCE = "larger than chance explains"
TIE = 0.001
"""Baselines whose errors differ by less than this share are as hard to beat as each other."""
FASTER = 1.2
"""Training times closer than this ratio are not worth a word."""


@dataclass(frozen=True)
class CellResult:
    """One cell: its mean absolute error over seeds, its cost, and how sure it differs from each baseline.

    `train_seconds` is for one model. `p_values` maps a baseline's name to the Holm-adjusted p-value of the
    difference in error; a missing name counts as not tested, and nothing is claimed.
    """

    name: str
    error: float
    train_seconds: float
    parameters: int
    p_values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BaselineResult:
    """One baseline and its mean absolute error; `naive` where nothing was fitted."""

    name: str
    error: float
    naive: bool = True

    @property
    def phrase(self) -> str:
        """The name as it stands in a sentence."""
        return self.name if self.naive else f"the {self.name}"


@dataclass(frozen=True)
class Evidence:
    """All that the verdict rests on.

    Errors are mean absolute errors on the test part, in `unit` ("dollars", "°C" or ""). `baselines` come simplest
    first. `comparisons` are
    those of `statistics.compare_all` between cells; a pair without one counts as undecided.
    """

    cells: tuple[CellResult, ...]
    baselines: tuple[BaselineResult, ...]
    comparisons: tuple[Comparison, ...] = ()
    unit: str = ""
    seeds: int = 1
    level: float = 0.95


def verdict(evidence: Evidence) -> str:
    """Say in one sentence what the study found; see the module for its two rules.

    Cells and baselines whose error is not finite are left out. Raises `DataError` when no baseline is left.

    >>> gru = CellResult("gru", 585.21, 30.0, 20_000, {"naive": 0.4})
    >>> lstm = CellResult("lstm", 602.9, 20.0, 20_000, {"naive": 0.01})
    >>> print(verdict(Evidence((gru, lstm), (BaselineResult("naive", 581.6),))))
    None of the cells beats naive: the best, gru, errs by 585.2 on average where naive errs by 581.6.
    """
    baselines = [baseline for baseline in evidence.baselines if isfinite(baseline.error)]
    if not baselines:
        raise DataError("Cannot give a verdict because no baseline has a finite error; check the test part.")
    cells = sorted((cell for cell in evidence.cells if isfinite(cell.error)), key=lambda cell: cell.error)
    if not cells:
        return "No cell could be trained: the error of every one grew without bound."
    base = baselines[hardest([baseline.error for baseline in baselines])]
    if cells[0].error >= base.error:
        return _none_beats(evidence, cells, base, [baseline for baseline in baselines if baseline.naive])
    if not _differs(evidence, cells[0], base):
        return _may_be_chance(evidence, cells, base)
    return _some_beat(evidence, cells, base)


def hardest(errors: Sequence[float]) -> int:
    """The position of the baseline that is hardest to beat: the lowest error, save that the simpler one wins a tie.

    Baselines come simplest first; errors within 0.1 % of each other are a tie.

    >>> hardest([581.58, 590.0, 581.57])
    0
    """
    lowest = min(errors)
    return next(k for k, error in enumerate(errors) if error <= lowest + TIE * abs(lowest))


def _none_beats(
    evidence: Evidence, cells: Sequence[CellResult], base: BaselineResult, naive: Sequence[BaselineResult]
) -> str:
    """Say that a baseline is at least as good as the best cell, which may still beat the naive ones."""
    best = cells[0]
    if len(cells) == 1:
        head = f"{best.name} does not beat {base.phrase}: it"
    else:
        head = f"None of the cells beats {base.phrase}: the best, {best.name},"
    text = f"{head} {_errs_where(evidence, best, base)}"
    if best.error > base.error and _differs(evidence, best, base):
        text += f", and the difference is {BEYOND_CHANCE}"
    rival = min(naive, key=lambda baseline: baseline.error, default=base)
    if best.error < rival.error and _differs(evidence, best, rival):
        text += f", though {best.name} beats {rival.phrase} by {_margin(best, rival)}"
    return text + "."


def _may_be_chance(evidence: Evidence, cells: Sequence[CellResult], base: BaselineResult) -> str:
    """Say that the best cell is ahead of every baseline, but not by enough to be sure."""
    best = cells[0]
    head = best.name if len(cells) == 1 else f"{best.name} has the lowest error of the cells: it"
    text = f"{head} {_errs_where(evidence, best, base)}, which may be chance"
    sure = [cell for cell in cells[1:] if _beats(evidence, cell, base)]
    if sure:
        verb = "beat" if len(sure) > 1 else "beats"
        text += f", while {_list(sure)} {verb} {base.phrase} by more than chance explains"
    return text + "."


def _some_beat(evidence: Evidence, cells: Sequence[CellResult], base: BaselineResult) -> str:
    """Say whether the best cell, which beats every baseline, is better than the others, or like them."""
    best, others = cells[0], cells[1:]
    error = f"{_amount(evidence, readable(best.error))} on average"
    below = f"{error}, {_margin(best, base)} below {base.phrase}"
    if not others:
        return f"{best.name} beats {base.phrase}: it errs by {below}, and the difference is {BEYOND_CHANCE}."
    unclear = [cell for cell in others if _outcome(evidence, best, cell) == "unclear"]
    if unclear:
        noisy = "the test part is too short or too noisy"
        reason = noisy if evidence.seeds > 1 else "each cell was trained only once, too few times"
        return f"{best.name} has the lowest error, {below}, but {reason} to tell it from {_list(unclear, 'or')}."
    if any(_outcome(evidence, best, cell) == "alike" for cell in others):
        return _no_difference(evidence, cells, base)
    rival = others[0].name + (", the next cell" if len(others) > 1 else "")
    gaps = f"{_margin(best, base)} below {base.phrase} and {_margin(best, others[0])} below {rival}"
    return f"{best.name} is best: it errs by {error}, {gaps}, and both differences are {BEYOND_CHANCE}."


def _no_difference(evidence: Evidence, cells: Sequence[CellResult], base: BaselineResult) -> str:
    """Say that the best cells are alike, which of them trains faster, and what they beat."""
    best, others = cells[0], cells[1:]
    equals = [cell for cell in others if _outcome(evidence, best, cell) == "alike"]
    alike, beaten = [best, *equals], [cell for cell in others if cell not in equals]
    if all(_outcome(evidence, a, b) == "alike" for a, b in combinations(alike, 2)):
        text = f"No difference that matters between {_list(alike)}"
    else:
        text = f"No difference that matters between {best.name}, which errs least, and {_list(equals, 'or')}"
    if beaten:
        text += f"; {best.name} is better than {_list(beaten)}"
    return f"{text}{_speed(alike)}; {_who_beats(evidence, alike, base)}."


def _speed(cells: Sequence[CellResult]) -> str:
    """Return a remark on training time, empty where it is much the same or not known."""
    slow, fast = (choose(cells, key=lambda cell: cell.train_seconds) for choose in (max, min))
    if not (isfinite(slow.train_seconds) and fast.train_seconds > 0):
        return ""
    ratio = slow.train_seconds / fast.train_seconds
    than = f" than {slow.name}" if len(cells) > 2 else ""
    return f"; {fast.name} trains {ratio:,.1f}× faster{than}" if ratio >= FASTER else ""


def _who_beats(evidence: Evidence, alike: Sequence[CellResult], base: BaselineResult) -> str:
    """Say which of the cells beat the baseline, by the least of their margins."""
    sure = [cell for cell in alike if _beats(evidence, cell, base)]
    least = _margin(sure[-1], base)
    by = least if _margin(sure[0], base) == least else f"at least {least}"
    if len(sure) == 1:
        return f"{sure[0].name} beats {base.phrase} by {by}"
    everyone = "both" if len(alike) == 2 else "all"
    return f"{everyone if len(sure) == len(alike) else _list(sure)} beat {base.phrase} by {by}"


def _differs(evidence: Evidence, cell: CellResult, baseline: BaselineResult) -> bool:
    return cell.p_values.get(baseline.name, 1.0) < 1 - evidence.level


def _beats(evidence: Evidence, cell: CellResult, baseline: BaselineResult) -> bool:
    return cell.error < baseline.error and _differs(evidence, cell, baseline)


def _outcome(evidence: Evidence, best: CellResult, other: CellResult) -> str:
    """Return "better", "alike" or "unclear", as seen from the cell with the lower error."""
    for pair in evidence.comparisons:
        if {pair.first, pair.second} == {best.name, other.name}:
            better = "first" if pair.first == best.name else "second"
            return {better: "better", "equivalent": "alike"}.get(pair.outcome, "unclear")
    return "unclear"


def _errs_where(evidence: Evidence, cell: CellResult, baseline: BaselineResult) -> str:
    """Set two errors side by side, with as many digits as tell them apart."""
    ours, theirs = readable(cell.error), readable(baseline.error)
    for digits in range(5, 9):
        if ours != theirs:
            break
        ours, theirs = readable(cell.error, digits), readable(baseline.error, digits)
    return f"errs by {_amount(evidence, ours)} on average where {baseline.phrase} errs by {theirs}"


def _amount(evidence: Evidence, number: str) -> str:
    return f"{number} {evidence.unit}".rstrip()


def _margin(cell: CellResult, other: CellResult | BaselineResult) -> str:
    """Return by how many per cent a cell's error is below another's."""
    percent = 100 * (1 - cell.error / other.error) if other.error > 0 else 0.0
    if percent < 0.01:
        return "less than 0.01 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _list(cells: Sequence[CellResult], word: str = "and") -> str:
    """Return names as one says them: "a", "a and b", "a, b and c"."""
    names = [cell.name for cell in cells]
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def readable(number: float, digits: int = 4) -> str:
    """Write a number with about so many significant digits, as a newspaper would.

    >>> [readable(number) for number in (0.0, 0.067123, 581.64, 30125.7)]
    ['0', '0.06712', '581.6', '30,126']
    """
    if number == 0:
        return "0"
    magnitude = floor(log10(abs(number)))
    if not -7 < magnitude < 15:
        return f"{number:.{digits - 1}e}"
    decimals = max(0, digits - 1 - magnitude)
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text
