"""Many simplex problems at once: the same answers as one by one, from any start."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.geo.estimators.simplex import simplex_weights
from experiments.geo.estimators.simplex_many import simplex_weights_many

SEEDS = st.integers(0, 2**32 - 1)


def problems(seed: int, geos: int, periods: int, count: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Series of a factor panel, mixes of one to four geos, and all other geos as candidates."""
    rng = np.random.default_rng(seed)
    series = rng.normal(size=(geos, 3)) @ rng.normal(size=(3, periods)) + rng.normal(size=(geos, periods))
    mixes = np.zeros((count, geos))
    for row in mixes:
        row[rng.choice(geos, rng.integers(1, 5), replace=False)] = 1.0
    mixes *= rng.uniform(0.5, 1.5, mixes.shape)
    return series, mixes / mixes.sum(axis=1, keepdims=True), mixes == 0.0


def one_by_one(series: np.ndarray, mixes: np.ndarray, candidates: np.ndarray, cap: float) -> np.ndarray:
    weights = np.zeros(mixes.shape)
    for row, mix, among in zip(weights, mixes, candidates, strict=True):
        row[among] = simplex_weights(series[among].T, mix @ series, cap=cap)
    return weights


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, geos=st.integers(8, 30), longer=st.integers(1, 40), cap=st.sampled_from([1.0, 0.5, 0.3]))
def test_the_same_weights_as_one_by_one(seed, geos, longer, cap):
    series, mixes, candidates = problems(seed, geos, geos + longer)
    weights = simplex_weights_many(series @ series.T, mixes, candidates, cap=cap)
    assert weights == pytest.approx(one_by_one(series, mixes, candidates, cap), abs=1e-8)
    assert (weights[~candidates] == 0.0).all()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, geos=st.integers(12, 30), periods=st.integers(4, 10), cap=st.sampled_from([1.0, 0.5]))
def test_the_same_distance_where_periods_are_few(seed, geos, periods, cap):
    series, mixes, candidates = problems(seed, geos, periods)
    alone = one_by_one(series, mixes, candidates, cap)
    near = np.roll(alone, 1, axis=0)
    for start in (None, near):
        weights = simplex_weights_many(series @ series.T, mixes, candidates, cap=cap, start=start)
        reached, best = (np.square((mixes - w) @ series).sum(axis=1) for w in (weights, alone))
        assert reached == pytest.approx(best, abs=1e-9 * float(np.square(series).sum()))
        assert weights.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
        assert weights.min() >= 0.0
        assert weights.max() <= cap + 1e-9


def test_any_start_leads_to_the_same_weights():
    series, mixes, candidates = problems(4, 25, 60, count=300)
    gram = series @ series.T
    cold = simplex_weights_many(gram, mixes, candidates, cap=0.4)
    rng = np.random.default_rng(0)
    for start in (cold, np.roll(cold, 7, axis=0), rng.dirichlet(np.ones(25), 300), np.zeros_like(cold)):
        warm = simplex_weights_many(gram, mixes, candidates, cap=0.4, start=start)
        assert warm == pytest.approx(cold, abs=1e-10)


def test_each_problem_may_have_its_own_cap():
    series, mixes, candidates = problems(5, 15, 40, count=40)
    caps = np.linspace(0.15, 1.0, 40)
    weights = simplex_weights_many(series @ series.T, mixes, candidates, cap=caps)
    assert (weights.max(axis=1) <= caps + 1e-9).all()
    for row, (mix, among, cap) in enumerate(zip(mixes, candidates, caps, strict=True)):
        assert weights[row, among] == pytest.approx(simplex_weights(series[among].T, mix @ series, cap=cap), abs=1e-8)


def test_two_equal_candidates_share_their_weight():
    series, mixes, candidates = problems(6, 10, 5, count=1)
    doubled = np.vstack([series, series])
    among = np.hstack([candidates, candidates])
    weights = simplex_weights_many(doubled @ doubled.T, np.hstack([mixes, 0.0 * mixes]), among)
    assert weights[0, :10] == pytest.approx(weights[0, 10:], abs=1e-3)
    alone = simplex_weights(doubled[among[0]].T, mixes[0] @ series)
    assert weights[0, among[0]] == pytest.approx(alone, abs=1e-3)


def test_a_cap_that_cannot_be_met_is_refused():
    series, mixes, candidates = problems(7, 8, 20)
    with pytest.raises(ValueError, match="do not add to one"):
        simplex_weights_many(series @ series.T, mixes, candidates, cap=0.1)


def test_flat_series_give_weights_that_add_to_one():
    weights = simplex_weights_many(np.zeros((5, 5)), np.eye(5)[:1], ~np.eye(5, dtype=bool)[:1])
    assert weights[0] == pytest.approx([0.0, 0.25, 0.25, 0.25, 0.25], abs=1e-9)
