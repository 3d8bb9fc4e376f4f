"""The elementwise operations as LLVM instructions on vectors of any length, in float and double.

They end every product of a kernel, several side by side, so what counts is how many instructions there are, and how few
of them wait for each other. There are no branches, and no estimates, only operations that IEEE 754 rounds in one way:
every processor with fused multiply-add gives the same numbers. What is no number gives none.

Most of them need an exponential: x = n log 2 + r with |r| ≤ log(2)/2 (Cody & Waite 1980, Software Manual for the
Elementary Functions), and eʳ by way of tanh(r/2) ≈ r N/D, where N and D are polynomials in r²:

    eʳ = (1 + tanh(r/2)) / (1 - tanh(r/2)) = (D + r N) / (D - r N)

In single precision that is as long as a polynomial for eʳ and in double precision half as long, the longest chain of
instructions is shorter, and the division is none more where one follows anyway:

    1 / (1 + 2ⁿ eʳ) = (D - r N) / ((D - r N) + 2ⁿ (D + r N))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, nan

import llvmlite.ir as ir

from gatework.graph.ops import Op
from gatework.kernels.cpu.coefficients import HALF, LN2, LOG, LOG1P, TANH

BOUNDS: dict[Op, tuple[float, float]] = {
    Op.SIGMOID: (6.0, 3.0),
    Op.TANH: (4.0, 3.0),
    Op.EXP: (2.5, 2.0),
    Op.LOG: (3.0, 3.0),
    Op.SOFTPLUS: (4.5, 4.0),
}
"""The largest error in float and double, in units of the last place of the exact result.

They hold for every number, and the limits at ±∞ are exact, except for results below `VANISHING`. Below the smallest
normal number the last place is that of the denormal numbers. The sigmoid in float is off by more than 3.6 only where it
is smaller than 2⁻⁴⁷, since correcting the reduction as in the others takes a seventh of its time. What is not named
here is rounded correctly.
"""

VANISHING: dict[Op, tuple[float, float]] = {
    Op.SIGMOID: (2.0**-124, 2.0**-1014),
    Op.SOFTPLUS: (2.0**-126, 2.0**-1022),
}
"""A result smaller than this, in float and double, may be off by all of itself: it may come out as 0."""

_LOG_2 = LN2[64][0]
_SATURATED = 9.02  # there tanh is 1 in single precision, and this is where its approximation ends
_ROOT_HALF = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}  # the bits of √½


@dataclass(frozen=True)
class _Format:
    """The bits of a number: how many in all, those of its fraction, and what is added to its exponent."""

    bits: int
    fraction: int
    bias: int

    @property
    def rounder(self) -> float:
        """What has to be added to a small number for the last bits of the sum to be the nearest integer."""
        return float(3 << (self.fraction - 1))


_FORMATS = {ir.FloatType(): _Format(32, 23, 127), ir.DoubleType(): _Format(64, 52, 1023)}


def constant(kind: ir.Type, value: float) -> ir.Constant:
    """The same number in every lane of a type of vectors."""
    return ir.Constant(kind, [value] * kind.count)


def fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """The product of a and b, plus c, rounded once."""
    return _intrinsic(builder, "fma", a, b, c)


def _intrinsic(builder: ir.IRBuilder, name: str, *operands: ir.Value, flags: tuple[str, ...] = ()) -> ir.Value:
    """Call one of LLVM's own functions from vectors to a vector of the same type."""
    kind = operands[0].type
    name = f"llvm.{name}.v{kind.count}f{_format(kind).bits}"
    declared = builder.module.globals.get(name)
    function = declared or ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(operands)), name)
    return builder.call(function, operands, fastmath=flags)


def _format(kind: ir.Type) -> _Format:
    return _FORMATS[kind.element]


def _integers(kind: ir.Type) -> ir.Type:
    """The type of vectors of integers of the same size."""
    return ir.VectorType(ir.IntType(_format(kind).bits), kind.count)


