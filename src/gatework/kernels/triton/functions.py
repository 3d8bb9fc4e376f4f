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
    # All have written before one says so, and none reads before the last one has said so.
    tl.debug_barrier()
    tl.atomic_add(barrier, 1, sem="release")
    while tl.atomic_add(barrier, 0, sem="acquire") < reached:
        pass
    tl.debug_barrier()
"""
