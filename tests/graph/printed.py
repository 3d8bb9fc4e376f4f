"""What `gatework show` prints, read back and computed in numpy, for one sequence."""

import re

import numpy as np
from random_cells import NUMPY, H

from gatework.graph.ops import Op

PLAIN = (Op.TANH, Op.RELU, Op.SOFTPLUS, Op.EXP, Op.LOG, Op.SQRT, Op.ABS, Op.COS, Op.SIN)
FUNCTIONS = {one.value: NUMPY[one] for one in PLAIN}
FUNCTIONS |= {
    "sigma": NUMPY[Op.SIGMOID],
    "sum": np.sum,
    "floor": np.floor,
    "spread": lambda a: np.full(H, a),
    "max": np.maximum,
    "min": np.minimum,
    "truth": lambda a: 1.0 * a,
}

SIGNS = {"⊙": "*", "σ(": "sigma(", "√(": "sqrt(", "²": "**2", "[": "truth(", "]": ")", "⌊": "floor(", "⌋": ")"}
TIMES = {"ₜ₋₁": "t - 1", "ₜ₊₁": "t + 1", "ₜ": "t", "₀": "-1", "₁": "0"}


class Printed:
    """The values of what has a name and a time: `self.at["h", -1]` is what the first step begins with.

    Gradients are zero where nothing was computed.
    """

    def __init__(self, weights, sizes):
        self.at = {}
        self._space = {**FUNCTIONS, **sizes, "at": self._value}
        self._space |= {key.replace(".", "_"): value for key, value in weights.items()}

    def run(self, line, t, *, stored=False):
        """Compute an equation at a time step. What is stored in an array has H entries, though they be equal."""
        left, sign, right = re.fullmatch(r"(\S+) (\+?=) (.*)", line).groups()
        value = self.value(right, t)
        value = np.full(H, value) if stored and not np.ndim(value) else value
        if not left.endswith(tuple(TIMES)):
            self._space[left] = value
            return
        name, time = re.fullmatch(r"(\w+?)(ₜ₋₁|ₜ|₀)", left).groups()
        key = name, eval(TIMES[time], {"t": t})  # noqa: S307
        self.at[key] = self.at[key] + value if sign == "+=" else value

    def value(self, text, t):
        """What the right side of an equation is worth."""
        for sign, word in SIGNS.items():
            text = text.replace(sign, word)
        text = re.sub(r"(\w+?)(ₜ₋₁|ₜ₊₁|ₜ|₀|₁)", lambda found: f'at("{found[1]}", {TIMES[found[2]]})', text)
        text = re.sub(
            r"\b([WU]_[A-Za-z0-9_]+)(ᵀ?) (?=[\w(])", lambda found: f"{found[1]}{'.T' * len(found[2])} @ ", text
        )
        return eval(text, {**self._space, "t": t})  # noqa: S307

    def gradient(self, line, times):
        """The gradient of a weight: its key's name, and the sum over time of a product or of a vector."""
        name, right = re.fullmatch(r"d_(\w+) = (?:Σ )?(.*)", line).groups()
        total = 0
        for t in times:
            for term in _split(right.removeprefix("(").removesuffix(")"), " + ") if right.endswith("ᵀ)") else [right]:
                *column, row = _split(term.removesuffix("ᵀ"), " ") if term.endswith("ᵀ") else [term, ""]
                value = self.value(" ".join(column), t)
                total = total + (np.multiply.outer(value, self.value(row, t)) if row else value)
        return name, total

    def _value(self, name, t):
        if name.startswith(("d_", "carry_")):
            return self.at.get((name, t), np.zeros(H))
        return self.at[name, t]


def _split(text, sign):
    """The parts between signs that stand in no brackets."""
    found = [""]
    for part in text.split(sign):
        found[-1] += part
        if found[-1].count("(") == found[-1].count(")"):
            found.append("")
        else:
            found[-1] += sign
    return found[:-1]
