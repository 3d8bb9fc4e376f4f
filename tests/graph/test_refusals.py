"""A cell that is wrong is refused with the file, the line and the text of its equation, and in plain words."""

import functools

import pytest

from gatework.cells import catalogue, find
from gatework.errors import EquationError
from gatework.graph import U, W, b, cell, sigmoid, tanh
from gatework.graph.weights import Weight, diagonal_blocks

# Line 2 of the file is the decorator, line 3 the def, line 4 the first equation.
EQUATIONS = {
    "a wrong function": ("h = sigmod(W.h @ x + U.h @ h)", "unknown name sigmod, did you mean sigmoid?"),
    "a name from nowhere": ("h = tanh(W.h @ x + zzz * h)", "unknown name zzz, define it above the cell"),
    "W on a state": ("h = tanh(W.h @ x + W.f @ h)", "W.f multiplies something that depends on a state: write U.f @"),
    "U on the input": ("h = tanh(U.f @ x + U.h @ h)", "U.f multiplies something that depends on no state: write W.f @"),
    "N beside H": ("h = x * h", "N entries (the input's size) beside H entries (the state's size)"),
    "one matrix, two sizes": (
        "h = tanh(W.h @ x + U.f @ h + U.f @ (x * (U.g @ h)))",
        "the same matrix multiplies N entries (the input's size) here and H entries (the state's size) elsewhere",
    ),
    "power 3": ("h = tanh(W.h @ x + h**3)", "only the power 2 is known, not 3: multiply, or use sqrt or exp"),
    "power of a symbol": ("h = tanh(W.h @ x + 2**h)", "only the power 2 is known, not 2 to a symbol"),
    "a symbol as power": ("h = tanh(W.h @ x + h**h)", "only the power 2 is known"),
    "no name for W": ("h = tanh(W @ x + U.h @ h)", "W needs a name: write W.k @ …, with k the equation's name"),
    "no name for b": ("h = tanh(W.h @ x + U.h @ h + b)", "W, U, b and p need a name: write b.k"),
    "a matrix in a sum": ("h = tanh(W.f + b.f + h)", "W.f is a matrix: multiply it with a vector first, as in W.f @ x"),
    "a vector plus a matrix": ("h = tanh(b.f + W.f + h)", "W.f is a matrix: multiply it with a vector first"),
    "a matrix in a function": ("h = tanh(W.f) * h", "W.f is a matrix: multiply it with a vector first"),
    "a matrix on the right": ("h = tanh(x @ W.f + U.f @ h)", "only a weight matrix stands left of @: write W.k @ x"),
    "a matrix times a matrix": ("h = tanh(W.f @ W.g + h)", "W.g is a matrix: multiply it with a vector first"),
    "a matrix times a number": (
        "h = tanh(W.f @ 3.0 + W.h @ x + U.h @ h)",
        "a matrix multiplies a vector, not a constant",
    ),
    "a matrix times a mean": ("h = tanh(W.f @ mean(x) + U.h @ h)", "a matrix multiplies a vector, not one number"),
    "a mean of a number": (
        "h = tanh(W.f @ x + U.h @ h) * mean(2.0)",
        "a mean or a sum is taken over the entries of a vector",
    ),
    "text as an operand": ("h = tanh(W.h @ x + U.h @ h + 'b')", "a value of type str is neither a symbol nor a number"),
    "truth as an operand": (
        "h = tanh(W.h @ x + U.h @ h + True)",
        "a value of type bool is neither a symbol nor a number",
    ),
    "infinity": ("h = tanh(W.h @ x + U.h @ h + float('inf'))", "a constant is a finite number, not inf"),
    "a branch": ("h = tanh(W.h @ x) if h else h", "a symbol is neither true nor false"),
    "a comparison": ("h = tanh(W.h @ x) if h > 0 else h", "a symbol has no value to compare: use maximum, minimum"),
    "an equality": ("h = tanh(W.h @ x) if h == 0 else h", "a symbol has no value to compare"),
    "builtin max": ("h = max(tanh(W.h @ x), h)", "a symbol has no value to compare: use maximum"),
    "a function of math": (
        "h = __import__('math').tanh(h)",
        "a symbol is not a number, use sigmoid, tanh and the others of gatework.graph",
    ),
    "a function of numpy": ("h = __import__('numpy').tanh(h)", "use sigmoid, tanh and the others of gatework.graph"),
    "a private weight": ("h = tanh(W._h @ x + U.h @ h)", "the name of a weight does not start with an underscore"),
    "a weight without a name": ("h = tanh(getattr(W, '0') @ x + U.h @ h)", "'0' cannot name a weight"),
    "an assigned weight": ("W.f = tanh(W.h @ x + U.h @ h)", "f"),
    "a Python error": ("h = tanh(W.h @ x + U.h @ h) * {}['scale']", "KeyError: 'scale'"),
}


