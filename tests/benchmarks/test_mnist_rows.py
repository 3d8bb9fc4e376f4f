"""The files of the set are read, the counts are the published ones, and the page is written from what was kept."""

import gzip
import struct

import mnist_rows
import numpy as np
import pytest
import torch
from mnist_rows import CELLS, EPOCHS, HELD_OUT, PUBLISHED, RATE, RATES, TEST, load, page, read, settings, train

from gatework.cells import catalogue


def packed(array):
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes())


def test_images_and_digits_are_read(tmp_path):
    images, digits = np.arange(2 * 28 * 28).reshape(2, 28, 28) % 256, np.array([7, 2])
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(packed(images))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(packed(digits))
    x, y = load(tmp_path, "train")
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    assert y.tolist() == [7, 2]
    assert (x.numpy() * 255).round().astype(int).tolist() == images.tolist()


@pytest.mark.parametrize("head", [b"\0\0\x0d\1\0\0\0\1", b"\1\0\x08\1\0\0\0\1"])
def test_another_format_is_refused(tmp_path, head):
    (tmp_path / "made.gz").write_bytes(gzip.compress(head + b"\0"))
    with pytest.raises(ValueError, match=r"made\.gz holds no bytes"):
        read(tmp_path / "made.gz")


def test_a_file_that_is_too_short_is_refused(tmp_path):
    (tmp_path / "made.gz").write_bytes(gzip.compress(b"\0\0\x08\1\0\0\0\2" + b"\0"))
    with pytest.raises(ValueError, match="reshape"):
        read(tmp_path / "made.gz")


def test_the_set_is_the_set(real_data):
    x, y = load(real_data / "mnist", "t10k")
    assert x.shape == (10_000, 28, 28)
    assert float(x.max()) == 1
    assert torch.bincount(y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_the_counts_are_the_published_ones():
    assert {cell: catalogue[cell].count(28, 100) for cell in PUBLISHED} == PUBLISHED
    assert catalogue["gru"].count(28, 100) == PUBLISHED["gru_reset_before"] + 100


def test_a_cell_learns_which_row_is_lit():
    """Digits that are told by the first row: easy, and not to be had without the state."""
    chance = torch.Generator().manual_seed(0)
    y = torch.randint(10, (2048,), generator=chance)
    x = torch.zeros(2048, 28, 28)
    x[torch.arange(2048), 0, y] = 1
    asked = settings("mgu", 1e-2, 0, 4, TEST)
    result = train(asked, (x, y), (x[:1000], y[:1000]))
    assert result["finite"]
    assert len(result["seconds"]) == 4
    assert result["accuracy"] > 90


def made(cell, rate, seed, epochs, test, accuracy):
    return {
        "settings": settings(cell, rate, seed, epochs, test),
        "result": {"finite": True, "seconds": [2.0, 4.0], "accuracy": accuracy},
        "date": "2026-01-31",
        "versions": {"torch": "2.0"},
    }


def test_the_page_compares_by_seed():
    records = [made(cell, rate, 1000, 1, HELD_OUT, 95.0) for cell in ("gru", "lstm") for rate in RATES]
    by_seed = [0.0, 0.5, -0.25]
    for cell in CELLS:
        lower = 5.0 if cell == "gru3" else 0.0
        own = [0.0, 0.1, -0.1] if cell == "mgu" else [0.0, 0.0, 0.01 * (cell == "gru3")]
        records += [
            made(cell, RATE, seed, EPOCHS, TEST, 98 + by_seed[seed] + own[seed] - lower) for seed in range(len(by_seed))
        ]
    text = " ".join(page(records, 3).split())
    assert "Less accurate than `gru`: `gru3`; more accurate: none; no difference shown: `gru_reset_before`" in text
    assert "Less accurate than `lstm`: `gru3`;" in text
    assert "| `gru` | 38,800 | – | 98.08 ± 0.95 | – | +0.00 ± 0.00 | 3.0 |" in text
    assert "| `gru3` | 13,100 | 13,100 |" in text
    assert "0.001: 95.00 %" in text
    assert mnist_rows.PAGE.name == "mnist_rows.md"
