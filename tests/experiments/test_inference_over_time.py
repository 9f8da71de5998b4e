"""Inference over time, for tests with too few geos: cyclic blocks and the cross-fitted t-test."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.geo.estimators import ESTIMATORS, Block, Estimator, Fit
from experiments.geo.inference.conformal import conformal_test, cross_fitted_gap
from experiments.geo.inference.t_test import FOLDS, cross_fitted_test, folded_effects

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=300, deadline=None)
@given(
    seed=SEEDS,
    alpha=st.sampled_from([0.05, 0.1, 0.2, 0.32]),
    before=st.integers(20, 80),
    after=st.integers(1, 20),
    shift=st.floats(-3, 3),
)
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


def test_cross_fitted_gaps_are_out_of_sample_and_leave_the_read_out_alone():
    rng = np.random.default_rng(8)
    outcome = 100 + rng.normal(size=(30, 50))
    block = Block(outcome, np.array([0]), np.arange(1, 30), 0, 40, 50)
    estimator = ESTIMATORS["synthetic_control"]
    fit, gap = estimator.fit(block), cross_fitted_gap(block, estimator)
    assert gap[40:] == pytest.approx(fit.gap[40:])
    assert gap[:40].std() > 1.2 * fit.gap[:40].std()
    bumped = outcome.copy()
    bumped[0, 39] += 9.0
    moved = cross_fitted_gap(Block(bumped, block.treated, block.donors, 0, 40, 50), estimator)
    assert moved[39] - gap[39] == pytest.approx(9.0, rel=0.2)


def _mean_shift(block: Block) -> Fit:
    """The treated geo against its own pre-period mean: folds can be worked out by hand."""
    observed, pre = block.observed, block.pre_length
    level = np.full(observed.size, observed[:pre].mean())
    return Fit(observed, level, pre, np.full(len(block.donors), 1.0 / len(block.donors)))


def test_folds_are_the_read_out_less_the_block_left_out():
    outcome = np.vstack([np.arange(34.0), np.ones(34)])
    block = Block(outcome, np.array([0]), np.array([1]), 4, 30, 34)  # a history of 26, three blocks of 4 before 30
    folded = folded_effects(block, Estimator("mean", _mean_shift, whole_weeks=False))
    assert folded.shape == (FOLDS, 4)
    for fold, first in enumerate((26, 22, 18)):
        assert folded[fold] == pytest.approx(np.arange(30.0, 34.0) - np.arange(first, first + 4.0).mean())


def test_the_cross_fitted_t_is_its_formula():
    """Read-out of 4, blocks of 4: sqrt(3) tau / (sqrt(1 + 3) s), Student's t with 2 degrees of freedom."""
    folded = np.array([[1.0, 1, 1, 1], [2.0, 2, 2, 2], [4.0, 4, 4, 4]])
    test = cross_fitted_test(folded, np.full(4, 2.5), 26, 0, 4)
    spread = np.std([1, 2, 4], ddof=1)
    assert test.std_error == pytest.approx(2 * spread / np.sqrt(3))
    assert test.df == 2
    assert test.estimate == 2.5
    assert test.interval(0.1)[1] - 2.5 == pytest.approx(2.919986 * test.std_error)


def test_the_cross_fitted_t_covers_when_gaps_are_noise():
    rng = np.random.default_rng(5)
    estimator, held = ESTIMATORS["difference_in_differences"], []
    for _ in range(300):
        block = Block(100 + rng.normal(size=(4, 28)), np.array([0]), np.array([1, 2, 3]), 0, 21, 28)
        fit = estimator.fit(block)
        low, high = cross_fitted_test(folded_effects(block, estimator), fit.effects, 21, 0, 7).interval(0.1)
        held.append(low <= 0 <= high)
    assert np.mean(held) == pytest.approx(0.9, abs=0.05)
