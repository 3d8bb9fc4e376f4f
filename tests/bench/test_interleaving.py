"""Sides are timed in turn, as often as the effort says; memory is seen whoever allocates it."""

import ctypes
import sys

import pytest

from gatework.bench.footprint import peak
from gatework.bench.timing import Effort, interleave, ratio

SIZE = 64 << 20


def test_sides_take_turns_and_none_is_always_first(monkeypatch):
    monkeypatch.setattr("gatework.bench.timing.TURN", 0.0)  # once a turn
    called = []
    calls = {name: lambda name=name: called.append(name) for name in "abc"}
    seconds = interleave(calls, Effort(seconds=0.0, least=3, most=9))
    assert "".join(called) == "aabbcc" + "abc" + "bca" + "cab"
    assert {name: len(one) for name, one in seconds.items()} == {"a": 3, "b": 3, "c": 3}


def test_no_more_rounds_than_the_most():
    seconds = interleave({"a": lambda: None}, Effort(seconds=60.0, least=1, most=4))
    assert len(seconds["a"]) == 4


def test_a_ratio_compares_the_same_round_with_the_same():
    assert ratio([2.0, 20.0, 30.0], [1.0, 10.0, 1.0]) == 2.0


@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark of memory is Linux's")
def test_memory_is_seen_that_no_library_of_python_allocates():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p

    def call():
        block = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(SIZE)))
        ctypes.memset(block, 1, SIZE)
        libc.free(block)

    found = peak(call)
    # The system counts pages in batches for each thread, so that some hundred kilobytes may be missing.
    assert 0.95 * SIZE <= found < 1.5 * SIZE
    assert peak(lambda: None) < SIZE / 8
