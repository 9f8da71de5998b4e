"""Does the unified number beat its sources? Many worlds of evidence with known truth, unlike the model's own.

No MMM is fitted here: its numbers are drawn with a bias that is positive, skewed and larger where spend follows demand,
attribution's with heavy-tailed factors and errors that go along with the MMM's, tests on a natural scale, some of them
null. The same study with real fits is ``benchmarks/study_unified.py``.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from calibration.evidence_model import Sources
from calibration.evidence_model import Tests as Trials
from calibration.integrate import integrate

CHANNELS, WORLDS = 6, 80


@dataclass
class Setting:
    """What is wrong with the methods in a set of worlds."""

    mmm_bias: float = 0.35
    tests: int = 3
    together: float = 0.7


SETTINGS = {
    "usual": Setting(),
    "badly biased mmm": Setting(mmm_bias=0.9),
    "no tests": Setting(tests=0),
    "errors that go together": Setting(together=1.5),
}


def world(rng, setting):
    demand = rng.integers(0, 3, CHANNELS)
    truth = 0.3 + 0.65 * rng.standard_normal(CHANNELS) - 0.25 * demand
    common, own = rng.gamma(2.0, 0.5), rng.gamma(2.0, 0.5, CHANNELS)
    bias = setting.mmm_bias * np.array([0.1, 0.5, 1.0])[demand] * (0.5 * common + 0.5 * own)
    sd = rng.uniform(0.15, 0.5, CHANNELS)
    mmm = truth + bias + sd * rng.standard_normal(CHANNELS)
    factor = -0.3 - np.array([0.0, 0.4, 0.8])[demand] + 0.25 * rng.standard_t(4, CHANNELS)
    credit = truth - factor + setting.together * (bias - bias.mean()) + 0.05 * rng.standard_normal(CHANNELS)
    credit[rng.permutation(CHANNELS)[:2]] = np.nan
    tested = rng.permutation(CHANNELS)[: setting.tests]
    scale = rng.choice([-1.0, 1.0], tested.size) * 100
    effect = scale * np.exp(truth[tested] + 0.1 * rng.standard_normal(tested.size))
    error = 100 * rng.uniform(0.1, 0.6, tested.size)
    tests = Trials(
        effect + error * rng.standard_normal(tested.size), error, np.full(tested.size, 0.1), np.arange(tested.size),
        tested, rng.uniform(0, 2, tested.size), scale, 0.01 * np.eye(tested.size),
    )  # fmt: skip
    share = np.full((CHANNELS, 2), 0.5)
    late = np.tile([0.0, 1.0], (CHANNELS, 1))
    sources = Sources(
        np.array([0.5, 1.5]), share, demand, mmm, np.diag(sd**2), credit, np.full(CHANNELS, 0.1), late, tests
    )
    return truth, sources


def simple(sources):
    """What people do without a model: log iROAS by each source, by the test if any else the MMM, by precision."""
    tests = sources.tests
    by_test, test_sd = np.full(CHANNELS, np.nan), np.full(CHANNELS, np.nan)
    iroas = tests.outcome_change / tests.scale
    by_test[tests.channel] = np.log(np.maximum(iroas, 0.05))
    test_sd[tests.channel] = np.abs(tests.std_error / tests.scale) / np.maximum(iroas, 0.05)
    sd = np.sqrt(np.diag(sources.mmm_cov))
    weights = np.stack([sd**-2.0, test_sd**-2.0, np.full(CHANNELS, 0.6**-2.0)])
    values = np.stack([sources.mmm, by_test, sources.attribution - 0.5])
    weights = np.where(np.isfinite(values), weights, 0.0)
    return {
        "mmm": sources.mmm,
        "tests": by_test,
        "attribution": sources.attribution,
        "attribution less the usual": sources.attribution - 0.5,
        "test if any, else mmm": np.where(np.isfinite(by_test), by_test, sources.mmm),
        "inverse variance": np.nansum(weights * np.nan_to_num(values), axis=0) / weights.sum(axis=0),
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_unified_error_is_below_every_other_and_intervals_hold(name):
    rng = np.random.default_rng(20)
    errors, unified, hits = {}, [], []
    for seed in range(WORLDS):
        truth, sources = world(rng, SETTINGS[name])
        fusion = integrate(sources, seed=seed, nodes=1024, draws=512)
        low, median, high = np.quantile(fusion.theta.mean(axis=2), [0.05, 0.5, 0.95], axis=0)
        unified.append(median - truth)
        hits.append((low <= truth) & (truth <= high))
        for rule, value in simple(sources).items():
            errors.setdefault(rule, []).append(value - truth)
    ours = np.array(unified)
    for rule, parts in errors.items():
        other = np.array(parts)
        there = np.isfinite(other)
        if there.any():
            assert np.sqrt(np.mean(ours[there] ** 2)) < np.sqrt(np.mean(other[there] ** 2)), rule
    assert 0.82 <= np.mean(hits) <= 0.98
