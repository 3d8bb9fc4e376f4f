"""The compiled elementwise functions, against more accurate arithmetic, over all the numbers there are."""

import ctypes
import functools
import importlib
from pathlib import Path

import llvmlite.ir as ir
import mpmath
import numpy as np
import pytest

from gatework.graph.ops import AHEAD, ARITY, ELEMENTWISE, Op
from gatework.kernels.cpu.build import build
from gatework.kernels.cpu.functions import BOUNDS, LLVM, VANISHING
from gatework.kernels.cpu.host import host, lowered, refusal

pytestmark = pytest.mark.skipif(bool(refusal()), reason=refusal())

BITS, LANES = (32, 64), (1, 4, 8, 16)
TYPES = {32: np.float32, 64: np.float64}
INTEGERS = {32: np.uint32, 64: np.uint64}
WIDEST = max(LANES)


def sigmoid(x):
    """Without overflow, and with small results as accurate as large ones."""
    q = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, q) / (1 + q)


DOUBLE = {
    Op.SIGMOID: sigmoid,
    Op.TANH: np.tanh,
    Op.EXP: np.exp,
    Op.LOG: np.log,
    Op.SOFTPLUS: lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
}
"""In double precision: wrong in the last of its 53 bits, which float, with 24, does not notice."""

EXACT = {
    Op.SIGMOID: lambda x: 1 / (1 + mpmath.exp(-x)),
    Op.TANH: mpmath.tanh,
    Op.EXP: mpmath.exp,
    Op.LOG: mpmath.log,
    Op.SOFTPLUS: lambda x: max(x, 0) + mpmath.log1p(mpmath.exp(-abs(x))),
}
"""To any number of digits."""


