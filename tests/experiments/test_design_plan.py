"""Planned designs: inside every constraint, drawn by chance from near-best sets, ready to be analysed."""

import json
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import analyse
from experiments.geo.inference.draws import needed_sets
from experiments.planning import plan, search
from experiments.planning.assignment import full_pool, pools
from experiments.planning.constraints import laid_on
from experiments.planning.goal import Goal
from experiments.planning.plan import design, power
from experiments.planning.proposal import Designs
from measurement import Panel
from measurement.errors import DataError, DesignError

GEOS, PERIODS = 16, 64


@pytest.fixture(autouse=True)
def _small_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the sets: what is held here does not depend on how long one looks."""
    monkeypatch.setattr(plan, "CANDIDATES", 300)
    monkeypatch.setattr(search, "ROUNDS", 1)


@cache
def panel_of(
    seed: int = 0, geos: int = GEOS, periods: int = PERIODS, period: str = "week", media: bool = True
) -> Panel:
    rng = np.random.default_rng(seed)
    drift = 0.02 * rng.normal(size=(geos, 2)) @ rng.normal(size=(2, periods)).cumsum(axis=1) / 2
    sales = np.exp(rng.normal(7, 0.6, (geos, 1))) * (1 + drift + 0.03 * rng.normal(size=(geos, periods)))
    spend = 0.05 * sales.mean(axis=1)[:, None, None] * rng.uniform(0.9, 1.1, (geos, periods, 1))
    shape = spend.shape if media else (geos, periods, 0)
    return Panel(
        dates=np.datetime64("2024-01-01") + np.arange(periods) * np.timedelta64(7 if period == "week" else 1, "D"),
        geos=tuple(f"g{row:02d}" for row in range(geos)),
        channels=("tv",) if media else (),
        spend=spend if media else np.zeros(shape),
        exposure=spend if media else np.zeros(shape),
        kpis={"sales": sales},
        kpi="sales",
        period=period,
    )


def goal_of(**changes: object) -> Goal:
    return replace(Goal(("tv",), (4, 8), (2, 3), iroas=2.0), **changes)


@cache
def planned(seed: int = 0) -> Designs:
    return design(panel_of(), goal_of(seed=seed))


def rows_of(panel: Panel, names: tuple[str, ...]) -> np.ndarray:
    return np.isin(panel.geos, names)


def test_every_size_and_length_is_planned_and_ranked() -> None:
    found = planned()
    assert {(len(each.treatment_geos), each.duration) for each in found.designs} == {(2, 4), (2, 8), (3, 4), (3, 8)}
    scores = [each.score for each in found.designs]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] <= scores[0] <= 100
    assert [each["duration"] for each in found.choices()] == [4, 8, 4, 8]
    assert found.best.treatment_geos[0] in found.recommendation
    assert f"{found.best.mde:.1%}" in found.recommendation


def test_the_plan_is_json_with_the_promised_keys() -> None:
    raw = json.loads(json.dumps(planned().to_dict(), allow_nan=False))
    wanted = {
        "treatment_geos",
        "control_geos",
        "duration",
        "mde",
        "power_curve",
        "cost",
        "false_positive_rate",
        "score",
    }
    assert wanted <= set(raw["designs"][0])
    curve = raw["designs"][0]["power_curve"]
    assert [each["effect"] for each in curve] == sorted(each["effect"] for each in curve)


def test_the_drawn_set_is_one_of_the_candidates_each_as_likely() -> None:
    """The place is ``default_rng(seed).integers(sets)``: anyone can draw it again, and seeds spread evenly."""
    for seed in range(3):
        for each in planned(seed).designs:
            candidates = each.assignment.candidates
            assert each.treatment_geos == candidates[np.random.default_rng(seed).integers(len(candidates))]
    hits = np.bincount([np.random.default_rng(seed).integers(41) for seed in range(8200)], minlength=41)
    assert float(np.square(hits - 200).sum() / 200) < 69.0  # chi-square with 40 degrees of freedom, p = .003


def test_near_best_sets_are_allowed_distinct_and_enough() -> None:
    panel = panel_of()
    feasible = laid_on(panel, goal_of())
    for each in planned().designs:
        candidates = each.assignment.candidates
        assert len(set(map(frozenset, candidates))) == len(candidates) >= needed_sets(0.1)
        assert feasible.allowed(np.array([rows_of(panel, names) for names in candidates])).all()
        assert each.power.draws == len(candidates)
        assert set(each.control_geos) == set(panel.geos) - set(each.treatment_geos)


def test_same_seed_same_plan_other_seed_other_draw() -> None:
    goal = goal_of(durations=(4,), geos=(2, 2))
    once, again = (json.dumps(design(panel_of(), goal).to_dict()) for _ in range(2))
    assert once == again
    draws = {planned(seed).best.treatment_geos for seed in range(3)}
    assert len(draws) > 1


def test_the_record_is_analysed_as_designed() -> None:
    """With the test's weeks appended and the promised effect in them, the analysis is the exact one of the record."""
    panel = panel_of(periods=72)
    history = replace(
        panel,
        dates=panel.dates[:64],
        kpis={"sales": panel.outcome[:, :64]},
        spend=panel.spend[:, :64],
        exposure=panel.exposure[:, :64],
    )
    best = design(history, goal_of(durations=(4,), geos=(2, 2))).best
    test = best.record()
    assert test.start_date == panel.dates[64].tolist() == best.next_day
    assert test.end_date == best.next_day + timedelta(days=27)
    assert test.method == "go_dark"
    assert test.spend_delta < 0
    sales = panel.outcome.copy()
    sales[np.ix_(rows_of(panel, best.treatment_geos), np.arange(64, 68))] *= 1 - 3 * best.mde
    result = analyse(replace(panel, kpis={"sales": sales}), test)
    assert "exact" in result.inference
    assert result.outcome_change.high < 0
    assert result.iroas.estimate > 0


