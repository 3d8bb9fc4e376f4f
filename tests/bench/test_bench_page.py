"""The figures that follow from the rows, and the page: no clock runs here."""

import json

import pytest

from gatework.bench.figures import gru_to_lstm, means, threads_to_one, time_per_flop
from gatework.bench.limits import Rates
from gatework.bench.page import page
from gatework.bench.plain import plain
from gatework.bench.record import CATALOGUE, SHAPES, Gap, Record, Row, Skip
from gatework.bench.shapes import MIDDLE, Shape
from gatework.cells import catalogue

SMALL, WIDE = Shape(64, 60, 1, 50), Shape(64, 100, 128, 256)


def row(cell, side, ms, *, section=SHAPES, shape=SMALL, threads=1, mode="training", ratio=1.0, gflops=50.0):
    kernel = "cpu" if side == "ours" else side
    times = (ms, 0.9 * ms, 1.2 * ms)
    return Row(section, cell, shape, threads, mode, side, kernel, *times, 5, ratio, gflops, 1e-6, 12.5, 0.25)


@pytest.fixture
def record():
    return Record(
        command="gatework bench --growth",
        versions={"gatework": "0.1.0", "torch": "2.13.0"},
        processor={"name": "A", "features": ["avx2"], "torch": "AVX2", "count": 2, "system": "Linux", "load": 0.5},
        settings={"peers": ["torch", "eager"], "dtype": "float32", "input_grad": False, "least": 5, "most": 50},
        rates={1: Rates(1, 100e9, "oneDNN", 80e9, 20e9), 2: Rates(2, 200e9, "oneDNN", 160e9, 30e9)},
        rows=(
            row("gru", "ours", 6.0),
            row("gru", "torch", 12.0, ratio=2.0),
            row("lstm", "ours", 8.0),
            row("lstm", "torch", 64.0, ratio=8.0),
            row("gru", "ours", 4.5, threads=2),
            row("gru", "ours", 30.0, shape=WIDE, mode="forward", gflops=75.0),
            row("lstm", "ours", 8.0, section=CATALOGUE, shape=MIDDLE, gflops=60.0),
            row("mgu", "ours", 6.0, section=CATALOGUE, shape=MIDDLE, gflops=40.0),
            *(row("gru", "ours", T / 10, section="growth T", shape=Shape(32, T, 64, 128)) for T in (10, 1000)),
        ),
        gaps=(
            Gap("gru", SMALL, 1, "training", 200_000_000, 10_000_000, 6.0, 4.0, 0.5),
            Gap("odd", SMALL, 1, "training", 1_000_000, 10_000_000, 6.0, None, None),
        ),
        skipped=(Skip("torch", "mgu", "", "torch has no such layer"),),
    )


def test_a_mean_is_geometric_and_counts_peers_alone(record):
    found = {(one.peer, one.cell): (one.ratio, one.shapes) for one in means(record)}
    assert found == {
        ("torch", "gru"): (pytest.approx(2.0), 1),
        ("torch", "lstm"): (pytest.approx(8.0), 1),
        ("torch", "all"): (pytest.approx(4.0), 2),
    }


def test_our_times_beside_each_other(record):
    assert [one.ratio for one in gru_to_lstm(record)] == [pytest.approx(6 / 8)]
    assert [(one.threads, one.ratio) for one in threads_to_one(record)] == [(2, pytest.approx(4.5 / 6))]
    assert {one.cell: one.ratio for one in time_per_flop(record)} == {"lstm": 1.0, "mgu": pytest.approx(1.5)}


def test_the_limit_and_what_remains(record):
    by_products, by_memory = record.gaps
    assert record.limit_ms(by_products) == (pytest.approx(2.0), "products")
    assert by_products.rest_ms == pytest.approx(1.5)
    assert record.limit_ms(by_memory) == (pytest.approx(0.5), "memory")
    assert by_memory.rest_ms is None


def test_the_page_holds_every_section_and_its_numbers(record):
    text = page(record)
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## In one table",
        "## Forward, 1 thread",
        "## Training step, 1 thread",
        "## Training step, 2 threads",
        "## The limit, and what the gap consists of",
        "## Memory and compile time",
        "## Ours beside ours",
        "## Growth",
        "## Not measured",
    ]
    for line in (
        "| 64,60,1,50 | gru | 6.00 | 50.0 | 50 % | 12.0 (2.00) |",
        "| 64,60,1,50 | gru | 2.00 | products | 6.00 | 3.0 | 4.00 | 0.500 | 1.50 |",
        "| 64,60,1,50 | odd | 0.500 | memory | 6.00 | 12.0 | - | - | - |",
        "| 64,100,128,256 | gru | 1 | 75.0 | 75 % |",
        "| 1,000 | 100 |",
        "- torch, mgu: torch has no such layer.",
    ):
        assert line in text.splitlines()
    assert record.command in text


def test_every_row_of_a_table_has_as_many_columns_as_its_head(record):
    width = None
    for line in page(record).splitlines():
        width = (width or line.count("|")) if line.startswith("|") else None
        assert width is None or line.count("|") == width


def test_the_plain_record_is_json(record):
    found = json.loads(json.dumps(plain(record)))
    assert found["rows"][0]["shape"] == {"B": 64, "T": 60, "N": 1, "H": 50}
    assert found["rows"][0]["share"] == pytest.approx(0.5)
    assert found["rates"][1]["sgemm_gflops"] == pytest.approx(200.0)
    assert found["gaps"][0]["limited_by"] == "products"
    assert set(found["rows"][0]) >= {"cell", "threads", "mode", "side", "kernel", "ms", "ratio", "gflops", "memory_mb"}
    assert all(name in catalogue for name in (one["cell"] for one in found["time_per_flop"]))
