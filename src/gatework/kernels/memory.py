"""Memory that is used again: what a training step keeps is tens of megabytes, and the same in the next step.

Fresh memory costs a page fault for every four kilobytes, which is more time than it takes to compute what is written
there. So large blocks go back to a pool when the last tensor that uses them has gone, whoever held it.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from math import prod

import numpy as np
import torch
from torch import Tensor

LARGE = 1 << 18
"""Bytes from which a block is worth keeping; smaller ones are as fast from torch."""

LINE = 64
"""Bytes of a cache line: where tensors begin, so that full vectors do not lie across two."""

LIMIT = 1 << 28
"""Bytes that the pool holds while nobody uses them."""

_Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]


class Pool:
    """Blocks that wait for the next use. Any thread may take them, and give them back."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.RLock()  # a block may come back while one is taken: the collector runs anywhere
        self._free: OrderedDict[int, _Bytes] = OrderedDict()
        self._size = 0

    @property
    def free(self) -> int:
        """Bytes that nobody uses."""
        return self._size

    def empty(self, like: Tensor, *shape: int) -> Tensor:
        """An uninitialised tensor of the type of `like`, which must be on the CPU."""
        size = prod(shape) * like.element_size()
        if size < LARGE:
            return like.new_empty(shape)
        block = self._take(size + LINE)
        begin = -block.ctypes.data % LINE
        view = (
            block[begin : begin + size].view(np.float64 if like.dtype == torch.float64 else np.float32).reshape(shape)
        )
        weakref.finalize(view, self._give, block).atexit = False
        return torch.from_numpy(view)

    def _take(self, size: int) -> _Bytes:
        with self._lock:
            for key in reversed(self._free):
                block = self._free[key]
                if size <= len(block) <= size + size // 4:
                    del self._free[key]
                    self._size -= len(block)
                    return block
        return np.empty(size, dtype=np.uint8)

    def _give(self, block: _Bytes) -> None:
        with self._lock:
            self._free[id(block)] = block
            self._size += len(block)
            while self._size > self._limit:
                _, oldest = self._free.popitem(last=False)
                self._size -= len(oldest)


POOL = Pool()
"""The pool of this process."""


def room(like: Tensor, *shape: int) -> Tensor:
    """An uninitialised tensor of the type and on the device of `like`: of the pool, where that has such ones."""
    pooled = like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64)
    return POOL.empty(like, *shape) if pooled else like.new_empty(shape)