@pytest.mark.parametrize(
    ("period", "start", "last", "read_out"),
    [
        ("day", date(2025, 1, 6), date(2025, 1, 19), date(2025, 1, 26)),
        ("week", date(2025, 1, 6), date(2025, 4, 13), date(2025, 6, 1)),
        ("month", date(2025, 1, 1), date(2026, 2, 28), date(2026, 9, 30)),
    ],
)
def test_dates_of_the_record(period: str, start: date, last: date, read_out: date) -> None:
    made = replace(planned().best, duration=14, cooldown=7, period=period).record(start, "mine")
    assert (made.start_date, made.end_date, made.cooldown_end_date) == (start, last, read_out)
    assert made.experiment_id == "mine"


@pytest.mark.parametrize(
    ("direction", "change", "method"),
    [
        ("go_dark", None, "go_dark"),
        ("heavy_up", 0.5, "heavy_up"),
        ("scale", 0.5, "scale"),
        ("scale", -0.5, "scale"),
        ("holdout", None, "geo_holdout"),
    ],
)
def test_method_and_sign(direction: str, change: float | None, method: str) -> None:
    goal = goal_of(direction=direction, spend_change=change, durations=(4,), geos=(2, 2))
    found = design(panel_of(), goal).best
    assert found.method == method
    assert found.record().spend_delta * goal.change > 0
    blind = design(panel_of(media=False), goal).best  # without media only the method carries the sign
    assert blind.method == ("go_dark" if goal.change < 0 else "heavy_up")
    assert blind.record().spend_delta is None


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_constraints_are_never_violated(seed: int) -> None:
    """Every candidate of the draw, by brute force from the goal's words."""
    panel, rng = panel_of(), np.random.default_rng(seed)
    names = [panel.geos[row] for row in rng.permutation(GEOS)]
    goal = goal_of(
        durations=(4,),
        geos=(3, 4),
        exclude=(names[0],),
        busy=(names[1],),
        clusters=((names[2], names[3]),),
        adjacent=((names[4], names[5]),),
        strata=dict.fromkeys(names[6:12], "north"),
        quotas={"north": (1, 2)},
        share=(0.1, 0.4),
        seed=seed,
    )
    sold = dict(zip(panel.geos, panel.outcome.sum(axis=1) / panel.outcome.sum(), strict=True))
    for each in design(panel, goal).designs:
        controls = set(each.control_geos)
        assert names[1] not in controls
        for treated in each.assignment.candidates:
            assert 3 <= len(treated) <= 4
            assert not {names[0], names[1]} & set(treated)
            assert (names[2] in treated) == (names[3] in treated)
            assert 1 <= len(set(treated) & set(names[6:12])) <= 2
            assert 0.1 <= sum(sold[name] for name in treated) <= 0.4
            for one, other in ((names[4], names[5]), (names[5], names[4])):
                if one in treated and other not in treated:  # then the other is in no arm, whichever set is drawn
                    assert other not in controls
                    assert all(other not in rival for rival in each.assignment.candidates)