@functools.cache
def compiled(bits, lanes, level="avx512"):
    """All functions for one type of vectors: name(operands…, result, number of vectors)."""
    vector = ir.VectorType(ir.FloatType() if bits == 32 else ir.DoubleType(), lanes)
    module, pointer, integer = ir.Module(), ir.PointerType(), ir.IntType(64)
    for op, emit in LLVM.items():
        arguments = [pointer] * (ARITY[op] + 1) + [integer]
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), op.value)
        start, body, end = (function.append_basic_block(name) for name in ("start", "body", "end"))
        ir.IRBuilder(start).branch(body)
        builder = ir.IRBuilder(body)
        k = builder.phi(integer)
        *operands, out = (builder.gep(one, [k], source_etype=vector) for one in function.args[:-1])
        loaded = [builder.load(one, typ=vector, align=bits // 8) for one in operands]
        builder.store(emit(builder, *loaded), out, align=bits // 8)
        following = builder.add(k, ir.Constant(integer, 1))
        k.add_incoming(ir.Constant(integer, 0), start)
        k.add_incoming(following, body)
        builder.cbranch(builder.icmp_signed("<", following, function.args[-1]), body, end)
        ir.IRBuilder(end).ret_void()
    return build(str(module), lowered(host(), level), cache=None)


def run(op, *operands, lanes=WIDEST, level="avx512"):
    """What a function makes of arrays, whose type says which it is."""
    kind, count = operands[0].dtype, len(operands[0])
    vectors = -(-count // lanes)
    padded = [np.append(one, np.zeros(vectors * lanes - count, kind)) for one in operands]
    out = np.empty(vectors * lanes, kind)
    library = compiled(kind.itemsize * 8, lanes, level)
    types = [ctypes.c_void_p] * (len(operands) + 1) + [ctypes.c_int64]
    function = ctypes.CFUNCTYPE(None, *types)(library.address(op.value))
    function(*(one.ctypes.data for one in (*padded, out)), vectors)
    return out[:count]


def numbers(bits, each):
    """Every exponent with `each` random fractions, and all that lies around the places where something changes."""
    kind, integer, fraction = TYPES[bits], INTEGERS[bits], {32: 23, 64: 52}[bits]
    rng = np.random.default_rng(bits)
    exponents = np.arange(2 ** (bits - fraction - 1), dtype=integer) << integer(fraction)
    spread = exponents[:, None] | rng.integers(2**fraction, size=(len(exponents), each), dtype=integer)
    usual = [rng.uniform(0, end, 100 * each) for end in (1, 20, 110, 750)]
    n, log_2 = np.arange(1100), np.log(2)
    places = [n * log_2, (n + 0.5) * log_2, (n + 0.5) * log_2 / 2, np.sqrt([0.5, 2.0]), [1.0, 9.02, 20.0]]
    special = np.concatenate([*places, [0.0, np.finfo(kind).tiny, np.finfo(kind).max]]).astype(kind)
    around = special[:, None].view(integer) + np.arange(-8, 9).astype(integer)
    x = np.concatenate([spread.ravel().view(kind), *(one.astype(kind) for one in usual), around.ravel().view(kind)])
    x = x[np.isfinite(x)]
    return np.concatenate([x, -x])


def last_place(exact, bits):
    """The unit of the last place of numbers; below the smallest normal number it gets no smaller."""
    digits, lowest = {32: (24, -125), 64: (53, -1021)}[bits]
    return np.ldexp(exact.dtype.type(1), np.maximum(np.frexp(exact)[1], lowest) - digits)


def worst(op, x, y, exact):
    """The largest error in units of the last place, where results do not vanish; those are checked at once."""
    bits, kind = x.itemsize * 8, x.dtype.type
    with np.errstate(over="ignore"):
        nearest = exact.astype(kind)
    outside = ~np.isfinite(nearest)
    np.testing.assert_array_equal(y[outside], nearest[outside])
    vanishing = np.abs(exact) < VANISHING.get(op, (0.0, 0.0))[BITS.index(bits)]
    assert np.all((y[vanishing] >= 0) & (y[vanishing] <= VANISHING.get(op, (0.0, 0.0))[BITS.index(bits)]))
    rest = ~(outside | vanishing)
    errors = np.abs(y[rest] - exact[rest]) / last_place(exact[rest], bits)
    assert not np.isnan(errors).any(), f"{op} of {x[rest][np.isnan(errors)][0]!r} is not a number"
    k = int(np.argmax(errors))
    print(f"{op}: {errors[k]:.3f} units of the last place at {x[rest][k]!r}")
    return errors[k]


def quiet(function, x):
    """A function of numpy, where infinities and numbers that are none are results like others."""
    with np.errstate(all="ignore"):
        return function(x)


def test_every_elementwise_operation_has_a_row():
    assert set(LLVM) == ELEMENTWISE - AHEAD
    assert set(BOUNDS) == set(DOUBLE) == set(EXACT)


@pytest.mark.parametrize("op", BOUNDS)
def test_float_is_as_accurate_as_stated(op):
    x = numbers(32, 2000)
    error = worst(op, x, run(op, x), quiet(DOUBLE[op], x.astype(np.float64)))
    assert BOUNDS[op][0] * 0.6 < error <= BOUNDS[op][0]


def test_the_sigmoid_in_float_is_least_accurate_where_it_is_smallest():
    x = numbers(32, 2000)
    x = x[x > -32]
    assert worst(Op.SIGMOID, x, run(Op.SIGMOID, x), DOUBLE[Op.SIGMOID](x.astype(np.float64))) <= 3.6


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="numpy has nothing longer than double here")
@pytest.mark.parametrize("op", BOUNDS)
def test_double_is_as_accurate_as_stated(op):
    x = numbers(64, 60)
    error = worst(op, x, run(op, x), quiet(DOUBLE[op], x.astype(np.longdouble)))
    assert BOUNDS[op][1] * 0.6 < error <= BOUNDS[op][1]


@pytest.mark.parametrize("op", BOUNDS)
def test_double_agrees_with_many_digits(op):
    x = np.random.default_rng(0).choice(numbers(64, 2), 3000)
    x = x[(x > 0) | (op is not Op.LOG)]
    y, vanishing = run(op, x), VANISHING.get(op, (0.0, 0.0))[1]
    with mpmath.workprec(120):
        for one, value in zip(x.tolist(), y.tolist(), strict=True):
            exact = EXACT[op](mpmath.mpf(one))
            if abs(exact) >= vanishing and np.isfinite(float(exact)):
                unit = mpmath.ldexp(1, max(mpmath.frexp(exact)[1], -1021) - 53)
                assert abs(value - exact) <= BOUNDS[op][1] * unit, f"{op} of {one!r} is {value!r}"


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("op", "x", "expected"),
    [
        (Op.SIGMOID, [-np.inf, np.inf, 0.0, -0.0, -1e30, 1e30], [0, 1, 0.5, 0.5, 0, 1]),
        (Op.TANH, [-np.inf, np.inf, 0.0, -0.0, -1e30, 1e30], [-1, 1, 0, 0, -1, 1]),
        (Op.EXP, [-np.inf, np.inf, 0.0, -0.0, -1e30, 1e30], [0, np.inf, 1, 1, 0, np.inf]),
        (Op.LOG, [np.inf, 1.0, 0.0, -0.0, -1e-30, -np.inf], [np.inf, 0, -np.inf, -np.inf, np.nan, np.nan]),
        (Op.SOFTPLUS, [-np.inf, np.inf, -1e30, 1e30], [0, np.inf, 0, 1e30]),
        (Op.RELU, [-np.inf, np.inf, 0.0, -1.5, 1.5], [0, np.inf, 0, 0, 1.5]),
        (Op.SQRT, [np.inf, 0.0, -1.0, 2.25], [np.inf, 0, np.nan, 1.5]),
        (Op.ABS, [-np.inf, -0.0, -1.5, 1.5], [np.inf, 0, 1.5, 1.5]),
        (Op.NEGATE, [-np.inf, -1.5, 1.5], [np.inf, 1.5, -1.5]),
    ],
)
def test_limits_are_exact(op, x, expected, kind):
    np.testing.assert_array_equal(run(op, np.array(x, kind)), np.array(expected, kind))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("op", [op for op in LLVM if ARITY[op] == 1])
def test_no_number_gives_no_number(op, bits):
    """Whatever the bits of the NaN, which some functions compute with."""
    kind, integer = TYPES[bits], INTEGERS[bits]
    infinity = np.array([np.inf, -np.inf], kind).view(integer)
    payloads = np.random.default_rng(0).integers(1, 2 ** {32: 23, 64: 52}[bits], size=1000, dtype=integer)
    assert np.isnan(run(op, (infinity[:, None] | payloads).ravel().view(kind))).all()


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (Op.ADD, np.add),
        (Op.SUBTRACT, np.subtract),
        (Op.MULTIPLY, np.multiply),
        (Op.DIVIDE, np.divide),
        (Op.MAXIMUM, np.maximum),
        (Op.MINIMUM, np.minimum),
        (Op.WHERE, lambda a, b: np.where(a <= 0, 0, b)),  # NaN lets a gradient through, as torch has it for relu
    ],
)
def test_operations_on_two_numbers_are_those_of_numpy(op, expected, bits):
    kind = TYPES[bits]
    tiny = np.finfo(kind).smallest_subnormal
    some = np.array([np.nan, np.inf, 3.0, 1 / 3, 1e-3, tiny, 0.0], kind)
    some = np.concatenate([some, -some])
    a, b = (one.ravel() for one in np.meshgrid(some, some))
    np.testing.assert_array_equal(run(op, a, b), quiet(lambda _: expected(a, b), a))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize(("op", "expected"), [(Op.SQRT, np.sqrt), (Op.ABS, np.abs), (Op.NEGATE, np.negative)])
