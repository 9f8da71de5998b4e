"""Does the unified number beat its sources? The short form of ``benchmarks/study_unified.py``, and its table."""

import numpy as np
import pytest

from calibration.integrate import integrate

REGIMES = ("well-behaved", "badly biased MMM", "no tests", "attribution errs with the MMM")


@pytest.fixture(scope="module")
def study(study_module):
    return study_module("study_unified")


def check(rows, lowest, highest, margin=1.0):
    assert {row["regime"] for row in rows} == set(REGIMES)
    for regime in REGIMES:
        mine = {row["rule"]: row for row in rows if row["regime"] == regime}
        needed = {"unified", "MMM", "attribution", "test if any, else MMM", "inverse variance"}
        assert needed | ({"tests"} if regime != "no tests" else set()) <= set(mine)
        for rule, row in mine.items():
            if rule != "unified":
                assert float(row["unified_rmse_there"]) < margin * float(row["rmse"]), (regime, rule)
        assert lowest <= float(mine["unified"]["covered"]) <= highest, regime


def test_unified_error_is_below_every_other_and_intervals_hold(study):
    check(study.short(), 0.84, 0.98)


def test_committed_table_keeps_its_bars(study, study_table):
    """Better than every rule by 5 % at least, and 90 % intervals that hold the truth in 86 to 94 of 100."""
    rows = study_table("unified")
    assert all(int(row["channels"]) >= 1000 for row in rows)
    check(rows, 0.86, 0.945, margin=0.95)


def test_with_real_fits_the_unified_number_is_nearest(study_table):
    """Simulated companies fitted end to end: nearer than any source, the model with the tests inside included."""
    table = study_table("unified_worlds")
    rows = {(row["source"], row["channels"]): row for row in table if row["truths"] == "presets"}
    for group in ("all", "tested", "untested"):
        ours = float(rows["unified", group]["rmse"])
        for source in ("mmm", "mmm_calibrated", "experiments", "attribution", "test if any, else mmm"):
            if (source, group) in rows:
                assert ours < float(rows[source, group]["rmse"]), (source, group)
    assert float(rows["unified", "all"]["covered"]) >= 0.86


def test_where_attribution_knows_nothing_the_unified_number_is_still_nearer_than_any_source(study_table):
    """Truths as wide as the model's priors, and journeys that have nothing to do with them."""
    table = study_table("unified_worlds")
    rows = {(row["source"], row["channels"]): row for row in table if row["truths"] == "priors"}
    ours = float(rows["unified", "all"]["rmse"])
    for source in ("mmm", "test if any, else mmm"):
        assert ours < float(rows[source, "all"]["rmse"]), source
    for source in ("experiments", "attribution"):
        assert float(rows["unified", "tested"]["rmse"]) < float(rows[source, "tested"]["rmse"]), source
    for source in ("unified", "mmm", "mmm_calibrated"):
        assert 0.86 <= float(rows[source, "all"]["covered"]) <= 0.945, source


def test_removing_any_source_widens(study):
    """On average, clearly so but for attribution; and no channel gets narrower by more than chance, or a contradiction
    less, makes."""
    ratios = {}
    for number, regime in enumerate(study.REGIMES.values()):
        rng = np.random.default_rng([5, number])
        for seed in range(8):
            _, sources = study.world(rng, regime)
            full = width(sources, seed)
            for source in ("mmm", "experiments", "attribution"):
                if source != "experiments" or regime.tests:
                    ratios.setdefault(source, []).append(np.log(width(sources.without(source), seed) / full))
    for source, found in ratios.items():
        each = np.array(found)
        assert each.mean() > (0.005 if source == "attribution" else 0.08), source
        assert np.mean(each < np.log(0.9)) < 0.05, source


def width(sources, seed):
    fusion = integrate(sources, seed=seed, nodes=1024, draws=1024)
    low, high = np.quantile(fusion.theta.mean(axis=2), [0.05, 0.95], axis=0)
    return high - low
