"""The source of a cell's function, and the same function with its equations noted."""

from __future__ import annotations

import ast
import difflib
import inspect
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

from gatework.errors import EquationError
from gatework.graph import expression as language
from gatework.graph.expression import Equation

_NOTE = "__gatework_note__"
_FACTORY = "__gatework_factory__"


def read_definition(function: FunctionType, place: str) -> ast.FunctionDef:
    """The function's syntax tree, its lines counted as in its file."""
    if inspect.unwrap(function) is not function:
        raise EquationError(f"{place}: no other decorator stands between @cell and the equations")
    try:
        source, first = inspect.getsourcelines(function)
        # Under an `if`, a function that is indented in its file is read as it stands.
        indented = source[0][:1].isspace()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whoever compiled the file has been warned
            tree = ast.parse("".join(["if 1:\n", *source] if indented else source))
    except (OSError, TypeError, SyntaxError, IndexError) as error:
        what = "a cell is written with def" if function.__name__ == "<lambda>" else "its source cannot be read"
        raise EquationError(f"{place}: {what}: write the cell as a function in a file") from error
    ast.increment_lineno(tree, max(first, 1) - (2 if indented else 1))
    outer = tree.body[0]
    definition = outer.body[0] if isinstance(outer, ast.If) else outer
    if not isinstance(definition, ast.FunctionDef):
        raise EquationError(f"{place}: a cell is written with def: write the cell as a function in a file")
    return definition


def statements(definition: ast.FunctionDef, file: str) -> dict[int, Equation]:
    """Line of the file → the statement that stands there."""
    found = {}
    for one in ast.walk(definition):
        if isinstance(one, ast.stmt) and one is not definition:
            body = getattr(one, "body", None)
            end = body[0].lineno - 1 if body else one.end_lineno or one.lineno
            equation = Equation(file, one.lineno, ast.unparse(one).splitlines()[0])
            found.update(dict.fromkeys(range(one.lineno, max(one.lineno, end) + 1), equation))
    return found


def noting(
    function: FunctionType,
    definition: ast.FunctionDef,
    states: tuple[str, ...],
    note: Callable[..., Any],
    place: str,
) -> Callable[..., Any]:
    """The same function, except that every equation is noted under its name."""
    definition.decorator_list = []
    definition.body = [_Noting(states).visit(statement) for statement in definition.body]
    names = function.__code__.co_freevars
    factory = ast.FunctionDef(
        name=_FACTORY,
        args=ast.arguments([], [ast.arg(name) for name in (*names, _NOTE)], None, [], [], None, []),
        body=[definition, ast.Return(ast.Name(definition.name, ast.Load()))],
        decorator_list=[],
    )
    if hasattr(factory, "type_params"):
        factory.type_params = []
    module = ast.fix_missing_locations(ast.Module([factory], []))
    made: dict[str, Any] = {}
    # What runs is the caller's own function, with a call around the right-hand sides of its equations. Its
    # annotations are not evaluated: the `from __future__ import annotations` of this file holds for it too.
    exec(compile(module, function.__code__.co_filename, "exec"), function.__globals__, made)  # noqa: S102
    closure = []
    for name, variable in zip(names, function.__closure__ or (), strict=True):
        try:
            closure.append(variable.cell_contents)
        except ValueError:
            raise EquationError(f"{place}: {unknown(name, function)}") from None
    result: Callable[..., Any] = made[_FACTORY](*closure, note)
    return result


class _Noting(ast.NodeTransformer):
    """Put a note around the right-hand side of every equation and every returned value."""

    def __init__(self, states: tuple[str, ...]) -> None:
        self._states = states

    def visit_Assign(self, statement: ast.Assign) -> ast.AST:
        text = ast.unparse(statement)
        value = self.visit(statement.value)
        for target in statement.targets:
            names = _names(target)
            if names:
                value = _note(names, statement.lineno, text, value)
        statement.value = value
        return statement

    def visit_AnnAssign(self, statement: ast.AnnAssign) -> ast.AST:
        names = _names(statement.target)
        if statement.value is not None and names:
            text = ast.unparse(statement)
            statement.value = _note(names, statement.lineno, text, self.visit(statement.value))
        return statement

    def visit_AugAssign(self, statement: ast.AugAssign) -> ast.AST:
        if not isinstance(statement.target, ast.Name):
            return statement
        name, text = statement.target.id, ast.unparse(statement)
        value = ast.copy_location(
            ast.BinOp(ast.Name(name, ast.Load()), statement.op, self.visit(statement.value)), statement.value
        )
        noted = _note((name,), statement.lineno, text, value)
        return ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], noted), statement)

    def visit_NamedExpr(self, expression: ast.NamedExpr) -> ast.AST:
        text = ast.unparse(expression)
        value = self.visit(expression.value)
        expression.value = _note((expression.target.id,), expression.lineno, text, value)
        return expression

    def visit_Return(self, statement: ast.Return) -> ast.AST:
        if statement.value is not None:
            text = ast.unparse(statement)
            statement.value = _note(self._states, statement.lineno, text, self.visit(statement.value))
        return statement

    def visit_Expr(self, statement: ast.Expr) -> ast.AST:
        """A value that stands alone is noted without a name: nothing uses it, and that is told."""
        text = ast.unparse(statement)
        statement.value = _note(("",), statement.lineno, text, self.visit(statement.value))
        return statement

    def visit_FunctionDef(self, statement: ast.FunctionDef) -> ast.AST:
        return statement

    def visit_AsyncFunctionDef(self, statement: ast.AsyncFunctionDef) -> ast.AST:
        return statement

    def visit_ClassDef(self, statement: ast.ClassDef) -> ast.AST:
        return statement

    def visit_Lambda(self, expression: ast.Lambda) -> ast.AST:
        return expression


def _note(names: tuple[str, ...], line: int, text: str, value: ast.expr) -> ast.expr:
    quoted = ast.Tuple([ast.Constant(name) for name in names], ast.Load())
    arguments = [quoted, ast.Constant(line), ast.Constant(text), value]
    return ast.copy_location(ast.Call(ast.Name(_NOTE, ast.Load()), arguments, []), value)


def _names(target: ast.expr) -> tuple[str, ...]:
    if isinstance(target, ast.Name):
        return (target.id,)
    if isinstance(target, (ast.Tuple, ast.List)) and all(isinstance(one, ast.Name) for one in target.elts):
        return tuple(one.id for one in target.elts if isinstance(one, ast.Name))
    return ()


def unknown(name: str, function: FunctionType) -> str:
    """The words for a name that the cell uses and that is not there."""
    if name in language.__all__:
        return f"unknown name {name}, write `from gatework.graph import {name}`"
    near = difflib.get_close_matches(name, [*function.__globals__, *function.__code__.co_varnames], 1)
    return f"unknown name {name}, " + (f"did you mean {near[0]}?" if near else "define it above the cell")