def test_operations_on_one_number_are_those_of_numpy(op, expected, bits):
    x = numbers(bits, 10)
    np.testing.assert_array_equal(run(op, x), quiet(expected, x))


@pytest.mark.parametrize("bits", BITS)
def test_gates_stay_within_their_limits(bits):
    x = numbers(bits, 100)
    tanh, gate = run(Op.TANH, x), run(Op.SIGMOID, x)
    assert tanh.min() == -1
    assert tanh.max() == 1
    assert gate.min() == 0
    assert gate.max() == 1
    np.testing.assert_array_equal(run(Op.TANH, -x), -tanh)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize(("lanes", "level"), [*((lanes, "avx512") for lanes in LANES[:-1]), (8, "avx2"), (16, "avx2")])
def test_vectors_of_any_length_give_the_same_bits(lanes, level, bits):
    x = np.append(numbers(bits, 2), TYPES[bits](np.nan))
    for op in LLVM:
        operands = (x, x[::-1].copy())[: ARITY[op]]
        np.testing.assert_array_equal(run(op, *operands, lanes=lanes, level=level), run(op, *operands), err_msg=op)


def test_the_coefficients_are_those_that_the_script_computes(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "scripts")
    script = importlib.import_module("approximations")
    assert script.text() == script.TARGET.read_text(encoding="utf-8")
