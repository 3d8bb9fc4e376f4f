"""Symbols that record what is done to them.

A cell is a Python function of symbols. `W.f @ x`, `U.f @ h`, `b.f`, `p.f * c` name its weights, operators and
the functions below record operations, and nothing is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, NoReturn

from gatework.errors import EquationError
from gatework.graph.ops import Op

__all__ = [
    "Equation",
    "Expression",
    "Matrix",
    "U",
    "W",
    "absolute",
    "b",
    "cos",
    "exp",
    "floor",
    "log",
    "maximum",
    "mean",
    "minimum",
    "p",
    "relu",
    "sigmoid",
    "sin",
    "softplus",
    "sqrt",
    "standard",
    "tanh",
    "total",
]


@dataclass(frozen=True, slots=True)
class Equation:
    """Where an equation was written: its file's name, its line and its text."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: in `{self.text}`"


class Expression:
    """One recorded operation. Made by using symbols, never by hand."""

    __slots__ = ("args", "equation", "name", "op", "value")
    __array_ufunc__ = None
    __hash__ = object.__hash__

    def __init__(self, op: Op, args: tuple[Expression, ...] = (), name: str = "", value: float = 0.0) -> None:
        self.op = op
        self.args = args
        self.name = name
        self.value = value
        self.equation: Equation | None = None

    def __repr__(self) -> str:
        inside = ", ".join(arg.name or arg.op for arg in self.args)
        return f"<{self.name or self.op}{f'({inside})' if inside else ''}>"

    def __add__(self, other: object) -> Expression:
        return _record(Op.ADD, self, other)

    def __radd__(self, other: object) -> Expression:
        return _record(Op.ADD, other, self)

    def __sub__(self, other: object) -> Expression:
        return _record(Op.SUBTRACT, self, other)

    def __rsub__(self, other: object) -> Expression:
        return _record(Op.SUBTRACT, other, self)

    def __mul__(self, other: object) -> Expression:
        return _record(Op.MULTIPLY, self, other)

    def __rmul__(self, other: object) -> Expression:
        return _record(Op.MULTIPLY, other, self)

    def __truediv__(self, other: object) -> Expression:
        if isinstance(other, Real) and other == 0:
            raise EquationError("a symbol is divided by zero")
        return _record(Op.DIVIDE, self, other)

    def __rtruediv__(self, other: object) -> Expression:
        return _record(Op.DIVIDE, other, self)

    def __neg__(self) -> Expression:
        return _record(Op.NEGATE, self)

    def __abs__(self) -> Expression:
        return _record(Op.ABS, self)

    def __pow__(self, exponent: object) -> Expression:
        if isinstance(exponent, Expression) or exponent != 2:
            raise EquationError(f"only the power 2 is known, not {exponent!r}: multiply, or use sqrt or exp")
        return _record(Op.MULTIPLY, self, self)

    def __rpow__(self, base: object) -> Expression:
        raise EquationError(f"only the power 2 is known, not {base!r} to a symbol: write it with exp")

    def __matmul__(self, other: object) -> Expression:
        raise EquationError("only a weight matrix stands left of @: write W.k @ x or U.k @ h")

    def __array__(self, *_arguments: object, **_options: object) -> NoReturn:
        raise EquationError("a symbol is not an array: use sigmoid, tanh and the others of gatework.graph")

    def __bool__(self) -> bool:
        raise EquationError("a symbol is neither true nor false: an equation cannot branch on its value")

    def _compare(self, _other: object) -> NoReturn:
        raise EquationError("a symbol has no value to compare: use maximum, minimum or relu")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _compare


class Matrix:
    """A weight matrix. It can only be multiplied with a vector: `W.f @ x`."""

    __slots__ = ("name",)
    __array_ufunc__ = None

    def __init__(self, name: str) -> None:
        self.name = name

    def __matmul__(self, other: object) -> Expression:
        return _record(Op.MATMUL, Expression(Op.PARAMETER, name=self.name), other)

    def _refuse(self, _other: object = None) -> Expression:
        raise EquationError(f"{self.name} is a matrix: multiply it with a vector first, as in {self.name} @ x")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __rmatmul__ = __neg__ = _refuse


