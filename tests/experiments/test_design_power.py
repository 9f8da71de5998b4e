"""Power by rehearsal: thresholds are what the analysis itself finds, and the promise is no better than its windows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import Experiment, analyse
from experiments.geo.estimators import DEFAULT, ESTIMATORS, Block
from experiments.geo.inference.randomisation import inverted
from experiments.planning.contrasts import fitted
from experiments.planning.power import Rehearsal, Stage, needed_count, rehearse, summarise, thresholds
from experiments.planning.windows import all_planning, effective, held_back
from experiments.records import Assignment
from experiments.two_sided import InvertedTest
from measurement import Panel

SEEDS = st.integers(0, 2**32 - 1)


def outcome_of(seed: int, geos: int = 12, periods: int = 60, noise: float = 0.03) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drift = 0.02 * rng.normal(size=(geos, 2)) @ rng.normal(size=(2, periods)).cumsum(axis=1) / 2
    return np.exp(rng.normal(6, 0.7, (geos, 1))) * (1 + drift + noise * rng.normal(size=(geos, periods)))


def sets_of(seed: int, geos: int = 12, size: int = 2, count: int = 50) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sets = np.zeros((4 * count, geos), dtype=bool)
    for row in sets:
        row[rng.choice(geos, size, replace=False)] = True
    return np.unique(sets, axis=0)[:count]


def panel_of(outcome: np.ndarray) -> Panel:
    geos, periods = outcome.shape
    return Panel(
        dates=np.datetime64("2024-01-01") + np.arange(periods) * np.timedelta64(7, "D"),
        geos=tuple(f"g{row:02d}" for row in range(geos)),
        channels=(),
        spend=np.zeros((geos, periods, 0)),
        exposure=np.zeros((geos, periods, 0)),
        kpis={"sales": outcome},
        kpi="sales",
        period="week",
    )


def rehearsal_of(found: np.ndarray, length: int = 10) -> Rehearsal:
    """Windows that do not overlap, with the given thresholds."""
    onsets = tuple(range(30, 30 + length * len(found), length))
    return Rehearsal(found, np.ones_like(found), np.zeros_like(found), np.ones_like(found), onsets, length)


def test_contrasts_are_the_default_estimator_for_every_length() -> None:
    outcome, sets = outcome_of(0), sets_of(0)
    made = fitted(outcome, sets, np.ones(12, dtype=bool), 3, 45)
    for length in (1, 4, 15):
        gaps, _ = made.read(outcome, length, sets[:1])
        for row in range(0, 50, 7):
            block = Block(outcome, np.flatnonzero(sets[row]), np.flatnonzero(~sets[row]), 3, 45, 45 + length)
            fit = ESTIMATORS[DEFAULT].fit(block)
            size = np.abs(fit.observed[: fit.pre_length]).mean()
            assert gaps[row] == pytest.approx(fit.effect / size, abs=1e-9)
            assert made.errors[row] == pytest.approx(fit.pre_error / size, rel=1e-6)


def test_reach_is_what_an_effect_changes() -> None:
    outcome, sets = outcome_of(1), sets_of(1)
    made = fitted(outcome, sets, np.ones(12, dtype=bool), 0, 50)
    before, reach = made.read(outcome, 10, sets)
    changed = outcome.copy()
    changed[np.ix_(sets[7], np.arange(50, 60))] *= 1.2
    after, _ = made.read(changed, 10, sets)
    assert after - before == pytest.approx(0.2 * reach[:, 7], abs=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("seed", [0, 1])
def test_thresholds_are_where_the_analysis_begins_to_find_the_effect(seed: int, sign: int) -> None:
    """The whole pipeline, an effect injected just below and just above: `analyse` misses the one, finds the other."""
    outcome, sets, onset, length = outcome_of(seed), sets_of(seed, count=44), 48, 8
    panel = panel_of(outcome)
    seen = rehearse(Stage(outcome, 0.1, sign, False), sets, np.ones(12, dtype=bool), None, (onset,), length)
    names = tuple(tuple(panel.geos[row] for row in np.flatnonzero(each)) for each in sets)
    checked = 0
    for row in range(0, 44, 15):
        edge = float(seen.thresholds[0, row])
        if not 0 < edge < 0.9:
            continue
        for factor in (0.98, 1.02):
            changed = outcome.copy()
            changed[np.ix_(sets[row], np.arange(onset, onset + length))] *= 1 + sign * edge * factor
            test = Experiment(
                experiment_id="t",
                channel=("tv",),
                method="heavy_up" if sign > 0 else "go_dark",
                start_date=panel.dates[onset].tolist(),
                end_date=(panel.dates[onset + length] - np.timedelta64(1, "D")).tolist(),
                treatment_geos=names[row],
                assignment=Assignment(rule="near_best", candidates=names),
            )
            found = analyse(replace(panel, kpis={"sales": changed}), test)
            significant = found.p_value < 0.1 and found.outcome_change.estimate * sign > 0
            assert significant == (factor > 1)
        checked += 1
    assert checked >= 2


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, alpha=st.sampled_from([0.05, 0.1, 0.2]), count=st.integers(20, 60))
def test_thresholds_are_the_ends_of_the_inverted_test(seed: int, alpha: float, count: int) -> None:
    """By brute force: with the effect at the threshold or below, at least alpha of the sets are as extreme."""
    rng = np.random.default_rng(seed)
    gaps, errors = rng.normal(size=count), np.exp(rng.normal(0, 0.2, count))
    reach = rng.uniform(-0.3, 0.6, (count, count))
    np.fill_diagonal(reach, rng.uniform(0.9, 1.1, count))
    everyone = np.ones(count, dtype=bool)
    up, down = thresholds(gaps, reach, errors, np.arange(count), everyone, alpha)
    blind = np.abs(reach / np.diag(reach)) < errors[:, None] / errors

    def p_value(draw: int, effect: float) -> float:
        moved = np.abs(gaps + effect * reach[:, draw]) / errors
        return float(np.mean((moved >= moved[draw] * (1 - 1e-9)) | ~blind[:, draw]))

    for draw in range(0, count, 5):
        for edge, sign in ((up[draw], 1), (down[draw], -1)):
            if np.isfinite(edge):
                assert p_value(draw, sign * (edge * 1.0001 + 1e-6)) < alpha
                assert p_value(draw, sign * (3 * edge + 1e-6)) < alpha
                assert edge == 0.0 or p_value(draw, sign * edge * 0.9999) >= alpha
            else:
                assert np.mean(~blind[:, draw]) >= alpha


def test_references_may_stand_beside_the_draws() -> None:
    """A draw that is not among its references counts as one of them, as the treated set of an analysis does."""
    rng = np.random.default_rng(3)
    gaps, errors, reach = rng.normal(size=60), np.ones(60), 0.1 * rng.normal(size=(60, 1))
    reach[0] = 1.0
    among, _ = thresholds(gaps, reach, errors, np.array([0]), np.ones(60, dtype=bool), 0.1)
    beside, _ = thresholds(gaps, reach, errors, np.array([0]), np.arange(60) > 0, 0.1)
    assert among == pytest.approx(beside)


def test_thresholds_stretch_as_the_analysis_does_for_markets_that_were_not_drawn() -> None:
    rng = np.random.default_rng(4)
    gaps, errors, reach = rng.normal(size=60), np.exp(0.1 * rng.normal(size=60)), 0.1 * rng.normal(size=(60, 1))
    reach[0] = 1.0
    for inflation in (1.0, 1.7):
        up, down = thresholds(gaps, reach, errors, np.array([0]), np.arange(60) > 0, 0.1, inflation)
        test = inverted(gaps[1:], reach[1:, 0], errors[1:], gaps[0], errors[0], inflation)
        low, high = test.interval(0.1)
        assert (up[0], down[0]) == (pytest.approx(max(-low, 0)), pytest.approx(max(high, 0)))


@pytest.mark.parametrize(("sets", "alpha"), [(40, 0.1), (41, 0.1), (100, 0.05), (81, 0.05), (40, 0.2)])
def test_the_count_that_decides_is_the_analysis_own(sets: int, alpha: float) -> None:
    lows = -np.arange(1.0, sets)
    test = InvertedTest(0.0, np.append(-np.inf, lows), np.append(np.inf, -lows))
    assert test.interval(alpha)[0] == np.sort(test.lows)[needed_count(sets, alpha) - 1]


def test_a_noise_free_panel_finds_next_to_nothing() -> None:
    rng = np.random.default_rng(0)
    common = 1 + 0.1 * rng.normal(size=60)
    outcome = np.exp(rng.normal(5, 1, (12, 1))) * common
    stage, onsets = Stage(outcome, 0.1, 1, False), all_planning(60, 8)
    seen = rehearse(stage, sets_of(0), np.ones(12, dtype=bool), None, onsets, 8)
    assert summarise(seen, 0.8).mde < 1e-4


def test_twice_the_noise_is_twice_the_effect() -> None:
    rng = np.random.default_rng(5)
    noise, size = 0.002 * rng.normal(size=(20, 90)), np.exp(rng.normal(5, 1, (20, 1)))
    sets, onsets = sets_of(2, geos=20), all_planning(90, 9)
    once, twice = (
        summarise(rehearse(Stage(size * (1 + k * noise), 0.1, 1, False), sets, np.ones(20, bool), None, onsets, 9), 0.8)
        for k in (1, 2)
    )
    assert twice.mde == pytest.approx(2 * once.mde, rel=0.02)
    assert twice.rmse == pytest.approx(2 * once.rmse, rel=0.02)
    assert twice.false_positives == pytest.approx(once.false_positives, abs=0.01)


def test_a_drawn_set_is_found_by_chance_no_more_often_than_alpha() -> None:
    """In any window, on any panel: the test is the draw's own."""
    for seed in range(5):
        outcome = outcome_of(seed, noise=0.1) * np.linspace(1, 1 + seed, 60)
        seen = rehearse(Stage(outcome, 0.1, 1, False), sets_of(seed), np.ones(12, bool), None, all_planning(60, 8), 8)
        either = (seen.thresholds == 0) | (seen.opposite == 0)
        assert (either.mean(axis=1) < 0.1).all()


