"""Files as they lie about, and frames: one table, whatever holds it."""

import gzip

import numpy as np
import pandas as pd
import polars as pl
import pytest

from gatework.data import load
from gatework.errors import DataError

PLAIN = "date,y,f\n2015-01-30,1.5,4\n2015-01-31,,5\n2015-02-01,3.5,6\n2015-02-02,2.5,7\n"


@pytest.fixture
def written(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def kinds(series):
    return {finding.kind: finding for finding in series.findings}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PLAIN, "table.csv"),
        (PLAIN.rstrip("\n"), "table.csv"),
        (PLAIN.replace(",", ";"), "table.csv"),
        (PLAIN.replace(",", ";").replace(".5", ",5"), "table.csv"),
        (PLAIN.replace(",", "\t"), "table.tsv"),
        (PLAIN.replace(",", "|"), "table.txt"),
        (PLAIN.replace(",", " , "), "table.csv"),
        (PLAIN.replace("\n", "\r\n"), "table.csv"),
        (PLAIN.replace("\n", "\r"), "table.csv"),
        (PLAIN.replace("\n", "\n\n"), "table.csv"),
        ("\n" + PLAIN + "\n\n", "table.csv"),
        (b"\xef\xbb\xbf" + PLAIN.encode(), "table.csv"),
        (PLAIN.encode("utf-16"), "table.csv"),
        (gzip.compress(PLAIN.encode(), mtime=0), "table.csv.gz"),
        (gzip.compress(PLAIN.encode(), mtime=0), "table.csv"),
        (PLAIN.encode(), "TABLE.CSV"),
        ('"date","y","f"\n"2015-01-30","1.5","4"\n2015-01-31,,5\n2015-02-01,"3.5",6\n2015-02-02,2.5,7\n', "table.csv"),
    ],
    ids=str,
)
def test_ways_of_writing_a_table(written, content, name):
    reference = load(written(PLAIN, "reference.csv"), target="y", features=("f",))
    series = load(written(content, name), target="y", features=("f",))
    assert reference.values.tolist() == [[1.5, 4], [1.5, 5], [3.5, 6], [2.5, 7]]
    assert series.fingerprint == reference.fingerprint
    assert (series.step, series.name.lower()) == (reference.step, "table")


def test_frames_of_every_kind_give_the_same_series(written):
    from_csv = load(written(PLAIN), target="y", features=("f",))
    frame = pl.DataFrame(
        {
            "date": pl.Series(["2015-01-30", "2015-01-31", "2015-02-01", "2015-02-02"]).str.to_date(),
            "y": [1.5, None, 3.5, 2.5],
            "f": [4, 5, 6, 7],
        }
    )
    stamped = pd.DataFrame({"y": [1.5, np.nan, 3.5, 2.5], "f": [4, 5, 6, 7]})
    stamped.insert(0, "date", pd.to_datetime(["2015-01-30", "2015-01-31", "2015-02-01", "2015-02-02"]))
    parquet = written(b"", "table[1].parquet")
    frame.write_parquet(parquet)
    sources = {
        "polars": frame,
        "lazy": frame.lazy(),
        "text": frame.with_columns(pl.col("date").cast(pl.String)),
        "categories": frame.with_columns(pl.col("date").cast(pl.String).cast(pl.Categorical)),
        "datetime": frame.with_columns(pl.col("date").cast(pl.Datetime("ns"))),
        "arrow": frame.to_arrow(),
        "pandas": stamped,
        "pandas, nullable": stamped.convert_dtypes(),
        "pandas, index": stamped.set_index("date"),
        "pandas, index without a name": stamped.set_index("date").rename_axis(None),
        "pandas, periods": stamped.set_index(pd.PeriodIndex(stamped["date"], freq="D")).drop(columns="date"),
        "pandas, odd index": stamped.set_axis([9, 3, 3, 1]),
        "parquet": parquet,
        "parquet by name": str(parquet),
    }
    for name, source in sources.items():
        series = load(source, target="y", features=("f",))
        assert series.fingerprint == from_csv.fingerprint, name
        assert series.step == from_csv.step, name


def test_headerless(written):
    series = load(written("1,10\n2,30\n3,20\n"), target="c2")
    assert series.y.tolist() == [10, 30, 20]
    assert kinds(series)["headerless"].count == 2
    assert load(written("2015-01-01,5\n2015-01-02,7\n")).y.tolist() == [5, 7]


def test_names_twice_and_without_a_name(written):
    series = load(written(",a,a\nx,1,5\ny,2,7\n"), target="a_2", features=("a",))
    assert series.values.tolist() == [[5, 1], [7, 2]]
    assert kinds(series)["renamed"].line() == "2 column names are empty or there twice: named column_1, a_2"


