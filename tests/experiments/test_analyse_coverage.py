"""A short study of the default pipeline on simulated factor panels: coverage, false positives, bias and power.

The long one, on public panels too, is `benchmarks/study_experiments.py`; its table is held to its bars here.
"""

import numpy as np
import pytest

from experiments import Experiment
from experiments.geo.case import Case
from experiments.geo.estimators import DEFAULT, ESTIMATORS
from experiments.geo.inference import Inference, infer
from experiments.geo.inference.draws import draw_sets

RUNS, GEOS, PERIODS, ONSET, END = 150, 24, 84, 63, 77
INJECTED = 0.15
PLAN = Experiment.model_validate(
    {
        "experiment_id": "t",
        "channel": ["tv"],
        "method": "heavy_up",
        "start_date": "2024-03-04",
        "end_date": "2024-03-17",
    },
    strict=False,
)


def factor_panel(rng: np.random.Generator) -> np.ndarray:
    """Geos of unlike size and noise that load differently on two drifting factors and share a week, (geos, days)."""
    size, noise = np.exp(rng.normal(6, 0.8, (GEOS, 1))), 0.03 * np.exp(0.4 * rng.normal(size=(GEOS, 1)))
    drift = 0.02 * rng.normal(size=(GEOS, 2)) @ rng.normal(size=(2, PERIODS)).cumsum(axis=1)
    week = 0.1 * np.sin(2 * np.pi * np.arange(PERIODS) / 7)
    return size * (1 + drift + week + noise * rng.normal(size=(GEOS, PERIODS)))


def analysed(outcome: np.ndarray, treated: np.ndarray, seed: int) -> Inference:
    dates = np.datetime64("2024-01-01") + np.arange(PERIODS).astype("timedelta64[D]")
    controls = np.setdiff1d(np.arange(GEOS), treated)
    names = tuple(f"g{row:02d}" for row in range(GEOS))
    case = Case(outcome, dates, names, treated, controls, ONSET, END, END, True, ())
    return infer(case, draw_sets(case, PLAN, 0.1, seed, most=60), ESTIMATORS[DEFAULT], 0.1, thorough=False)


@pytest.fixture(scope="module")
def study() -> np.ndarray:
    """Per run: estimate, low, high and p without an effect, low with one, whether that one is held; (runs, 6)."""
    rng = np.random.default_rng(20240501)
    rows = []
    for run in range(RUNS):
        outcome = factor_panel(rng)
        treated = np.sort(rng.choice(GEOS, rng.integers(2, 13), replace=False))
        found = analysed(outcome, treated, run)
        low, high = found.total.interval(0.1)
        lifted = outcome.copy()
        lifted[treated, ONSET:END] *= 1 + INJECTED
        extra = INJECTED * outcome[treated, ONSET:END].mean()
        bottom, top = analysed(lifted, treated, run).total.interval(0.1)
        rows.append((found.total.estimate, low, high, found.total.p_value(), bottom, bottom <= extra <= top))
    return np.array(rows)


def test_the_interval_holds_the_truth_as_often_as_promised(study: np.ndarray) -> None:
    """Nominal .90, without an effect and with one that reaches other sets too; two standard errors are .05."""
    _, low, high, _, _, held = study.T
    assert 0.85 <= np.mean((low <= 0) & (high >= 0)) <= 0.96
    assert 0.85 <= held.mean() <= 0.96
    narrow = 0.6 * (high - low) / 2
    assert np.mean(np.abs(study[:, 0]) <= narrow) < 0.86  # an interval 40 % too narrow would be caught


def test_false_positives_are_the_intervals_that_miss(study: np.ndarray) -> None:
    misses = (study[:, 1] > 0) | (study[:, 2] < 0)
    assert np.array_equal(misses, study[:, 3] < 0.1)


def test_p_values_are_uniform(study: np.ndarray) -> None:
    ordered = np.sort(study[:, 3])
    distance = np.abs(ordered - np.arange(1, RUNS + 1) / RUNS).max()
    assert distance < 1.63 / np.sqrt(RUNS)  # Kolmogorov at 1 %


def test_the_estimate_is_unbiased(study: np.ndarray) -> None:
    relative = study[:, 0] / (study[:, 2] - study[:, 1])
    assert abs(relative.mean()) < 3 * relative.std() / np.sqrt(RUNS)


def test_a_large_effect_is_found_nearly_always(study: np.ndarray) -> None:
    assert np.mean(study[:, 4] > 0) > 0.9