def test_geos_that_must_be_treated_are_in_every_candidate() -> None:
    found = design(panel_of(), goal_of(must_include=("g03",), durations=(4,), geos=(3, 3))).best
    assert all("g03" in names for names in found.assignment.candidates)


def test_too_few_sets_to_draw_from_are_said() -> None:
    goal = goal_of(must_include=("g03", "g04"), durations=(4,), geos=(3, 3))
    found = design(panel_of(), goal).best
    assert len(found.assignment.candidates) == 14
    assert "only 14 sets" in found.inference
    assert np.isfinite(found.mde)


def test_a_longer_test_keeps_to_the_budget_too() -> None:
    spent = panel_of().spend[:, -13:, 0].mean(axis=1)
    budget = float(np.sort(spent)[:8].sum() * 2 * 2.0)
    found = design(panel_of(), goal_of(budget=budget, geos=(2, 2)))
    assert {each.duration for each in found.designs} <= {4, 8}
    assert all(abs(each.cost.money_delta) <= budget for each in found.designs)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 4))
def test_pools_share_no_more_than_they_say_and_begin_with_the_best(seed: int, size: int) -> None:
    panel = panel_of()
    feasible = laid_on(panel, goal_of(geos=(2, 4)))
    rng = np.random.default_rng(seed)
    sets = np.zeros((300, GEOS), dtype=bool)
    for row in sets:
        row[rng.choice(GEOS, size, replace=False)] = True
    sets = np.unique(sets, axis=0)
    scores, kpi = rng.uniform(1, 2, len(sets)), panel.outcome.mean(axis=1)
    for pool in pools(sets, scores, kpi, feasible, 0.1):
        assert pool.rows[0] == scores.argmin()
        assert (np.diff(scores[pool.rows]) >= 0).all()
        weighed = pool.sets * kpi
        total = weighed.sum(axis=1)
        common = weighed @ pool.sets.T / np.minimum(total, total[:, None])
        assert (common[~np.eye(len(total), dtype=bool)] <= pool.shared + 1e-12).all()


@settings(max_examples=100, deadline=None)
@given(count=st.integers(1, 200), alpha=st.sampled_from([0.01, 0.05, 0.1, 0.15, 0.2]))
def test_a_full_pool_makes_the_test_nearly_as_large_as_alpha(count: int, alpha: float) -> None:
    full = full_pool(count, alpha)
    assert full <= count
    if count > needed_sets(alpha) + 1 / alpha:
        assert needed_sets(alpha) <= full
        rejecting = np.ceil(alpha * full - 1e-9) - 1  # sets whose p-value is below alpha
        assert rejecting / full > alpha * (1 - 1 / (rejecting + 1)) * 0.98


def test_given_markets_are_rehearsed_as_they_are() -> None:
    goal = goal_of(treatment_geos=("g01", "g05"), exclude=("g05",), durations=(4,))
    found = power(panel_of(), goal)
    assert found.treatment_geos == ("g01", "g05")
    assert found.assignment is None
    assert found.record().assignment is None
    assert any("g05" in note for note in found.notes)
    assert any("chosen, not drawn" in note for note in found.notes)
    assert found.power.optimistic is None
    assert found.power.draws == 1
    assert found.inference.startswith("randomisation test beside any set of 2 of the 16 geos")
    many = design(panel_of(), replace(goal, durations=(4, 8)))
    assert {each.duration for each in many.designs} == {4, 8}


