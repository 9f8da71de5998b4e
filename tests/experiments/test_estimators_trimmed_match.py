"""Trimmed match: the package's own example, exactness, agreement of p and interval, and what trimming is for."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments.geo.estimators import PAIRED
from experiments.geo.estimators.trimmed_match import trimmed_match
from measurement.errors import DesignError

SEEDS = st.integers(0, 2**32 - 1)
FOUR_OUTCOMES, FOUR_SPENDS = np.array([1.0, 10.0, 3.0, 8.0]), np.array([1.0, 5.0, 2.0, 5.0])


def pairs(seed: int, count: int, back: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Differences with a return of 1.5 and heavy tails; with ``back`` some pairs spend less in the treated geo."""
    rng = np.random.default_rng(seed)
    spend = rng.uniform(0.5, 3.0, count) * (rng.choice([-1.0, 1.0, 1.0], count) if back else 1.0)
    return 1.5 * spend + rng.standard_t(2, count), spend


@pytest.mark.parametrize(
    ("trimmed", "figures"),
    [(0, (1.692, 0.138, 1.250, 1.905)), (1, (1.571, 0.041, -29.374, 1.619)), (None, (1.571, 0.041, -29.374, 1.619))],
)
def test_the_packages_own_example(trimmed, figures):
    """The published package prints these; its quantile is the Normal's, so the level is set to match."""
    found = trimmed_match(FOUR_OUTCOMES, FOUR_SPENDS, trimmed=trimmed)
    alpha = 2 * stats.t.sf(stats.norm.ppf(0.95), found.kept - 1)
    assert (found.estimate, found.std_error, *found.interval(alpha)) == pytest.approx(figures, abs=0.001)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, count=st.integers(6, 30), back=st.booleans(), trimmed=st.integers(0, 2))
def test_the_statistic_is_the_studentised_trimmed_mean(seed, count, back, trimmed):
    """Sorting the residuals at one value, as a textbook would, gives what the pieces give."""
    outcome, spend = pairs(seed, count, back)
    pieces = trimmed_match(outcome, spend, trimmed=trimmed).pieces
    for theta in np.random.default_rng(seed).normal(1.5, 3.0, 5):
        left = np.sort(outcome - theta * spend)
        body = left[trimmed : count - trimmed]
        wide = np.clip(left, body[0], body[-1])
        squared = body.mean() ** 2 / (np.square(wide - wide.mean()).sum() / body.size / (body.size - 1))
        piece = np.array([np.searchsorted(pieces.bounds[1:-1], theta)])
        assert pieces.square(piece, np.array([theta]))[0] == pytest.approx(squared, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, count=st.integers(6, 30), back=st.booleans(), alpha=st.sampled_from([0.05, 0.1, 0.3]))
def test_p_value_and_interval_are_one_statement(seed, count, back, alpha):
    outcome, spend = pairs(seed, count, back)
    found = trimmed_match(outcome, spend)
    low, high = found.interval(alpha)
    assert low <= found.estimate <= high
    width = min(high - low, 100.0) if np.isfinite(high - low) else 100.0
    for theta in (low - 0.01 * width, low + 0.01 * width, high - 0.01 * width, high + 0.01 * width, 0.0):
        if np.isfinite(theta):
            assert (found.p_value(theta) >= alpha) == (low <= theta <= high)
    assert found.p_value(found.estimate) == pytest.approx(1.0, abs=1e-6)
    steps = found.estimate - np.linspace(0.0, 10.0, 20)
    values = [found.p_value(float(step)) for step in steps]
    assert values == sorted(values, reverse=True)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, count=st.integers(6, 25), extra=st.floats(-5, 5), scale=st.floats(0.01, 1000.0))
