"""Compute the coefficients of the compiled elementwise functions.

Usage: python scripts/approximations.py    (writes src/gatework/kernels/cpu/coefficients.py, in seconds)

Each function f is approximated by N(z) / D(z), z = x², with the least largest relative error over an interval: Remez'
exchange in its form for rational functions (Maehly 1963; Cody 1970, SIAM Review 12:400). Rounding all coefficients at
the end would spoil the last bits, so they are rounded one after another, and those not yet rounded are fitted again.

N(0) / D(0) is f(0) exactly, so that f(0)·x stays exact for small x. Where there is a denominator, its highest
coefficient is 1, which saves a multiplication.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mpmath
from mpmath import mp, mpf

TARGET = Path(__file__).parent.parent / "src/gatework/kernels/cpu/coefficients.py"
POINTS = 24
"""Points of the grid for each coefficient."""

Polynomial = list[mpf | None]
"""Coefficients, the constant first; None where it is to be fitted."""


@dataclass(frozen=True)
class Problem:
    """Approximate f(x) for 0 < x ≤ end by N(x²) / D(x²), with polynomials of these degrees, for one size of numbers.

    The relative error may be `slack(x)` times as large as it is near 0. `lowest` is D(0) where that is chosen: numbers
    somewhat below a power of 2 are the ones that rounding changes least.
    """

    f: Callable[[mpf], mpf]
    at_zero: float
    end: mpf
    numerator: int
    denominator: int
    bits: int
    slack: Callable[[mpf], mpf] = lambda x: mpf(1)
    lowest: float | None = None


def half(x: mpf) -> mpf:
    """tanh(x/2) / x."""
    return mpmath.tanh(x / 2) / x


def damped(x: mpf) -> mpf:
    """By how much the relative error of t = tanh(x/2) shrinks in 2t / (1 + t²), or less where its square matters."""
    return min(mpmath.cosh(x), mpf(2000))


def atanh(x: mpf) -> mpf:
    """2 atanh(x) / x."""
    return 2 * mpmath.atanh(x) / x


def rounded(value: mpf, bits: int) -> float:
    """The nearest number that a float of so many bits holds."""
    return float(value) if bits == 64 else struct.unpack("f", struct.pack("f", float(value)))[0]


def evaluate(polynomial: list[mpf], z: mpf) -> mpf:
    """Horner's scheme."""
    return mpmath.polyval(polynomial[::-1], z)


def solve(problem: Problem) -> tuple[list[float], list[float]]:
    """The rounded coefficients of N and D, the constants first."""
    N: Polynomial = [None] * (problem.numerator + 1)
    D: Polynomial = [*[None] * problem.denominator, mpf(1)]
    if problem.lowest:
        D[0] = mpf(problem.lowest)
    if D[0] is not None:
        N[0] = problem.at_zero * D[0]
    # The lowest coefficients matter most: the others can still make up for their rounding.
    while unknown := unknowns(N, D):
        fitted = fit(problem, N, D)
        which, j = unknown[0]
        value = mpf(rounded(fitted[which][j], problem.bits))
        (N, D)[which][j] = value
        if (which, j) == (1, 0):
            N[0] = problem.at_zero * value
    return [float(c) for c in N], [float(c) for c in D]


def unknowns(N: Polynomial, D: Polynomial) -> list[tuple[int, int]]:
    """Which coefficients are to be fitted: (0, j) of N, (1, j) of D, the lowest first. N[0] goes along with D[0]."""
    found = [(0, j) for j, c in enumerate(N) if c is None and j] + [(1, j) for j, c in enumerate(D) if c is None]
    return sorted(found, key=lambda one: (one[1], one[0]))


