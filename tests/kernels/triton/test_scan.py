"""Loops whose steps are affine in what they carry are scanned, and give the reference's numbers."""

import pytest
import torch
from test_triton_kernels import CLOSE, DEVICE, DOUBLE, PRECISE, compare, layers, results

from gatework.cells import catalogue
from gatework.graph.plan import plan
from gatework.kernels.triton import engine, scan, ways

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton.runtime.interpreter")

BOTH = ("lru", "mingru", "minlstm", "qrnn", "rg_lru", "sru")
"""Cells of the catalogue that are affine in their states; there is no product with these."""

BACKWARD = ("indrnn", "indygru", "indylstm", "sru2", "ubru")
"""Cells that are not, of which the gradient is affine in the gradients that it carries."""

TIMES = 2
"""Time steps of a chunk here."""


@pytest.fixture(autouse=True)
def scanned(monkeypatch):
    """The loops that were scanned, in chunks smaller than a sequence, and in segments of one where that can be."""
    found = []

    def run(self, call):
        found.append(call.which)
        original(self, call)

    original = ways.Scan.run
    monkeypatch.setattr(ways.Scan, "run", run)
    monkeypatch.setattr(engine, "WAYS", (ways.Scan(), ways.Whole()))
    monkeypatch.setattr(ways, "TIMES", TIMES)
    monkeypatch.setattr(ways, "ENTRIES", 16)
    monkeypatch.setattr(ways, "SHORTEST", 1)
    return found


def test_which_cells_are_scanned():
    found = {"forward": [], "backward": []}
    for name, cell in catalogue.items():
        made = plan(cell.graph.ahead.core)
        for which, names in found.items():
            if scan.write(getattr(made, which), backward=which == "backward", input_gradient=True):
                names.append(name)
    assert sorted(found["forward"]) == sorted(BOTH)
    assert sorted(found["backward"]) == sorted([*BOTH, *BACKWARD])


@pytest.mark.parametrize("busy", [1, 512], ids=["one program for a sequence", "several"])
@pytest.mark.parametrize("cell", [*BOTH, *BACKWARD])
def test_every_cell_is_the_references(cell, busy, scanned, monkeypatch):
    monkeypatch.setattr(ways, "BUSY", busy)
    pair = layers(cell, 3, 7)
    compare(pair, torch.randn(3 * TIMES + 1, 3, pair[0].input_size))
    assert scanned == (["forward", "backward"] if cell in BOTH else ["backward"])


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (TIMES, 17, 5, 1), (TIMES + 1, 2, 16, 16)], ids=str)
@pytest.mark.parametrize("cell", ["qrnn", "rg_lru", "indylstm"])
def test_sizes_beside_those_of_blocks(cell, shape):
    T, B, N, H = shape
    pair = layers(cell, N, H)
    compare(pair, torch.randn(T, B, pair[0].input_size))


@pytest.mark.parametrize("cell", ["minlstm", "qrnn", "indylstm", "lru", "rg_lru"])
def test_everything_around_a_cell(cell, scanned):
    # The norm of products of the input comes before the loop; that of the second state of an LSTM is in it.
    around = {"layer_norm": cell in BOTH, "zoneout": 0.2, "bidirectional": True, "learn_initial": True}
    pair = [layer.to(PRECISE) for layer in layers(cell, 3, 5, **around)]
    x, lengths = torch.randn(5, 3, pair[0].input_size, dtype=PRECISE), torch.tensor([5, 1, 3])
    resets = torch.zeros(5, 3, dtype=torch.bool)
    resets[2, 0] = resets[4, 2] = True
    compare(pair, x, lengths=lengths, resets=resets, seed=3, close=DOUBLE)
    # The output of an LRU that a sequence keeps after its end has a loop of its own.
    loops = 2 * (2 if cell == "lru" else 1)
    assert scanned == loops * (["forward"] if cell in BOTH else []) + loops * ["backward"]


def test_states_that_are_no_results_end_where_the_sequence_does(scanned):
    """Without gradients their last value alone is kept."""
    pair = layers("sru", 3, 7)
    for T in range(1, 2 * TIMES + 2):
        with torch.no_grad():
            expected, found = (one(torch.linspace(-1, 1, T * 2 * 3, device=DEVICE).view(T, 2, 3)) for one in pair)
        for one, other in zip((found[0], *found[1][0]), (expected[0], *expected[1][0]), strict=True):
            torch.testing.assert_close(one, other, **CLOSE)
    assert set(scanned) == {"inference"}


@pytest.mark.parametrize(
    ("equations", "loops"),
    [
        ("h + W.a @ x", ["forward", "backward"]),
        ("maximum(h - 0.1, W.a @ x)", ["forward", "backward"]),
        ("minimum(W.a @ x, h + 0.1)", ["forward", "backward"]),
        ("(W.a @ x - (h * p.a - 0.5 * h)) / (1.5 + sigmoid(W.b @ x))", ["forward", "backward"]),
        ("tanh(W.a @ x + p.a * h)", ["backward"]),
        ("maximum(p.a * h, W.a @ x)", ["backward"]),
        ("h * sigmoid(h) + W.a @ x", ["backward"]),
    ],
)
def test_one_state(equations, loops, tmp_path, scanned):
    pair = layers(_own(tmp_path, "h", equations), 3, 5)
    compare(pair, torch.randn(2 * TIMES + 1, 4, 3))
    assert scanned == loops


