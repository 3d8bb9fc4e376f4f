"""`gatework bench`: what it prints, and what it refuses."""

import json

import pytest

from gatework.cli.main import status

TINY = ("bench", "--shapes", "2,3,1,4", "--threads", "1", "--quick")


def test_one_object_for_programs(capsys, tmp_path):
    page = tmp_path / "cpu.md"
    assert status([*TINY, "--cells", "gru", "--json", "--out", str(page)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"command", "versions", "processor", "rates", "rows", "gaps", "means", "skipped"} <= set(found)
    sides = {(row["cell"], row["mode"], row["side"]) for row in found["rows"]}
    assert {("gru", mode, side) for mode in ("forward", "training") for side in ("ours", "torch", "eager")} <= sides
    assert {row["kernel"] for row in found["rows"] if row["side"] == "ours"} == {"cpu"}
    for row in found["rows"]:
        assert row["ms"] > 0
        assert 0 <= row["difference"] < 1e-4
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "| gru" in text
    assert found["command"] in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--shapes", "1,2,3"], "is not four whole numbers B,T,N,H"),
        (["--shapes", "0,2,3,4"], "has a size below 1"),
        (["--threads", "0"], "--threads is 0"),
        (["--cells", "nothing"], "There is no cell 'nothing'"),
        (["--cells", ","], "--cells is empty"),
        (["--peers", "nobody"], "nobody"),
        (["--dtype", "float8"], "There is no dtype 'float8'"),
        (["--out", "no/such/folder/cpu.md"], "there is no folder"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(arguments, sentence, capsys):
    assert status(["bench", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1
    assert error.startswith("gatework: ")
