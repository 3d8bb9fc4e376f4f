"""Which back-end runs a cell.

`auto` picks the fastest that can; a back-end that is asked for by name raises when it cannot run, with the
reason.
"""

from gatework.errors import BackendError
from gatework.graph import Graph
from gatework.kernels.reference import Reference

BACKENDS: dict[str, Reference] = {"reference": Reference()}
"""The back-ends, fastest first."""


def choose(backend: str, graph: Graph) -> Reference:
    """The back-end that runs this graph. Raises `BackendError`."""
    if backend == "auto":
        return next(one for one in BACKENDS.values() if not one.refusal(graph))
    if backend not in BACKENDS:
        raise BackendError(f"There is no back-end {backend!r}: choose auto or one of {', '.join(BACKENDS)}.")
    reason = BACKENDS[backend].refusal(graph)
    if reason:
        raise BackendError(f"The back-end {backend} cannot run this cell: {reason}.")
    return BACKENDS[backend]
