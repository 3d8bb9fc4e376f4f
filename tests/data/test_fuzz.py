"""Whatever stands in a file: a series without NaN, or one sentence."""

import gzip
import io

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatework.data import load
from gatework.errors import DataError

FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Text that comes close to a table, where the mistakes are.
WORDS = """date y a 1 2 -3.5 1e9 1e400 NA nan inf -999 1,5 $5 # ' true 99999999999999 2015-01-01 2015-01-02 31/12/2015
1949-01 2015Q1 2015 20150101 1420070400 2015-01-01T00:00:00Z"""
MARKS = (",", ",", ";", "\t", "|", "\n", "\n", "\r\n", '"', '""', " ", "7 %", "é", "\x00", "\ufeff")
PIECES = st.sampled_from((*MARKS, *WORDS.split()))
NAMES = st.sampled_from(["x.csv", "x.tsv", "x.txt", "x.parquet", "x.csv.gz", "x.pq"])


def one_sentence(error):
    words = str(error)
    assert "\n" not in words
    assert words.endswith(".")
    assert len(words) < 600


def loads_or_says_why(source, **options):
    try:
        series = load(source, **options)
    except DataError as error:
        one_sentence(error)
        return
    assert np.isfinite(series.values).all()
    assert series.observed.shape == series.values.shape
    assert len(series.times) == len(series.values)
    assert (np.diff(series.times).astype(np.int64) > 0).all()
    assert all("\n" not in finding.line() for finding in series.findings)


@FUZZ
@given(content=st.binary(max_size=200), name=NAMES)
def test_random_bytes(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    loads_or_says_why(path)


@FUZZ
@given(
    pieces=st.lists(PIECES, max_size=60),
    name=st.sampled_from(["x.csv", "x.txt", "x.csv.gz"]),
    missing=st.sampled_from(["carry", "interpolate", "drop", "refuse"]),
    target=st.sampled_from([None, "y", "a"]),
)
def test_random_text(tmp_path, pieces, name, missing, target):
    path = tmp_path / name
    content = "".join(pieces).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    loads_or_says_why(path, missing=missing, target=target)


CELLS = st.one_of(
    st.sampled_from(["", "NA", "0", "0", "5", "5", "-999", "1e99", "1.5", "x", '"1,5"', " 3 ", "inf", "1e308", "-0"]),
    st.floats(allow_nan=True).map(str),
    st.integers().map(str),
)
STAMPS = st.one_of(
    st.dates().map(str),
    st.datetimes().map(str),
    st.integers(1900, 2100).map(str),
    st.sampled_from(["", "NA", "2015-02-30", "0000-00-00", "24:00", "2015-01-01", "2015-01-01 25:00"]),
)


@FUZZ
@given(
    rows=st.lists(st.tuples(STAMPS, CELLS, CELLS), max_size=14),
    named=st.sampled_from(["date", "year", "x"]),
    missing=st.sampled_from(["carry", "interpolate", "drop", "refuse"]),
)
def test_random_rows(tmp_path, rows, named, missing):
    path = tmp_path / "rows.csv"
    path.write_text(f"{named},y,f\n" + "".join(",".join(row) + "\n" for row in rows))
    loads_or_says_why(path, target="y", features=("f",), missing=missing)
    loads_or_says_why(path, target="y", time=named, missing=missing)


@FUZZ
@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_damaged_parquet_and_gzip(tmp_path, at, byte):
    buffer = io.BytesIO()
    pl.DataFrame({"y": [1.0, 2.0, 4.0]}).write_parquet(buffer)
    for name, good in (("x.parquet", buffer.getvalue()), ("x.csv.gz", gzip.compress(b"y\n1\n2\n4\n"))):
        path = tmp_path / name
        damaged = bytearray(good)
        damaged[at % len(good)] = byte
        path.write_bytes(damaged[: len(good) - at % 7])
        loads_or_says_why(path)


@pytest.mark.parametrize("ticks", [[2**62, 2**62 + 1, 2**62 + 2], [-(2**62), 0, 2**62], [None, None, None]])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_moments_beyond_every_calendar(ticks, unit):
    dates = pl.Series(ticks, dtype=pl.Int64).cast(pl.Datetime(unit))
    loads_or_says_why(pl.DataFrame({"date": dates, "y": [1.0, 2.0, 4.0]}))