def test_latin_1(written):
    series = load(written("Größe\n1\n2\n".encode("latin-1")))
    assert series.target == "Größe"
    assert kinds(series)["encoding"].line() == "the file is not UTF-8: read as Latin-1"


def test_one_column_with_gaps(written):
    assert load(written("y\n1\n\n3\n")).y.tolist() == [1, 1, 3]


def test_quotes_hold_separators_and_line_ends(written):
    series = load(written('name,y\n"a, b",1\n"c\nd",2\n'))
    assert series.y.tolist() == [1, 2]
    assert kinds(series)["non_numeric"].line() == "1 column is not numeric (name): ignored"


def test_wide(written):
    width = 200_000
    header = ",".join(f"c{k}" for k in range(width))
    rows = "\n".join(",".join(str(k % 7 + row) for k in range(width)) for row in range(3))
    path = written(f"date,{header}\n" + "\n".join(f"2015-01-0{k + 1},{row}" for k, row in enumerate(rows.split("\n"))))
    series = load(path, target="c150000", features=("c3",))
    assert series.y.tolist() == [150_000 % 7 + row for row in range(3)]
    assert series.step.name == "1 day"
    assert kinds(series)["wide"].count == width + 1
    with pytest.raises(DataError, match=r"^cannot choose one of 200,001 columns of table to forecast; .*\.$"):
        load(path)
    with pytest.raises(DataError, match=r"^no column of table is named 'x9'.* more\.$"):
        load(path, target="x9")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.csv", "the file is empty"),
        (b" \n\n", "a.csv", "the file is empty"),
        (gzip.compress(b"", mtime=0), "a.csv.gz", "the file is empty"),
        ("date,y\n", "a.csv", "it has a header and no rows"),
        (bytes(range(256)) * 4, "a.csv", "its content is binary"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a.csv", "its content is binary"),
        ("a,b\n1,2\n1,2,3\n", "a.csv", "row 3 has 3 fields where the first has 2"),
        ("a,b\n1,2\n1\n", "a.csv", "row 3 has 1 field where the first has 2"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-9], "a.csv.gz", "its gzip stream is damaged"),
        (b"PAR1 and nothing", "a.parquet", "as Parquet, its content is damaged"),
        (b"", "a.parquet", "as Parquet, its content is damaged"),
        (PLAIN, "a.xlsx", "its kind '.xlsx' is not known"),
        (PLAIN, "a", "its kind '' is not known"),
        ("name\nx\ny\n", "a.csv", "holds text such as 'x' \\(row 1\\), not numbers"),
        ("name,city\nx,y\ny,z\n", "a.csv", "no column of a holds numbers to forecast; its columns are name, city"),
        ("a,b\n1,2\n2,3\n", "a.csv", "2 columns of a hold numbers; .*--target: a, b"),
        ("y" * 200_000 + "\n1\n2\n", "a.csv", "field larger than field limit"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str | bytes) else None,
)
def test_what_cannot_be_read_is_said_in_one_sentence(written, content, name, message):
    with pytest.raises(DataError, match=rf"^[^\n]*{message}[^\n]*\.$"):
        load(written(content, name))


def test_paths_that_lead_nowhere(tmp_path, written):
    written(PLAIN, "bitcoin.csv")
    with pytest.raises(
        DataError, match=r"^there is no file '.*bitcoins\.csv' \(did you mean 'bitcoin\.csv'\?\); .*\.$"
    ):
        load(tmp_path / "bitcoins.csv")
    with pytest.raises(DataError, match=r"it is a folder; .*\.$"):
        load(tmp_path)
    for odd in ("a\0b.csv", "x" * 5000 + ".csv", ""):
        with pytest.raises(DataError, match=r"\.$"):
            load(odd)


@pytest.mark.parametrize("source", [None, 3, [1.0, 2.0], np.ones(3), pd.Series([1.0, 2.0]), {"y": [1.0]}], ids=type)
def test_what_is_no_dataframe(source):
    with pytest.raises(DataError, match=r"^cannot read a table from a \w+ \(.*\); give a path, .*\.$"):
        load(source)


def test_frames_that_cannot_be_read(tmp_path):
    frames = [
        pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
        pd.DataFrame({"a": [1, "x", [3]], "y": [1, 2, 3]}),
        pl.scan_csv(tmp_path / "none.csv"),
        pl.LazyFrame({"a": [1, 2]}).select("b"),
        pl.DataFrame(),
        pl.DataFrame({"y": []}),
    ]
    for frame in frames:
        with pytest.raises(DataError, match=r"^[^\n]*\.$"):
            load(frame, target="y")


def test_a_name_comes_before_a_file_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "sine").write_text("y\n1\n2\n")
    monkeypatch.chdir(tmp_path)
    assert len(load("sine").y) == 2000
