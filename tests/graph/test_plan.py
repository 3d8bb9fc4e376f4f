"""A plan, run as its records say, gives the numbers of the reference and the gradients of torch."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from interpreter import interpret, nearest_corner
from loop_by_hand import results, run_forward, run_plan, state_array
from odd_cells import CELLS, ODD
from random_cells import H, N, cells
from through_torch import assert_agree, random_run, torch_says

from gatework.errors import BackendError
from gatework.graph import U, W, b, cell, mean, p, sigmoid, softplus, tanh
from gatework.graph.build import build, from_json
from gatework.graph.derivative import derive
from gatework.graph.keeping import keep
from gatework.graph.loop import Keeping
from gatework.graph.ops import Op
from gatework.graph.plan import plan

T, B = 4, 3

# Some hundred operations a step on numbers of order one, four steps: 400 · 2e-16, and as much again for torch.
TOLERANCE = 1e-12


def assert_plan_is_right(graph, run, tolerance):
    made, expected = plan(graph), torch_says(graph, run)
    assert_agree(run_plan(made, graph, run), expected, tolerance)
    outputs = {name: value for name, value in expected.items() if not name.startswith("d_")}
    assert_agree(results(run_forward(made.inference, graph, run), graph), outputs, tolerance)


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_runs_as_planned(name):
    graph = CELLS[name].graph
    assert_plan_is_right(graph, random_run(graph, T=T, B=B, N=N, H=H), TOLERANCE)


@pytest.mark.parametrize("name", ["gru", "lstm", "mgu", *ODD])
def test_a_sequence_of_one_step_has_no_neighbours(name):
    graph = CELLS[name].graph
    assert_plan_is_right(graph, random_run(graph, T=1, B=1, N=N, H=H), TOLERANCE)


@settings(max_examples=200, deadline=None)
@given(cells(of_input=False))
def test_a_random_cell_runs_as_planned(drawn):
    outputs, named, _ = drawn
    graph = build(("h", "c"), outputs, named)
    run = random_run(graph, T=3, B=2, N=N, H=H)
    assume(steps_keep_away_from_corners(graph, run, 1e-9))
    # A thousand operations: values that grow from step to step are rounded with their own size.
    assert_plan_is_right(graph, run, 1e-9)


def steps_keep_away_from_corners(graph, run, distance):
    """Whether rounding decides nowhere on which side of a corner a value lies."""
    for k in range(run.x.shape[1]):
        states = {state: one[k] for state, one in run.states.items()}
        for x in run.x[:, k]:
            leaves = {**run.weights, "x": x, **states}
            if nearest_corner(graph, leaves) < distance:
                return False
            values = interpret(graph.nodes, leaves)
            states = {s: np.broadcast_to(values[out], (H,)) for s, out in zip(graph.states, graph.outputs, strict=True)}
    return True


@settings(max_examples=100, deadline=None)
@given(cells())
def test_vectors_of_the_inputs_size_are_refused_and_nothing_else(drawn):
    outputs, named, _ = drawn
    graph = build(("h", "c"), outputs, named)
    computed = [node for node in graph.nodes if node.shape == ("N",) and node.op is not Op.INPUT]
    averaged = [node for node in graph.nodes if node.op is Op.MEAN and graph.nodes[node.args[0]].shape == ("N",)]
    if computed or averaged:
        with pytest.raises(BackendError, match=r"vectors of the input's size \(\w+\S*\)$|takes the mean of the input$"):
            plan(graph)
    else:
        plan(graph)


def test_a_refusal_names_what_is_refused():
    @cell
    def scaled_input(x, h):
        scaled = x * mean(h)
        return tanh(U.n @ scaled + h)

    @cell
    def averaged_input(x, h):
        return tanh(W.n @ x + mean(x) * h)

    @cell
    def averaged_weight(x, h):
        return tanh(W.n @ x + mean(b.k) * h)

    @cell
    def multiplied_weight(x, h):
        return tanh(W.n @ x + W.k @ b.k + h)

    words = {
        scaled_input: "it computes with vectors of the input's size (scaled)",
        averaged_input: "it takes the mean of the input",
        averaged_weight: "it takes the mean of a weight (b.k)",
        multiplied_weight: "it multiplies a matrix with a weight (b.k)",
    }
    for one, sentence in words.items():
        with pytest.raises(BackendError) as error:
            plan(one.graph)
        assert str(error.value) == sentence


STAGES = {"rnn": 1, "rnn_relu": 1, "gru": 1, "lstm": 1, "cifg": 1, "mgu": 2, "gru_reset_before": 2}


@pytest.mark.parametrize("name", STAGES)
def test_how_many_stages_a_step_has(name):
    """A product with a vector of the same step begins another stage, forward and backward."""
    made = plan(CELLS[name].graph)
    assert len(made.inference.stages) == len(made.forward.stages) == STAGES[name]
    *stages, of_input = made.backward.stages
    assert len(stages) == STAGES[name]
    assert of_input.optional
    assert not any(stage.optional for stage in (*stages, *made.forward.stages, *made.inference.stages))
    assert {store.place.array for store in of_input.stores} == {"dx"}


def test_the_gradient_of_a_constant_takes_no_stage():
    """A matrix that meets the state less a constant: its product with the gradient waits for the next step."""

    @cell
    def shifted(x, h):
        return tanh(W.n @ x + U.n @ (h - 0.5))

    made = plan(shifted.graph)
    assert len(made.forward.stages) == 2
    assert [stage.optional for stage in made.backward.stages] == [False, True]


def accumulators(stage):
    return {frozenset(term.matrix for term in terms) for terms in stage.products.values()}


def test_the_gru_sums_the_products_of_a_gate_together_and_those_of_the_candidate_apart():
    made = plan(CELLS["gru"].graph)
    (stage,) = made.forward.stages
    assert accumulators(stage) == {
        frozenset({"W.r", "U.r"}),
        frozenset({"W.z", "U.z"}),
        frozenset({"W.n"}),
        frozenset({"U.n"}),
    }
    vectors = {
        term.matrix[0]: (term.vector.array, term.vector.shift) for terms in stage.products.values() for term in terms
    }
    assert vectors == {"W": ("x", 0), "U": ("y", -1)}
    assert accumulators(made.backward.stages[0]) == {frozenset({"U.r", "U.z", "U.n"})}
    assert accumulators(made.backward.stages[1]) == {frozenset({"W.r", "W.z", "W.n"})}


def test_the_lstm_sums_the_products_of_each_gate_together():
    made = plan(CELLS["lstm"].graph)
    (stage,) = made.forward.stages
    assert accumulators(stage) == {frozenset({f"W.{gate}", f"U.{gate}"}) for gate in "ifgo"}
    assert accumulators(made.backward.stages[0]) == {frozenset({"U.i", "U.f", "U.g", "U.o"})}
    terms = [term for stage in made.backward.stages for terms in stage.products.values() for term in terms]
    assert all(term.transposed for term in terms)
    assert {(term.matrix[0], term.vector.shift) for term in terms} == {("U", 1), ("W", 0)}


def test_the_reset_product_waits_for_the_second_stage():
    first, second = plan(CELLS["gru_reset_before"].graph).inference.stages
    assert accumulators(first) == {frozenset({"W.r", "U.r"}), frozenset({"W.z", "U.z"})}
    assert accumulators(second) == {frozenset({"W.n", "U.n"})}


def test_blocks_that_meet_the_input_and_those_that_meet_a_state_lie_side_by_side():
    made = plan(CELLS["gru"].graph)
    blocks = {kind: sorted({one.block for one in made.outers if one.matrix[0] == kind}) for kind in "WU"}
    assert {kind: len(found) for kind, found in blocks.items()} == {"W": 3, "U": 3}
    assert all(found == list(range(found[0], found[0] + 3)) for found in blocks.values())
    assert sorted({*blocks["W"], *blocks["U"]}) == sorted(made.columns.values()) == [0, 1, 2, 3]


def loops(made):
    return {"inference": made.inference, "forward": made.forward, "backward": made.backward}


def places_read(stage):
    return [
        *(term.vector for terms in stage.products.values() for term in terms),
        *stage.totals.values(),
        *stage.reads.values(),
    ]


def assert_well_formed(made, graph):
    for word, loop in loops(made).items():
        assert all(array.name == name for name, array in loop.arrays.items())
        read_later = set()
        for stage in reversed(loop.stages):
            stored = [store.place for store in stage.stores]
            assert len(set(stored)) == len(stored), f"{word}: a place is written twice"
            for place in stored:
                if loop.arrays[place.array].keeping is Keeping.STEP:
                    assert place in read_later, f"{word}: {place} is stored and no later stage reads it"
            assert not {place for place in places_read(stage) if not place.shift} & set(stored)
            read_later |= set(places_read(stage))
        mentioned = {
            place.array for stage in (*loop.stages, *([loop.last] if loop.last else [])) for place in places_read(stage)
        }
        mentioned |= {store.place.array for stage in loop.stages for store in stage.stores}
        mentioned |= {store.place.array for store in (loop.last.stores if loop.last else ())}
        assert mentioned <= set(loop.arrays)
    states = {state_array(graph, state) for state in graph.states}
    stored = {store.place.array for stage in made.forward.stages for store in stage.stores}
    assert {name for name in stored if not name.startswith("step:")} == states | set(made.kept)
    assert len(set(made.kept)) == len(made.kept)
    assert {one.matrix for one in made.outers} | set(made.columns) == {one.key for one in graph.parameters}
    kept = [store.place.array for stage in made.inference.stages for store in stage.stores]
    assert not any(name.startswith("keep:") for name in kept)


@pytest.mark.parametrize("name", CELLS)
def test_a_plan_stores_only_what_is_read(name):
    assert_well_formed(plan(CELLS[name].graph), CELLS[name].graph)


@settings(max_examples=150, deadline=None)
@given(cells(of_input=False))
def test_a_plan_of_a_random_cell_stores_only_what_is_read(drawn):
    outputs, named, _ = drawn
    graph = build(("h", "c"), outputs, named)
    assert_well_formed(plan(graph), graph)


def test_inference_forgets_the_states_that_are_no_output():
    made = plan(CELLS["lstm"].graph)
    assert made.inference.arrays["state:c"].keeping is Keeping.PAIR
    assert made.forward.arrays["state:c"].keeping is Keeping.SEQUENCE
    assert made.inference.arrays["y"].keeping is Keeping.SEQUENCE


def steps_of(loop):
    """What is stored for later stages, by its name or its operation."""
    stored = [store for stage in loop.stages for store in stage.stores if store.place.array.startswith("step:")]
    return sorted(loop.nodes[store.node].name or loop.nodes[store.node].op.value for store in stored)


def test_a_later_stage_computes_again_what_is_cheap_and_reads_what_is_dear():
    @cell
    def softened(x, h):
        s = softplus(h) + softplus(2 * h)
        n = tanh(W.n @ x + U.n @ (s * h))
        return s * n + s

    mgu = plan(CELLS["mgu"].graph).inference
    assert steps_of(mgu) == ["f", "multiply"], "1 - f and (1 - f) h follow from f"
    assert steps_of(plan(softened.graph).inference) == ["multiply", "s"], "s costs more than to write and read it"


def test_what_lies_in_an_array_is_read_and_not_computed_again():
    @cell
    def doubled(x, h):
        u = h * 2 + p.u
        return tanh(W.n @ x + U.n @ u) * u

    _, second = plan(doubled.graph).forward.stages
    assert {place.array for place in second.reads.values()} == {"keep:u"}


def test_what_depends_on_the_input_alone_waits_for_the_stage_that_uses_it():
    @cell
    def late(x, h):
        r = sigmoid(W.r @ x + U.r @ h)
        late = tanh(W.l @ x)
        return tanh(U.n @ (r * h)) * late

    first, second = plan(late.graph).inference.stages
    assert accumulators(first) == {frozenset({"W.r", "U.r"})}
    assert accumulators(second) == {frozenset({"W.l"}), frozenset({"U.n"})}
    assert steps_of(plan(late.graph).inference) == ["multiply"]


def test_an_equation_may_have_the_name_that_a_kept_value_would_be_given():
    graph = CELLS["mgu"].graph
    (nameless,) = [k for k in keep(derive(graph)) if not graph.nodes[k].name]
    record = graph.to_json()
    next(node for node in record["nodes"] if node["name"] == "f")["name"] = f"v{nameless}"
    renamed = from_json(record)
    assert_well_formed(plan(renamed), renamed)
    assert_plan_is_right(renamed, random_run(renamed, T=T, B=B, N=N, H=H), TOLERANCE)
