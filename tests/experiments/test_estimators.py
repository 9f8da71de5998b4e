"""Estimators: exact optimisation, exact recovery, and the invariances that their definitions promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.geo.estimators import DEFAULT, ESTIMATORS, Block, difference_in_differences, sdid, synthetic_control
from experiments.geo.estimators.block import Blocks
from experiments.geo.estimators.predictors import Predictors
from experiments.geo.estimators.simplex import simplex_weights

SEEDS = st.integers(0, 2**32 - 1)
PLAIN = synthetic_control.Settings(scale=False, fixed_effect=False, weight_cap=1.0)


def random_block(seed: int, geos: int = 12, periods: int = 40, onset: int = 30, treated: int = 2) -> Block:
    rng = np.random.default_rng(seed)
    level = rng.uniform(50, 500, (geos, 1))
    common = rng.normal(size=(3, periods)).cumsum(axis=1)
    outcome = level * (1 + 0.05 * rng.normal(size=(geos, 3)) @ common + 0.02 * rng.normal(size=(geos, periods)))
    return Block(outcome, np.arange(treated), np.arange(treated, geos), 0, onset, periods)


def optimality_gap(columns: np.ndarray, target: np.ndarray, weights: np.ndarray, cap: float, ridge: float) -> float:
    """How much a move of weight from one candidate to another could still gain, relative to the problem's size."""
    gradient = columns.T @ (columns @ weights - target) + ridge * weights
    can_give, can_take = weights > 1e-9, weights < cap - 1e-9
    if not (can_give.any() and can_take.any()):
        return 0.0
    return float((gradient[can_give].max() - gradient[can_take].min()) / (np.square(columns).sum() + ridge))


@settings(max_examples=150, deadline=None)
@given(
    seed=SEEDS,
    rows=st.integers(1, 30),
    count=st.integers(1, 25),
    ridge=st.sampled_from([0.0, 0.3]),
    tight=st.booleans(),
)
def test_simplex_weights_are_feasible_and_optimal(seed, rows, count, ridge, tight):
    rng = np.random.default_rng(seed)
    columns, target = rng.normal(size=(rows, count)), rng.normal(size=rows)
    cap = max(1.2 / count, 0.3) if tight and count > 1 else 1.0
    weights = simplex_weights(columns, target, ridge=ridge, cap=cap)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (weights >= 0).all()
    assert weights.max() <= cap + 1e-9
    assert optimality_gap(columns, target, weights, cap, ridge) < 1e-8


def test_simplex_refuses_a_cap_that_cannot_be_met():
    with pytest.raises(ValueError, match="cannot add to one"):
        simplex_weights(np.eye(3), np.ones(3), cap=0.3)


def test_a_convex_combination_is_recovered_exactly():
    block = random_block(3, treated=1)
    mix = np.array([0.2, 0.3, 0.1, 0.4])
    outcome = block.outcome.copy()
    outcome[0] = mix @ outcome[1:5] + 17.0
    outcome[0, block.onset :] += 5.0
    exact = Block(outcome, block.treated, block.donors, 0, block.onset, block.end)
    fit = synthetic_control.fit(exact, synthetic_control.Settings(scale=False))
    assert fit.weights[:4] == pytest.approx(mix, abs=1e-6)
    assert fit.effects == pytest.approx(5.0, abs=1e-6)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_an_added_effect_is_found_to_the_last_digit(name):
    """The weights never read the treated read-out, so an added effect moves the estimate by just that much."""
    block, fit = random_block(5), ESTIMATORS[name].fit
    shifted = block.outcome.copy()
    shifted[np.ix_(block.treated, range(block.onset, block.end))] += 7.5
    before, after = fit(block), fit(Block(shifted, block.treated, block.donors, 0, block.onset, block.end))
    assert after.weights == pytest.approx(before.weights, abs=0.0)
    assert after.effect - before.effect == pytest.approx(7.5, rel=1e-9)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_every_estimator_reports_its_own_pre_period_and_unit(name):
    block = random_block(6)
    fit = ESTIMATORS[name].fit(block)
    assert fit.observed == pytest.approx(block.outcome[block.treated].mean(axis=0))
    assert fit.counterfactual.shape == (40,)
    assert fit.weights.shape == (10,)
    assert fit.weights.sum() == pytest.approx(1.0)
    assert fit.pre_error > 0


