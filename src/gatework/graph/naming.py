"""Names for values that the equations leave without one: after the weight that belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count

from gatework.graph.graph import Node
from gatework.graph.ops import Op

_ADDED = frozenset({Op.ADD, Op.SUBTRACT})


class Names:
    """Gives every name once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._given: dict[str, str] = {}

    def give(self, *wishes: str) -> str:
        """The first wish that is free, or the last one with a number.

        >>> names = Names(["a_n"])
        >>> names.give("a_n", "a_Un"), names.give("a_n", "a_Un")
        ('a_Un', 'a_Un_1')
        """
        numbered = (f"{wishes[-1]}_{k}" for k in count(1))
        name = next(one for one in chain(wishes, numbered) if one not in self._taken)
        self._taken.add(name)
        return name

    def next(self, head: str) -> str:
        """The first number that is free behind a letter: `v_1`, `v_2` and so on."""
        return self.give(next(name for k in count(1) if (name := f"{head}_{k}") not in self._taken))

    def once(self, wish: str) -> str:
        """A name for all that is wished to be called so: the wish, or one with a number where it was taken."""
        if wish not in self._given:
            self._given[wish] = self.give(wish)
        return self._given[wish]


def sum_key(nodes: Sequence[Node], k: int, matrices: Mapping[int, str]) -> str:
    """The key of the weight after which a sum is called: its bias, or else the matrix of its first product.

    `matrices` gives the matrices of the nodes that are products. Empty for what is no such sum.
    """
    terms, stack = [], [k]
    while stack:
        one = stack.pop()
        if nodes[one].op in _ADDED and (one == k or not nodes[one].name):
            stack.extend(reversed(nodes[one].args))
        else:
            terms.append(one)
    biases = [nodes[one].name for one in terms if nodes[one].op is Op.PARAMETER]
    return next(iter([*biases, *(matrices[one] for one in terms if one in matrices)]), "")


def gradient_names(
    matrices: Iterable[tuple[str, int]], vectors: Iterable[tuple[str, int]], names: Names, named: Mapping[int, str]
) -> dict[int, str]:
    """Names for what the gradients of weights are sums of: `d_a_n` for the gradient of the sum with `b.n` in it.

    `matrices` and `vectors` are weights with the node that stands in their gradient; `named` are the nodes that have a
    name already.
    """
    matrices = list(matrices)
    found = dict(named)
    summed = {k for _, k in matrices}
    biases = [(key, k) for key, k in vectors if k in summed]
    others = [(key, k) for key, k in vectors if k not in summed]
    # An input matrix first, then a bias: that is the order in which the sums of a GRU get the letters of its paper.
    inputs = [(key, k) for key, k in matrices if key[0] == "W"]
    for key, k in (*inputs, *biases, *matrices):
        if k not in found:
            found[k] = names.give(f"d_a_{key[2:]}", f"d_a_{key[0]}{key[2:]}")
    for key, k in others:
        if k not in found:
            found[k] = names.give(f"d_{key[0]}_{key[2:]}")
    return found
