"""The page: a template, the parts in their order, and a policy that lets nothing in from outside."""

import math
import os
import tempfile
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, cast

from plotly.offline import get_plotlyjs

from gatework.report.markup import Markup, element, join, text
from gatework.report.results import Results
from gatework.report.sections.comparisons import comparisons
from gatework.report.sections.frame import Section
from gatework.report.sections.inside import inside
from gatework.report.sections.leaderboard import leaderboard
from gatework.report.sections.learning import learning
from gatework.report.sections.pictures import cost_section, forecasts_section, horizon_section
from gatework.report.sections.series import series
from gatework.report.sections.settings import settings
from gatework.report.sections.verdict import verdict

PARTS = (
    verdict,
    leaderboard,
    comparisons,
    cost_section,
    forecasts_section,
    horizon_section,
    learning,
    inside,
    series,
    settings,
)


def write(results: dict[str, Any], path: Path) -> None:
    """Write the report; a reader of ``path`` sees the old file or the new one, never half of one."""
    page = render(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def render(results: dict[str, Any]) -> str:
    """Return the report of these results as one HTML page that needs nothing else."""
    known = cast(Results, _finite(results))
    sections = [part for make in PARTS if (part := make(known)) is not None]
    scripts = [get_plotlyjs(), _asset("page.js"), _asset("figures.js")]
    return Template(_asset("page.html")).substitute(
        policy=_policy(scripts),
        title=text(f"{known['data']['name']}: {known['verdict']}"),
        version=text(known["gatework"]),
        style=_asset("page.css"),
        links=_links(sections),
        sections=join(section.html for section in sections),
        foot=text(f"Made by Gatework {known['gatework']} on {known['created'][:10]}."),
        scripts=join(Markup(f"<script>{script}</script>\n") for script in scripts),
    )


def _links(sections: list[Section]) -> Markup:
    return join(element("a", section.short, href=f"#{section.anchor}") for section in sections)


def _policy(scripts: list[str]) -> str:
    """Return the content security policy: these very scripts run, nothing is fetched."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    rest = "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {hashes}; {rest}"


def _asset(name: str) -> str:
    return files("gatework.report").joinpath(name).read_text(encoding="utf-8")


def _finite(value: Any) -> Any:
    """Return the results with null for every number that JSON can't hold."""
    if isinstance(value, dict):
        return {key: _finite(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(child) for child in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
