"""`gatework show` at every stage between the equations and the kernel."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from gatework.cells import catalogue
from gatework.cli.main import cli, status
from gatework.cli.show import STAGES
from gatework.kernels.cpu import host

compiles = pytest.mark.skipif(bool(host.refusal()), reason="compiled kernels cannot run here")

TURNING = """\
from gatework.graph import U, W, b, cell, cos, tanh


@cell
def turning(x, h):
    return tanh(W.n @ x + U.n @ cos(h) + b.n)
"""


def shown(*arguments):
    result = CliRunner().invoke(cli, ["show", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def turning(tmp_path):
    (tmp_path / "mine.py").write_text(TURNING)
    return f"{tmp_path}/mine.py:turning"


def test_the_gradient_is_in_the_notation_of_the_equations():
    output = shown("gru", "--stage", "gradient")
    assert output.startswith(
        "gru: Gated recurrent unit, reset after the product\n\nforward\n  rₜ = σ(W_r xₜ + U_r hₜ₋₁ + b_r)"
    )
    for line in ("d_nₜ = d_hₜ ⊙ (1 - zₜ)", "d_U_n = Σ d_a_Unₜ hₜ₋₁ᵀ", "computed again: 1 - zₜ"):
        assert f"\n  {line}\n" in output


def test_the_plan_says_what_happens_when_and_at_what_cost():
    output = shown("lstm", "--stage", "plan")
    for line in (
        "a3 = W_o xₜ + U_o hₜ₋₁",
        "hₜ = oₜ ⊙ tanh(cₜ)",
        "d_xₜ = W_oᵀ d_a_oₜ + W_gᵀ d_a_gₜ + W_fᵀ d_a_fₜ + W_iᵀ d_a_iₜ",
    ):
        assert f"{line}\n" in output
    assert "cost at B=64, T=60, N=16, H=100, 4 bytes a number" in output


def test_a_plan_is_counted_for_the_sizes_that_are_given():
    output = shown("rnn", "--stage", "plan", "--sizes", "1, 1,2,10")
    assert "cost at B=1, T=1, N=2, H=10, 4 bytes a number" in output
    assert "floating-point operations of products: 240 forward, 240 backward" in output


@pytest.mark.parametrize("sizes", ["64,60,16", "64,60,16,100,1", "64,0,16,100", "a,b,c,d", ""])
def test_wrong_sizes_are_refused(sizes, capsys):
    assert status(["show", "gru", "--stage", "plan", "--sizes", sizes]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"gatework: --sizes is {sizes!r}: write batch, time steps, inputs and units")
    assert error.endswith("as in 64,60,16,100.\n")


@compiles
@pytest.mark.parametrize("direction", ["inference", "forward", "backward"])
@pytest.mark.parametrize("name", ["gru", "lstm", "mgu", "rnn"])
def test_the_code_of_a_kernel_is_read_by_the_compiler(name, direction):
    from llvmlite import binding

    output = shown(name, "--stage", "cpu", "--direction", direction, "--sizes", "4,5,3,9")
    module = binding.parse_assembly(output)
    module.verify()
    names = {one.name for one in module.functions}
    assert {"pack", "run", "shares"} <= names
    assert ("collect" in names) == (direction == "backward")


@compiles
def test_the_code_begins_with_its_equations():
    output = shown("mgu", "--stage", "cpu", "--direction", "inference")
    head, _, code = output.partition("\n\n")
    assert head.startswith(
        "; mgu: Minimal gated unit: one gate both forgets and updates\n;\n; inference, at every time step"
    )
    assert ";   then        nₜ = tanh(a1 + b_n)\n" in head
    assert "define void" in code
    assert code != shown("mgu", "--stage", "cpu", "--direction", "inference", "--sizes", "64,60,16,101")


def test_a_cell_without_a_plan_is_refused(turning, capsys):
    assert status(["show", turning, "--stage", "plan"]) == 2
    sentence = "There is no plan for turning: it takes the cosine of a state"
    assert capsys.readouterr().err == f"gatework: {sentence}; the back-end reference runs it.\n"
    assert "d_W_n = Σ d_a_nₜ xₜᵀ" in shown(turning, "--stage", "gradient")


@compiles
def test_a_cell_without_a_kernel_is_refused(turning, capsys):
    assert status(["show", turning, "--stage", "cpu"]) == 2
    error = capsys.readouterr().err
    assert error == "gatework: The back-end cpu cannot run this cell: it takes the cosine of a state.\n"


def test_a_host_without_kernels_says_so(monkeypatch, capsys):
    monkeypatch.setattr(host, "refusal", lambda: "llvmlite is not installed")
    assert status(["show", "gru", "--stage", "cpu"]) == 2
    assert capsys.readouterr().err == "gatework: The back-end cpu cannot run this cell: llvmlite is not installed.\n"


@pytest.mark.parametrize("name", catalogue)
@pytest.mark.parametrize("stage", [one for one in STAGES if one not in ("cpu", "triton")])
def test_every_cell_is_shown_at_every_stage(name, stage):
    assert shown(name, "--stage", stage).strip()


def test_only_the_code_of_a_kernel_needs_torch():
    stages = [one for one in STAGES if one not in ("cpu", "triton")]
    code = (
        "import sys; from gatework.cli.main import status; "
        f"found = [status(['show', 'gru', '--stage', one]) for one in {stages}]; "
        "sys.exit(any(found) or 'torch' in sys.modules or 'llvmlite' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0