class _Matrices:
    """`W` and `U`: every attribute is a matrix of that kind."""

    __slots__ = ("_kind",)

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> Matrix:
        return Matrix(_parameter(self._kind, name))

    def __matmul__(self, other: object) -> Expression:
        raise EquationError(f"{self._kind} needs a name: write {self._kind}.k @ …, with k the equation's name")


class _Vectors:
    """`b` and `p`: every attribute is a vector of that kind."""

    __slots__ = ("_kind",)

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> Expression:
        return Expression(Op.PARAMETER, name=_parameter(self._kind, name))


W = _Matrices("W")
"""Input matrices: `W.k @ x`."""
U = _Matrices("U")
"""Recurrent matrices: `U.k @ h`, or any vector that depends on a state."""
b = _Vectors("b")
"""Biases: `b.k`."""
p = _Vectors("p")
"""Diagonal ("peephole") weights: `p.k * c`."""


def _parameter(kind: str, name: str) -> str:
    if name.startswith("_"):
        raise AttributeError(f"{kind}.{name}: the name of a weight does not start with an underscore")
    if not name.isidentifier():
        raise EquationError(f"{name!r} cannot name a weight: write a name such as {kind}.k")
    return f"{kind}.{name}"


def _operand(value: Any) -> Expression:
    if isinstance(value, Expression):
        return value
    if isinstance(value, Real) and value is not True and value is not False:
        if not math.isfinite(value):
            raise EquationError(f"a constant is a finite number, not {value!r}")
        return Expression(Op.CONSTANT, value=float(value))
    if isinstance(value, Matrix):
        raise EquationError(f"{value.name} is a matrix: multiply it with a vector first, as in {value.name} @ x")
    if isinstance(value, (_Matrices, _Vectors)):
        raise EquationError("W, U, b and p need a name: write b.k, with k the equation's name")
    raise EquationError(f"a value of type {type(value).__name__} is neither a symbol nor a number")


def _record(op: Op, *operands: object) -> Expression:
    return Expression(op, tuple(_operand(operand) for operand in operands))


def sigmoid(a: object) -> Expression:
    """Logistic function, 1 / (1 + exp(-a)): a gate between 0 and 1."""
    return _record(Op.SIGMOID, a)


def tanh(a: object) -> Expression:
    """Hyperbolic tangent."""
    return _record(Op.TANH, a)


def relu(a: object) -> Expression:
    """The positive part of a."""
    return _record(Op.RELU, a)


def softplus(a: object) -> Expression:
    """log(1 + exp(a))."""
    return _record(Op.SOFTPLUS, a)


def exp(a: object) -> Expression:
    """Exponential."""
    return _record(Op.EXP, a)


def log(a: object) -> Expression:
    """Natural logarithm."""
    return _record(Op.LOG, a)


def sqrt(a: object) -> Expression:
    """Square root."""
    return _record(Op.SQRT, a)


def absolute(a: object) -> Expression:
    """Magnitude, elementwise; `abs(a)` is the same."""
    return _record(Op.ABS, a)


def floor(a: object) -> Expression:
    """The largest whole number that is not above a; its derivative is zero."""
    return _record(Op.FLOOR, a)


def cos(a: object) -> Expression:
    """Cosine, of radians."""
    return _record(Op.COS, a)


def sin(a: object) -> Expression:
    """Sine, of radians."""
    return _record(Op.SIN, a)


def maximum(a: object, other: object) -> Expression:
    """The larger of two, elementwise."""
    return _record(Op.MAXIMUM, a, other)


def minimum(a: object, other: object) -> Expression:
    """The smaller of two, elementwise."""
    return _record(Op.MINIMUM, a, other)


def mean(a: object) -> Expression:
    """Mean over the entries of a vector: one number for each sequence of the batch."""
    return _record(Op.MEAN, a)


def standard(a: object) -> Expression:
    """a less its mean, over its deviation: each entry's own, over all sequences and time steps of a batch.

    That is batch norm without its scale and shift, which are weights: `p.f * standard(W.f @ x) + b.f`. After training
    it takes running averages. What it is taken of depends on no state.
    """
    return _record(Op.STANDARD, a)


def total(a: object) -> Expression:
    """Sum over the entries of a vector: one number for each sequence of the batch."""
    return _record(Op.SUM, a)
