"""The cells by name, and the way from what a user writes to a cell."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path

import numpy as np

from gatework import graph as language
from gatework.errors import EquationError, GateworkError, UsageError
from gatework.graph import Cell
from gatework.graph.cell import Option

_HERE = Path(__file__).parent

_TRIAL = 3, 24
"""The inputs and units for which the weights of a cell file are started once."""


class Catalogue(Mapping[str, Cell]):
    """Name → cell: every file of this folder that defines a cell of its own name, loaded when asked for.

    >>> from gatework.cells import catalogue
    >>> catalogue["mgu"].states
    ('h',)
    """

    def __init__(self) -> None:
        here = Path(__file__).stem
        self._names = tuple(sorted(one.name for one in pkgutil.iter_modules([str(_HERE)]) if one.name != here))

    def __getitem__(self, name: str) -> Cell:
        if name not in self._names:
            raise KeyError(name)
        found = getattr(importlib.import_module(f"gatework.cells.{name}"), name)
        assert isinstance(found, Cell), f"cells/{name}.py defines no cell {name}"
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


catalogue = Catalogue()


def find(cell: str | Path | Cell) -> Cell:
    """The cell of a name, `"gru"`, of a file, `"./mine.py:mycell"` or `"./mine.py"`, or itself.

    Options of a cell stand in brackets behind it, `"cornn(dt=0.1)"`.

    Raises `UsageError` where there is no such cell or file, `EquationError` where its equations are wrong.

    >>> find("lstm_peephole(peepholes=o)").formula()
    '4NH + 4H² + 5H'
    """
    if isinstance(cell, Cell):
        return cell
    if not isinstance(cell, (str, Path)):
        raise UsageError(
            f"A {type(cell).__name__} is no cell: put @gatework.cell above the function with the equations."
        )
    if cell in catalogue:
        return catalogue[str(cell)]
    chosen = re.fullmatch(r"(.+?)\((.*)\)", str(cell), re.DOTALL)
    if chosen:
        return find(chosen[1])(**_options(chosen[2]))
    file = re.fullmatch(r"(.*\.py)(?::(.*))?", str(cell), re.DOTALL)
    if file:
        return _from_file(Path(file[1]).expanduser(), file[2] or "")
    near = difflib.get_close_matches(str(cell).lower(), list(catalogue), 1)
    hint = f"did you mean {near[0]}?" if near else "`gatework cells` lists them; a file is named ./mine.py:mycell."
    raise UsageError(f"There is no cell {str(cell)!r}: {hint}")


def split_names(text: str) -> list[str]:
    """Names of cells with commas between them; commas in brackets belong to a cell's options.

    >>> split_names("gru, cornn(dt=0.1, gamma=2)")
    ['gru', 'cornn(dt=0.1, gamma=2)']
    """
    return [one.strip() for one in re.split(r",(?![^(]*\))", text)]


def _options(text: str) -> dict[str, Option]:
    """What stands in the brackets behind a cell's name: `dt=0.1, project=False`."""
    found: dict[str, Option] = {}
    for one in filter(None, (part.strip() for part in text.split(","))):
        name, sign, value = (part.strip() for part in one.partition("="))
        if not sign or not name.isidentifier():
            raise UsageError(f"The option {one!r} of a cell is none: write NAME=VALUE, as in cornn(dt=0.1).")
        found[name] = _value(value)
    return found


def _value(text: str) -> Option:
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if isfinite(number):
            return number
    return {"True": True, "False": False}.get(text, text)


def _from_file(path: Path, name: str) -> Cell:
    if not path.is_file():
        raise UsageError(
            f"There is no cell file {path}: a cell is named by its file and its function, ./mine.py:mycell."
        )
    found = _cells_of(path)
    if not found:
        raise UsageError(f"{path} defines no cell: put @gatework.cell above the function with the equations.")
    if not name and len(found) == 1:
        (name,) = found
    if name not in found:
        asked = f"{path} defines no cell {name!r}" if name else f"{path} defines several cells"
        raise UsageError(f"{asked}: write {path}:NAME with one of {', '.join(found)}.")
    return _started(path, found[name])


def _started(path: Path, cell: Cell) -> Cell:
    """The cell, whose weights were started once: a recipe of its file that cannot work is told before it is trained."""
    try:
        cell.start(*_TRIAL, np.random.default_rng(0))
    except EquationError as error:
        raise (error if _has_place(error) else EquationError(f"{path.name}: cell {cell.name}: {error}")) from error
    return cell


def _has_place(error: EquationError) -> bool:
    """Whether an error names a file and a line."""
    return re.match(r".+:\d+: ", str(error)) is not None


def _cells_of(path: Path) -> dict[str, Cell]:
    module_name = f"gatework_cell_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be loaded as a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except EquationError as error:
        raise (error if _has_place(error) else _placed(path, error, str(error))) from error
    except GateworkError:
        raise
    except SyntaxError as error:
        file = Path(error.filename or path).name
        raise EquationError(f"{file}:{error.lineno or 1}: not Python: {error.msg}") from error
    except (Exception, SystemExit) as error:
        # The file is the user's own program: whatever it raises is told in one sentence.
        raise _placed(path, error, f"cannot be loaded: {_words(error)}") from error
    return {key: one for key, one in vars(module).items() if isinstance(one, Cell)}


def _placed(path: Path, error: BaseException, words: str) -> EquationError:
    """The words, behind the file and its last line that was running."""
    own = [one for one in traceback.extract_tb(error.__traceback__) if Path(one.filename).name == path.name]
    return EquationError(f"{':'.join([path.name, *(str(one.lineno) for one in own[-1:])])}: {words}")


def _words(error: BaseException) -> str:
    """What a program of the user's raised, in one line."""
    text = next(iter(str(error).splitlines()), "")
    if isinstance(error, ImportError) and error.name == language.__name__:
        wanted = (re.match(r"cannot import name '(\w+)'", text) or ["", ""])[1]
        near = difflib.get_close_matches(wanted, language.__all__, 1)
        return f"{language.__name__} has no {wanted}" + (f", did you mean {near[0]}?" if near else "")
    return f"{type(error).__name__}: {text}".removesuffix(": ")
