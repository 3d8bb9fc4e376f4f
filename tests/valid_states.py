"""States that cells may be in: some hold probabilities, or a normaliser, or how far a clock has come."""

from gatework.cells import catalogue

PLAIN = {name: one for name, one in catalogue.items() if not one.graph.whole.results and len(one.graph.inputs) == 1}
"""The cells that a back-end runs from one input: without batch norm, and without the states of a layer below."""

POSITIVE = ("sbru", "libru", "libru_log", "libru_code", "ubru", "slstm")
_GRAPHS = {catalogue[name].graph.parts.core for name in POSITIVE} | {catalogue[name].graph for name in POSITIVE}


def valid(graph, value):
    """A state of a cell, from numbers of order one: between zero and one where the cell asks for it."""
    return abs(value) % 1 * 0.9 + 0.05 if graph in _GRAPHS else value
