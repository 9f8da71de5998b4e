"""Inference: the p-value and the interval are one statement, and placebo sets are what they say."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.geo.case import Case
from experiments.geo.estimators import ESTIMATORS
from experiments.geo.inference.conformal import conformal_test, cross_fitted_gap
from experiments.geo.inference.placebo import (
    Placebos,
    PlaceboTest,
    critical_value,
    draw_sets,
    earlier_onsets,
    enough_sets,
    needed_sets,
    pools,
    run,
)
from experiments.geo.inference.self_calibration import self_calibrate, wilson

SEEDS = st.integers(0, 2**32 - 1)
LEVELS = st.sampled_from([0.05, 0.1, 0.2, 0.32])
SIZES = st.integers(40, 300)


def case_of(outcome: np.ndarray, treated: int, onset: int, end: int) -> Case:
    dates = np.datetime64("2024-01-01") + np.arange(outcome.shape[1]).astype("timedelta64[D]")
    rows = np.arange(len(outcome))
    names = tuple(f"g{row:02d}" for row in rows)
    return Case(outcome, dates, names, rows[:treated], rows[treated:], onset, end, end, False, ())


@settings(max_examples=300, deadline=None)
@given(seed=SEEDS, alpha=LEVELS, sizes=st.lists(SIZES, min_size=1, max_size=2), coarse=st.booleans())
def test_placebo_interval_excludes_zero_exactly_when_p_is_below_alpha(seed, alpha, sizes, coarse):
    rng = np.random.default_rng(seed)
    found = tuple(np.abs(rng.standard_t(3, size)) for size in sizes)
    estimate = float(rng.normal() * 2)
    if coarse:  # ties between the test and its placebos
        found, estimate = tuple(np.round(pool) for pool in found), float(np.round(estimate))
    test = PlaceboTest(estimate, found)
    low, high = test.interval(alpha)
    assert (test.p_value() < alpha) == (low > 0 or high < 0)
    for hypothesis in (low, high, estimate):
        assert test.p_value(hypothesis) >= alpha or hypothesis in (low, high)
    assert test.p_value(low - 1e-6) < alpha
    assert test.p_value(high + 1e-6) < alpha
    assert test.p_value((low + estimate) / 2) >= alpha


@settings(max_examples=300, deadline=None)
@given(seed=SEEDS, alpha=LEVELS, before=st.integers(20, 80), after=st.integers(1, 20), shift=st.floats(-3, 3))
def test_conformal_interval_excludes_zero_exactly_when_p_is_below_alpha(seed, alpha, before, after, shift):
    rng = np.random.default_rng(seed)
    gap = rng.normal(size=before + after)
    gap[before:] += shift
    test = conformal_test(gap, before)
    low, high = test.interval(alpha)
    assert low <= test.estimate <= high
    assert (test.p_value() < alpha) == (low > 0 or high < 0)


def test_conformal_agrees_with_brute_force():
    rng = np.random.default_rng(4)
    gap, before = rng.normal(size=47), 40
    gap[before:] += 0.8
    test = conformal_test(gap, before)

    def brute(effect: float) -> float:
        adjusted = gap.copy()
        adjusted[before:] -= effect
        sums = [abs(np.roll(adjusted, -shift)[before:].sum()) for shift in range(47)]
        return float(np.mean([value >= sums[0] - 1e-12 for value in sums]))

    grid = np.linspace(-2, 4, 601)
    assert [test.p_value(e) for e in grid] == pytest.approx([brute(e) for e in grid])
    low, high = test.interval(0.1)
    kept = [e for e in grid if brute(e) >= 0.1]
    assert (low, high) == (pytest.approx(min(kept), abs=0.011), pytest.approx(max(kept), abs=0.011))


def test_conformal_of_one_period_leaves_the_other_treated_periods_out():
    gap = np.append(np.random.default_rng(1).normal(size=30), [0.0, 1e6, 0.0])
    test = conformal_test(gap, 30, 0, 1)
    assert test.p_value() == pytest.approx(np.mean(np.abs(gap[:31]) >= 0.0))
    assert max(map(abs, test.interval(0.1))) < 10


def test_critical_value_is_an_order_statistic():
    pool = np.arange(1.0, 100.0)  # 99 placebos: p of the k-th largest is (1 + k) / 100
    assert critical_value(pool, 0.10) == 91.0
    assert critical_value(pool, 0.05) == 96.0
    assert critical_value(np.arange(5.0), 0.10) == float("inf")


def test_the_wider_pool_decides():
    narrow, wide = np.full(60, 0.1), np.full(60, 5.0)
    test = PlaceboTest(3.0, (narrow, wide))
    assert test.p_value() == 1.0
    assert test.interval(0.1) == (-2.0, 8.0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(6, 30), size=st.integers(1, 3))
def test_sets_are_distinct_and_of_the_controls_only(seed, count, size):
    controls = np.arange(100, 100 + 2 * count, 2)
    sets = draw_sets(controls, size, seed)
    assert len({tuple(row) for row in sets}) == len(sets) == min(300, comb(count, size))
    assert set(sets.ravel()) <= set(controls)
    assert (np.diff(sets, axis=1) > 0).all()
    assert np.array_equal(sets, draw_sets(controls, size, seed))


def test_how_many_sets_are_enough():
    assert needed_sets(0.1) == 40
    assert needed_sets(0.05) == 80
    assert enough_sets(40, 1)
    assert not enough_sets(39, 1)
    assert enough_sets(10, 2)
    assert not enough_sets(10, 6)  # too few donors would be left


def test_sets_are_drawn_evenly():
    sets = draw_sets(np.arange(20), 4, seed=0)
    hits = np.bincount(sets.ravel(), minlength=20)
    assert hits.sum() == 1200
    assert hits.min() > 60 - 4 * 7  # 60 expected, binomial sd about 7
    assert hits.max() < 60 + 4 * 7


def test_earlier_windows_keep_half_of_the_history_and_do_not_overlap():
    case = case_of(np.zeros((5, 120)), 1, 100, 110)
    assert earlier_onsets(case) == [90, 80, 70, 60]
    assert earlier_onsets(case_of(np.zeros((5, 30)), 1, 20, 30)) == [10]
    assert earlier_onsets(case_of(np.zeros((5, 30)), 1, 15, 30)) == []


def test_placebo_sets_never_use_the_treated_geos_or_their_own_as_donors():
    seen: list[tuple[set[int], set[int]]] = []
    estimator = ESTIMATORS["difference_in_differences"]

    def spy(block):
        seen.append((set(block.treated.tolist()), set(block.donors.tolist())))
        return estimator.fit(block)

    case = case_of(np.random.default_rng(0).normal(100, 5, (12, 60)), 2, 50, 58)
    sets = draw_sets(case.controls, 2, 0)
    placebos = run(case, spy, False, sets, [42])
    assert placebos.paths.shape == (2, 45, 8)
    assert placebos.treated_paths.shape == (1, 8)
    for treated, donors in seen:
        assert not treated & donors
        assert not donors & {0, 1}
    assert sum(treated == {0, 1} for treated, _ in seen) == 1


def test_p_values_are_uniform_when_geos_are_exchangeable():
    """With independent geos of one law, a test of one of them by the plainest estimator has an exact p-value."""
    rng = np.random.default_rng(11)
    estimator = ESTIMATORS["difference_in_differences"]
    ps = []
    for _ in range(300):
        outcome = 100 + rng.normal(size=(41, 30))
        case = case_of(outcome, 1, 24, 30)
        placebos = run(case, estimator.fit, False, draw_sets(case.controls, 1, 0), [])
        fit = estimator.fit(case.block(False))
        ps.append(
            PlaceboTest(fit.effect, pools(placebos.statistics[0], np.zeros(0), np.zeros(0), fit.pre_error)).p_value()
        )
    shares = [float(np.mean(np.array(ps) <= level)) for level in (0.1, 0.25, 0.5, 0.75)]
    assert shares == pytest.approx([0.1, 0.25, 0.5, 0.75], abs=0.075)  # 3 standard errors at most


def test_wilson_matches_published_values():
    low, high = wilson(0.9, 100, z=1.959964)
    assert (low, high) == (pytest.approx(0.8256, abs=1e-4), pytest.approx(0.9448, abs=1e-4))
    assert wilson(1.0, 30)[1] == pytest.approx(1.0)


def placebos_of(table: np.ndarray, own: np.ndarray, count: int) -> Placebos:
    sets = draw_sets(np.arange(count), 1, 0)[: table.shape[1]]
    return Placebos(sets, table[:, :, None], own[:, None])


def test_self_calibration_accepts_a_stationary_history():
    rng = np.random.default_rng(2)
    seen = self_calibrate(placebos_of(rng.normal(size=(4, 60)), rng.normal(size=3), 60), 60)
    assert seen.runs == 183
    assert seen.coverage is not None
    assert seen.low is not None
    assert seen.high is not None
    assert seen.low < seen.coverage < seen.high
    assert seen.inflation == 1.0


def test_self_calibration_inflates_to_nominal_where_coverage_is_short():
    """One wild geo: every set that holds it is ten times as far out as any set that shares no geo with it."""
    sets = draw_sets(np.arange(10), 2, 0)
    table = np.where((sets == 0).any(axis=1), 10.0, 1.0)
    wild = Placebos(sets, np.tile(table, (11, 1))[:, :, None], np.ones((10, 1)))
    seen = self_calibrate(wild, 10)
    assert seen.coverage == pytest.approx((36 + 1) / (45 + 1))
    assert seen.high is not None
    assert seen.high < 0.9
    assert seen.inflation == pytest.approx(10.0)


def test_self_calibration_says_when_it_cannot_be_made():
    none = self_calibrate(placebos_of(np.ones((1, 50)), np.zeros(0), 50), 50)
    assert none.runs == 0
    assert none.coverage is None
    assert none.inflation == 1.0


def test_cross_fitted_gaps_are_out_of_sample_and_leave_the_read_out_alone():
    rng = np.random.default_rng(8)
    case = case_of(100 + rng.normal(size=(30, 50)), 1, 40, 50)
    estimator = ESTIMATORS["synthetic_control"]
    block = case.block(False)
    fit, gap = estimator.fit(block), cross_fitted_gap(block, estimator)
    assert gap[40:] == pytest.approx(fit.gap[40:])
    assert gap[:40].std() > 1.2 * fit.gap[:40].std()
    halves = [
        cross_fitted_gap(
            case_of(np.vstack([case.outcome[:1] + bump, case.outcome[1:]]), 1, 40, 50).block(False), estimator
        )
        for bump in (np.zeros(50), np.r_[np.zeros(39), 9.0, np.zeros(10)])
    ]
    assert halves[1][39] - halves[0][39] == pytest.approx(9.0, rel=0.2)
