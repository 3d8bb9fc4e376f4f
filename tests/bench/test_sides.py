"""What is timed computes the same, and what does not is found."""

from dataclasses import replace

import pytest
import torch

from gatework.bench.agreement import check, tolerance
from gatework.bench.case import make_case
from gatework.bench.shapes import Shape
from gatework.bench.sides import SIDES
from gatework.bench.torch_sides import exact, reference
from gatework.cells import catalogue
from gatework.errors import BackendError

SHAPE = Shape(3, 4, 2, 5)
MAKE = {**{name: side.build for name, side in SIDES.items()}, "reference": reference}


def results(side, case):
    return MAKE[side](case).results()


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn", "rnn_relu"])
@pytest.mark.parametrize("side", ["ours", "torch", "eager"])
def test_every_side_computes_what_the_equations_say(side, cell):
    case = make_case(catalogue[cell], SHAPE, dtype=torch.float32, input_grad=True, threads=1)
    assert check(case, side, results(side, case), results("reference", case)) <= tolerance(case)


@pytest.mark.parametrize("cell", ["mgu", "cifg"])
def test_a_cell_that_torch_lacks_is_compared_with_the_reference(cell):
    case = make_case(catalogue[cell], SHAPE, dtype=torch.float32, input_grad=False, threads=1)
    assert check(case, "ours", results("ours", case), results("reference", case)) <= tolerance(case)
    assert SIDES["torch"].refusal(case.cell, "float32")


@pytest.mark.parametrize("what", ["output", "gradient"])
def test_a_difference_is_found_and_told(what):
    case = make_case(catalogue["gru"], SHAPE, dtype=torch.float32, input_grad=False, threads=1)
    right = results("ours", case)
    if what == "output":
        wrong = replace(right, output=right.output * 1.001)
    else:
        key = next(iter(right.gradients))
        wrong = replace(right, gradients={**right.gradients, key: right.gradients[key] * 1.001})
    with pytest.raises(BackendError, match=r"^Nothing was timed, because the results of somebody for gru"):
        check(case, "somebody", wrong, right)
    nothing = replace(right, output=torch.full_like(right.output, torch.nan))
    with pytest.raises(BackendError):
        check(case, "somebody", nothing, right)


def test_a_cell_that_stretches_rounding_may_be_as_far_as_the_reference_and_no_further():
    """From h = 0 on, the probabilities of libru lose all their digits in single precision: 1 - z of z near one."""
    case = make_case(catalogue["libru"], Shape(2, 60, 8, 64), dtype=torch.float32, input_grad=False, threads=1)
    ours, right = results("ours", case), results("reference", case)
    with pytest.raises(BackendError):
        check(case, "ours", ours, right)
    far = check(case, "ours", ours, right, lambda: exact(case))
    assert far > tolerance(case)
    with pytest.raises(BackendError):
        check(case, "ours", replace(ours, output=ours.output + 1), right, lambda: exact(case))
