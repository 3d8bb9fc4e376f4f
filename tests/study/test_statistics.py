from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.signal import lfilter
from statsmodels.api import OLS
from statsmodels.stats.multitest import multipletests

from gatework.errors import DataError
from gatework.study.statistics import (
    Comparison,
    compare_all,
    compare_pair,
    diebold_mariano,
    holm,
    interval,
)


def moving_average(rng: np.random.Generator, n: int, horizon: int) -> np.ndarray:
    """A series of variance 1 without autocorrelation from lag horizon on, like optimal forecasts' errors."""
    return np.convolve(rng.normal(size=n + horizon - 1), np.ones(horizon), "valid") / np.sqrt(horizon)


# --- interval


def test_interval_is_scipys() -> None:
    values = [581.2, 590.4, 577.7, 600.1, 585.0]
    ours = interval(values, level=0.9)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)
    assert ours.mean == pytest.approx(np.mean(values))


def test_one_value_has_no_interval() -> None:
    one = interval([3.0])
    assert (one.mean, one.low, one.high) == (3.0, None, None)


# --- Diebold-Mariano


@given(arrays(np.float64, st.integers(5, 60), elements=st.integers(-100, 100).map(float)))
def test_one_step_ahead_it_is_the_paired_t_test(difference: np.ndarray) -> None:
    """With horizon 1 the small-sample correction turns the statistic into Student's, exactly."""
    if np.ptp(difference) == 0:
        return
    ours = diebold_mariano(difference, np.zeros_like(difference), horizon=1)
    theirs = stats.ttest_1samp(difference, 0)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("horizon", [2, 5, 12])
def test_several_steps_ahead_it_is_the_regression_on_a_constant(horizon: int) -> None:
    difference = moving_average(np.random.default_rng(horizon), 200, horizon) + 0.2
    robust = OLS(difference, np.ones(200)).fit(
        cov_type="HAC", cov_kwds={"maxlags": horizon - 1, "kernel": "uniform", "use_correction": False}
    )
    correction = (200 + 1 - 2 * horizon + horizon * (horizon - 1) / 200) / 200
    ours = diebold_mariano(difference, np.zeros(200), horizon)
    assert ours.statistic == pytest.approx(robust.tvalues[0] * np.sqrt(correction), rel=1e-9)
    assert ours.p_value == pytest.approx(2 * stats.t.sf(abs(ours.statistic), 199), rel=1e-9)
    assert ours.mean_difference == pytest.approx(difference.mean())


def test_bartlett_takes_over_where_the_equal_weights_give_no_variance() -> None:
    difference = np.tile([1.0, -1.0], 15) + 0.05 * np.arange(30)[::-1] % 0.3
    residual = difference - difference.mean()
    assert residual @ residual + 2 * residual[1:] @ residual[:-1] < 0
    robust = OLS(difference, np.ones(30)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 1, "kernel": "bartlett", "use_correction": False}
    )
    ours = diebold_mariano(difference, np.zeros(30), horizon=2)
    assert ours.statistic == pytest.approx(robust.tvalues[0] * np.sqrt(28 * 29 / 30**2), rel=1e-9)


def test_equal_losses_differ_by_nothing() -> None:
    loss = np.arange(10.0)
    same = diebold_mariano(loss, loss, horizon=3)
    assert (same.statistic, same.p_value, same.mean_difference) == (0.0, 1.0, 0.0)


def test_fewer_origins_than_steps_prove_nothing() -> None:
    assert diebold_mariano(np.array([1.0, 9.0]), np.array([0.0, 1.0]), horizon=2).p_value == 1.0


def test_a_constant_difference_is_certain() -> None:
    certain = diebold_mariano(np.ones(8), np.full(8, 2.0), horizon=1)
    assert (certain.statistic, certain.p_value) == (-np.inf, 0.0)


def test_swapping_the_forecasts_turns_the_sign() -> None:
    a, b = np.random.default_rng(2).exponential(size=(2, 50))
    there, back = diebold_mariano(a, b, 3), diebold_mariano(b, a, 3)
    assert there.statistic == -back.statistic
    assert there.p_value == back.p_value