def test_the_default_does_not_care_how_large_a_donor_is():
    block = random_block(7)
    grown = block.outcome * np.where(np.arange(12) < 2, 1.0, np.linspace(0.1, 50.0, 12))[:, None]
    fit, same = (
        synthetic_control.fit(Block(o, block.treated, block.donors, 0, 30, 40)) for o in (block.outcome, grown)
    )
    assert same.counterfactual == pytest.approx(fit.counterfactual, rel=1e-9)


def test_the_fixed_effect_takes_levels_out():
    block = random_block(8)
    moved = block.outcome + np.where(np.arange(12) < 2, 0.0, np.arange(12) * 100.0)[:, None]
    keep = synthetic_control.Settings(scale=False)
    fit, same = (
        synthetic_control.fit(Block(o, block.treated, block.donors, 0, 30, 40), keep) for o in (block.outcome, moved)
    )
    assert same.counterfactual == pytest.approx(fit.counterfactual, rel=1e-9)
    assert fit.gap[:30].mean() == pytest.approx(0.0, abs=1e-9)


def test_the_weight_cap_binds_and_is_lifted_for_few_donors():
    block = random_block(9, treated=1)
    outcome = block.outcome.copy()
    outcome[0] = outcome[1] * 2.0
    twin = Block(outcome, block.treated, block.donors, 0, 30, 40)
    assert synthetic_control.fit(twin).weights.max() == pytest.approx(0.5)
    pair = Block(outcome, block.treated, np.array([1, 2]), 0, 30, 40)
    assert synthetic_control.fit(pair).weights[0] == pytest.approx(1.0)


def test_difference_in_differences_is_its_closed_form():
    block = random_block(10)
    outcome, t, d = block.outcome, block.treated, block.donors
    expected = (outcome[t, 30:].mean() - outcome[t, :30].mean()) - (outcome[d, 30:].mean() - outcome[d, :30].mean())
    assert difference_in_differences.fit(block).effect == pytest.approx(expected)
    relative = difference_in_differences.fit(block, difference_in_differences.Settings(scale=True))
    assert relative.gap[:30].mean() == pytest.approx(0.0, abs=1e-9)


def test_sdid_is_its_double_difference_and_ignores_unit_and_time_shifts():
    block = random_block(11)
    fit = sdid.fit(block)
    synthetic = fit.weights @ block.donor_outcome
    expected = (fit.observed - synthetic)[30:].mean() - fit.time_weights @ (fit.observed - synthetic)[:30]
    assert fit.effect == pytest.approx(expected)
    shifted = block.outcome + np.arange(12)[:, None] * 30.0 + np.sin(np.arange(40))[None, :] * 40.0
    same = sdid.fit(Block(shifted, block.treated, block.donors, 0, 30, 40))
    # the ridge follows the donors' first differences, which a common shift leaves alone but for its own step
    assert same.effect == pytest.approx(fit.effect, abs=0.05 * np.abs(fit.observed).mean())
    flat = block.outcome + np.arange(12)[:, None] * 30.0
    assert sdid.fit(Block(flat, block.treated, block.donors, 0, 30, 40)).effect == pytest.approx(fit.effect, rel=1e-6)


