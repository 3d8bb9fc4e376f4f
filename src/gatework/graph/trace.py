"""From a Python function of symbols to a cell.

The function is run once, on symbols. So that the names on the left of its equations survive, its source is
read and each `f = …` becomes `f = note("f", …)` before it runs; the function's globals and closure stay as
they are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, TracebackType
from typing import Any, overload

from gatework.errors import EquationError
from gatework.graph.build import build
from gatework.graph.cell import Cell, Option
from gatework.graph.expression import Equation, Expression
from gatework.graph.graph import Graph
from gatework.graph.noting import noting, read_definition, statements, unknown
from gatework.graph.ops import Op
from gatework.graph.weights import Declared

Declaration = Mapping[str, Declared] | Callable[..., Mapping[str, Declared]]
"""What a cell says of its weights, or a function that says it for the options that it takes."""

Square = bool | Callable[..., bool]


@overload
def cell(function: Callable[..., Any]) -> Cell: ...
@overload
def cell(
    *, source: str = "", weights: Declaration | None = None, square: Square = False, name: str = ""
) -> Callable[[Callable[..., Any]], Cell]: ...


def cell(
    function: Callable[..., Any] | None = None,
    *,
    source: str = "",
    weights: Declaration | None = None,
    square: Square = False,
    name: str = "",
) -> Cell | Callable[[Callable[..., Any]], Cell]:
    """Make a recurrent cell from its equations.

    The first argument of the function is the input `x` (N entries), the others are the states (H entries
    each), which it returns updated, in the same order. Arguments behind a `*` are further inputs of H entries, or,
    where they have a default, options: numbers, words, true or false. `source` is the paper; `weights={"b.f": 1.0}`
    starts the bias `b.f` at one. A cell that is `square` has as many inputs as units, so that the input may be added
    to a state. `weights` and `square` may be functions of options.

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
        lines = (inspect.getdoc(function) or "").splitlines()
        title = lines[0].rstrip(".") if lines else getattr(function, "__name__", "")
        own = name or getattr(function, "__name__", "")

        def of(**options: Option) -> Cell:
            equal = square(**_taken(square, options)) if callable(square) else square
            graph = trace(function, options, square=equal)
            declared = _declared(weights, options, function) if callable(weights) else weights
            return Cell(f"{own}{_written(defaults, options)}", title, source, graph, declared or {}, options, of)

        defaults = _defaults(function)
        return of(**defaults)

    return make if function is None else make(function)


def _defaults(function: Callable[..., Any]) -> dict[str, Option]:
    """The options of a cell's function: what stands behind a `*`."""
    if not isinstance(function, FunctionType):
        raise EquationError(f"a cell is a function written with def, not a {type(function).__name__}")
    found = {}
    for one in inspect.signature(function).parameters.values():
        if one.kind is one.KEYWORD_ONLY and one.default is not one.empty:
            if not isinstance(one.default, (bool, int, float, str)):
                raise EquationError(
                    f"{_place(function)}: the option {one.name} is a number, a word, True or False, not {one.default!r}"
                )
            found[one.name] = one.default
    return found


def _others(function: FunctionType) -> list[str]:
    """The inputs after the first: what stands behind a `*` and has no default."""
    parameters = inspect.signature(function).parameters.values()
    return [one.name for one in parameters if one.kind is one.KEYWORD_ONLY and one.default is one.empty]


def _declared(
    weights: Callable[..., Mapping[str, Declared]], options: Mapping[str, Option], function: Callable[..., Any]
) -> Mapping[str, Declared]:
    try:
        return weights(**_taken(weights, options))
    except EquationError:
        raise
    except Exception as error:  # it is the user's own program
        text = next(iter(str(error).splitlines()), "")
        what = f"{type(error).__name__}: {text}".removesuffix(": ")
        raise EquationError(f"cell {function.__name__}: its weights cannot be declared: {what}") from error


def _taken(function: Callable[..., Any], options: Mapping[str, Option]) -> dict[str, Option]:
    """Those of the options that a function takes."""
    return {name: options[name] for name in inspect.signature(function).parameters if name in options}


def _written(defaults: Mapping[str, Option], options: Mapping[str, Option]) -> str:
    """What differs from the defaults, as it is written behind the cell's name: `(dt=0.1)`."""
    changed = [f"{name}={value}" for name, value in options.items() if value != defaults[name]]
    return f"({', '.join(changed)})" if changed else ""


def trace(function: Callable[..., Any], options: Mapping[str, Option] | None = None, *, square: bool = False) -> Graph:
    """Run a cell's function on symbols and return its graph. Raises `EquationError`."""
    if not isinstance(function, FunctionType):
        raise EquationError(f"a cell is a function written with def, not a {type(function).__name__}")
    place = _place(function)
    first, *states = _arguments(function, place)
    inputs = [first, *_others(function)]
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

    symbols = [Expression(Op.INPUT, name=first), *(Expression(Op.STATE, name=state) for state in states)]
    others = {name: Expression(Op.INPUT, name=name) for name in inputs[1:]}
    definition = read_definition(function, place)
    written = statements(definition, _file(function))
    noted = noting(function, definition, tuple(states), note, place)
    try:
        returned = noted(*symbols, **others, **(options or {}))
    except Exception as error:
        where = written.get(_line(error.__traceback__, function.__code__.co_filename, written), place)
        raise EquationError(f"{where}: {_reason(error, function)}") from error
    outputs = returned if isinstance(returned, tuple) else (returned,)
    if len(outputs) != len(states) or not all(isinstance(output, Expression) for output in outputs):
        raise EquationError(f"{place}: it must return the new {', '.join(states)}, in this order, and nothing else")
    names = [output.name for output in outputs]
    if names != states and sorted(names) == sorted(states):
        raise EquationError(
            f"{place}: it returns the new {', '.join(names)}: return them as {', '.join(states)}, the order of its "
            "arguments, or give what is meant to change places a name of its own"
        )
    return build(states, outputs, notes, inputs=inputs, square=square, place=place)


def _place(function: FunctionType) -> str:
    return f"{_file(function)}:{function.__code__.co_firstlineno}: cell {function.__name__}"


def _arguments(function: FunctionType, place: str) -> tuple[str, ...]:
    parameters = [one for one in inspect.signature(function).parameters.values() if one.kind is not one.KEYWORD_ONLY]
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


_KINDS = {
    "'Expression' object": "a symbol",
    "'Matrix' object": "a matrix",
    "'_Matrices' object": "W or U without a name",
    "'_Vectors' object": "b or p without a name",
    "'Expression'": "a symbol",
    "not Expression": "not a symbol",
}
"""What Python calls our symbols in its own errors, and what users call them."""


def _reason(error: Exception, function: FunctionType) -> str:
    if isinstance(error, NameError) and error.name:
        return unknown(error.name, function)
    text = next(iter(str(error).splitlines()), "")
    if isinstance(error, (TypeError, AttributeError)):
        plain = functools.reduce(lambda words, kind: words.replace(*kind), _KINDS.items(), text)
        if "__array_ufunc__" in text:
            plain = "numpy takes no symbol"
        if plain != text or Expression.__name__ in text:
            return f"{plain}: a symbol is not a number, use sigmoid, tanh and the others of gatework.graph"
    return text if isinstance(error, EquationError) else f"{type(error).__name__}: {text}".removesuffix(": ")
