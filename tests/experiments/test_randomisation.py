"""Randomisation inference: reference sets are the draw's own, spans are what they say, p and interval are one."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import Experiment
from experiments.geo.case import Case
from experiments.geo.estimators import ESTIMATORS, Estimator
from experiments.geo.inference import Inference, infer
from experiments.geo.inference.draws import Draws, draw_sets, needed_sets
from experiments.geo.inference.randomisation import fit_sets, inverted, relative_sizes, span
from experiments.geo.inference.self_calibration import critical_values, judged, self_calibrate, stretches, wilson
from experiments.records.experiment import Assignment
from measurement import DataError

SEEDS = st.integers(0, 2**32 - 1)
DEFAULT = ESTIMATORS["synthetic_control"]
PLAIN = ESTIMATORS["difference_in_differences"]
LEVELS = (0.05, 0.1, 0.2, 0.32)


def case_of(outcome: np.ndarray, treated: int, onset: int, end: int) -> Case:
    dates = np.datetime64("2024-01-01") + np.arange(outcome.shape[1]).astype("timedelta64[D]")
    rows = np.arange(len(outcome))
    names = tuple(f"g{row:02d}" for row in rows)
    return Case(outcome, dates, names, rows[:treated], rows[treated:], onset, end, end, False, ())


def record(**fields: object) -> Experiment:
    plan = {"experiment_id": "t", "channel": ["tv"], "method": "heavy_up", "start_date": "2024-02-10"}
    return Experiment.model_validate({**plan, "end_date": "2024-02-20", **fields}, strict=False)


def rough_panel(seed: int, geos: int = 14, periods: int = 44) -> np.ndarray:
    """Geos of unlike size and unlike noise, some of them wild, that share two drifts."""
    rng = np.random.default_rng(seed)
    size, noise = np.exp(rng.normal(6, 1, (geos, 1))), np.exp(rng.normal(-3.5, 1, (geos, 1)))
    drift = 0.03 * rng.normal(size=(geos, 2)) @ rng.normal(size=(2, periods)).cumsum(axis=1)
    return size * (2 + drift + noise * rng.standard_t(3, (geos, periods)))


def analysed(outcome: np.ndarray, treated: int = 3, estimator: Estimator = DEFAULT, alpha: float = 0.1) -> Inference:
    case = case_of(outcome, treated, 36, outcome.shape[1])
    return infer(case, draw_sets(case, record(), alpha, 0, most=120), estimator, alpha)


@settings(max_examples=300, deadline=None)
@given(seed=SEEDS, alpha=st.sampled_from(LEVELS), coarse=st.booleans(), inflation=st.sampled_from([1.0, 1.7]))
def test_interval_excludes_zero_exactly_when_p_is_below_alpha(seed, alpha, coarse, inflation):
    rng = np.random.default_rng(seed)
    effects, overlaps, errors = rng.standard_t(3, 90), rng.uniform(-0.7, 0.7, 90), rng.uniform(0.3, 3, 90)
    estimate = float(rng.normal() * 2)
    if coarse:  # ties between the test and its reference sets
        effects, overlaps, errors, estimate = np.round(effects), np.round(overlaps), np.ones(90), float(round(estimate))
    test = inverted(effects, overlaps, errors, estimate, 1.0, inflation)
    low, high = test.interval(alpha)
    assert low <= estimate <= high
    assert (test.p_value() < alpha) == (low > 0 or high < 0)
    assert test.p_value(estimate) == 1.0
    for hypothesis in (low, (low + estimate) / 2, high):
        assert not np.isfinite(hypothesis) or test.p_value(hypothesis) >= alpha
    assert not np.isfinite(low) or test.p_value(low - 1e-6) < alpha
    assert not np.isfinite(high) or test.p_value(high + 1e-6) < alpha


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS)
def test_a_set_speaks_for_a_value_where_its_statistic_is_at_least_as_extreme(seed):
    rng = np.random.default_rng(seed)
    effects, overlaps, errors = rng.normal(size=50), rng.uniform(-1.5, 1.5, 50), rng.uniform(0.3, 2, 50)
    estimate, error = rng.normal(), rng.uniform(0.3, 2)
    lows, highs = span(effects, overlaps, errors, estimate, error)
    for hypothesis in rng.normal(estimate, 3, 40):
        speaks = np.abs(effects - hypothesis * overlaps) / errors >= abs(estimate - hypothesis) / error
        inside = (lows <= hypothesis) & (hypothesis <= highs)
        assert not (speaks & ~inside).any()  # the hull never leaves out a value that a set speaks for
        narrow = np.abs(overlaps) / errors < 1 / error  # sets that see less of the effect than the test does
        assert (speaks == inside)[narrow].all()


def test_a_mirror_image_is_tied_with_the_test():
    """Two arms compared with each other: the other arm says the same with the other sign, whatever the effect."""
    lows, highs = span(np.array([-0.3]), np.array([-1.0]), np.array([2.0]), 0.3, 2.0)
    assert lows[0] == -np.inf
    assert highs[0] == np.inf


@pytest.mark.parametrize("name", ["synthetic_control", "difference_in_differences"])
def test_an_effect_anywhere_is_seen_through_by_every_set(name):
    """The p-value of the true effect does not depend on the effect: overlap and contaminated donors are taken out."""
    outcome = rough_panel(3)
    share = relative_sizes(outcome[:, :36], np.arange(3))
    lifted = outcome.copy()
    lifted[:, 36:] += 250.0 * share[:, None]
    bare, moved = analysed(outcome, estimator=ESTIMATORS[name]), analysed(lifted, estimator=ESTIMATORS[name])
    assert moved.total.estimate == pytest.approx(bare.total.estimate + 250.0)
    for level in LEVELS:
        assert moved.total.interval(level) == pytest.approx(np.array(bare.total.interval(level)) + 250.0)
    for shift in (-100.0, 0.0, 30.0):
        assert moved.total.p_value(250.0 + shift) == pytest.approx(bare.total.p_value(shift))


def test_the_rank_of_the_drawn_set_is_uniform_on_any_panel():
    """One wild panel, every one of its draws analysed against all the others: exact, not about so."""
    outcome = rough_panel(5, geos=10)
    members = np.array([np.isin(np.arange(10), each) for each in _all_sets(10, 2)])
    reference = fit_sets(outcome, members, np.ones(10, dtype=np.bool_), (0, 36, 44), DEFAULT)
    effects, count = reference.paths.mean(axis=1), len(members)
    ps = []
    for row in range(count):
        others = np.delete(np.arange(count), row)
        overlaps = np.zeros(count - 1)  # at a hypothesis of no effect they play no part
        own = float(effects[row]), float(reference.errors[row])
        ps.append(inverted(effects[others], overlaps, reference.errors[others], *own).p_value())
    assert sorted(ps) == pytest.approx(np.arange(1, count + 1) / count)


def _all_sets(geos: int, size: int) -> list[tuple[int, ...]]:
    from itertools import combinations

    return list(combinations(range(geos), size))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(7, 30), size=st.integers(2, 4))
def test_any_set_means_distinct_sets_of_all_geos_but_the_drawn_one(seed, count, size):
    case = case_of(np.zeros((count, 60)), size, 40, 50)
    draws = draw_sets(case, record(), 0.1, seed)
    if comb(count, size) < 40:
        assert len(draws.members) == 0
        return
    found = {tuple(np.flatnonzero(row)) for row in draws.members}
    assert len(found) == len(draws.members) == min(400, comb(count, size) - 1)
    assert tuple(range(size)) not in found
    assert (draws.members.sum(axis=1) == size).all()
    assert not draws.recorded
    assert np.array_equal(draws.members, draw_sets(case, record(), 0.1, seed).members)


def test_sets_are_drawn_evenly():
    case = case_of(np.zeros((20, 60)), 4, 40, 50)
    hits = draw_sets(case, record(), 0.1, 0).members.sum(axis=0)
    assert hits.sum() == 1600
    assert hits.min() > 80 - 4 * 8  # 80 expected, binomial sd about 8
    assert hits.max() < 80 + 4 * 8


def test_a_recorded_draw_gives_its_own_sets():
    case = case_of(np.zeros((16, 60)), 7, 40, 50)
    pairs = [[f"g{i:02d}", f"g{i + 7:02d}"] for i in range(7)]
    flips = draw_sets(case, record(pairs=pairs, assignment=Assignment(rule="pairs")), 0.1, 0)
    assert flips.recorded
    assert flips.members.shape == (127, 16)
    assert (flips.members[:, :7] ^ flips.members[:, 7:14]).all()
    assert not flips.members[:, 14:].any()
    few = draw_sets(case_of(np.zeros((16, 60)), 3, 40, 50), record(pairs=pairs[:3]), 0.1, 0)
    assert few.members[:, 15].any()  # g07 is no partner of g00 in a draw of eight: any three geos stand in
    assert not few.recorded
    assert "only 8 draws" in few.words

    named = tuple(tuple(f"g{(i + step) % 16:02d}" for i in range(7)) for step in range(16) for _ in "ab")
    wide = case_of(np.zeros((60, 60)), 2, 40, 50)
    near = tuple((f"g{i:02d}", f"g{i + 1:02d}") for i in range(45))
    best = draw_sets(wide, record(assignment=Assignment(rule="near_best", candidates=near)), 0.1, 0)
    assert best.recorded
    assert {tuple(np.flatnonzero(row)) for row in best.members} == {(i, i + 1) for i in range(1, 45)}
    stand_in = draw_sets(case, record(assignment=Assignment(rule="near_best", candidates=named)), 0.1, 0)
    assert not stand_in.recorded
    assert "only 16 sets" in stand_in.words
    part = Assignment(rule="uniform", eligible=tuple(f"g{i:02d}" for i in range(12)))
    uniform = draw_sets(case, record(assignment=part), 0.1, 0)
    assert uniform.recorded
    assert not uniform.members[:, 12:].any()
    lone = case_of(np.zeros((50, 60)), 1, 40, 50)
    few_named = Assignment(rule="uniform", eligible=tuple(f"g{i:02d}" for i in range(12)))
    stand_in = draw_sets(lone, record(assignment=few_named), 0.1, 0)
    assert not stand_in.recorded
    assert len(stand_in.members) == 49
    assert "only 12 outcomes" in stand_in.words


def test_candidates_whose_geos_take_no_part_are_left_out_and_counted():
    rows = np.arange(60)
    names = tuple(f"g{row:02d}" for row in rows)
    dates = np.datetime64("2024-01-01") + np.arange(60).astype("timedelta64[D]")
    case = Case(np.zeros((60, 60)), dates, names, rows[:2], rows[2:50], 40, 50, 50, False, ())
    near = tuple((f"g{i:02d}", f"g{i + 1:02d}") for i in range(55))
    draws = draw_sets(case, record(assignment=Assignment(rule="near_best", candidates=near)), 0.1, 0)
    assert len(draws.members) == 48
    assert not draws.members[:, 50:].any()
    assert "6 with geos that take no part" in draws.words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"pairs": [["g00", "g01"], ["g02", "g05"]]}, "is treated whole"),
        ({"pairs": [["g00", "g05"], ["g01", "g06"]]}, "'g02' is in no pair"),
        ({"pairs": [["g00", "g05"], ["g01", "g06"], ["g02", "x"]]}, "unknown geo 'x'"),
        ({"assignment": Assignment(rule="near_best", candidates=(("g03", "g04"),))}, "none of its candidates"),
        ({"assignment": Assignment(rule="uniform", eligible=("g00", "g01", "g05"))}, "'g02' is not among its eligible"),
    ],
)
def test_an_assignment_that_does_not_fit_the_arms_is_refused(fields, words):
    case = case_of(np.zeros((16, 60)), 3, 40, 50)
    with pytest.raises(DataError, match=words):
        draw_sets(case, record(**fields), 0.1, 0)


def test_how_many_sets_are_enough():
    assert needed_sets(0.1) == 40
    assert needed_sets(0.05) == 80
    assert needed_sets(0.32) == 40


def test_donors_of_an_estimator_that_is_not_linear_never_hold_the_treated_geos():
    """Nothing could take the effect out of them again; for the others every geo outside the set is a donor."""
    seen: dict[str, list[np.ndarray]] = {}
    for name in ("sdid", "difference_in_differences"):
        estimator = ESTIMATORS[name]
        pools = seen.setdefault(name, [])

        def spy(block, inner=estimator, pools=pools):
            pools.append(block.donors)
            return inner.fit(block)

        case = case_of(rough_panel(1), 3, 36, 44)
        infer(case, draw_sets(case, record(), 0.1, 0), Estimator(name, spy, whole_weeks=False), 0.1, thorough=False)
    assert not any(np.isin([0, 1, 2], donors).any() for donors in seen["sdid"])
    assert any(np.isin([0, 1, 2], donors).any() for donors in seen["difference_in_differences"])


def test_period_and_cumulative_tests_are_the_same_statement():
    found = analysed(rough_panel(7))
    assert found.cumulative[-1].interval(0.1) == pytest.approx(found.total.interval(0.1))
    assert found.cumulative[0].interval(0.1) == pytest.approx(found.by_period[0].interval(0.1))
    for test in (*found.by_period, *found.cumulative):
        low, high = test.interval(0.1)
        assert (test.p_value() < 0.1) == (low > 0 or high < 0)
    assert sum(test.estimate for test in found.by_period) == pytest.approx(found.total.estimate * 8)


def test_a_recorded_draw_is_never_inflated():
    """The treated geos' past is wild beside every other geo's; only a claim of likeness is stretched for it."""
    rng = np.random.default_rng(2)
    outcome = 100 + rng.normal(size=(45, 160))
    wave = np.sin(2 * np.pi * np.arange(160) / 37)
    outcome[0, 60:] += 30 * wave[60:]
    case = case_of(outcome, 1, 150, 155)
    claimed = infer(case, draw_sets(case, record(), 0.1, 0), PLAIN, 0.1)
    drawn = infer(case, draw_sets(case, record(assignment=Assignment(rule="uniform")), 0.1, 0), PLAIN, 0.1)
    assert claimed.calibration.coverage == drawn.calibration.coverage
    assert claimed.calibration.high is not None
    assert claimed.calibration.high < 0.9
    assert claimed.calibration.inflation > 2
    assert drawn.calibration.inflation == 1.0
    narrow, wide = (np.ptp(each.total.interval(0.1)) for each in (drawn, claimed))
    assert wide == pytest.approx(narrow * claimed.calibration.inflation)


def test_self_calibration_is_content_with_geos_that_are_alike():
    outcome = 100 + np.random.default_rng(3).normal(size=(40, 120))
    case = case_of(outcome, 2, 110, 115)
    found = self_calibrate(case, draw_sets(case, record(), 0.1, 0).members, PLAIN, inflate=True)
    assert found.runs >= 30
    assert found.effective_runs < found.runs
    assert found.coverage == pytest.approx(0.9, abs=0.15)
    assert found.inflation == 1.0


def test_self_calibration_says_when_it_cannot_be_made():
    case = case_of(100 + np.random.default_rng(3).normal(size=(40, 60)), 2, 50, 55)
    found = self_calibrate(case, draw_sets(case, record(), 0.1, 0).members, PLAIN, inflate=True)
    assert found.runs == 0
    assert found.coverage is None
    assert found.inflation == 1.0


def test_a_short_coverage_is_inflated_to_nominal():
    statistics = np.tile(np.arange(100.0), (50, 1))
    statistics[:, 0] = np.linspace(60, 200, 50)
    found = judged(statistics, 50, inflate=True)
    critical = 90.0  # of 99 others, the tenth from the top
    assert found.coverage == pytest.approx(np.mean(statistics[:, 0] <= critical))
    assert np.mean(statistics[:, 0] <= critical * found.inflation) >= 0.9


def test_stretches_cover_the_second_half_of_the_history_without_overlap():
    assert stretches(120, 10) == [(60, 80), (80, 100), (100, 120)]
    assert stretches(40, 10) == [(20, 40)]
    assert stretches(15, 10) == []


def test_critical_value_is_an_order_statistic():
    others = np.arange(1.0, 100.0)[None]  # 99 others: p of the k-th largest is (1 + k) / 100
    assert critical_values(others, 0.10) == pytest.approx([91.0])
    assert critical_values(others, 0.05) == pytest.approx([96.0])
    assert critical_values(np.arange(5.0)[None], 0.10) == pytest.approx([np.inf])


def test_wilson_matches_published_values():
    low, high = wilson(0.9, 100, z=1.959964)
    assert (low, high) == (pytest.approx(0.8256, abs=1e-4), pytest.approx(0.9448, abs=1e-4))
    assert wilson(1.0, 30)[1] == pytest.approx(1.0)


def test_without_sets_inference_goes_over_time():
    case = case_of(rough_panel(8), 3, 36, 44)
    none = Draws(np.zeros((0, 14), dtype=np.bool_), False, "3 sets")
    found = infer(case, none, DEFAULT, 0.1)
    assert found.randomised is None
    assert "3 sets" in found.how
