"""Ridge augmentation: its closed form, its limits, the automatic rule, and what it is for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.geo.estimators import DEFAULT, ESTIMATORS, ridge_augmented, synthetic_control
from experiments.geo.estimators.block import Block, Blocks

ALWAYS = ridge_augmented.Settings(least_pattern=-1.0, cautious=False)


def panel(seed: int, geos: int = 14, periods: int = 70, noise: float = 0.02) -> np.ndarray:
    rng = np.random.default_rng(seed)
    level = rng.uniform(50, 500, (geos, 1))
    common = rng.normal(size=(3, periods)).cumsum(axis=1)
    return level * (1 + 0.03 * rng.normal(size=(geos, 3)) @ common + noise * rng.normal(size=(geos, periods)))


def block(outcome: np.ndarray, treated: int = 2, onset: int = 60) -> Block:
    return Block(outcome, np.arange(treated), np.arange(treated, len(outcome)), 0, onset, outcome.shape[1])


def one_penalty(penalty: float) -> ridge_augmented.Settings:
    return ridge_augmented.Settings(least_pattern=-1.0, cautious=False, penalties=(penalty,))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.sampled_from([0.1, 0.003]))
def test_the_added_weights_are_the_ridge_regression_of_the_gap_on_centred_donors(seed, share):
    """Textbook form: (C C' + penalty)^-1 C gap, where C is the donors less their mean in each period."""
    case = block(panel(seed))
    fit = ridge_augmented.fit(case, one_penalty(share))
    plain = synthetic_control.fit(case)
    if not fit.augmented:
        assert fit.counterfactual == pytest.approx(plain.counterfactual, rel=1e-8)
        return
    before = case.outcome[:, :60] / np.abs(case.outcome[:, :60]).mean(axis=1, keepdims=True)
    before -= before.mean(axis=1, keepdims=True)
    donors = before[case.donors]
    target = case.observed[:60] / np.abs(case.observed[:60]).mean()
    gap = target - target.mean() - plain.weights @ donors
    centred = donors - donors.mean(axis=0)
    penalty = share * np.square(before).sum()
    added = np.linalg.solve(centred @ centred.T + penalty * np.eye(len(donors)), centred @ gap)
    assert fit.weights - plain.weights == pytest.approx(added, abs=1e-8)


def test_an_endless_penalty_is_the_plain_synthetic_control():
    case = block(panel(1))
    plain = synthetic_control.fit(case)
    fit = ridge_augmented.fit(case, one_penalty(1e9))
    assert fit.counterfactual == pytest.approx(plain.counterfactual, rel=1e-7)
    smaller = [ridge_augmented.fit(case, one_penalty(10.0**power)) for power in (2, 0, -2)]
    errors = [fit.pre_error for fit in smaller if fit.augmented]
    assert errors == sorted(errors, reverse=True)
    assert max(errors, default=0.0) <= plain.pre_error


def test_a_market_beyond_the_hull_is_followed():
    """The treated market swings 1.6 times as wide as the widest donor: no mean of donors can, an augmented one does."""
    outcome = panel(2, noise=0.002)
    wave = np.sin(np.arange(70) / 6.0)
    swings = np.append([0.8, 0.8], np.linspace(0.0, 0.5, 12))
    outcome = np.abs(outcome[:, :1]) * (1 + swings[:, None] * wave) + 0.05 * (outcome - outcome[:, :1])
    case = block(outcome)
    fit, plain = ESTIMATORS[DEFAULT].fit(case), synthetic_control.fit(case)
    assert fit.augmented
    assert abs(fit.effect) < abs(plain.effect) / 5
    assert fit.weights.min() < 0.0
    assert fit.weights.sum() == pytest.approx(1.0, abs=1e-9)


def test_where_the_gap_is_noise_nothing_is_added():
    rng = np.random.default_rng(3)
    left_alone = 0
    for _ in range(20):
        outcome = 100.0 * (1 + rng.normal(size=(1, 70)) * 0.1 + rng.normal(size=(20, 70)) * 0.05)
        case = block(outcome)
        fit, plain = ESTIMATORS[DEFAULT].fit(case), synthetic_control.fit(case)
        if not fit.augmented:
            left_alone += 1
            assert fit.counterfactual == pytest.approx(plain.counterfactual, rel=1e-8)
            assert fit.loadings == pytest.approx(plain.loadings, abs=1e-7)
    assert left_alone >= 18


def test_a_short_history_is_never_augmented():
    outcome = panel(4, periods=25)
    assert not ridge_augmented.fit(block(outcome, onset=19), ALWAYS).augmented


@pytest.mark.parametrize("keep", [ridge_augmented.Settings(), ALWAYS])
def test_many_sets_at_once_give_the_fits_of_each(keep):
    outcome = panel(5, geos=16)
    rng = np.random.default_rng(2)
    treated = np.zeros((80, 16), dtype=bool)
    for row in treated:
        row[rng.choice(15, rng.integers(1, 5), replace=False)] = True
    pool = np.arange(16) < 15
    blocks = Blocks(outcome, treated, ~treated & pool, 3, 55, 65)
    many = ridge_augmented.fit_many(blocks, keep)
    again = ridge_augmented.fit_many(blocks, keep, near=np.roll(many.weights, 1, axis=0))
    assert again.counterfactual == pytest.approx(many.counterfactual, rel=1e-9)
    assert many.augmented.any()
    for row in range(80):
        one = ridge_augmented.fit(blocks.block(row), keep)
        assert many.augmented[row] == one.augmented
        assert many.counterfactual[row] == pytest.approx(one.counterfactual, rel=1e-8)
        assert many.weights[row, blocks.donors[row]] == pytest.approx(one.weights, abs=1e-8)
        assert many.loadings[row, blocks.donors[row]] == pytest.approx(one.loadings, abs=1e-6)
        assert not many.weights[row, ~blocks.donors[row]].any()


@pytest.mark.parametrize("name", [DEFAULT, "ridge_augmented"])
def test_loadings_say_how_the_counterfactual_moves_with_a_donor(name):
    case = block(panel(6))
    fit = ESTIMATORS[name].fit(case)
    moved = case.outcome.copy()
    moved[case.donors[4], 63] += 11.0
    after = ESTIMATORS[name].fit(Block(moved, case.treated, case.donors, 0, 60, 70))
    change = after.counterfactual - fit.counterfactual
    assert change[63] == pytest.approx(11.0 * fit.loadings[4], abs=1e-7)
    assert np.delete(change, 63) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e6))
def test_neither_units_nor_sizes_nor_the_order_of_donors_matter(seed, scale):
    outcome = panel(seed % 1000, geos=10)
    case = block(outcome)
    fit = ESTIMATORS[DEFAULT].fit(case)
    rng = np.random.default_rng(seed)
    grown = outcome * np.where(np.arange(10) < 2, scale, rng.uniform(0.01, 100.0, 10))[:, None]
    shuffled = rng.permutation(case.donors)
    same = ESTIMATORS[DEFAULT].fit(Block(grown, case.treated, shuffled, 0, 60, 70))
    assert same.augmented == fit.augmented
    assert same.counterfactual == pytest.approx(fit.counterfactual * scale, rel=1e-6)