# Which of two zeros is the larger stays open: to tell them apart takes x86 three times as many instructions.
def _maximum(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return _intrinsic(builder, "maximum", a, b, flags=("nsz",))


def _minimum(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return _intrinsic(builder, "minimum", a, b, flags=("nsz",))


def _abs(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _intrinsic(builder, "fabs", x)


def _floor(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _intrinsic(builder, "floor", x)


def _sqrt(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _intrinsic(builder, "sqrt", x)


def _relu(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _maximum(builder, x, constant(x.type, 0.0))


def _where(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    # As torch has it for relu, NaN is not known to be negative, and lets a gradient through.
    zero = constant(a.type, 0.0)
    return builder.select(builder.fcmp_unordered(">", a, zero), b, zero)


def _clamp(builder: ir.IRBuilder, x: ir.Value, low: float, high: float) -> ir.Value:
    """The number between two others that is nearest to x: one instruction each, since these are neither 0 nor NaN."""
    below = _intrinsic(builder, "minimum", x, constant(x.type, high))
    return _intrinsic(builder, "maximum", below, constant(x.type, low))


def _polynomial(builder: ir.IRBuilder, z: ir.Value, coefficients: Sequence[float]) -> ir.Value:
    """Horner's scheme; the constant comes first. A highest coefficient of 1 saves a product."""
    *lower, highest = coefficients
    monic = highest == 1.0 and lower
    total = builder.fadd(z, constant(z.type, lower.pop())) if monic else constant(z.type, highest)
    for c in reversed(lower):
        total = fma(builder, total, z, constant(z.type, c))
    return total


def _rounded(builder: ir.IRBuilder, x: ir.Value, factor: float, bias: int) -> tuple[ir.Value, ir.Value]:
    """The integer n nearest to x · factor: n + bias, as the last bits of integers, and n, as a number."""
    rounder = constant(x.type, _format(x.type).rounder + bias)
    shifted = fma(builder, x, constant(x.type, factor), rounder)
    return builder.bitcast(shifted, _integers(x.type)), builder.fsub(shifted, rounder)


def _reduced(
    builder: ir.IRBuilder, x: ir.Value, factor: float, bias: int, *, exact: bool
) -> tuple[ir.Value, ir.Value, ir.Value]:
    """n + bias and n as `_rounded` gives them, and r, where factor · x = n log 2 + factor · r.

    `exact` puts in what log 2 has beyond the digits of a number; without it the relative error of 2ⁿ eʳ grows with n.
    """
    shifted, n = _rounded(builder, x, factor / _LOG_2, bias)
    high, low = LN2[_format(x.type).bits]
    r = fma(builder, n, constant(x.type, -high / factor), x)
    return shifted, n, fma(builder, n, constant(x.type, -low / factor), r) if exact else r


def _power(builder: ir.IRBuilder, exponent: ir.Value, kind: ir.Type) -> ir.Value:
    """2ⁿ from integers whose last bits are n + bias: 0 for the lowest exponent there is, ∞ for the highest."""
    return builder.bitcast(builder.shl(exponent, _integer(kind, _format(kind).fraction)), kind)


def _integer(kind: ir.Type, value: int) -> ir.Constant:
    """The same integer in every lane."""
    return ir.Constant(_integers(kind), [value] * kind.count)


def _tangent(builder: ir.IRBuilder, r: ir.Value, scale: int = 1) -> tuple[ir.Value, ir.Value]:
    """D and N of tanh(scale · r / 2) = r N / D, for |scale · r| ≤ log(2) / 2 and a scale that is a power of 2."""
    N, D = HALF[_format(r.type).bits]
    # In r² instead of (scale · r)², and divided by what makes the highest coefficient of D 1 again.
    weights = [float(scale) ** (2 * (k - len(D) + 1)) for k in range(len(D))]
    z = builder.fmul(r, r)
    d = _polynomial(builder, z, [c * weight for c, weight in zip(D, weights, strict=True)])
    n = _polynomial(builder, z, [c * weight * scale for c, weight in zip(N, weights, strict=True)])
    return d, n


def _parts(builder: ir.IRBuilder, r: ir.Value) -> tuple[ir.Value, ir.Value]:
    """D + r N and D - r N, whose quotient is eʳ."""
    d, n = _tangent(builder, r)
    return fma(builder, r, n, d), fma(builder, builder.fneg(r), n, d)


def _sigmoid(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """1 / (1 + e⁻ˣ), with -x = n log 2 - r."""
    kind, form = x.type, _format(x.type)
    x = _clamp(builder, x, -(form.bias + 1.4) * _LOG_2, (form.bias + 0.4) * _LOG_2)
    shifted, _, r = _reduced(builder, x, -1.0, form.bias, exact=form.bits == 64)
    above, below = _parts(builder, r)
    return builder.fdiv(above, fma(builder, _power(builder, shifted, kind), below, above))


def _tanh(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _tanh_of_float(builder, x) if _format(x.type).bits == 32 else _tanh_of_double(builder, x)


def _tanh_of_float(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """2 u v / (u² + v²) with tanh(x/2) = u / v, whose errors this damps, the more the larger x is.

    The denominator is made as (u - v)² + 2 u v, so that the quotient is never above 1.
    """
    N, D = TANH[32]
    a = _intrinsic(builder, "minimum", _abs(builder, x), constant(x.type, _SATURATED))
    z = builder.fmul(a, a)
    u, v = builder.fmul(a, _polynomial(builder, z, N)), _polynomial(builder, z, D)
    above, difference = builder.fmul(u, builder.fadd(v, v)), builder.fsub(u, v)
    value = builder.fdiv(above, fma(builder, difference, difference, above))
    return _intrinsic(builder, "copysign", value, x)


def _tanh_of_double(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """(2ⁿ e²ʳ - 1) / (2ⁿ e²ʳ + 1) with tanh(r) = u / d: ((2ⁿ - 1) d + (2ⁿ + 1) u) / ((2ⁿ + 1) d + (2ⁿ - 1) u).

    What is subtracted is exact, so small results are as accurate as large ones.
    """
    kind = x.type
    x = _clamp(builder, x, -20.0, 20.0)
    shifted, _, r = _reduced(builder, x, 2.0, _format(kind).bias, exact=False)
    power = _power(builder, shifted, kind)
    less, more = builder.fsub(power, constant(kind, 1.0)), builder.fadd(power, constant(kind, 1.0))
    d, n = _tangent(builder, r, scale=2)
    u = builder.fmul(r, n)
    above = fma(builder, less, d, builder.fmul(more, u))
    return builder.fdiv(above, fma(builder, more, d, builder.fmul(less, u)))


def _exp(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """2ⁿ eʳ, with 2ⁿ as a product of two, since it may be too large or too small where 2ⁿ eʳ is not."""
    kind, form = x.type, _format(x.type)
    x = _clamp(builder, x, -(form.bias + form.fraction + 1) * _LOG_2, (form.bias + 1.4) * _LOG_2)
    shifted, n, r = _reduced(builder, x, 1.0, 2 * form.bias, exact=True)
    half, _ = _rounded(builder, n, 0.5, form.bias)
    value = builder.fdiv(*_parts(builder, r))
    for exponent in (half, builder.sub(shifted, half)):
        value = builder.fmul(value, _power(builder, exponent, kind))
    return value


def _softplus(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """max(x, 0) + log(1 + q), q = e⁻|x|, with 1 + q = (1 + w) / (1 - w), w = q / (2 + q)."""
    kind, form = x.type, _format(x.type)
    y = _intrinsic(builder, "maximum", builder.fneg(_abs(builder, x)), constant(kind, -(form.bias + 0.4) * _LOG_2))
    shifted, _, r = _reduced(builder, y, 1.0, form.bias, exact=True)
    above, below = _parts(builder, r)
    above = builder.fmul(above, _power(builder, shifted, kind))
    w = builder.fdiv(above, fma(builder, below, constant(kind, 2.0), above))
    series = _polynomial(builder, builder.fmul(w, w), LOG1P[form.bits][0])
    return fma(builder, w, series, _relu(builder, x))


def _log(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """n log 2 + log m, x = 2ⁿ m, √½ ≤ m < √2, with m = (1 + w) / (1 - w), w = (m - 1) / (m + 1)."""
    kind, form = x.type, _format(x.type)
    one, shift = constant(kind, 1.0), _integer(kind, form.fraction)
    small = builder.fcmp_ordered("<", x, constant(kind, 2.0 ** (1 - form.bias)))
    bits = builder.select(small, builder.fmul(x, constant(kind, 2.0**form.fraction)), x)
    bits = builder.bitcast(bits, _integers(kind))
    exponent = builder.ashr(builder.sub(bits, _integer(kind, _ROOT_HALF[form.bits])), shift)
    m = builder.bitcast(builder.sub(bits, builder.shl(exponent, shift)), kind)
    n = builder.sitofp(exponent, kind)
    n = builder.select(small, builder.fsub(n, constant(kind, float(form.fraction))), n)
    # Where the logarithm is no finite number, it takes the place of n.
    n = builder.select(builder.fcmp_unordered("==", x, constant(kind, inf)), x, n)
    n = builder.select(builder.fcmp_ordered("==", x, constant(kind, 0.0)), constant(kind, -inf), n)
    n = builder.select(builder.fcmp_ordered("<", x, constant(kind, 0.0)), constant(kind, nan), n)
    w = builder.fdiv(builder.fsub(m, one), builder.fadd(m, one))
    series = _polynomial(builder, builder.fmul(w, w), LOG[form.bits][0])
    return fma(builder, n, constant(kind, _LOG_2), builder.fmul(w, series))


LLVM: dict[Op, Callable[..., ir.Value]] = {
    Op.ADD: ir.IRBuilder.fadd,
    Op.SUBTRACT: ir.IRBuilder.fsub,
    Op.MULTIPLY: ir.IRBuilder.fmul,
    Op.DIVIDE: ir.IRBuilder.fdiv,
    Op.NEGATE: ir.IRBuilder.fneg,
    Op.MAXIMUM: _maximum,
    Op.MINIMUM: _minimum,
    Op.SIGMOID: _sigmoid,
    Op.TANH: _tanh,
    Op.RELU: _relu,
    Op.SOFTPLUS: _softplus,
    Op.EXP: _exp,
    Op.LOG: _log,
    Op.SQRT: _sqrt,
    Op.ABS: _abs,
    Op.FLOOR: _floor,
    Op.WHERE: _where,
}
"""What each operation is: from a builder and vectors to a vector of the same type."""