@settings(max_examples=80, deadline=None)
@given(seed=SEEDS, windows=st.integers(2, 8), draws=st.integers(1, 30), wanted=st.sampled_from([0.5, 0.8, 0.9]))
def test_power_grows_with_the_effect_and_never_says_more_than_its_windows(
    seed: int, windows: int, draws: int, wanted: float
) -> None:
    rng = np.random.default_rng(seed)
    found = np.exp(rng.normal(size=(windows, draws)) + rng.normal(size=(windows, 1)))
    found[rng.random(found.shape) < 0.05] = np.inf
    power = summarise(rehearsal_of(found), wanted)
    assert (np.diff(power.power) >= 0).all()
    assert ((power.low <= power.power) & (power.power <= power.high)).all()
    assert power.low.max() <= windows / (windows + 1.6**2)  # all found in n windows is no certainty
    assert power.stretch >= 1.0
    if np.isfinite(power.mde):
        assert power.planning >= wanted - 1e-12
        assert np.interp(power.mde, power.effects, power.power) >= wanted - 2 / found.size - 0.15


def test_an_effect_that_cannot_be_found_is_infinite() -> None:
    found = np.full((4, 10), np.inf)
    found[:, :5] = 0.1
    power = summarise(rehearsal_of(found), 0.8)
    assert power.mde == np.inf
    assert power.power.max() == 0.5