@pytest.mark.parametrize("case", EQUATIONS)
def test_a_wrong_equation_is_named_with_its_line_and_its_text(define, case):
    equation, words = EQUATIONS[case]
    with pytest.raises(EquationError) as error:
        define(f"@cell\ndef mine(x, h):\n    {equation}\n    return h\n")
    message = str(error.value)
    assert message.startswith("mine.py:4: in `")
    assert equation.split(" = ")[0] in message
    assert words in message
    assert "\n" not in message


CELLS = {
    "an unused state": (
        "def mine(x, h, c):\n    return tanh(W.h @ x + U.h @ h), tanh(W.c @ x)",
        "mine.py:2: cell mine: state c is never read",
    ),
    "an un-updated state": (
        "def mine(x, h, c):\n    return tanh(W.h @ x + U.h @ h + c), c",
        "mine.py:2: cell mine: state c is never updated, it is returned as the state c",
    ),
    "a constant state": (
        "def mine(x, h, c):\n    return tanh(W.h @ x + U.h @ h + c), b.c",
        "mine.py:2: cell mine: state c is set to b.c, not computed",
    ),
    "a state set to the input": (
        "def mine(x, h):\n    return x",
        "mine.py:2: cell mine: state h is set to x, not computed",
    ),
    "an unused input": (
        "def mine(x, h):\n    return tanh(U.h @ h)",
        "mine.py:2: cell mine: the input is never read",
    ),
    "an unused equation": (
        "def mine(x, h):\n    f = sigmoid(W.f @ x)\n    return tanh(W.h @ x + U.h @ h)",
        "mine.py:4: in `f = sigmoid(W.f @ x)`: f is computed and never used",
    ),
    "an equation that is replaced": (
        "def mine(x, h):\n    f = sigmoid(W.f @ x)\n    f = tanh(W.g @ x)\n    return f * h",
        "mine.py:4: in `f = sigmoid(W.f @ x)`: f is computed and never used",
    ),
    "a weight without use": (
        "def mine(x, h):\n    k = b.k\n    return tanh(W.h @ x + U.h @ h)",
        "mine.py:4: in `k = b.k`: b.k is computed and never used",
    ),
    "a value without a name": (
        "def mine(x, h):\n    sigmoid(W.f @ x)\n    return tanh(W.h @ x + U.h @ h)",
        "mine.py:4: in `sigmoid(W.f @ x)`: this value is computed and never used",
    ),
    "sizes that do not close": (
        "def mine(x, h):\n    f = sigmoid(x)\n    return f * h",
        "mine.py:5: in `return f * h`: the shapes do not close: N entries (the input's size) beside H entries",
    ),
    "a state of the input's size": (
        "def mine(x, h, c):\n    h = tanh(W.h @ x + U.h @ h + U.c @ c)\n    c = x * 2\n    return h, c",
        "mine.py:5: in `c = x * 2`: a state has H entries, not N entries (the input's size)",
    ),
    "a state of one number": (
        "def mine(x, h):\n    return mean(W.h @ x + U.h @ h)",
        "mine.py:4: in `return mean(W.h @ x + U.h @ h)`: a state has H entries, not one number",
    ),
    "too few returned": (
        "def mine(x, h, c):\n    return tanh(W.h @ x + U.h @ h + c)",
        "mine.py:2: cell mine: it must return the new h, c, in this order, and nothing else",
    ),
    "too many returned": (
        "def mine(x, h):\n    return tanh(W.h @ x + U.h @ h), h",
        "mine.py:2: cell mine: it must return the new h, in this order, and nothing else",
    ),
    "nothing returned": (
        "def mine(x, h):\n    h = tanh(W.h @ x + U.h @ h)",
        "mine.py:2: cell mine: it must return the new h, in this order, and nothing else",
    ),
    "a number returned": (
        "def mine(x, h):\n    return 0.5",
        "mine.py:2: cell mine: it must return the new h, in this order, and nothing else",
    ),
    "a generator": (
        "def mine(x, h):\n    yield tanh(W.h @ x + U.h @ h)",
        "mine.py:2: cell mine: it must return the new h, in this order, and nothing else",
    ),
    "no state": (
        "def mine(x):\n    return tanh(W.h @ x)",
        "mine.py:2: cell mine: its arguments are the input and one or",
    ),
    "any arguments": ("def mine(x, *h):\n    return tanh(W.h @ x)", "mine.py:2: cell mine: its arguments are"),
    "a default": ("def mine(x, h=0):\n    return tanh(W.h @ x)", "mine.py:2: cell mine: its arguments are"),
    "a keyword": ("def mine(x, *, h):\n    return tanh(W.h @ x)", "mine.py:2: cell mine: its arguments are"),
    "a coroutine": ("async def mine(x, h):\n    return h", "mine.py:2: cell mine: a cell is written with def"),
}


