"""The functions that Triton lacks, or has for one kind of GPU only, in its own language.

They are text, compiled with the kernels: Triton reads the source of a function when it is first called.
"""

FUNCTIONS = """\
@triton.jit
def sigmoid(a):
    return 1.0 / (1.0 + tl.exp(-a))


@triton.jit
def tanh(a):
    # Near zero a series: 1 - 2 / (e + 1) would lose the digits there. Its next term is below 1e-8 of the value.
    square = a * a
    series = square * (2.0 / 15.0 + square * (-17.0 / 315.0 + square * (62.0 / 2835.0)))
    series = a * (1.0 + square * (-1.0 / 3.0) + square * series)
    size = tl.abs(a)
    rest = 1.0 - 2.0 / (tl.exp(2.0 * size) + 1.0)
    return tl.where(size < 0.25, series, tl.where(a < 0.0, -rest, rest))


@triton.jit
def softplus(a):
    # log(1 + e) for small e by its series, which sums what 1 + e would round away.
    e = tl.exp(-tl.abs(a))
    series = e * (1.0 - e * (0.5 - e * (1.0 / 3.0 - e * (0.25 - e * 0.2))))
    return tl.maximum(a, 0.0) + tl.where(e < 0.03, series, tl.log(1.0 + e))


@triton.jit
def wait(barrier, reached):
    # All have written before one says so, and none reads before the last one has said so. The load has to acquire, also
    # for those who read through the first level of caches, as copies that are under way while others work may do.
    tl.debug_barrier()
    tl.atomic_add(barrier, 1, sem="release")
    while tl.atomic_add(barrier, 0, sem="acquire") < reached:
        pass
    tl.debug_barrier()


# What joins two steps, the earlier first: their factors, then their offsets.


@triton.jit
def replaced(b1, b2):
    return b2


@triton.jit
def summed(b1, b2):
    return b1 + b2


@triton.jit
def affine(a1, b1, a2, b2):
    return a2 * a1, a2 * b1 + b2


@triton.jit
def affine_pair(a1, b1, c1, d1, u1, v1, a2, b2, c2, d2, u2, v2):
    # The matrix [a b; c d] and the offsets u, v.
    return (
        a2 * a1 + b2 * c1, a2 * b1 + b2 * d1, c2 * a1 + d2 * c1, c2 * b1 + d2 * d1,
        a2 * u1 + b2 * v1 + u2, c2 * u1 + d2 * v1 + v2,
    )


@triton.jit
def turning(a1, c1, u1, v1, a2, c2, u2, v2):
    # The same with the matrix [a -c; c a].
    return a2 * a1 - c2 * c1, c2 * a1 + a2 * c1, a2 * u1 - c2 * v1 + u2, c2 * u1 + a2 * v1 + v2


@triton.jit
def least(a1, b1, a2, b2):
    return a1 + a2, tl.minimum(b1 + a2, b2, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def most(a1, b1, a2, b2):
    return a1 + a2, tl.maximum(b1 + a2, b2, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def row_before(rows, first, row):
    # Every row moved down by one; the first is given.
    above = tl.gather(rows, tl.broadcast_to(tl.maximum(row - 1, 0), rows.shape), 0)
    return tl.where(row == 0, first, above)


@triton.jit
def last_row(rows, row, count):
    # The last of the first `count` rows, or of all where there are fewer.
    last = tl.minimum(count, rows.shape[0]) - 1
    return tl.sum(tl.where(row == last, rows, 0.0), axis=0)[None, :]
"""
