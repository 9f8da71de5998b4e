"""Plans of switchback and on-off tests: closed forms, records that can be analysed, warnings and refusals."""

from dataclasses import replace
from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from experiments import analyse, records
from experiments.planning.goal import Goal
from experiments.planning.on_off import WEAKEST, design_on_off
from experiments.planning.switchback import design_switchback
from measurement import DataError, DesignError, Panel

GOAL = Goal(channel=("tv",), durations=(40,), geos=(1, 2), direction="heavy_up", spend_change=0.5, iroas=3.0)
NOISE = 0.05


@pytest.fixture(autouse=True)
def _fewer_rehearsals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.planning.switchback.REHEARSALS", 40)


def panel_of(periods: int = 150, geos: int = 4, walk: float = 0.0, seed: int = 0) -> Panel:
    """Geos of 1,000 a day with independent noise of 5 %, and a random walk that all share."""
    rng = np.random.default_rng(seed)
    common = walk * rng.normal(size=periods).cumsum()
    sales = 1000 * (1 + NOISE * rng.normal(size=(geos, periods)) + common)
    media = np.full((geos, periods, 1), 100.0)
    return Panel(
        dates=np.datetime64("2024-01-01") + np.arange(periods),
        geos=tuple("abcdefgh"[:geos]),
        channels=("tv",),
        spend=media,
        exposure=media,
        kpis={"sales": sales},
        kpi="sales",
        period="day",
        kpi_value=2.0,
    )


def extended(panel: Panel, days: int, seed: int) -> Panel:
    """The same market with some days more."""
    later = panel_of(days, len(panel.geos), seed=seed)
    join = {"spend": panel.spend, "exposure": panel.exposure}
    parts = {name: np.concatenate([old, getattr(later, name)], axis=1) for name, old in join.items()}
    sales = np.concatenate([panel.outcome, later.outcome], axis=1)
    dates = panel.dates[0] + np.arange(sales.shape[1])
    return replace(panel, dates=dates, kpis={"sales": sales}, **parts)


def textbook(error: float) -> float:
    return (NormalDist().inv_cdf(0.95) + NormalDist().inv_cdf(0.8)) * error