def test_predictors_pick_the_donor_that_has_them():
    block = random_block(12, treated=1)
    values = np.random.default_rng(1).normal(size=(12, 2))
    values[0] = values[4]
    known = Predictors(values, slice(0, 30), importance=np.array([0.5, 0.5]))
    fit = synthetic_control.fit(block, synthetic_control.Settings(False, False, False, 1.0, known))
    assert values[1:].T @ fit.weights == pytest.approx(values[0], abs=1e-8)
    searched = synthetic_control.fit(
        block, synthetic_control.Settings(False, False, False, 1.0, Predictors(values, slice(0, 30)))
    )
    loss, default = (float(np.square(f.gap[:30]).mean()) for f in (searched, fit))
    assert loss <= default + 1e-9
    assert searched.importance.sum() == pytest.approx(1.0)


def test_the_default_stands_in_the_dispatch():
    assert ESTIMATORS[DEFAULT].name == DEFAULT
    assert {name for name, entry in ESTIMATORS.items() if entry.name != name} == set()
    assert synthetic_control.fit(random_block(1), PLAIN).effect == pytest.approx(
        ESTIMATORS["synthetic_control_classic"].fit(random_block(1)).effect
    )


@pytest.mark.parametrize("keep", [synthetic_control.Settings(), synthetic_control.Settings(scale=False), PLAIN])
def test_many_sets_at_once_give_the_fits_of_each(keep):
    outcome = random_block(21, geos=16).outcome
    rng = np.random.default_rng(2)
    treated = np.zeros((60, 16), dtype=bool)
    for row in treated:
        row[rng.choice(16, rng.integers(1, 5), replace=False)] = True
    donors = ~treated
    donors[:, 15] = False
    blocks = Blocks(outcome, treated & (np.arange(16) < 15), donors, 2, 30, 38)
    blocks.treated[:, 0] |= ~blocks.treated.any(axis=1)
    blocks.donors[blocks.treated] = False
    many = synthetic_control.fit_many(blocks, keep)
    again = synthetic_control.fit_many(blocks, keep, near=np.roll(many.weights, 1, axis=0))
    assert again.counterfactual == pytest.approx(many.counterfactual, rel=1e-9)
    for row in range(60):
        one = synthetic_control.fit(blocks.block(row), keep)
        assert many.counterfactual[row] == pytest.approx(one.counterfactual, rel=1e-8)
        assert many.effects[row] == pytest.approx(one.effects, abs=1e-8 * np.abs(one.observed).max())
        assert many.pre_errors[row] == pytest.approx(one.pre_error, rel=1e-8)
        assert many.weights[row, blocks.donors[row]] == pytest.approx(one.weights, abs=1e-8)
        assert many.loadings[row, blocks.donors[row]] == pytest.approx(one.loadings, rel=1e-7, abs=1e-7)


def test_many_sets_at_once_match_no_predictors():
    block = random_block(22)
    treated = np.arange(12)[None, :] < 2
    matched = synthetic_control.Settings(predictors=Predictors(np.ones((12, 1)), slice(0, 30)))
    with pytest.raises(ValueError, match="not predictors"):
        synthetic_control.fit_many(Blocks(block.outcome, treated, ~treated, 0, 30, 40), matched)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_a_geo_that_sold_nothing_before_the_test_breaks_nothing(name):
    """As a donor, as a treated geo, and where no donor sold anything."""
    outcome = random_block(23).outcome
    outcome[[1, 5], :30] = 0.0
    fit = ESTIMATORS[name].fit(Block(outcome, np.arange(2), np.arange(2, 12), 0, 30, 40))
    assert np.abs(fit.counterfactual).max() < 10 * np.abs(outcome).max()
    many = ESTIMATORS[name].fit_many
    if many is not None:
        treated = np.arange(12)[None, :] < 2
        assert many(Blocks(outcome, treated, ~treated, 0, 30, 40)).counterfactual[0] == pytest.approx(
            fit.counterfactual
        )
    outcome[2:, :30] = 0.0
    assert np.isfinite(ESTIMATORS[name].fit(Block(outcome, np.arange(2), np.arange(2, 12), 0, 30, 40)).effect)
    outcome[:, :30] = 0.0
    assert np.isfinite(ESTIMATORS[name].fit(Block(outcome, np.arange(2), np.arange(2, 12), 0, 30, 40)).effect)
