"""All that is needed to repeat the study: the command, every setting, every version."""

import json
from typing import Any

from gatework.report.markup import Markup, element
from gatework.report.numerals import number
from gatework.report.results import Results
from gatework.report.sections.frame import Section, fold, pairs, section


def settings(results: Results) -> Section:
    """Return the last part of the page."""
    options = pairs((name.replace("_", " "), _value(value)) for name, value in results["settings"].items())
    versions = pairs(results["versions"].items())
    return section(
        "repeat",
        "Repeat",
        "To repeat this study",
        _command(results["command"]),
        fold("Every setting", options),
        fold("Versions and machine", versions),
    )


def _command(command: str) -> Markup:
    button = element("button", "Copy", type="button", class_="copy", data_copy=command, aria_live="polite")
    return element("div", element("pre", element("code", command)), button, class_="command")


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return number(value) if abs(value) >= 1 else f"{value:.6g}"
    return str(value) if isinstance(value, int | str) else json.dumps(value, ensure_ascii=False)
