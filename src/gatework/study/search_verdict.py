"""One plain sentence: whether a search found a cell that is better than the cells beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gatework.study.statistics import Comparison
from gatework.study.verdict import BEYOND_CHANCE, readable


def search_verdict(
    found: Sequence[str],
    beside: Sequence[str],
    errors: Mapping[str, float],
    comparisons: Iterable[Comparison],
    unit: str = "",
    early: str = "",
) -> str:
    """Say whether the best of the found cells is better than every cell beside it.

    `errors` are those on the test part, over fresh seeds; a cell without one went astray. Better is said only of a
    difference that chance does not explain, alike only of cells that are shown to be. `early` says why the search ended
    before it had done what was asked, and is empty where it had.

    >>> from gatework.study.statistics import Comparison
    >>> pair = Comparison("gru", "found_1", -0.1, -0.01, -0.03, 0.01, 0.4, 5, "undecided")
    >>> print(search_verdict(["found_1"], ["gru"], {"gru": 9.9, "found_1": 10.0}, [pair]))
    The search found nothing better than gru: found_1 errs by 10 on average where gru errs by 9.9, which may be chance.
    """
    search = f"The search ended early, because {early}, and" if early else "The search"
    return f"{search} found {_found(found, beside, errors, list(comparisons), unit)}."


def _found(
    found: Sequence[str], beside: Sequence[str], errors: Mapping[str, float], pairs: Sequence[Comparison], unit: str
) -> str:
    """What was found, and the numbers for it."""
    ours = sorted((name for name in found if name in errors), key=lambda name: errors[name])
    rivals = sorted((name for name in beside if name in errors), key=lambda name: errors[name])
    if not ours:
        return f"nothing: the forecasts of {_list(found)} are not finite with fresh seeds"
    if not rivals:
        return f"{ours[0]}, and nothing is left to compare it with: {_list(beside)} went astray"
    best = ours[0]
    outcomes = {name: _outcome(pairs, best, name) for name in rivals}
    better = [name for name in rivals if outcomes[name] == "better"]
    others = [name for name in rivals if outcomes[name] != "better"]
    if not others:
        margin = f"{100 * (1 - errors[best] / errors[rivals[0]]):.2g} % below {rivals[0]}"
        return (
            f"a cell that is better than {_list(better)}: {best} errs by {_amount(errors[best], unit)} on average, "
            f"{margin}, which is {BEYOND_CHANCE}"
        )
    rival = others[0]
    head = f"nothing better than {_list(others, 'or')}"
    if better:
        head = f"a cell that is better than {_list(better)}, but not than {_list(others, 'or')}"
    return f"{head}: {_beside(best, rival, outcomes[rival], errors, unit, pairs)}"


def _beside(
    best: str, rival: str, outcome: str, errors: Mapping[str, float], unit: str, pairs: Sequence[Comparison]
) -> str:
    """The best of the found cells beside the strongest that it does not beat."""
    ours, theirs = _apart(errors[best], errors[rival])
    said = f"{best} errs by {f'{ours} {unit}'.strip()} on average where {rival} errs by {theirs}"
    if outcome == "alike":
        return f"{said}, too little to matter"
    if outcome == "worse":
        return f"{said}, and that is {BEYOND_CHANCE}"
    once = any(pair.seeds < 2 for pair in pairs)
    return f"{said}, and one seed says nothing of chance" if once else f"{said}, which may be chance"


def _outcome(pairs: Iterable[Comparison], best: str, other: str) -> str:
    """Return "better", "worse", "alike" or "unclear", as seen from the best of the found cells."""
    for pair in pairs:
        if {pair.first, pair.second} == {best, other}:
            first, second = ("better", "worse") if pair.first == best else ("worse", "better")
            return {"first": first, "second": second, "equivalent": "alike"}.get(pair.outcome, "unclear")
    return "unclear"


def _apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart."""
    for digits in range(4, 9):
        if readable(one, digits) != readable(other, digits):
            return readable(one, digits), readable(other, digits)
    return readable(one), readable(other)


def _amount(number: float, unit: str) -> str:
    return f"{readable(number)} {unit}".rstrip()


def _list(names: Sequence[str], word: str = "and") -> str:
    """Names as one says them: "a", "a and b", "a, b and c"."""
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