def test_the_stretch_is_one_where_windows_agree_and_grows_where_they_do_not() -> None:
    alike = np.tile(np.linspace(0.5, 1.5, 41), (4, 1))
    assert summarise(rehearsal_of(alike), 0.8).stretch == 1.0
    unlike = alike * np.array([[0.5], [1.0], [1.0], [2.0]])
    assert summarise(rehearsal_of(unlike), 0.8).stretch > 1.05


def test_few_windows_are_stretched_so_that_the_next_one_is_found_as_often_as_promised() -> None:
    """Windows whose scale differs, as on real panels: the plain quantile of three promises too much."""
    rng = np.random.default_rng(8)
    plain, stretched = [], []
    for _ in range(1500):
        found = np.exp(0.4 * rng.normal(size=(4, 1)) + 0.5 * rng.normal(size=(4, 41)))
        power = summarise(rehearsal_of(found[:3]), 0.8)
        stretched.append(np.mean(found[3] < power.mde))
        plain.append(np.mean(found[3] < power.mde / power.stretch))
    assert np.mean(plain) < 0.79
    assert np.mean(stretched) == pytest.approx(0.81, abs=0.03)


def test_the_optimistic_power_is_that_of_the_choosing_windows() -> None:
    later, before = rehearsal_of(np.full((3, 10), 2.0)), rehearsal_of(np.full((2, 10), 1.0))
    power = summarise(later, 0.8, before)
    assert power.mde == pytest.approx(2.0)
    assert power.mde_optimistic == 1.0
    assert power.optimistic == 1.0
    assert summarise(before, 0.8, later).optimistic == 0.0


@settings(max_examples=200, deadline=None)
@given(periods=st.integers(16, 400), lengths=st.lists(st.integers(1, 60), min_size=1, max_size=4, unique=True))
def test_windows_that_choose_end_before_those_that_judge(periods: int, lengths: list[int]) -> None:
    windows = held_back(periods, tuple(lengths))
    judged = {length: onsets for length, onsets in windows.planning.items() if onsets}
    for length, onsets in judged.items():
        assert onsets[-1] + length == periods
        assert effective(onsets, length) >= 2
        assert onsets[0] >= max(8, length)
    if judged:
        first = min(onsets[0] for onsets in judged.values())
        longest = max(judged)
        assert len(windows.selection) >= 1
        assert all(onset >= 8 and onset + longest <= first for onset in windows.selection)
        assert all(length > longest for length in windows.planning if length not in judged)


def test_a_history_without_room_has_no_windows() -> None:
    assert held_back(60, (28,)).planning == {28: ()}
    assert all_planning(30, 14) == ()
    assert all_planning(60, 14) != ()
