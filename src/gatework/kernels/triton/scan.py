"""One launch for a loop whose steps are affine in what they carry: many time steps at once, by an associative scan."""

from __future__ import annotations

from dataclasses import replace

from gatework.graph.affine import affine
from gatework.graph.loop import Loop, Stage
from gatework.kernels.triton.chunks import ChunkWriter, Scan, carried
from gatework.kernels.triton.segments import SummaryWriter


def write(loop: Loop, *, backward: bool, input_gradient: bool = False) -> Scan | None:
    """The kernel of one of a plan's loops; None where its steps are not affine in what they carry."""
    asked = [stage for stage in loop.stages if input_gradient or not stage.optional]
    if len(asked) != 1 or not _is_elementwise(loop, asked[0]):
        return None
    (stage,) = asked
    slots = carried(loop, stage)
    if loop.last and not loop.last.reads.keys() <= slots.keys():
        return None
    stored = {(store.place.array, store.place.block): store.node for store in stage.stores}
    found = affine(loop.nodes, {leaf: stored[slot] for leaf, slot in slots.items()})
    if found is None:
        return None
    last = _moved(loop.last, found.position) if loop.last else None
    scanned = replace(loop, nodes=found.nodes, stages=(_moved(stage, found.position),), last=last)
    made = ChunkWriter(scanned, backward=backward, affine=found).scan()
    if not found.independent:
        return made
    return replace(made, summary=SummaryWriter(scanned, backward=backward, affine=found).scan())


def _is_elementwise(loop: Loop, stage: Stage) -> bool:
    """Whether a stage needs of every vector the one entry that it computes."""
    places = [*stage.reads.values(), *(store.place for store in stage.stores)]
    return not (stage.products or stage.totals) and all(loop.arrays[one.array].columns == "H" for one in places)


def _moved(stage: Stage, position: tuple[int, ...]) -> Stage:
    """A stage of nodes that have gone elsewhere."""
    reads = {position[k]: place for k, place in stage.reads.items()}
    return replace(stage, reads=reads, stores=tuple(replace(one, node=position[one.node]) for one in stage.stores))
