"""Which tensors kernels can read where they lie."""

import pytest
import torch

from gatework.kernels.layout import blocks, dense, width

WIDE = torch.arange(5 * 3 * 8.0).view(5, 3, 8)


@pytest.mark.parametrize(
    ("tensor", "wanted"),
    [
        (WIDE, 1),
        (WIDE[..., 2:4], 4),
        (WIDE[..., 3:5], 4),  # wherever it begins
        (WIDE[:1, :1, 2:4], 1),  # one row is dense wherever it lies
        (WIDE[:1, :, 2:4], 4),
        (WIDE[:, :1, 2:4], 12),  # as of rows with all sequences
        (WIDE[..., :3], 0),  # no whole number of vectors
        (WIDE[:, :2, :4], 0),  # the sequences of others lie between
        (WIDE[::2, :, :4], 0),  # time steps of others lie between
        (WIDE[..., ::2], 0),
        (WIDE.transpose(0, 1), 0),
        (torch.ones(3, 2).expand(5, 3, 2), 0),
        (WIDE[0, :, :4], 0),  # without time
        (WIDE[:, :0, :4], 1),  # nothing
        (WIDE[..., :0], 1),
    ],
)
def test_how_many_vectors_lie_in_a_row(tensor, wanted):
    assert width(tensor) == wanted


def test_what_is_no_block_or_of_too_wide_rows_is_copied():
    given = [WIDE, WIDE[..., 2:4], WIDE[:, :1, 2:4], WIDE[..., ::2], torch._neg_view(WIDE[..., 2:4])]
    found = blocks(given, 4)
    for one, wanted in zip(found, given, strict=True):
        assert torch.equal(one, wanted)
    assert [width(one) for one in found] == [1, 4, 1, 1, 1]
    assert found[1].data_ptr() == given[1].data_ptr()
    assert [width(one) for one in dense(given)] == [1] * 5