@pytest.mark.parametrize("case", CELLS)
def test_a_wrong_cell_is_named_with_its_line(define, case):
    text, words = CELLS[case]
    with pytest.raises(EquationError) as error:
        define(f"@cell\n{text}\n")
    assert str(error.value).startswith(words)


def test_a_local_name_that_has_no_value_yet_is_told(define):
    with pytest.raises(EquationError, match=r"mine\.py:4: in `h = f \* h`: .*'f'|unknown name f"):
        define("@cell\ndef mine(x, h):\n    h = f * h\n    f = sigmoid(W.f @ x)\n    return f * h\n")


def test_the_line_is_that_of_the_equation_and_not_of_a_function_that_it_calls(define):
    text = """
        def squash(a):
            return tanh(a + W.f)

        @cell
        def mine(x, h):
            f = sigmoid(W.f @ x)
            n = squash(
                f * h
            )
            return n
    """
    with pytest.raises(EquationError, match=r"^mine\.py:8: in `n = squash\(f \* h\)`: W\.f is a matrix"):
        define(text)


def test_the_line_is_right_below_a_decorator_of_several_lines_and_in_an_equation_of_several_lines(define):
    text = """
        @cell(
            source="a paper",
            weights={
                "b.f": 1.0,
            },
        )
        def mine(x, h):
            '''Title.'''
            f = sigmoid(W.f @ x + b.f)

            return (
                f
                * tanh(h @ U.h)
            )
    """
    with pytest.raises(EquationError, match=r"^mine\.py:12: in `return f \* tanh\(h @ U\.h\)`: only a weight matrix"):
        define(text)


