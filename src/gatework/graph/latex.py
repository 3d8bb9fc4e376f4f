r"""Equations for a paper: `r_t &= \sigma(W_{r} x_t + U_{r} h_{t-1} + b_{r})`."""

from gatework.graph.graph import Graph
from gatework.graph.ops import Op
from gatework.graph.printing import (
    APPLIED,
    ATOM,
    FACTOR,
    PRODUCT,
    SIGNED,
    SUM,
    Notation,
    Template,
    call,
    infix,
)

TEMPLATES: dict[Op, Template] = {
    Op.MATMUL: infix(" ", APPLIED, FACTOR, FACTOR),
    Op.TRANSPOSED: infix(r"^{{\top}} ", APPLIED, FACTOR, FACTOR),
    Op.OUTER: Template(r"{} {}^{{\top}}", APPLIED, (FACTOR, FACTOR)),
    Op.ADD: infix(" + ", SUM, SIGNED, SUM),
    Op.SUBTRACT: infix(" - ", SUM, SIGNED, APPLIED),
    Op.MULTIPLY: infix(r" \odot ", PRODUCT, PRODUCT, FACTOR),
    Op.DIVIDE: Template(r"\frac{{{}}}{{{}}}", ATOM, (0, 0)),
    Op.NEGATE: Template("-{}", SIGNED, (APPLIED,)),
    Op.MAXIMUM: call(r"\max\left({}, {}\right)", 2),
    Op.MINIMUM: call(r"\min\left({}, {}\right)", 2),
    Op.SIGMOID: call(r"\sigma\left({}\right)"),
    Op.TANH: call(r"\tanh\left({}\right)"),
    Op.RELU: call(r"\operatorname{{relu}}\left({}\right)"),
    Op.SOFTPLUS: call(r"\operatorname{{softplus}}\left({}\right)"),
    Op.EXP: call(r"\exp\left({}\right)"),
    Op.LOG: call(r"\log\left({}\right)"),
    Op.SQRT: call(r"\sqrt{{{}}}"),
    Op.ABS: call(r"\left|{}\right|"),
    Op.COS: call(r"\cos\left({}\right)"),
    Op.SIN: call(r"\sin\left({}\right)"),
    Op.FLOOR: call(r"\left\lfloor {} \right\rfloor"),
    Op.WHERE: call(r"\left[{} > 0\right] \odot \left({}\right)", 2),
    Op.STANDARD: call(r"\operatorname{{BN}}\left({}\right)"),
    Op.MEAN: call(r"\operatorname{{mean}}\left({}\right)"),
    Op.SUM: call(r"\operatorname{{sum}}\left({}\right)"),
    Op.SPREAD: Template("{}", SUM, (SUM,)),
}

_GREEK = frozenset(
    {
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "pi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
    }
)


def _number(text: str) -> str:
    r"""A number with its power of ten: `1e-05` → `\left(1 \cdot 10^{-5}\right)`."""
    digits, _, power = text.partition("e")
    return rf"\left({digits} \cdot 10^{{{int(power)}}}\right)" if power else digits


def _symbol(name: str) -> str:
    r"""A name with its subscript apart: `h` → `h`, `alpha_f` → `\alpha`, `f`."""
    return f"\\{name}" if name in _GREEK else name if len(name) == 1 else rf"\mathrm{{{name}}}"


def _indexed(name: str, time: str) -> str:
    head, _, tail = name.partition("_")
    below = f"{tail.replace('_', ',')},{time}" if tail else time
    return f"{_symbol(head or name)}_{{{below}}}"


_NOTATION = Notation(
    TEMPLATES,
    parameter=lambda key: f"{key[0]}_{{{','.join(_symbol(part) for part in key[2:].split('_'))}}}",
    number=_number,
    now=lambda name: _indexed(name, "t"),
    before=lambda name: _indexed(name, "t-1"),
    brackets=r"\left({}\right)",
    equals=" &= ",
)


def latex(graph: Graph) -> str:
    """The equations of one time step as an `aligned` environment."""
    lines = " \\\\\n".join(f"  {line}" for line in _NOTATION.equations(graph))
    return f"\\begin{{aligned}}\n{lines}\n\\end{{aligned}}"
