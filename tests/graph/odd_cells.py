"""Cells that no paper has: each is there for one thing that a pass over its graph could get wrong."""

from types import SimpleNamespace

from gatework.cells import catalogue
from gatework.graph import (
    U,
    W,
    absolute,
    b,
    cell,
    exp,
    log,
    maximum,
    mean,
    minimum,
    p,
    relu,
    sigmoid,
    softplus,
    sqrt,
    tanh,
)


@cell
def everything(x, h, c):
    """Every operation, numbers per sequence, and peepholes."""
    f = sigmoid(W.f @ x + p.f * c + b.f)
    scale = sqrt(mean(h * h) + 0.5) / softplus(mean(W.s @ x))
    c = maximum(f * c, minimum(c, U.c @ h)) - log(absolute(c) + 1.5)
    n = exp(-((h / scale) ** 2))
    h = n * tanh(c) * -f + relu(c)
    return h, c


@cell
def gate_of_a_bias(x, h):
    """A value that is the same for all sequences of a batch."""
    z = sigmoid(b.z)
    two = exp(0.5) * 2
    return (1 - z) * h + z * tanh(W.n @ x) / two


@cell
def state_of_a_bias(x, h, c):
    """A state that nothing of the step before enters."""
    c_next = tanh(b.c)
    return tanh(W.h @ x + U.h @ h + c), c_next


@cell
def state_of_a_weight(x, h, c):
    """A state that is a weight, once its equation is simplified."""
    return tanh(W.h @ x + U.h @ h + c), b.c * 1


@cell
def state_that_stays(x, h, c):
    """A state that is never changed, once its equation is simplified."""
    return tanh(W.h @ x + U.h @ h + c), c + 0


@cell
def two_states_are_one(x, h, c):
    """Both states are the same value."""
    n = tanh(W.n @ x + U.n @ h + c)
    return n, n


@cell
def states_change_places(x, h, c):
    """Each state goes into the other, and one of them meets no matrix."""
    return tanh(W.h @ x + U.h @ c) * h, h * 0.5


@cell
def a_state_without_products(x, h, c):
    """No product with any state: the gradients of the states are carried and never multiplied."""
    z = sigmoid(W.z @ x + p.z * c)
    c = z * c + (1 - z) * tanh(W.c @ x + h)
    return z * c, c


@cell
def a_weight_twice(x, h):
    """A matrix that multiplies two vectors, and the input's matrix in two sums."""
    n = tanh(W.n @ x + U.n @ h + b.n)
    z = sigmoid(U.n @ (n * h) + p.z * n + p.z * h + b.n)
    return z * n + (W.n @ x) * h


@cell
def one_vector_two_matrices(x, h):
    """Sums with several products of the same vector, with minus signs, and a product that is used twice."""
    a = U.a @ h
    s = W.a @ x + W.b @ x - U.b @ h + (a - (W.c @ x - U.c @ h))
    return tanh(s) - sigmoid(a)


@cell
def deep(x, h):
    """Each product waits for the one before."""
    one = tanh(W.a @ x + U.a @ h)
    two = sigmoid(U.b @ one + W.b @ x)
    three = tanh(U.c @ (two * one) + b.c)
    return three * one + U.d @ (three - h)


@cell
def one_number(x, h):
    """Numbers per sequence: computed with each other, with constants and with vectors, and averaged again."""
    m = mean(U.m @ h)
    s = sigmoid(m * 2 + 1) * m
    v = maximum(s, 0.1) + tanh(mean(m))
    n = tanh(W.n @ x + b.n * v)
    return n / (1 + v * v) + m + v * h


@cell
def a_mean_is_multiplied(x, h):
    """A mean in a vector that a matrix multiplies, and a mean of the result."""
    centered = h - mean(h)
    spread = sqrt(mean(centered**2) + 0.01)
    n = W.n @ x + U.n @ (centered / spread)
    return tanh(n - mean(n))


@cell
def attention(x, h):
    """A softmax over the units."""
    e = exp(tanh(W.e @ x + U.e @ h))
    return tanh(W.n @ x + e / mean(e) * h)


@cell
def linear(x, h):
    """The gradient that arrives is the gradient of the sum."""
    return W.h @ x + 0.5 * (U.h @ h)


@cell
def constants(x, h):
    """Constants in every operation of two operands, on either side, and none of them has a gradient."""
    n = W.n @ x + U.n @ (h - 0.5) + U.m @ (0.25 - h) + U.o @ (2 * h) + U.p @ (h / 4)
    return tanh(maximum(n, -0.5)) / 2 + minimum(0.3, n) * 0.5 + 1 / (2 + n * n) - maximum(0.1, h)


@cell
def names_of_a_plan(x, h):
    """Names that a plan could give itself."""
    v9 = sigmoid(W.r @ x + U.r @ h)
    h_before = tanh(W.n @ x + (U.n @ (v9 * h)) * v9)
    d_y = sigmoid(W.y @ x + h_before * h)
    carry_h = tanh(d_y * h_before + U.y @ h)
    d0_after = sigmoid(carry_h * v9 + U.z @ h)
    a0 = tanh(d0_after * carry_h + W.z @ x)
    d_h = a0 * d0_after
    return d_h * h_before + d_y


@cell
def one_number_goes_on(x, h, c):
    """A state that has the same number in every entry."""
    m = mean(tanh(U.m @ h + c))
    return tanh(W.n @ x + h * m), m + 0 * c


@cell
def weights_alone(x, h):
    """Vectors that are computed from weights alone, and then multiplied by a matrix and averaged."""
    s = sigmoid(b.k)
    return tanh(W.n @ x + W.k @ s + mean(p.k * p.k) * h + s)


@cell
def wide_and_shared(x, h, c):
    """A product that one sum has for itself, one that two sums share, and one that is taken away."""
    shared = U.s @ h
    one = tanh(W.a @ x + shared)
    two = sigmoid(W.b @ x - shared + U.b @ c)
    three = relu(shared - U.c @ c - (W.c @ x - U.d @ h))
    c = two * c + one * three
    return one * tanh(c) + minimum(three, shared), c


ODD = {name: one for name, one in globals().items() if type(one) is type(everything)}
CELLS = {name: SimpleNamespace(graph=one.graph.parts.core) for name, one in {**catalogue, **ODD}.items()}
"""Of every cell what its loop over time computes; what is computed before the loop is an input of it."""