def test_the_detectable_effect_of_a_switchback_is_near_the_textbook_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 days of noise of 2.5 % over four geos, 20 on and 20 off: error 2.5 % × sqrt(2 / 20)."""
    monkeypatch.setattr("experiments.planning.switchback.REHEARSALS", 120)
    plan = design_switchback(panel_of(600), GOAL, block_lengths=(1,)).best
    assert plan.mde == pytest.approx(textbook(NOISE / 2 * sqrt(2 / 20)), rel=0.3)
    assert plan.details["rmse"] == pytest.approx(NOISE / 2 * sqrt(2 / 20), rel=0.3)
    rate, low, high = plan.false_positives
    assert low <= rate <= high
    assert rate < 0.16
    assert np.interp(plan.mde, plan.effects, plan.power) == pytest.approx(0.8, abs=0.1)


def test_a_switchback_costs_half_of_its_days() -> None:
    """Four geos, half as much again of 100 a day, on half of 40 days; at an iROAS of 3 that brings 12,000."""
    plan = design_switchback(panel_of(), GOAL, block_lengths=(1,)).best
    assert plan.cost.spend_delta == pytest.approx(4 * 50 * 20)
    assert plan.cost.money_delta == pytest.approx(12_000)
    assert plan.mde_absolute == pytest.approx(plan.mde * 4000 * 20, rel=0.02)
    assert plan.cost.needed == pytest.approx(plan.mde_absolute * 2 / 3)


@pytest.mark.parametrize("per_geo", [False, True])
def test_the_record_of_a_switchback_is_analysed(per_geo: bool) -> None:
    panel, goal = panel_of(120), replace(GOAL, durations=(24,))
    plan = design_switchback(panel, goal, block_lengths=(2,), per_geo=per_geo).best
    record = plan.record()
    assert records.parse([record.to_dict()], results=False) == [record]
    later = extended(panel, 24, seed=9)
    truth = 0.0
    for block in record.schedule:
        days = (later.dates >= np.datetime64(block.start)) & (later.dates <= np.datetime64(block.end))
        rows = [panel.geos.index(block.geo)] if block.geo else range(4)
        for row in rows if block.on else ():
            truth += 0.2 * float(later.outcome[row, days].sum())
            later.outcome[row, days] *= 1.2
    result = analyse(later, record)
    assert result.outcome_change.low < truth < result.outcome_change.high
    assert result.p_value < 0.1
    assert result.spend.delta == pytest.approx(plan.cost.spend_delta)


def test_geos_that_switch_by_themselves_find_more_than_together() -> None:
    """What all geos share (a random walk) is seen in those that are off meanwhile."""
    panel, goal = panel_of(150, walk=0.01), replace(GOAL, durations=(14,))
    together = design_switchback(panel, goal, block_lengths=(1,))
    apart = design_switchback(panel, goal, block_lengths=(1,), per_geo=True)
    assert apart.best.mde < together.best.mde
    assert "each of 4 geos by itself" in apart.recommendation
    assert "each of" not in together.recommendation


def test_lengths_that_do_not_fit_are_noted_and_the_rest_is_planned() -> None:
    plans = design_switchback(panel_of(), replace(GOAL, durations=(40, 42)), block_lengths=(2, 7))
    assert [each.duration for each in plans.designs] == [40]
    assert plans.notes == (
        "40 days in blocks of 7: found 40; an even number of blocks of 7 is needed: 28 or 42",
        "42 days in blocks of 2: found 42; an even number of blocks of 2 is needed: 40 or 44",
        "42 days in blocks of 7: 6 blocks can fall in 8 ways, so no p-value can be below 0.25: an interval of 90% "
        "needs 10 blocks or more (70 days)",
    )


def test_schedules_that_never_fit_are_refused() -> None:
    with pytest.raises(DataError, match="blocks of 3: found 40; an even number of blocks of 3 is needed: 36 or 42"):
        design_switchback(panel_of(), GOAL, block_lengths=(3,))
    with pytest.raises(DesignError, match="no schedule fits: 40 days in blocks of 10: 4 blocks can fall in 4 ways"):
        design_switchback(panel_of(), GOAL, block_lengths=(10,))
    with pytest.raises(DesignError, match="every geo is excluded or busy, so nothing switches"):
        design_switchback(panel_of(), replace(GOAL, exclude=("a", "b"), busy=("c", "d")), block_lengths=(1,))
    with pytest.raises(DataError, match="unknown geo 'z'"):
        design_switchback(panel_of(), replace(GOAL, treatment_geos=("z",)), block_lengths=(1,))


def test_only_the_named_geos_switch() -> None:
    own = design_switchback(panel_of(), replace(GOAL, treatment_geos=("b", "d")), block_lengths=(1,)).best
    assert own.treatment_geos == ("b", "d")
    left = design_switchback(panel_of(), replace(GOAL, exclude=("a",), busy=("c",)), block_lengths=(1,)).best
    assert left.treatment_geos == ("b", "d")
    assert own.mde == left.mde


def test_what_a_schedule_leaves_open_is_said() -> None:
    plan = design_switchback(panel_of(), GOAL, block_lengths=(2,)).best
    assert plan.notes == (
        "nothing is dropped after a switch: right only if the ads stop working within a day",
        "blocks of 2 days are not whole weeks: the days of the week are taken out by model",
    )


def test_an_on_off_test_of_plain_noise_is_near_the_textbook_s() -> None:
    """28 days against 84 before them, noise of 2.5 % (a trend costs a little more)."""
    plan = design_on_off(panel_of(400), replace(GOAL, durations=(28,))).best
    plain = textbook(NOISE / 2 * sqrt(1 / 28 + 1 / 84))
    assert plain < plan.mde < 3 * plain
    assert plan.false_positives[0] < 0.3
    assert plan.cost.spend_delta == pytest.approx(4 * 50 * 28)
    assert plan.notes[0] == WEAKEST


def test_a_drifting_market_makes_false_positives_and_they_are_said() -> None:
    plan = design_on_off(panel_of(400, walk=0.02, seed=2), replace(GOAL, durations=(28,))).best
    assert plan.mde > 2 * design_on_off(panel_of(400), replace(GOAL, durations=(28,))).best.mde
    rate = plan.false_positives[0]
    said = any("its intervals are too narrow here" in note for note in plan.notes)
    assert said == (rate > 0.15)


def test_the_record_of_an_on_off_test_is_analysed() -> None:
    panel = panel_of()
    plan = design_on_off(panel, replace(GOAL, durations=(21,), cooldown=7), burn_in=2).best
    record = plan.record()
    assert records.parse([record.to_dict()], results=False) == [record]
    assert (record.end_date - record.start_date).days == 20
    assert (record.cooldown_end_date - record.end_date).days == 7
    later = extended(panel, 28, seed=4)
    later.outcome[:, 150:171] *= 1.3
    result = analyse(later, record)
    assert result.p_value < 0.1
    assert result.grade in "DE"


def test_a_history_too_short_for_an_on_off_test() -> None:
    with pytest.raises(DesignError, match="40 days: the history of 80 holds no two windows for it"):
        design_on_off(panel_of(80), GOAL)
    with pytest.raises(DataError, match="found 40; from 0 to less than the shortest test of 40"):
        design_on_off(panel_of(), GOAL, burn_in=40)


def test_the_same_seed_gives_the_same_plan() -> None:
    one, two = (design_switchback(panel_of(), GOAL, block_lengths=(1,)) for _ in range(2))
    assert one.to_dict() == two.to_dict()
    assert one.best.record() == two.best.record()
    other = design_switchback(panel_of(), replace(GOAL, seed=1), block_lengths=(1,))
    assert other.best.record().schedule != one.best.record().schedule
