"""Files, good and bad: every one gives a series or one clear sentence."""

import gzip

import numpy as np
import polars as pl
import pytest

from gatework.data import load
from gatework.errors import DataError


@pytest.fixture
def file(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("date,y\n2015-01-01,1\n2015-01-02,2\n", [1, 2]),
        ("date;y\n01.02.2015;1,5\n02.02.2015;1.002,5\n", [1.5, 1002.5]),
        ("date\ty\r\n2015-01-01\t1\r\n2015-01-02\t2\r\n", [1, 2]),
        ("\ufeffdate,y\n2015-01-01,1\n2015-01-02,2", [1, 2]),
        ('"date","y"\n"2015-01-01","1"\n"2015-01-02","2"\n', [1, 2]),
        ('date,y\n2015-01-01,"1,234.5"\n2015-01-02,2\n', [1234.5, 2]),
        ("größe;y\n\nzwei;1\ndrei;2\n".encode("latin-1"), [1, 2]),
        ("y\n1\n2\n".encode("utf-16"), [1, 2]),
        ("y\n1\n\n3\n\n", [1, 1, 3]),
        ("1\n2\n4\n", [1, 2, 4]),
    ],
)
def test_ways_to_write_a_table(file, content, values):
    assert load(file(content)).y.tolist() == values


def test_gzip_parquet_and_names(file, tmp_path):
    assert load(file(gzip.compress(b"y\n1\n2\n"), "deep.blue.txt.gz")).name == "deep.blue"
    pl.DataFrame({"y": [1, 2]}).write_parquet(tmp_path / "a[1].parquet")
    assert load(str(tmp_path / "a[1].parquet")).y.tolist() == [1, 2]


def test_no_header_and_names_there_twice(file):
    series = load(file("0.5,1.5\n0.6,1.7\n"), target="c2")
    assert series.y.tolist() == [1.5, 1.7]
    assert "headerless" in {one.kind for one in series.findings}
    assert load(file("a,a\n1,2\n3,4\n"), target="a_2").y.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        ("", "a.csv", "empty"),
        ("\n \n", "a.csv", "empty"),
        ("date,y\n", "a.csv", "header and no rows"),
        (b"\x89PNG\x00\x01", "a.csv", "binary"),
        ("y\n1\n", "a.xlsx", r"'\.xlsx' is not known"),
        ("junk", "a.parquet", "damaged"),
        (b"\x1f\x8bjunk", "a.csv.gz", "gzip"),
        ("a,y\n1,2\n3\n", "a.csv", "row 3 has 1 field where the first has 2"),
        ("a,y\n1,2\n3,4,5\n", "a.csv", "row 3 has 3 fields where the first has 2"),
        ("y\n1\ninf\n", "a.csv", "infinite"),
        ("y\n1\nabc\n", "a.csv", "text such as 'abc'"),
        ('y\n"1\n2\n', "a.csv", "quotes"),
    ],
)
def test_bad_files(file, content, name, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        load(file(content, name))
    assert len(str(caught.value).splitlines()) == 1


def test_files_that_are_not_there(file, tmp_path):
    file("y\n1\n2\n", "sales.csv")
    with pytest.raises(DataError, match=r"did you mean 'sales\.csv'"):
        load(tmp_path / "sale.csv")
    with pytest.raises(DataError, match="co2, sunspots, sine"):
        load("co3")
    with pytest.raises(DataError, match="folder"):
        load(tmp_path)
    with pytest.raises(DataError, match="no file"):
        load("nul\0byte.csv")


def test_permission_is_denied(file, monkeypatch):
    path = file("y\n1\n2\n")

    def denied(self):
        raise PermissionError(13, "Permission denied")

    # The superuser may read everything, so the refusal is played.
    monkeypatch.setattr("pathlib.Path.read_bytes", denied)
    with pytest.raises(DataError, match="permission denied"):
        load(path)


@pytest.mark.timeout(20)
def test_two_hundred_thousand_columns(file):
    names = [f"col{number}" for number in range(200_000)]
    rows = [",".join(["2015-01-0" + str(day), *map(str, np.arange(200_000) % 7 + day)]) for day in (1, 2, 3)]
    path = file("\n".join([",".join(["date", *names]), *rows]))
    assert load(path, target="col777").y.tolist() == [1, 2, 3]
    for options in ({}, {"target": "clo777"}):
        with pytest.raises(DataError) as caught:
            load(path, **options)
        assert len(str(caught.value)) <= 250
