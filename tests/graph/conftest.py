"""A cell from the text of a file, so that lines and messages can be told exactly."""

import textwrap

import pytest

from gatework.cells import find

HEADER = "from gatework.graph import *\n"


@pytest.fixture
def define(tmp_path):
    """Write the text below an import, as mine.py from line 2 on, and load the cell in it."""

    def make(text, name="", header=HEADER):
        path = tmp_path / "mine.py"
        path.write_text(header + textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return find(f"{path}:{name}" if name else str(path))

    return make
