"""The pages of the cells say what the graphs say: reviewed once, and compared ever after."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from gatework.cells import catalogue

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
PAGES = importlib.import_module("cell_pages").pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_the_one_that_the_graph_gives(name):
    written = (ROOT / "docs" / "cells" / name).read_text(encoding="utf-8")
    assert written == PAGES[name], "python scripts/cell_pages.py writes it anew: look at what changed"


def test_there_is_a_page_for_every_cell_and_no_other():
    assert {one.name for one in (ROOT / "docs" / "cells").glob("*.md")} == {
        "README.md",
        *(f"{n}.md" for n in catalogue),
    }


@pytest.mark.parametrize("name", catalogue)
def test_every_arrow_leads_from_and_to_something_that_is_drawn(name):
    drawing = re.search(r"```mermaid\n(.*?)```", PAGES[f"{name}.md"], re.DOTALL)[1].splitlines()[1:]
    drawn = {re.match(r"\s*(\w+)[\[(]", line)[1] for line in drawing if "-->" not in line}
    for line in drawing:
        if "-->" in line:
            source, target = re.match(r"\s*(\w+) --> (\w+)", line).groups()
            assert source in drawn
            assert target in drawn or target.startswith("new_")
