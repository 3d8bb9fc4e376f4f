"""The documents are programs: their code runs, their commands parse, their links lead somewhere."""

import configparser
import re
import shlex
from pathlib import Path

import pytest
import torch

import gatework
from gatework.cells import catalogue, find
from gatework.cli.main import COMMANDS, cli
from gatework.kernels import passes

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def blocks(page, language):
    return re.findall(rf"^( *)```{language}\n(.*?)^\1```", page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_readmes_cell_is_a_cell(tmp_path):
    (_, code), *_ = [block for block in blocks(ROOT / "README.md", "python") if "# mine.py" in block[1]]
    (tmp_path / "mine.py").write_text(code)
    cell = find(f"{tmp_path}/mine.py:mycell")
    assert cell.graph.gates == ("f",)
    output, _ = gatework.Recurrent(cell, input_size=3, hidden_size=(64, 32))(torch.zeros(5, 2, 3))
    assert output.shape == (5, 2, 32)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_documents_parses(page):
    for line in re.findall(r"(?:^ {4}|`)(gatework [^`\n]+)", page.read_text(), re.MULTILINE):
        words = shlex.split(line.partition(" #")[0])
        assert words[1] in {*COMMANDS, "COMMAND", "…"}, line
        if len(words) > 2 and words[1] in COMMANDS:
            command = cli.get_command(None, words[1])
            command.make_context(words[1], words[2:], resilient_parsing=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_target_of_the_makefile_that_the_readme_names_exists():
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"(?:^ {4}|`)make (\w+)", page.read_text(), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: make {target}"


def test_the_import_contracts_name_every_cell():
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    named = contracts["importlinter:contract:independent-cells"]["modules"].split()
    assert named == [f"gatework.cells.{name}" for name in catalogue]


def test_the_public_names_are_there():
    for name in gatework.__all__:
        assert getattr(gatework, name) is not None
    assert set(gatework.__all__) <= set(dir(gatework))
    with pytest.raises(AttributeError, match="no attribute 'GRUU'"):
        gatework.GRUU


def test_the_page_on_cells_is_a_program(tmp_path, monkeypatch):
    """Its cells are cells, and the code that uses them runs, in the order of the page."""
    monkeypatch.chdir(tmp_path)
    for _, code in blocks(ROOT / "docs" / "how" / "add_a_cell.md", "python"):
        named = re.match(r"# (\w+\.py)\n", code)
        if named:
            (tmp_path / named[1]).write_text(code)
            assert find(f"./{named[1]}").title
        else:
            exec(code, {})  # noqa: S102 (the documents are ours)
    assert (tmp_path / "ugrnn.pt2").exists()
    assert find("./leaky.py:leaky(rate=0.5)").name == "leaky(rate=0.5)"


def test_the_page_on_what_goes_around_a_cell_is_a_program():
    for _, code in blocks(ROOT / "docs" / "how" / "around.md", "python"):
        exec(code, {})  # noqa: S102 (the documents are ours)


def test_the_page_on_gpus_is_a_program():
    """It runs without a GPU too; what it says of gradients under autocast it asserts."""
    known = {}
    for _, code in blocks(ROOT / "docs" / "how" / "on_a_gpu.md", "python"):
        exec(code, known)  # noqa: S102 (the documents are ours)
    ended = torch.arange(50)[:, None] >= known["lengths"]
    assert known["output"][ended].eq(0).all()
    assert known["output"][~ended].ne(0).any()


def test_the_page_on_attention_is_a_program_that_learns():
    """Its code runs in one piece, answers most of what it is asked, and has looked where the answer was."""
    known = {}
    for _, code in blocks(ROOT / "docs" / "how" / "attention.md", "python"):
        exec(code, known)  # noqa: S102 (the documents are ours)
    # A guess is right once in eight; one position of six that is not learnt leaves 0.85 at best.
    assert known["right"] > 0.85
    picture = known["picture"].flip(1)
    assert (picture.argmax(1) == torch.arange(6)).all()


def test_the_page_on_many_networks_is_a_program_that_learns(monkeypatch):
    """Its code runs in one piece, all members in one call of a kernel, and all of them learn."""
    called = []
    forward = passes.forward
    monkeypatch.setattr(
        passes, "forward", lambda *given, **more: called.append(more["members"]) or forward(*given, **more)
    )
    known = {}
    for _, code in blocks(ROOT / "docs" / "how" / "train_many_at_once.md", "python"):
        exec(code, known)  # noqa: S102 (the documents are ours)
    assert set(called) == {16}
    # The mean square of a sine is a half; what was drawn at random, 0.01, nobody can say.
    assert known["losses"].max() < 0.1
    norms = torch.stack([one.grad.flatten(1).norm(dim=1) for one in known["weights"].values()]).norm(dim=0)
    assert norms.max() <= 1
    x = known["wave"](4)
    alone = (known["network"](x[:-1]) - x[1:]).square().mean()
    torch.testing.assert_close(alone, known["each"](known["weights"], known["buffers"], x)[known["best"]])