def test_a_given_market_that_moves_on_its_own_is_promised_less() -> None:
    """The analysis widens the interval of a market with a wild past, and the plan says so beforehand."""
    panel = panel_of(periods=104)
    sales = panel.outcome.copy()
    wild = np.cumsum(np.random.default_rng(2).normal(0, 0.15, 104)) * np.linspace(0, 1, 104)
    sales[1] *= np.exp(wild - wild.mean())
    goal = goal_of(treatment_geos=("g01", "g05"), durations=(4,))
    calm, wide = power(panel, goal), power(replace(panel, kpis={"sales": sales}), goal)
    assert "times as wide" not in calm.inference
    assert "times as wide" in wide.inference
    assert wide.mde > 2 * calm.mde


def test_one_given_market_among_few_is_rehearsed_over_time() -> None:
    panel = panel_of(geos=9, periods=120)
    found = power(panel, goal_of(treatment_geos=("g01",), durations=(8,)))
    assert found.inference.startswith("over time, because 9 geos have only 9 sets of 1")
    assert 0.005 < found.mde < 0.2


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(DesignError, match="too few to rehearse a test of 28"):
        design(panel_of(periods=64), goal_of(durations=(28,)))
    with pytest.raises(DataError, match="treatment_geos"):
        power(panel_of(), goal_of())
    with pytest.raises(DataError, match="cells"):
        design(panel_of(), goal_of(cells=2))
    sales = panel_of().outcome.copy()
    sales[4, :30] = 0.0
    with pytest.raises(DataError, match=r"'g04' has the same KPI .* name it in busy"):
        design(replace(panel_of(), kpis={"sales": sales}), goal_of())


def test_a_length_that_is_too_long_is_noted_and_the_others_planned() -> None:
    found = design(panel_of(), goal_of(durations=(4, 24), geos=(2, 2)))
    assert {each.duration for each in found.designs} == {4}
    assert any("24" in note for note in found.notes)


def test_progress_is_told_and_may_stop() -> None:
    steps: list[tuple[int, int, str]] = []
    goal = goal_of(durations=(4,), geos=(2, 3))
    design(panel_of(), goal, progress=lambda *step: steps.append(step))
    assert [step[:2] for step in steps] == [(1, 2), (2, 2)]

    def stop(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        design(panel_of(), goal, progress=stop)


def test_another_kpi_is_planned_on_its_own_numbers_and_has_no_price() -> None:
    panel = panel_of()
    visits = 10 * panel_of(seed=4).outcome
    both = replace(panel, kpis={"sales": panel.outcome, "visits": visits})
    goal = goal_of(durations=(4,), geos=(2, 2), iroas=None)
    found = design(both, replace(goal, kpi="visits")).best
    alone = design(replace(panel, kpis={"sales": visits}), goal).best
    assert (found.mde, found.mde_absolute) == (alone.mde, alone.mde_absolute)
    assert found.record().kpi == "visits"
    assert found.detectable_return is None
    assert alone.detectable_return == pytest.approx(alone.mde_absolute / abs(alone.cost.spend_delta))


def test_a_kpi_below_zero_is_planned_by_its_size() -> None:
    """Mirrored, a KPI has the same smallest effects, as shares of its absolute level, in the other direction."""
    panel, goal = panel_of(), goal_of(durations=(4,), geos=(2, 2), iroas=None)
    losses = replace(panel, kpis={"sales": -panel.outcome})
    up = design(panel, replace(goal, direction="heavy_up")).best
    down = design(losses, replace(goal, direction="go_dark", spend_change=-1.0)).best
    assert down.treatment_geos == up.treatment_geos
    assert down.mde == pytest.approx(up.mde)


def test_names_are_only_values() -> None:
    odd = ("=1+1", "a,b", "NA", "<b>", *(f"g{row:02d}" for row in range(4, GEOS)))
    found = design(replace(panel_of(), geos=odd), replace(goal_of(durations=(4,)), must_include=("=1+1",)))
    assert all("=1+1" in each.treatment_geos for each in found.designs)
