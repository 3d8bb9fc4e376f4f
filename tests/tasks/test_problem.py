"""A problem: which rows belong to which part, and that no window sees what it should not."""

import numpy as np
import pytest

from gatework.data import Split
from gatework.errors import DataError
from gatework.tasks.problem import PARTS, Problem
from gatework.tasks.transform import fit


def problem_of(series, parts, window=4, horizon=2, name="standard"):
    columns = (name,) * series.values.shape[1]
    return Problem(series, parts, window, horizon, fit(series.values[: parts.train_end], columns, horizon))


def test_every_target_row_lies_in_the_part_of_its_origin(series_of):
    parts = Split(20, 30, 45)
    problem = problem_of(series_of(np.arange(45.0)), parts)
    for part in PARTS:
        first, last = problem.bounds(part)
        future = problem.future(problem.origins(part))  # the values are the row numbers
        assert future.min() >= first
        assert future.max() == last - 1


def test_origins_are_all_that_there_are(series_of):
    problem = problem_of(series_of(np.arange(45.0)), Split(20, 30, 45))
    assert problem.origins("train").tolist() == list(range(3, 18))
    assert problem.origins("validation").tolist() == list(range(19, 28))
    assert problem.origins("test").tolist() == list(range(29, 43))


def test_windows_end_at_the_origin_and_targets_begin_after_it(series_of):
    problem = problem_of(series_of(np.arange(45.0)), Split(20, 30, 45))
    origins = problem.origins("test")
    assert (problem.history(origins)[:, -1] == origins).all()
    assert (problem.future(origins)[:, 0] == origins + 1).all()
    assert problem.inputs(origins).shape == (len(origins), 4, 1)


@pytest.mark.parametrize("name", ["standard", "window", "difference", "log-return"])
def test_nothing_after_the_origin_changes_what_is_read(series_of, name):
    values = np.exp(np.random.default_rng(0).normal(size=45))
    changed = values.copy()
    changed[31:] *= 5.0
    parts = Split(20, 30, 45)
    one, other = (problem_of(series_of(y), parts, name=name) for y in (values, changed))
    origin = np.array([30])
    np.testing.assert_array_equal(one.inputs(origin), other.inputs(origin))


def test_statistics_come_from_the_training_part_alone(series_of):
    values = np.random.default_rng(0).normal(size=45)
    changed = values.copy()
    changed[20:] += 100.0
    parts = Split(20, 30, 45)
    assert problem_of(series_of(values), parts).transform == problem_of(series_of(changed), parts).transform


def test_a_filled_target_is_neither_learned_nor_scored(series_of):
    seen = np.ones(45, dtype=bool)
    seen[[10, 35, 36]] = False
    problem = problem_of(series_of(np.arange(45.0), observed=seen), Split(20, 30, 45))
    test = problem.origins("test")
    assert 34 not in test  # both of its target rows were filled in
    rows = test[:, None] + np.array([1, 2])
    np.testing.assert_array_equal(problem.observed(test), ~np.isin(rows, (35, 36)))
    _, _, weight = problem.tensors("train")
    assert weight.sum() == weight.numel() - 2


def test_no_forecast_starts_inside_an_interpolated_gap(series_of):
    seen = np.ones(45, dtype=bool)
    seen[[35, 36]] = False
    carried = problem_of(series_of(np.arange(45.0), observed=seen), Split(20, 30, 45))
    drawn = problem_of(series_of(np.arange(45.0), observed=seen, missing="interpolate"), Split(20, 30, 45))
    assert {35, 36} <= set(carried.origins("test").tolist())
    assert {35, 36}.isdisjoint(drawn.origins("test").tolist())


def test_forecasts_undo_answers(series_of):
    problem = problem_of(series_of(np.random.default_rng(0).normal(size=45)), Split(20, 30, 45), name="difference")
    origins = problem.origins("test")
    np.testing.assert_allclose(
        problem.forecasts(problem.answers(origins), origins), problem.future(origins), rtol=1e-12
    )


def test_tensors_are_float32_and_match_the_arrays(series_of):
    problem = problem_of(series_of(np.random.default_rng(0).normal(size=45)), Split(20, 30, 45))
    x, y, _ = problem.tensors("train")
    origins = problem.origins("train")
    np.testing.assert_array_equal(x.numpy(), problem.inputs(origins).astype(np.float32))
    np.testing.assert_array_equal(y.numpy(), problem.answers(origins).astype(np.float32))


def test_a_part_without_a_window_is_refused(series_of):
    with pytest.raises(DataError, match="test part holds no window"):
        problem_of(series_of(np.arange(45.0)), Split(30, 44, 45), horizon=2)