@pytest.mark.parametrize(
    ("equations", "loops"),
    [
        ("p.a * h + p.b * c + W.a @ x, p.c * h - p.d * c", ["forward", "backward"]),
        ("p.a * h - p.b * c + W.a @ x, p.a * c + p.b * h", ["forward", "backward"]),
        ("p.a * c + W.a @ x, p.b * h", ["forward", "backward"]),
        ("p.a * h + tanh(c), sigmoid(W.a @ x) * c + W.b @ x", ["forward", "backward"]),
        ("tanh(c), 0.5 * c + W.a @ x", ["forward", "backward"]),
        ("W.a @ x - p.a * c, p.a * h", ["forward", "backward"]),
        ("tanh(c) + W.a @ x, p.b * h", ["backward"]),
    ],
)
def test_two_states(equations, loops, tmp_path, scanned):
    pair = layers(_own(tmp_path, "h, c", equations), 3, 5)
    compare(pair, torch.randn(2 * TIMES + 1, 4, 3))
    assert scanned == loops


@pytest.mark.parametrize(
    ("equations", "loops"),
    [
        # Of the new states and the input; twice; of the entries' mean; of a value on the way.
        ("U.a @ new_h + W.b @ x, tanh(W.a @ x) * h", ["forward", "backward"]),
        ("U.a @ tanh(U.b @ new_h), p.a * h + W.a @ x", ["forward", "backward"]),
        ("new_h - mean(new_h), p.a * h + W.a @ x", ["forward", "backward"]),
        ("U.a @ (new_h * sigmoid(W.a @ x)), p.a * h + W.a @ x", ["forward", "backward"]),
        # With a loop of its own, which comes after them.
        ("0.5 * y + U.a @ new_h, p.a * h + W.a @ x", ["forward", "forward", "backward", "backward"]),
        # Of the state before: that is there in the loop only. What the loop reads is not after it.
        ("U.a @ h, p.a * h + W.a @ x", []),
        ("U.a @ new_h, p.a * h + W.a @ x + 0.1 * y", []),
        ("tanh(U.a @ y) + new_h, p.a * h + W.a @ x", []),
    ],
)
def test_products_that_no_step_reads_come_after_the_loop(equations, loops, tmp_path, scanned):
    output, state = equations.rsplit(", ", 1)
    own = _written(tmp_path, "y, h", f"new_h = {state}", f"new_y = {output}", "new_y, new_h")
    pair = layers(own, 3, 5)
    compare(pair, torch.randn(2 * TIMES + 1, 4, 3))
    assert scanned == loops


def test_three_states_in_a_ring_are_too_many(tmp_path, scanned):
    pair = layers(_own(tmp_path, "h, c, d", "0.5 * c + W.a @ x, 0.5 * d, 0.5 * h"), 3, 5)
    compare(pair, torch.randn(TIMES, 2, 3))
    assert scanned == []


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_no_number_stays_in_its_sequence(bad):
    layer, x = layers("minlstm", 3, 5)[1], torch.randn(TIMES + 2, 4, 3)
    expected = results(layer, x)
    x[2, 1, 0] = bad
    found = results(layer, x)
    others = [0, 2, 3]
    assert not found["output"][2:, 1].isfinite().any()
    torch.testing.assert_close(found["output"][:2], expected["output"][:2])
    for name in ("output", "dx"):
        torch.testing.assert_close(found[name][:, others], expected[name][:, others])


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_carries_single_precision(kind):
    exact, found = layers("mingru", 3, 5)
    found = found.to(kind)
    exact.load_state_dict({name: one.float() for name, one in found.state_dict().items()})
    x = torch.randn(4 * TIMES, 3, 3).to(kind)
    wanted, ours = results(exact, x.float()), results(found, x)
    for name, one in wanted.items():
        # Rounded once where it is stored, and the products before the loop.
        assert (ours[name].float() - one).abs().max() <= 4 * torch.finfo(kind).eps * one.abs().max(), name


def test_a_gradient_that_is_the_same_at_every_step(scanned):
    """After a sum it has one step in memory; so has the gradient of an input that nobody asked for."""
    found = []
    for layer in layers("sru", 3, 5):
        layer(torch.linspace(-1, 1, 6 * 2 * 3, device=DEVICE).view(6, 2, 3))[0].sum().backward()
        found.append([one.grad for one in layer.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


def _own(folder, states, equations):
    """A cell of one's own: the new values of its states, in a row."""
    names = ", ".join(f"new_{name}" for name in states.split(", "))
    return _written(folder, states, f"{names} = {equations}", names)


def _written(folder, states, *lines):
    """A cell of one's own, from a file; the last line is what it returns."""
    file = folder / "own.py"
    body = "\n    ".join([*lines[:-1], f"return {lines[-1]}"])
    file.write_text(
        "from gatework.graph import U, W, b, cell, maximum, mean, minimum, p, sigmoid, tanh\n\n\n"
        f"@cell\ndef own(x, {states}):\n    {body}\n"
    )
    return f"{file}:own"
