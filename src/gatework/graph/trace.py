"""From a Python function of symbols to a cell.

The function is run once, on symbols. So that the names on the left of its equations survive, its source is
read and each `f = …` becomes `f = note("f", …)` before it runs; the function's globals and closure stay as
they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, TracebackType
from typing import Any, overload

from gatework.errors import EquationError
from gatework.graph.build import build
from gatework.graph.expression import Equation, Expression
from gatework.graph.graph import Cell, Graph
from gatework.graph.noting import noting, read_definition, statements, unknown
from gatework.graph.ops import Op


@overload
def cell(function: Callable[..., Any]) -> Cell: ...
@overload
def cell(
    *, source: str = "", bias: Mapping[str, float] | None = None, name: str = ""
) -> Callable[[Callable[..., Any]], Cell]: ...


def cell(
    function: Callable[..., Any] | None = None,
    *,
    source: str = "",
    bias: Mapping[str, float] | None = None,
    name: str = "",
) -> Cell | Callable[[Callable[..., Any]], Cell]:
    """Make a recurrent cell from its equations.

    The first argument of the function is the input `x` (N entries), the others are the states (H entries
    each), which it returns updated, in the same order. `source` is the paper; `bias={"f": 1.0}` starts the
    bias `b.f` at one.

    Raises `EquationError`, with the line, where the equations are not a cell.

    >>> from gatework.graph import U, W, b, cell, sigmoid, tanh
    >>> @cell(source="Zhou, Wu, Zhang & Zhou 2016, arXiv:1603.09420")
    ... def mgu(x, h):
    ...     '''Minimal gated unit.'''
    ...     f = sigmoid(W.f @ x + U.f @ h + b.f)
    ...     n = tanh(W.n @ x + U.n @ (f * h) + b.n)
    ...     return (1 - f) * h + f * n
    >>> mgu.graph.gates, mgu.count(N=3, H=8)
    (('f',), 192)
    """

    def make(function: Callable[..., Any]) -> Cell:
        graph = trace(function)
        lines = (inspect.getdoc(function) or "").splitlines()
        title = lines[0].rstrip(".") if lines else function.__name__
        return Cell(name or function.__name__, title, source, graph, dict(bias or {}))

    return make if function is None else make(function)


def trace(function: Callable[..., Any]) -> Graph:
    """Run a cell's function on symbols and return its graph. Raises `EquationError`."""
    if not isinstance(function, FunctionType):
        raise EquationError(f"a cell is a function written with def, not a {type(function).__name__}")
    place = f"{_file(function)}:{function.__code__.co_firstlineno}: cell {function.__name__}"
    arguments = _arguments(function, place)
    states = arguments[1:]
    notes: list[Expression] = []

    def note(names: tuple[str, ...], line: int, text: str, value: Any) -> Any:
        if len(names) > 1 and isinstance(value, Iterator):
            value = tuple(value)
        values = value if len(names) > 1 and isinstance(value, (tuple, list)) else (value,)
        for name, one in zip(names, values, strict=False):
            if not isinstance(one, Expression) or (one.name and one.op is not Op.PARAMETER):
                continue
            one.name = one.name or name
            _belong(one, Equation(_file(function), line, text))
            notes.append(one)
        return value

    symbols = [
        Expression(Op.INPUT, name=arguments[0]),
        *(Expression(Op.STATE, name=state) for state in states),
    ]
    definition = read_definition(function, place)
    written = statements(definition, _file(function))
    noted = noting(function, definition, states, note, place)
    try:
        returned = noted(*symbols)
    except Exception as error:
        where = written.get(_line(error.__traceback__, function.__code__.co_filename, written), place)
        raise EquationError(f"{where}: {_reason(error, function)}") from error
    outputs = returned if isinstance(returned, tuple) else (returned,)
    if len(outputs) != len(states) or not all(isinstance(output, Expression) for output in outputs):
        raise EquationError(f"{place}: it must return the new {', '.join(states)}, in this order, and nothing else")
    return build(states, outputs, notes, place=place)


def _arguments(function: FunctionType, place: str) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters.values()
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    if len(parameters) < 2 or any(one.kind is not plain or one.default is not one.empty for one in parameters):
        raise EquationError(f"{place}: its arguments are the input and one or more states, as in (x, h) or (x, h, c)")
    return tuple(one.name for one in parameters)


def _belong(expression: Expression, equation: Equation) -> None:
    """Say of an equation's own operations, but not of those of earlier equations, where they were written."""
    stack = [expression]
    while stack:
        one = stack.pop()
        if one.equation is None:
            one.equation = equation
            stack.extend(one.args)


def _file(function: FunctionType) -> str:
    return Path(function.__code__.co_filename).name


def _line(traceback: TracebackType | None, filename: str, written: Mapping[int, Equation]) -> int:
    """The innermost line of the cell itself that was running; 0 where it was none."""
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == filename and traceback.tb_lineno in written:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _reason(error: Exception, function: FunctionType) -> str:
    if isinstance(error, NameError) and error.name:
        return unknown(error.name, function)
    text = next(iter(str(error).splitlines()), "")
    if isinstance(error, TypeError) and Expression.__name__ in text:
        return f"{text}: a symbol is not a number, use sigmoid, tanh and the others of gatework.graph"
    return text if isinstance(error, EquationError) else f"{type(error).__name__}: {text}".removesuffix(": ")
