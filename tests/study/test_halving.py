"""The search without training: errors that are made up show who is trained, who goes on, and when it ends."""

from math import inf, isfinite

import pytest

from gatework.cells import catalogue
from gatework.graph.canonical import canonical
from gatework.study import halving
from gatework.study.halving import FIRST_SEED, GENERATION, Round, Trained, rounds_of, search

STARTS = [catalogue[name] for name in ("gru", "mgu")]
ROUNDS = rounds_of(9)


def luck(cell):
    """A number from 0 to 1 that belongs to a cell."""
    return int(canonical(cell)[:8], 16) / 16**8


class Judge:
    """Gives every cell its luck, and notes what was asked."""

    def __init__(self, error=luck, seconds=1.0):
        self.asked, self._error, self._seconds = [], error, seconds

    def __call__(self, cell, epochs, seed):
        self.asked.append((cell.name, epochs, seed))
        return Trained(self._error(cell), self._seconds)


def run(judge, candidates=18, **options):
    return search(STARTS, judge, candidates=candidates, rounds=ROUNDS, **options)


def test_one_in_three_goes_on_and_it_is_the_best():
    judge = Judge()
    found = run(judge)
    assert found.funnel == [18, 6, 2]
    first = found.candidates[:GENERATION]
    errors = sorted(luck(one.cell) for one in first)
    assert sorted(luck(one.cell) for one in first if one.rounds > 1) == errors[:3]
    assert [luck(one.cell) for one in first if one.rounds == 3] == errors[:1]
    assert [one.order for one in found.best(4)] == sorted(one.order for one in found.candidates)[:4]
    assert {epochs for _, epochs, _ in judge.asked} == {1, 3, 9}
    assert all(seed >= FIRST_SEED for _, _, seed in judge.asked)
    assert found.stopped == ""


def test_cells_that_it_starts_with_are_trained_as_long_as_the_best():
    judge = Judge()
    found = run(judge, candidates=1)
    assert [(one.name, one.rounds) for one in found.starts] == [("gru", 3), ("mgu", 3)]
    assert judge.asked[:4] == [(name, 9, FIRST_SEED + k) for name in ("gru", "mgu") for k in (0, 1)]


def test_no_cell_is_tried_twice_and_none_that_it_starts_with():
    found = run(Judge(), candidates=30)
    keys = [canonical(one.cell) for one in (*found.starts, *found.candidates)]
    assert len(set(keys)) == len(keys)
    assert [one.name for one in found.candidates] == [f"new_{k}" for k in range(1, 31)]
    assert {one.parent for one in found.candidates} <= {"gru", "mgu", *(one.name for one in found.candidates)}


def test_later_generations_are_made_from_the_best():
    found = run(Judge(), candidates=27)
    assert any(one.parent.startswith("new_") for one in found.candidates)
    few = sorted(found.candidates[:GENERATION], key=lambda one: one.order)[: halving.PARENTS]
    parents = {one.parent for one in found.candidates[GENERATION : 2 * GENERATION]}
    assert parents <= {"gru", "mgu", *(one.name for one in few)}


def test_the_same_errors_give_the_same_search():
    first, second = (run(Judge()) for _ in range(2))
    assert [one.cell.graph for one in first.candidates] == [one.cell.graph for one in second.candidates]
    assert [one.error for one in first.candidates] == [one.error for one in second.candidates]
    other = run(Judge(), seed=1)
    assert [one.cell.graph for one in first.candidates] != [one.cell.graph for one in other.candidates]


def test_a_cell_that_goes_astray_goes_no_further():
    def error(cell):
        return float("nan") if luck(cell) < 0.5 else luck(cell)

    found = run(Judge(error), candidates=18)
    astray = [one for one in found.candidates if not isfinite(one.error)]
    assert astray
    assert all((one.error, one.rounds) == (inf, 1) for one in astray)
    assert all(isfinite(one.error) for one in found.best(18))


def test_every_cell_astray_finds_nothing():
    found = run(Judge(lambda _: inf), candidates=9)
    assert found.best(3) == ()
    assert found.funnel == [9, 0, 0]


def test_a_check_refuses_and_is_counted():
    found = run(Judge(), candidates=9, check=lambda cell: "odd" if luck(cell) < 0.5 else "")
    assert found.refused["odd"] > 0
    assert all(luck(one.cell) >= 0.5 for one in found.candidates)


def test_nothing_new_ends_the_search():
    found = run(Judge(), candidates=9, check=lambda _: "never")
    assert (found.candidates, found.stopped) == ((), "no new cell could be made")


def test_the_time_limit_counts_trainings_and_ends_the_search():
    judge = Judge(seconds=2.0)
    found = run(judge, seconds=13.0)
    assert found.stopped == "its time was up"
    assert len(judge.asked) == 7  # the seventh begins after 12 seconds, and is finished
    assert found.seconds == 14.0
    assert [one.rounds for one in found.candidates] == [1, 1, 1, *[0] * (GENERATION - 3)]
    assert len(found.best(9)) == 3


def test_large_cells_are_refused(monkeypatch):
    monkeypatch.setattr(halving, "LARGEST", 30)
    found = run(Judge(), candidates=9)
    assert all(len(one.cell.graph.nodes) <= 30 for one in found.candidates)
    assert found.refused["too large"] > 0


@pytest.mark.parametrize("epochs", [1, 2, 3, 9, 50, 1000])
def test_rounds_grow_to_all_epochs(epochs):
    rounds = rounds_of(epochs)
    lengths = [one.epochs for one in rounds]
    assert lengths == sorted(set(lengths))
    assert rounds[-1] == Round(epochs, 2)
    assert min(lengths) >= 1


def test_the_errors_of_two_seeds_are_averaged():
    def judge(cell, epochs, seed):
        return Trained(float(seed - FIRST_SEED), 0.0)

    found = search(STARTS, judge, candidates=1, rounds=[Round(4, 2)])
    assert [one.error for one in found.candidates] == [0.5]


def test_a_made_cell_has_a_name_of_its_own_and_says_where_it_is_from():
    found = run(Judge(), candidates=3)
    for one in found.candidates:
        assert one.cell.title == f"{one.parent}, changed"
        assert one.cell.source == ""
        assert one.changes