def fit(problem: Problem, N: Polynomial, D: Polynomial) -> tuple[list[mpf], list[mpf]]:
    """The polynomials of least largest relative error that have the known coefficients."""
    unknown = unknowns(N, D)
    count = POINTS * (len(unknown) + 2)
    x = [problem.end * (1 - mpmath.cos(mp.pi * (k + 1) / count)) / 2 for k in range(count)]
    z, f, slack = [t * t for t in x], [problem.f(t) for t in x], [problem.slack(t) for t in x]
    chosen = [(count - 1) * k // len(unknown) for k in range(len(unknown) + 1)]
    best, least = (N, D), mpf("inf")
    for _ in range(40):
        n, d, level = interpolate(problem, N, D, [(z[k], f[k], slack[k]) for k in chosen])
        errors = [(evaluate(n, z[k]) / evaluate(d, z[k]) / f[k] - 1) / slack[k] for k in range(count)]
        largest = max(map(abs, errors))
        if largest < least:
            best, least = (n, d), largest
        extremes = alternating(errors, len(chosen))
        if largest < level * mpf("1.001") or len(extremes) < len(chosen):
            break
        chosen = extremes
    return best


def interpolate(
    problem: Problem, N: Polynomial, D: Polynomial, points: list[tuple[mpf, mpf, mpf]]
) -> tuple[list[mpf], list[mpf], mpf]:
    """N, D and the size of the relative error, without slack, that alternates over these points (z, f and slack).

    N − f D = ± level · f D is linear in the coefficients but for D on the right, which is that of the step before.
    """
    unknown = unknowns(N, D)
    size = len(points)
    before = [mpf(1)] * size
    for _ in range(8):
        A, rhs = mpmath.matrix(size, size), mpmath.matrix(size, 1)
        for row, (z, f, slack) in enumerate(points):
            for column, (which, j) in enumerate(unknown):
                A[row, column] = (-f if which else 1) * z**j
                if (which, j) == (1, 0):
                    A[row, column] += problem.at_zero
            A[row, size - 1] = (-1) ** row * slack * f * before[row]
            rhs[row] = f * known(D, z) - known(N, z)
        solution = mpmath.lu_solve(A, rhs)
        n, d = list(N), list(D)
        for value, (which, j) in zip(solution, unknown, strict=False):
            (n, d)[which][j] = value
        if n[0] is None:
            n[0] = problem.at_zero * d[0]
        scale = [evaluate(d, z) for z, _, _ in points]
        change = max(abs(new / old - 1) for new, old in zip(scale, before, strict=True))
        before = scale
        if change < mpf("1e-6"):
            break
    return n, d, abs(solution[size - 1])


def known(polynomial: Polynomial, z: mpf) -> mpf:
    """The part of a polynomial whose coefficients are known."""
    return sum((c * z**j for j, c in enumerate(polynomial) if c is not None), mpf(0))


def alternating(errors: list[mpf], count: int) -> list[int]:
    """Where the error is largest between its changes of sign, and so many of these places."""
    found: list[int] = []
    for k, error in enumerate(errors):
        if not found or (error > 0) != (errors[found[-1]] > 0):
            found.append(k)
        elif abs(error) > abs(errors[found[-1]]):
            found[-1] = k
    # The signs must go on alternating, so what is too much is taken from the ends.
    while len(found) > count:
        del found[0 if abs(errors[found[0]]) < abs(errors[found[-1]]) else -1]
    return found


# Half of log 2 and a little more, since what is reduced by multiples of log 2 is rounded.
HALF_END = mpf("0.3468")
# m between √½ and √2 is (1 + w) / (1 - w), and so is 1 + u with u between 0 and 1.
LOG_END, LOG1P_END = mpf("0.1716"), mpf(1) / 3

PROBLEMS: dict[str, tuple[str, tuple[Problem, ...]]] = {
    "TANH": (
        "tanh(x/2) / x where |x| is at most 9.02, beyond which tanh(x) is 1.",
        (Problem(half, 0.5, mpf("9.02"), 2, 3, 32, damped, lowest=950000.0),),
    ),
    "HALF": (
        "tanh(r/2) / r where |r| is at most half of log 2.",
        (Problem(half, 0.5, HALF_END, 1, 1, 32), Problem(half, 0.5, HALF_END, 2, 2, 64)),
    ),
    "LOG": (
        "log((1 + w) / (1 - w)) / w where |w| is at most (√2 - 1)².",
        (Problem(atanh, 2.0, LOG_END, 3, 0, 32), Problem(atanh, 2.0, LOG_END, 7, 0, 64)),
    ),
    "LOG1P": (
        "log((1 + w) / (1 - w)) / w where |w| is at most 1/3.",
        (Problem(atanh, 2.0, LOG1P_END, 4, 0, 32), Problem(atanh, 2.0, LOG1P_END, 10, 0, 64)),
    ),
}
"""The tables: what each approximates, and for which sizes of numbers."""

HEAD = '''"""Coefficients of the elementwise functions. Made by `python scripts/approximations.py`: change only that.

`NAME[bits]` are the coefficients of N and D, the constants first, in N(x²) / D(x²).
"""

Polynomial = tuple[float, ...]

LN2: dict[int, tuple[float, float]] = {{
    32: {},
    64: {},
}}
"""log 2 as a number, and what that lacks."""
'''


def text() -> str:
    """The generated file."""
    with mpmath.workdps(40):
        parts = [HEAD.format(two_parts(mpmath.ln2, 32), two_parts(mpmath.ln2, 64))]
        for name, (meaning, problems) in PROBLEMS.items():
            parts.append(f"\n{name}: dict[int, tuple[Polynomial, Polynomial]] = {{\n")
            parts += [f"    {one.bits}: (\n{''.join(map(literal, solve(one)))}    ),\n" for one in problems]
            parts.append(f'}}\n"""{meaning}"""\n')
    return "".join(parts)


def two_parts(value: mpf, bits: int) -> tuple[float, float]:
    """A number of so many bits, and the rest."""
    high = rounded(value, bits)
    return high, rounded(value - high, bits)


def literal(polynomial: list[float]) -> str:
    """A tuple as the formatter likes it."""
    if len(polynomial) == 1:
        return f"        ({polynomial[0]!r},),\n"
    return "        (\n" + "".join(f"            {c!r},\n" for c in polynomial) + "        ),\n"


def main() -> None:
    """Write the file."""
    TARGET.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
