"""Transforms: decode undoes encode, zero means persistence, and nothing comes from later rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gatework.errors import DataError
from gatework.tasks.transform import TRANSFORMS, Transform, fit

positive = arrays(np.float64, (40, 2), elements=st.floats(0.5, 1e4))


def windows_of(values, L, h):
    origins = np.arange(L - 1, len(values) - h)
    history = values[origins[:, None] + np.arange(1 - L, 1)]
    future = values[origins[:, None] + np.arange(1, h + 1), 0]
    return history, future


@pytest.mark.parametrize("name", TRANSFORMS)
@settings(deadline=None)
@given(values=positive)
def test_decode_undoes_encode(name, values):
    transform = fit(values[:20], (name, name), horizon=3)
    history, future = windows_of(values, L=5, h=3)
    back = transform.decode(transform.encode(future, history[:, :, 0]), history[:, :, 0])
    np.testing.assert_allclose(back, future, rtol=1e-9)  # a dozen float64 operations, a logarithm among them


@pytest.mark.parametrize("name", ["window", "difference", "log-return"])
def test_an_answer_of_zero_is_persistence(name):
    values = np.exp(np.random.default_rng(0).normal(size=(30, 1)))
    transform = fit(values[:20], (name,), horizon=4)
    history, _ = windows_of(values, L=5, h=4)
    zero = transform.decode(np.zeros((len(history), 4)), history[:, :, 0])
    np.testing.assert_allclose(zero, np.repeat(history[:, -1, :1], 4, axis=1), rtol=1e-15)


def test_an_answer_of_zero_is_the_mean_under_standard():
    values = np.arange(10.0)[:, None]
    transform = fit(values, ("standard",), horizon=1)
    np.testing.assert_allclose(transform.decode(np.zeros((1, 1)), np.array([[3.0, 9.0]])), 4.5)


@pytest.mark.parametrize("name", TRANSFORMS)
@settings(deadline=None)
@given(values=positive, changed=st.integers(20, 39))
def test_no_row_depends_on_a_later_one(name, values, changed):
    transform = fit(values[:20], (name, name), horizon=1)
    other = values.copy()
    other[changed:] *= 3.0
    np.testing.assert_array_equal(transform.read(values)[:changed], transform.read(other)[:changed])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_the_network_reads_has_unit_spread_in_training(name):
    values = np.exp(np.cumsum(np.random.default_rng(1).normal(size=(200, 1)), axis=0) / 10)
    transform = fit(values, (name,), horizon=1)
    read = transform.read(values)
    assert read.std() == pytest.approx(1.0)
    if name in ("standard", "window"):
        assert read.mean() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("name", ["difference", "log-return"])
def test_the_unit_of_a_step_is_the_spread_of_changes_over_so_many_rows(name):
    values = np.exp(np.cumsum(np.random.default_rng(2).normal(size=100)) / 10)
    level = np.log(values) if name == "log-return" else values
    transform = fit(values[:, None], (name,), horizon=3)
    np.testing.assert_allclose(transform.units, [(level[k:] - level[:-k]).std() for k in (1, 2, 3)])


def test_a_window_is_read_from_its_own_end_and_spread():
    values = np.array([[1.0], [3.0], [5.0], [9.0]])
    transform = fit(values, ("window",), horizon=1)
    window = transform.focus(transform.read(values)[None, 1:])
    np.testing.assert_allclose(window[0, :, 0], (values[1:, 0] - 9.0) / values[1:, 0].std())


def test_a_flat_window_and_a_flat_column_stay_finite():
    values = np.ones((20, 2))
    values[:10, 0] = np.arange(1.0, 11.0)
    for name in TRANSFORMS:
        transform = fit(values[:15], (name, "standard"), horizon=2)
        assert np.isfinite(transform.focus(transform.read(values)[None, 12:])).all()
        assert np.isfinite(transform.encode(np.ones((1, 2)), values[None, 12:, 0])).all()


def test_a_logarithm_of_what_is_not_positive_is_refused():
    with pytest.raises(DataError, match="log-return needs values above zero, and there is 0"):
        fit(np.array([[1.0], [0.0], [2.0]]), ("log-return",), 1)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_json_keeps_everything(name):
    transform = fit(np.exp(np.random.default_rng(3).normal(size=(20, 2))), (name, "standard"), horizon=2)
    assert Transform.from_json(transform.to_json()) == transform


@pytest.mark.parametrize(
    "change",
    [{"columns": ["cube"]}, {"center": [0.0, 1.0]}, {"units": []}, {"scale": ["a"]}, {"scale": None}],
)
def test_a_damaged_record_is_refused(change):
    record = fit(np.arange(9.0)[:, None], ("standard",), 1).to_json() | change
    with pytest.raises((ValueError, TypeError)):
        Transform.from_json(record)
