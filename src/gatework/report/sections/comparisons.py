"""Every pair of cells: better, worse, as good, or not to be told."""

from gatework.report.markup import Markup, element
from gatework.report.numerals import percent, probability, share
from gatework.report.results import Comparison, Results
from gatework.report.sections.frame import Section, fold, section

FEW, DENSE = 6, 8
OPPOSITE = {"first": "second", "second": "first"}
WORDS = {"first": "better", "second": "worse", "equivalent": "as good", "undecided": "undecided"}


def comparisons(results: Results) -> Section | None:
    """Return the pairs as a matrix and in words, or None for fewer than two cells."""
    pairs = results.get("comparisons") or []
    if not pairs:
        return None
    words = element("ul", *(element("li", in_words(pair)) for pair in pairs), class_="words")
    reading = (
        "Read along a row: the cell on the left against the one above, and how much larger (+) or smaller "
        "(−) its error is. “As good” means that the difference is too small to matter, “undecided” that "
        "these seeds on this test part can’t tell."
    )
    listed = words if len(pairs) <= FEW else fold(f"All {len(pairs)} pairs in words", words)
    return section("pairs", "Pairs", "Cell against cell", matrix(results), element("p", reading, class_="note"), listed)


def matrix(results: Results) -> Markup:
    """Return the pairs as a table, cells in the order of the leaderboard."""
    names = [row["cell"] for row in results["leaderboard"]]
    found = _both_ways(results.get("comparisons") or [])
    head = element("tr", element("td"), *(element("th", name, scope="col", title=name) for name in names))
    rows = (
        element(
            "tr",
            element("th", name, scope="row", title=name),
            *(_cell(found.get((name, other))) for other in names),
        )
        for name in names
    )
    table = element(
        "table",
        element("thead", head),
        element("tbody", *rows),
        class_="matrix dense" if len(names) > DENSE else "matrix",
    )
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label="Cell against cell")


def in_words(pair: Comparison) -> str:
    """Return one pair as a sentence."""
    first, second, size = pair["first"], pair["second"], _difference(pair["relative"])
    said = {
        "first": f"{first} beats {second}: its error is {size}",
        "second": f"{second} beats {first}, whose error is {size}",
        "equivalent": f"{first} is as good as {second}: its error is {size}, too little to matter",
    }.get(pair["outcome"], f"{first} and {second} can’t be told apart: the error of {first} is {size}")
    bounds = pair["interval"]
    interval = f" (95 % interval {percent(bounds[0])} to {percent(bounds[1])})" if bounds else ""
    chance = probability(pair["p_value"])
    return said + interval + (f", {chance}" if chance else "") + "."


def _difference(relative: float | None) -> str:
    if relative is None:
        return "unknown"
    return f"{share(relative)} {'lower' if relative < 0 else 'higher'}"


def _both_ways(pairs: list[Comparison]) -> dict[tuple[str, str], tuple[str, float | None]]:
    found: dict[tuple[str, str], tuple[str, float | None]] = {}
    for pair in pairs:
        outcome, relative = pair["outcome"], pair["relative"]
        found[pair["first"], pair["second"]] = (outcome, relative)
        turned = None if relative is None or relative <= -1 else 1 / (1 + relative) - 1
        found[pair["second"], pair["first"]] = (OPPOSITE.get(outcome, outcome), turned)
    return found


def _cell(entry: tuple[str, float | None] | None) -> Markup:
    if entry is None:
        return element("td", class_="self")
    outcome, relative = entry
    word = WORDS.get(outcome, outcome)
    return element("td", word, element("small", percent(relative)), class_=outcome if outcome in WORDS else None)
