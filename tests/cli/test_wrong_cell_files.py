"""A wrong cell file is told in one sentence with its file and its line, whichever command reads it."""

import pytest

from gatework.cli.main import status

HEAD = "from gatework.graph import U, W, b, cell, sigmoid, tanh\n\n\n"
RIGHT = "return tanh(W.h @ x + U.h @ h + b.h)"


def lines(*body, arguments="x, h", above="@cell"):
    """A file whose cell begins in line 4, and its equations in line 6."""
    return "\n".join([f"{HEAD}{above}", f"def bad({arguments}):", *(f"    {line}" for line in body), ""])


FILES = {
    "a misspelt function": (lines("return tnah(W.h @ x + U.h @ h)"), ":6: in `return tnah", "did you mean tanh?"),
    "a misspelt import": (
        "from gatework.graph import U, W, cell, tahn\n",
        ":1: cannot be loaded: gatework.graph has no tahn, did you mean tanh?",
    ),
    "no return": (lines("h = tanh(W.h @ x + U.h @ h)"), ":4: cell bad: it must return the new h, in this order"),
    "a branch": (lines("if h > 0:", "    h = -h", RIGHT), ":6: in `if h > 0:`: a symbol has no value to compare"),
    "a loop while": (
        lines("while h:", "    h = h - 1", RIGHT),
        ":6: in `while h:`: a symbol is neither true nor false",
    ),
    "a function of numpy": (
        lines("import numpy", "return numpy.tanh(W.h @ x + U.h @ h)"),
        ":7: in `return numpy.tanh",
        "numpy takes no symbol",
        "use sigmoid, tanh and the others of gatework.graph",
    ),
    "a product of numpy": (
        lines("import numpy", "return tanh(numpy.dot(h, h) + W.h @ x)"),
        ":7: in `return tanh(numpy.dot",
        "a symbol is not an array: use sigmoid, tanh",
    ),
    "an array of numpy": (
        lines("import numpy", "return tanh(numpy.ones(3) + W.h @ x + U.h @ h)"),
        ":7: in `return",
        "a value of type ndarray is neither a symbol nor a number",
    ),
    "a function of torch": (
        lines("import torch", "return torch.tanh(W.h @ x + U.h @ h)"),
        ":7: in `return torch.tanh",
        "must be Tensor, not a symbol",
    ),
    "a weight that is not there": (
        lines(RIGHT, above='@cell(weights={"b.q": 1.0})'),
        ":4: cell bad: it has no weight b.q to say anything of; it has W.h, U.h, b.h",
    ),
    "weights in a list": (
        lines(RIGHT, above='@cell(weights=["b.h"])'),
        ":4: cell bad: what is said of weights is a dictionary, {'b.f': 1.0}, not a list",
    ),
    "a recipe that fails": (
        lines(RIGHT, above='@cell(weights={"b.h": lambda *_: 1 / 0})'),
        ":4: the recipe for the start of b.h fails: ZeroDivisionError: division by zero",
    ),
    "a recipe of two numbers": (
        lines(RIGHT, above='@cell(weights={"b.h": lambda *_: [1.0, 2.0]})'),
        ":4: the recipe for the start of b.h gives no finite numbers of the shape (24,)",
    ),
    "a recipe without arguments": (
        lines(RIGHT, above='@cell(weights={"b.h": lambda: 1.0})'),
        ":4: the recipe for the start of b.h fails: TypeError: <lambda>() takes 0 positional arguments",
    ),
    "an argument that cell does not have": (
        lines(RIGHT, above='@cell(weight={"b.h": 1.0})'),
        ":4: cannot be loaded: TypeError: cell() got an unexpected keyword argument 'weight'",
    ),
    "one value for two states": (
        lines("return tanh(W.h @ x + U.h @ h + c)", arguments="x, h, c"),
        ":4: cell bad: it must return the new h, c, in this order, and nothing else",
    ),
    "a matrix and a vector": (
        lines("return tanh(W.h + U.h @ h)"),
        ":6: in `return tanh(W.h + U.h @ h)`: W.h is a matrix: multiply it with a vector first, as in W.h @ x",
    ),
    "a lambda": (f"{HEAD}bad = cell(lambda x, h: tanh(W.h @ x + U.h @ h))\n", ":4: cell <lambda>: a cell is written"),
    "a class": (f"{HEAD}@cell\nclass bad:\n    pass\n", ":4: a cell is a function written with def, not a type"),
    "a function without @cell": (lines(RIGHT, above=""), " defines no cell: put @gatework.cell above the function"),
    "an error of syntax": (f"{HEAD}@cell\ndef bad(x, h)\n    return h\n", ":5: not Python: expected ':'"),
    "an error at import": (f"{HEAD}raise RuntimeError('oops')\n", ":4: cannot be loaded: RuntimeError: oops"),
    "a module that is not there": ("import nothing_like_this\n", ":1: cannot be loaded: ModuleNotFoundError"),
    "a loop over a symbol": (
        lines("for k in range(h):", "    h = h + k", RIGHT),
        ":6: in `for k in range(h):`: a symb",
    ),
    "a name of a symbol in an f-string": (
        lines("return tanh(getattr(W, f'{h}') @ x + U.h @ h)"),
        ":6: in `return tanh(getattr",
        "'<h>' cannot name a weight: write a name such as W.k",
    ),
    "an index": (lines("return tanh(W['h'] @ x + U.h @ h)"), ":6: in `return", "W or U without a name is not subscri"),
    "a method": (lines("return (W.h @ x + U.h @ h).tanh()"), ":6: in `return", "a symbol has no attribute 'tanh'"),
    "a call": (lines("return tanh(W.h(x) + U.h @ h)"), ":6: in `return", "a matrix is not callable"),
    "a division by zero": (
        lines("return tanh(W.h @ x + U.h @ h / 0)"),
        ":6: in `return",
        "a symbol is divided by zero",
    ),
    "states in another order": (
        lines("h = tanh(W.h @ x + U.h @ h + c)", "c = 0.5 * c + h", "return c, h", arguments="x, h, c"),
        ":4: cell bad: it returns the new c, h: return them as h, c, the order of its arguments",
    ),
    "a state of the input's size": (
        lines("h = tanh(W.h @ x + U.h @ h + c)", "c = 2 * x", "return h, c", arguments="x, h, c"),
        ":7: in `c = 2 * x`: a state has H entries, not N entries (the input's size)",
    ),
    "another function": (
        lines(RIGHT).replace("bad", "good"),
        " defines no cell 'bad': write bad.py:NAME with one of good",
    ),
    "no file": (None, "There is no cell file bad.py: a cell is named by its file and its function"),
}


@pytest.mark.parametrize("command", [("show", "./bad.py:bad"), ("compare", "sunspots", "--cells", "./bad.py:bad")])
@pytest.mark.parametrize("case", FILES)
def test_a_wrong_file_is_told_with_its_line(case, command, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    text, *words = FILES[case]
    if text is not None:
        (tmp_path / "bad.py").write_text(text)
        words[0] = f"bad.py{words[0]}"
    assert status(command) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    assert printed.err.startswith(f"gatework: {words[0]}"), printed.err
    assert all(word in printed.err for word in words), printed.err
    assert "Expression" not in printed.err


@pytest.mark.parametrize(
    "body",
    [
        ("for k in range(3):", "    h = tanh(W.h @ x + U.h @ h)", "return h"),
        ("return tanh(sum(getattr(W, f'k{k}') @ x for k in range(3)) + U.h @ h)",),
        ("c = h = tanh(W.h @ x + U.h @ h + c)", "return h, c"),
    ],
)
def test_what_python_does_while_it_reads_the_cell_is_right(body, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text(lines(*body, arguments="x, h, c" if "c" in body[-1] else "x, h"))
    assert status(("show", "./bad.py:bad")) == 0
    assert capfd.readouterr().err == ""
