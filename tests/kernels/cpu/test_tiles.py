"""Tiles fit the registers and cover every unit once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatework.kernels.cpu.host import Host
from gatework.kernels.cpu.tiles import MOST_ROWS, choose, groups

WIDE = Host("wide", "", "x86_64-unknown-linux-gnu", vector_bytes=64, registers=32)
NARROW = Host("narrow", "", "x86_64-unknown-linux-gnu", vector_bytes=32, registers=16)


@given(
    st.lists(st.integers(1, 12), max_size=3),
    st.integers(1, 700),
    st.integers(1, 100),
    st.sampled_from([WIDE, NARROW]),
)
def test_a_tile_fits_the_registers(parts, entries, batch, host):
    tile = choose(parts, entries, batch, host, 4)
    accumulators = max(parts, default=0)
    weights = tile.columns * accumulators
    assert 1 <= tile.rows <= min(MOST_ROWS, batch)
    assert tile.columns * host.lanes(4) < entries + host.lanes(4)
    if accumulators <= 7:  # more sums than registers: the smallest tile, and memory
        assert tile.rows * weights + min(tile.rows, weights) + 1 <= host.registers or tile.rows == tile.columns == 1


@given(st.integers(1, 700), st.integers(1, 12), st.sampled_from([1, 4, 8, 16]))
def test_groups_cover_every_unit_once(entries, columns, lanes):
    covered = []
    for group in groups(entries, columns, lanes):
        for tile in range(group.count):
            for column in range(group.columns):
                first = (group.start + tile * group.columns + column) * lanes
                last = group.lanes if group.lanes and column == group.columns - 1 else lanes
                covered += range(first, first + last)
    assert covered == list(range(entries))


@pytest.mark.parametrize(
    ("accumulators", "entries", "batch", "expected"),
    [
        ([4], 256, 8, (4, 1)),  # 16 multiply-adds for 8 loads, and no row is computed twice
        ([4, 4], 256, 8, (4, 1)),  # the same one after the other
        ([1], 256, 8, (8, 2)),  # one sum: several vectors side by side, or the loads of the rows would be the limit
        ([4], 64, 1, (1, 4)),  # one sequence: as many vectors as hide the latency
    ],
)
def test_the_tile_of_a_usual_shape(accumulators, entries, batch, expected):
    tile = choose(accumulators, entries, batch, WIDE, 4)
    assert (tile.rows, tile.columns) == expected
