"""Write the pages of the cells, `docs/cells/`: `python scripts/cell_pages.py`."""

import importlib
import inspect
from pathlib import Path

from gatework.cells import catalogue
from gatework.graph.document import cell_page

FOLDER = Path(__file__).parent.parent / "docs" / "cells"


def pages() -> dict[str, str]:
    """The name of each file, and what stands in it."""
    made = {}
    rows = ["# The cells", "", "| cell | what it is | states | parameters |", "|---|---|---|---|"]
    for name, cell in catalogue.items():
        remarks = inspect.getdoc(importlib.import_module(f"gatework.cells.{name}")) or ""
        made[f"{name}.md"] = cell_page(cell, remarks)
        rows.append(f"| [`{name}`]({name}.md) | {cell.title} | {', '.join(cell.states)} | {cell.formula()} |")
    return {"README.md": "\n".join([*rows, ""]), **made}


def main() -> None:
    """Write every page, and remove those of cells that are no more."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for old in set(FOLDER.glob("*.md")) - {FOLDER / name for name in made}:
        old.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
