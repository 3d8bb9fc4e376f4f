"""Blocks of memory go back to the pool when nobody can see them any more."""

import gc
from concurrent.futures import ThreadPoolExecutor

import torch

from gatework.kernels.memory import LARGE, Pool

ROWS = LARGE // 4 // 64  # of 64 numbers of four bytes: the smallest block that is kept


def test_a_block_is_used_again_when_its_tensor_has_gone():
    pool, like = Pool(), torch.zeros(1)
    first = pool.empty(like, ROWS + 1, 64)
    address = first.data_ptr()
    assert address % 64 == 0
    assert first.shape == (ROWS + 1, 64)
    assert first.dtype == torch.float32
    view = first[3:5]
    del first
    gc.collect()
    assert pool.free == 0  # the view still sees it
    other = pool.empty(like, ROWS, 64)
    assert other.data_ptr() != address
    del view
    gc.collect()
    assert pool.free == LARGE + 5 * 64
    taken = pool.empty(like, ROWS, 64)
    assert taken.data_ptr() == address


def test_two_tensors_never_share_a_block():
    pool, like = Pool(), torch.zeros(1)
    tensors = [pool.empty(like, ROWS, 64).fill_(k) for k in range(4)]
    for k, one in enumerate(tensors):
        assert (one == k).all()


def test_a_block_much_too_large_is_left_alone():
    pool, like = Pool(), torch.zeros(1)
    del_me = pool.empty(like, 8 * ROWS, 64)
    address = del_me.data_ptr()
    del del_me
    gc.collect()
    small = pool.empty(like, ROWS, 64)
    assert small.data_ptr() != address
    assert pool.free == 8 * LARGE + 64


def test_the_pool_holds_no_more_than_its_limit():
    pool, like = Pool(limit=4 * LARGE), torch.zeros(1)
    tensors = [pool.empty(like, ROWS, 64) for _ in range(5)]
    tensors.clear()
    gc.collect()
    assert 3 * LARGE <= pool.free <= 4 * LARGE


def test_small_tensors_and_other_types_are_torch_s_own():
    pool = Pool()
    small = pool.empty(torch.zeros(1), 3, 4)
    double = pool.empty(torch.zeros(1, dtype=torch.float64), ROWS, 64)
    assert small.shape == (3, 4)
    assert double.dtype == torch.float64
    del small, double
    gc.collect()
    assert pool.free == 2 * LARGE + 64


def test_many_threads_may_take_and_give():
    pool, like = Pool(), torch.zeros(1)

    def work(k):
        for _ in range(50):
            one = pool.empty(like, ROWS, 64).fill_(k)
            assert (one == k).all()
            del one
        return k

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(8))) == list(range(8))