def test_an_added_return_and_new_units_carry_through(seed, count, extra, scale):
    outcome, spend = pairs(seed, count)
    found = trimmed_match(outcome, spend)
    more = trimmed_match(outcome + extra * spend, spend)
    assert more.estimate == pytest.approx(found.estimate + extra, abs=1e-8)
    assert np.array(more.interval(0.1)) == pytest.approx(np.array(found.interval(0.1)) + extra, abs=1e-6)
    units = trimmed_match(outcome * scale, spend)
    assert units.estimate == pytest.approx(found.estimate * scale, rel=1e-8)
    order = np.random.default_rng(seed).permutation(count)
    assert trimmed_match(outcome[order], spend[order]).estimate == pytest.approx(found.estimate, rel=1e-9)


def test_an_exact_return_is_recovered_and_wild_pairs_do_not_matter():
    spend = np.linspace(1.0, 4.0, 20)
    outcome = 2.5 * spend
    assert trimmed_match(outcome, spend).estimate == pytest.approx(2.5)
    wild = outcome + 0.01 * np.sin(np.arange(20.0))
    wild[[3, 11]] += [4000.0, -9000.0]
    found = trimmed_match(wild, spend)
    assert found.trimmed >= 1
    assert found.estimate == pytest.approx(2.5, abs=0.02)
    assert abs(wild.sum() / spend.sum() - 2.5) > 50


def test_trimming_halves_the_error_under_heavy_tails_and_the_interval_covers():
    found = [(trimmed_match(*pairs(seed, 40)), pairs(seed, 40)) for seed in range(200)]
    errors = np.array([test.estimate - 1.5 for test, _ in found])
    plain = np.array([outcome.sum() / spend.sum() - 1.5 for _, (outcome, spend) in found])
    assert np.square(errors).mean() < np.square(plain).mean() / 2
    covered = np.mean([test.interval(0.1)[0] <= 1.5 <= test.interval(0.1)[1] for test, _ in found])
    assert 0.83 <= covered <= 0.95


def test_a_spend_that_bounds_nothing_gives_an_infinite_interval():
    rng = np.random.default_rng(1)
    spend = rng.normal(size=12)
    found = trimmed_match(rng.normal(size=12), spend - spend.mean() + 1e-3)
    assert found.interval(0.1) == (-np.inf, np.inf)
    assert found.p_value(1e9) >= 0.1


@pytest.mark.parametrize(
    ("outcome", "spend", "message"),
    [([1.0], [1.0], "at least 2 pairs"), ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], "no return to estimate")],
)
def test_what_cannot_be_estimated_is_refused(outcome, spend, message):
    with pytest.raises(DesignError, match=message):
        trimmed_match(np.array(outcome), np.array(spend))


def test_public_pairs_with_a_planted_return(reference_data):
    """57 pairs of the published package's simulated data: spend up by half in a drawn geo of each pair, return 2."""
    frame = pd.read_csv(reference_data / "trimmed_match_post_analysis.csv")
    tables = [frame.pivot(index=["pair", "assignment"], columns="date", values=c) for c in ("response", "cost")]
    outcome, spend = (table.to_numpy(np.float64) for table in tables)
    rng = np.random.default_rng(5)
    errors, covered = [], []
    for _ in range(60):
        first = int(rng.integers(0, 330))
        side = rng.integers(0, 2, 57)
        rows = [(2 * i + s, 2 * i + 1 - s) for i, s in enumerate(side)]
        treated, control = np.array(rows).T
        sold, paid = (table[:, first : first + 28].sum(axis=1) for table in (outcome, spend))
        more = 0.5 * paid[treated]
        y = sold[treated] - sold[control] + 2.0 * more
        x = paid[treated] - paid[control] + more
        found = PAIRED["trimmed_match"](y, x)
        low, high = found.interval(0.1)
        errors.append(found.estimate - 2.0)
        covered.append(low <= 2.0 <= high)
    assert abs(np.median(errors)) < 0.25
    assert np.median(np.abs(errors)) < 0.6
    assert 0.75 <= np.mean(covered) <= 0.97