def test_a_function_that_is_not_imported_is_told_with_its_import(define):
    text = "@cell\ndef mine(x, h):\n    return relu(W.h @ x + U.h @ h)\n"
    with pytest.raises(EquationError, match=r"unknown name relu, write `from gatework\.graph import relu`"):
        define(text, header="from gatework.graph import W, U, cell\n")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"b.q": 1}, r"it has no weight b\.q to say anything of; it has W\.h, U\.h, b\.h"),
        ({"b.h": "one"}, r"the weight b\.h starts at a number or by a recipe, not at 'one'"),
        ({"b.h": float("inf")}, r"the weight b\.h starts at a number or by a recipe, not at inf"),
        ({"b.h": Weight(fixed=True)}, r"the weight b\.h is fixed, and nothing says at what"),
        ({"b.h": diagonal_blocks(2)}, r"the weight b\.h is a vector: only a matrix has blocks"),
    ],
)
def test_what_is_declared_of_no_weight_or_makes_no_sense_is_refused(weights, words):
    def mine(x, h):
        return tanh(W.h @ x + U.h @ h + b.h)

    with pytest.raises(EquationError, match=rf"^cell mine: {words}$"):
        cell(weights=weights)(mine)


@pytest.mark.parametrize("blocks", [0, -1, 2.0, True, "two"])
def test_a_matrix_has_one_block_or_more(blocks):
    with pytest.raises(EquationError, match="there is no mask of"):
        diagonal_blocks(blocks)


def test_an_option_needs_a_default_and_is_known_by_its_name(define):
    with pytest.raises(EquationError, match=r"mine\.py:\d+: cell mine: the option k is a number, a word, T"):
        define("@cell\ndef mine(x, h, *, k=None):\n    return tanh(W.h @ x + k * h)\n")
    mine = define("@cell\ndef mine(x, h, *, k=2.0):\n    return tanh(W.h @ x + k * h)\n")
    with pytest.raises(EquationError, match=r"^cell mine: it has no option q: its options are k$"):
        mine(q=1)
    with pytest.raises(EquationError, match=r"^cell gru: it has no option q: it has none$"):
        catalogue["gru"](q=1)


def test_what_is_no_function_is_refused():
    with pytest.raises(EquationError, match=r"test_refusals\.py:\d+: cell <lambda>: a cell is written with def"):
        cell(lambda x, h: tanh(W.h @ x + U.h @ h))
    with pytest.raises(EquationError, match="not a partial"):
        cell(functools.partial(tanh))
    with pytest.raises(EquationError, match="not a str"):
        cell("gru")


def test_a_cell_without_a_source_is_refused():
    space = {"cell": cell, "tanh": tanh, "W": W, "U": U}
    exec("def mine(x, h):\n    return tanh(W.h @ x + U.h @ h)\n", space)  # noqa: S102
    with pytest.raises(EquationError, match=r"^<string>:1: cell mine: its source cannot be read: write the cell"):
        cell(space["mine"])


def test_a_decorator_below_cell_is_refused_and_not_dropped():
    def twice(function):
        @functools.wraps(function)
        def wrapper(*arguments):
            return 2 * function(*arguments)

        return wrapper

    with pytest.raises(EquationError, match="no other decorator stands between @cell and the equations"):

        @cell
        @twice
        def mine(x, h):
            return tanh(W.h @ x + U.h @ h)


def test_a_closure_that_is_not_filled_yet_is_told():
    def mine(x, h):
        return later(W.h @ x + U.h @ h)

    with pytest.raises(EquationError, match=r"cell mine: unknown name later, define it above the cell"):
        cell(mine)
    later = sigmoid


def test_a_wrong_cell_leaves_the_symbols_as_they_were(define):
    with pytest.raises(EquationError):
        define("@cell\ndef mine(x, h):\n    W.f = 3\n    return tanh(W.f @ x + U.h @ h)\n")

    @cell
    def right(x, h):
        return tanh(W.f @ x + U.f @ h + b.f)

    assert [one.key for one in right.graph.parameters] == ["W.f", "U.f", "b.f"]


def test_a_syntax_error_has_its_line(tmp_path):
    (tmp_path / "mine.py").write_text("import gatework\n\ndef mine(x, h:\n")
    with pytest.raises(EquationError, match=r"^mine\.py:3: not Python: "):
        find(str(tmp_path / "mine.py"))
