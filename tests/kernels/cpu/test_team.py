"""Every share of a kernel is run once, however many threads there are."""

import ctypes

import pytest
import torch

from gatework.kernels.cpu import team


@pytest.mark.parametrize("make", [team._openmp, team._python], ids=["openmp", "python"])
def test_threads_call_a_function_together(make):
    parallel = make()
    if parallel is None:
        pytest.skip("this torch has no GNU OpenMP")
    seen = []
    code = team._FUNCTION(seen.append)
    argument = ctypes.c_int64(7)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        parallel(ctypes.cast(code, ctypes.c_void_p).value, ctypes.addressof(argument), 2)
    finally:
        torch.set_num_threads(before)
    assert seen == [ctypes.addressof(argument)] * 2


def test_the_team_is_torch_s_own_on_linux():
    if team._openmp() is None:
        assert team.team().name == "Python"
    else:
        assert team.team().name == "OpenMP"


def test_nothing_loaded_has_an_unknown_name():
    assert team._loaded("no such library") == []
