"""A short study of the default pipeline on simulated factor panels: coverage without an effect, power with one."""

import numpy as np
import pytest

from experiments.geo.case import Case
from experiments.geo.estimators import DEFAULT, ESTIMATORS
from experiments.geo.inference import Inference, infer

RUNS, GEOS, PERIODS, ONSET, END = 200, 24, 84, 63, 77
INJECTED = 0.15


def factor_panel(rng: np.random.Generator) -> np.ndarray:
    """Geos of unlike size that load differently on two drifting factors and share a week, shape (geos, days)."""
    size = np.exp(rng.normal(6, 0.8, (GEOS, 1)))
    drift = 0.02 * rng.normal(size=(GEOS, 2)) @ rng.normal(size=(2, PERIODS)).cumsum(axis=1)
    week = 0.1 * np.sin(2 * np.pi * np.arange(PERIODS) / 7)
    return size * (1 + drift + week + 0.03 * rng.normal(size=(GEOS, PERIODS)))


def analysed(outcome: np.ndarray, treated: np.ndarray, seed: int) -> Inference:
    dates = np.datetime64("2024-01-01") + np.arange(PERIODS).astype("timedelta64[D]")
    controls = np.setdiff1d(np.arange(GEOS), treated)
    names = tuple(f"g{row:02d}" for row in range(GEOS))
    case = Case(outcome, dates, names, treated, controls, ONSET, END, END, True, ())
    return infer(case, ESTIMATORS[DEFAULT], 0.1, seed, most=48, windows=1)


@pytest.fixture(scope="module")
def study() -> np.ndarray:
    """Per placebo analysis: estimate, low, high and p without an effect, low with one; shape (runs, 5)."""
    rng = np.random.default_rng(20240501)
    rows = []
    for run in range(RUNS):
        outcome = factor_panel(rng)
        treated = np.sort(rng.choice(GEOS, rng.integers(2, 4), replace=False))
        found = analysed(outcome, treated, run)
        low, high = found.total.interval(0.1)
        # the weights never read the treated read-out, so an added effect only moves the interval
        extra = INJECTED * outcome[treated, ONSET:END].mean()
        rows.append((found.total.estimate, low, high, found.total.p_value(), low + extra))
    return np.array(rows)


def test_the_interval_holds_zero_about_as_often_as_promised(study: np.ndarray) -> None:
    """Nominal .90; the larger of two critical values is a little cautious. Two standard errors are .04."""
    estimate, low, high = study[:, 0], study[:, 1], study[:, 2]
    assert 0.88 <= np.mean((low <= 0) & (high >= 0)) <= 0.98
    narrow = 0.6 * (high - low) / 2
    assert np.mean(np.abs(estimate) <= narrow) < 0.88  # an interval 40 % too narrow would be caught


def test_false_positives_are_the_intervals_that_miss(study: np.ndarray) -> None:
    misses = (study[:, 1] > 0) | (study[:, 2] < 0)
    assert np.array_equal(misses, study[:, 3] < 0.1)


def test_the_estimate_is_unbiased(study: np.ndarray) -> None:
    relative = study[:, 0] / (study[:, 2] - study[:, 1])
    assert abs(relative.mean()) < 3 * relative.std() / np.sqrt(RUNS)


def test_a_large_effect_is_found_nearly_always(study: np.ndarray) -> None:
    assert np.mean(study[:, 4] > 0) > 0.9