@pytest.mark.parametrize(("n", "horizon", "least", "most"), [(30, 1, 0.03, 0.07), (200, 4, 0.03, 0.08)])
def test_it_errs_as_often_as_it_says(n: int, horizon: int, least: float, most: float) -> None:
    """1,000 trials of equal forecasts: a 5 % test rejects 5 % (standard error 0.7 %)."""
    rng = np.random.default_rng(11)
    test = partial(diebold_mariano, loss_b=np.zeros(n), horizon=horizon)
    wrong = np.mean([test(moving_average(rng, n, horizon)).p_value < 0.05 for _ in range(1000)])
    assert least < wrong < most


# --- Holm


def test_holm_by_hand() -> None:
    """Sorted .005 .01 .03 .04 times 4, 3, 2, 1, and never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_holm_is_statsmodels() -> None:
    p_values = np.random.default_rng(0).uniform(0, 0.2, size=15)
    assert holm(p_values.tolist()) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_of_nothing() -> None:
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_makes_a_p_value_smaller(p_values: list[float]) -> None:
    for raw, adjusted in zip(p_values, holm(p_values), strict=True):
        assert raw <= adjusted <= 1.0
        assert adjusted <= max(p_values) * len(p_values)


# --- two cells


def losses(
    seed: int, *, mean: float = 100.0, seeds: int = 5, n: int = 300, between: float = 0.2, noise: float = 2.0
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return mean + between * rng.normal(size=(seeds, 1)) + noise * rng.normal(size=(seeds, n))


def test_a_clear_difference_names_the_better() -> None:
    worse = compare_pair(losses(1, mean=105), losses(2), horizon=1, first="gru", second="lstm")
    assert (worse.outcome, worse.first, worse.second, worse.seeds) == ("second", "gru", "lstm", 5)
    assert worse.relative == pytest.approx(0.0488, abs=0.005)
    assert worse.interval_low < worse.relative < worse.interval_high
    assert worse.difference == pytest.approx(5, abs=0.5)
    assert worse.p_value < 1e-3
    assert compare_pair(losses(2), losses(1, mean=105), horizon=1).outcome == "first"


def test_alike_is_shown_by_a_narrow_interval() -> None:
    assert compare_pair(losses(1), losses(2), horizon=1).outcome == "equivalent"


def test_alike_is_not_claimed_from_a_lack_of_significance() -> None:
    noisy = compare_pair(losses(1, between=5, n=30), losses(2, between=5, n=30), horizon=1)
    assert noisy.p_value > 0.05
    assert noisy.outcome == "undecided"


def test_a_sure_but_immaterial_difference_is_not_a_win() -> None:
    pair = compare_pair(losses(1, mean=100.5), losses(2), horizon=1, rope=0.03)
    assert pair.p_value < 0.05
    assert pair.outcome == "equivalent"
    near = compare_pair(losses(1, mean=100.9), losses(2), horizon=1, rope=1.01 * abs(pair.relative))
    barely = compare_pair(losses(1, mean=100.5), losses(2), horizon=1, rope=1.01 * abs(pair.relative))
    assert (near.outcome, barely.outcome) == ("second", "undecided")


def test_one_seed_decides_nothing_and_says_so() -> None:
    alone = compare_pair(losses(1, mean=120, seeds=1), losses(2, seeds=1), horizon=1)
    assert (alone.seeds, alone.outcome) == (1, "undecided")
    assert alone.p_value < 0.001


def test_a_baseline_needs_no_seeds() -> None:
    pair = compare_pair(losses(1, mean=90), losses(2, seeds=1), horizon=1)
    repeated = compare_pair(losses(1, mean=90), np.repeat(losses(2, seeds=1), 5, axis=0), horizon=1)
    assert pair.outcome == "first"
    assert pair.relative == pytest.approx(repeated.relative)
    assert pair.p_value == pytest.approx(repeated.p_value)


def test_equal_losses_are_alike() -> None:
    same = compare_pair(losses(1), losses(1), horizon=4)
    assert (same.p_value, same.interval_low, same.interval_high, same.outcome) == (
        1.0,
        0.0,
        0.0,
        "equivalent",
    )
    perfect = compare_pair(np.zeros((3, 9)), np.zeros((3, 9)), horizon=1)
    assert (perfect.relative, perfect.outcome) == (0.0, "equivalent")


def test_without_noise_in_time_it_is_the_paired_t_test_over_seeds() -> None:
    a, b = np.array([5.0, 6.0, 5.5, 5.2]), np.array([5.1, 6.4, 5.6, 5.7])
    ours = compare_pair(np.repeat(a[:, None], 50, axis=1), np.repeat(b[:, None], 50, axis=1), horizon=1)
    theirs = stats.ttest_rel(a, b)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-6)
    limits = theirs.confidence_interval()
    scale = (a.mean() + b.mean()) / 2
    assert (ours.interval_low, ours.interval_high) == pytest.approx((limits.low / scale, limits.high / scale))


def coverage(
    rng: np.random.Generator, *, n: int, horizon: int = 1, memory: float = 0.0, seed: float, both: float
) -> float:
    """How often the interval of two equal cells covers 0, with noise from seeds, from time and from both."""
    covered = 0
    for _ in range(800):
        time = lfilter([np.sqrt(1 - memory**2)], [1, -memory], moving_average(rng, n + 50, horizon))[50:]
        difference = seed * rng.normal(size=(5, 1)) + time + both * rng.normal(size=(5, n))
        pair = compare_pair(100 + difference, np.full((1, n), 100.0), horizon=horizon)
        covered += pair.interval_low <= 0 <= pair.interval_high
    return covered / 800


@pytest.mark.parametrize(
    "noise",
    [
        pytest.param({"n": 200, "seed": 0.07, "both": 1.0}, id="seeds and time alike"),
        pytest.param({"n": 200, "seed": 0.5, "both": 0.5}, id="mostly seeds"),
        pytest.param({"n": 200, "seed": 0.0, "both": 0.0}, id="only time"),
        pytest.param({"n": 480, "seed": 0.1, "both": 0.5, "horizon": 24}, id="24 steps ahead"),
        pytest.param({"n": 700, "seed": 0.04, "both": 0.0, "memory": 0.5}, id="correlated losses"),
    ],
)
def test_the_interval_covers_what_it_says(noise: dict[str, float]) -> None:
    """95 % intervals over 800 trials (standard error 0.8 %)."""
    assert 0.92 < coverage(np.random.default_rng(5), **noise) < 0.985


def test_losses_that_are_not_finite_are_refused() -> None:
    broken = losses(1)
    broken[2, 3] = np.nan
    with pytest.raises(DataError, match="not finite"):
        compare_pair(broken, losses(2), horizon=1)


def test_one_origin_is_refused() -> None:
    with pytest.raises(DataError, match="Cannot compare gru with lstm on 1 forecast"):
        compare_pair(np.ones((3, 1)), np.ones((3, 1)), horizon=1, first="gru", second="lstm")


# --- many cells


def test_all_pairs_are_compared_with_holms_correction() -> None:
    cells = {"gru": losses(1), "lstm": losses(2, mean=104), "mgu": losses(3, mean=101.5)}
    together = compare_all(cells, horizon=1)
    assert [(pair.first, pair.second) for pair in together] == [
        ("gru", "lstm"),
        ("gru", "mgu"),
        ("lstm", "mgu"),
    ]
    alone = [compare_pair(cells[pair.first], cells[pair.second], horizon=1) for pair in together]
    assert [pair.p_value for pair in together] == pytest.approx(holm([pair.p_value for pair in alone]))
    assert together[0].outcome == "first"
    assert together[2].outcome == "second"


def test_the_correction_can_take_a_win_away() -> None:
    cells = {f"cell{index}": losses(index, between=0.0, noise=10, n=100) for index in range(6)}
    cells["other"] = losses(9, mean=102.4, between=0.0, noise=10, n=100)
    together = compare_all(cells, horizon=1)
    alone = [compare_pair(cells[pair.first], cells[pair.second], horizon=1) for pair in together]

    def wins(pairs: list[Comparison] | tuple[Comparison, ...]) -> int:
        return sum(pair.outcome in {"first", "second"} for pair in pairs)

    assert wins(together) < wins(alone)


def test_one_cell_makes_no_pair() -> None:
    assert compare_all({"gru": losses(1)}, horizon=1) == ()
