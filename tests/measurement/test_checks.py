"""Data checks: each finds what was planted, and says nothing about sound data."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from measurement import series
from measurement.checks import data_checks
from measurement.panel import Panel
from measurement.periods import Period
from measurement.simulate import demo, simulate

GEOS, WEEKS = 6, 120


def sound(seed: int = 0, geos: int = GEOS, periods: int = WEEKS, period: Period = "week") -> Panel:
    """Season, noise and independent spend of four channels."""
    rng = np.random.default_rng(seed)
    step = np.timedelta64(7 if period == "week" else 1, "D")
    dates = np.datetime64("2022-01-03", "D") + np.arange(periods) * step
    size = rng.lognormal(0, 0.5, (geos, 1))
    season = 1 + 0.2 * np.sin(2 * np.pi * np.arange(periods) * (7 if period == "week" else 1) / 365.25)
    outcome = 1000 * size * season * (1 + 0.05 * rng.standard_normal((geos, periods)))
    spend = 50 * size[:, :, None] * rng.gamma(3, 1 / 3, (geos, periods, 4))
    return Panel(
        dates=dates,
        geos=tuple(f"g{i}" for i in range(geos)),
        channels=("a", "b", "c", "d"),
        spend=spend,
        exposure=spend.copy(),
        kpis={"outcome": outcome},
        kpi="outcome",
        controls=rng.standard_normal((geos, periods, 1)),
        control_names=("price",),
        period=period,
    )


def codes(panel: Panel) -> set[str]:
    return {problem.code for problem in data_checks(panel)}


def with_outcome(panel: Panel, change: Callable[[Any], None]) -> Panel:
    outcome = panel.outcome.copy()
    change(outcome)
    return replace(panel, kpis={"outcome": outcome})


def with_spend(panel: Panel, change: Callable[[Any], None]) -> Panel:
    spend = panel.spend.copy()
    change(spend)
    return replace(panel, spend=spend, exposure=spend.copy())


@pytest.mark.parametrize("seed", range(12))
def test_sound_data_pass_in_silence(seed: int) -> None:
    assert data_checks(sound(seed)) == []
    assert data_checks(sound(seed, geos=1, periods=260)) == []
    assert data_checks(sound(seed, periods=500, period="day")) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_simulated_company_has_at_most_its_holidays(seed: int) -> None:
    assert {problem.code for problem in data_checks(simulate(demo(seed)).panel())} <= {"outlier"}


def at(*where: Any, value: float) -> Callable[[Any], None]:
    return lambda array: array.__setitem__(where, value)


def scaled(*where: Any, factor: float) -> Callable[[Any], None]:
    return lambda array: array.__setitem__(where, array[where] * factor)


ALL = slice(None)


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (at(ALL, ALL, 0, value=0.0), "no-spend", "'a'"),
        (at(ALL, ALL, 1, value=40.0), "constant-channel", "'b'"),
        (lambda x: x.__setitem__((ALL, ALL, 2), 40 + 0.01 * x[:, :, 2]), "near-constant-channel", "'c'"),
        (at(ALL, slice(3, None), 0, value=0.0), "rare-channel", "'a'"),
        (lambda x: x.__setitem__((ALL, ALL, 0), 3 * x[:, :, 1]), "collinear-channels", "'a' and 'b'"),
        (lambda x: x.__setitem__((ALL, ALL, 0), x[:, :, 1:].sum(axis=2)), "inflated-channel", "'a'"),
        (scaled(2, 17, 3, factor=100), "spend-outlier", "geo 'g2' on 2022-05-02"),
    ],
)
def test_spend_findings(change: Callable[[Any], None], code: str, named: str) -> None:
    found = [problem for problem in data_checks(with_spend(sound(), change)) if problem.code == code]
    assert len(found) >= 1
    assert named in found[0].message


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (scaled(ALL, -1, factor=0.4), "unfinished-period", "2024-04-15"),
        (scaled(1, 40, factor=3.0), "outlier", "geo 'g1' on 2022-10-10"),
        (scaled(ALL, 40, factor=3.0), "outlier", "2022-10-10"),
        (at(2, 30, value=0.0), "zero-kpi", "geo 'g2' on 2022-08-01"),
        (at(2, 30, value=-5.0), "negative-kpi", "geo 'g2' on 2022-08-01"),
        (at(3, ALL, value=7.0), "constant-kpi", "'g3'"),
    ],
)
def test_outcome_findings(change: Callable[[Any], None], code: str, named: str) -> None:
    found = [problem for problem in data_checks(with_outcome(sound(), change)) if problem.code == code]
    assert len(found) == 1
    assert named in found[0].message
    assert found[0].level == "warning"


def test_a_peak_of_every_year_is_season_and_no_outlier() -> None:
    def peaks(outcome: Any) -> None:
        outcome[:, [50, 102]] *= 1.8

    assert "outlier" not in codes(with_outcome(sound(), peaks))
    assert "outlier" in codes(with_outcome(sound(), scaled(ALL, 50, factor=1.8)))


def test_an_unfinished_day_is_compared_with_its_weekday() -> None:
    panel = sound(periods=500, period="day")
    weekly = 1 + 0.5 * (np.arange(500) % 7 == 499 % 7)
    assert "unfinished-period" not in codes(with_outcome(panel, lambda y: y.__imul__(2 - weekly)))
    assert "unfinished-period" in codes(with_outcome(panel, scaled(ALL, -1, factor=0.5)))


def test_exposure_and_spend_of_different_periods() -> None:
    panel = with_spend(sound(), lambda x: x.__setitem__((ALL, slice(0, 60), 0), 0.0))
    exposure = panel.exposure.copy()
    exposure[:, :, 0] = np.roll(exposure[:, :, 0], 30, axis=1)
    found = codes(replace(panel, exposure=exposure))
    assert {"spend-without-exposure", "exposure-without-spend"} <= found


@pytest.mark.parametrize("lead", [0, 1, 3])
def test_a_control_that_knows_the_kpi(lead: int) -> None:
    panel = sound()
    control = np.roll(panel.outcome, -lead, axis=1) * 0.01 + 5
    leaking = replace(panel, controls=control[:, :, None], control_names=("forecast",))
    (found,) = (problem for problem in data_checks(leaking) if problem.code == "leaking-control")
    assert "'forecast'" in found.message
    assert (f"{lead} week" in found.message) == (lead > 0)
    lagged = np.roll(panel.outcome, 2, axis=1)
    assert "leaking-control" not in codes(replace(panel, controls=lagged[:, :, None]))


@pytest.mark.parametrize("seed", range(5))
def test_spend_that_follows_demand(seed: int) -> None:
    panel = sound(seed, periods=156)
    rng = np.random.default_rng(100 + seed)
    shock = rng.standard_normal(156)
    outcome = panel.outcome * (1 + 0.15 * shock)
    spend = panel.spend.copy()
    spend[:, :, 0] *= np.exp(0.8 * np.roll(shock, 2))
    steered = replace(panel, spend=spend, exposure=spend, kpis={"outcome": outcome})
    found = [problem for problem in data_checks(steered) if problem.code == "spend-follows-demand"]
    assert [("'a'" in problem.message, problem.level) for problem in found] == [(True, "note")]
    assert "by 2 weeks" in found[0].message


def test_spend_that_leads_demand_is_no_finding() -> None:
    panel = sound(periods=156)
    shock = np.random.default_rng(1).standard_normal(156)
    spend = panel.spend.copy()
    spend[:, :, 0] *= np.exp(0.8 * shock)
    outcome = panel.outcome * (1 + 0.1 * np.roll(shock, 2))
    assert codes(replace(panel, spend=spend, exposure=spend, kpis={"outcome": outcome})) == set()


def test_a_channel_that_is_season_only() -> None:
    panel, wave = sound(), 2 + np.sin(2 * np.pi * np.arange(WEEKS) * 7 / 365.25)

    def seasonal(spend: Any) -> None:
        spend[:, :, 1] = 50 * wave * np.random.default_rng(1).uniform(0.95, 1.05, (GEOS, WEEKS))

    (found,) = data_checks(with_spend(panel, seasonal))
    assert (found.code, found.level) == ("seasonal-channel", "note")
    assert "'b' moves with trend and season only" in found.message


def with_controls(panel: Panel, **controls: Any) -> Panel:
    return replace(panel, controls=np.stack(list(controls.values()), axis=-1), control_names=tuple(controls))


def test_control_findings() -> None:
    panel, rng = sound(), np.random.default_rng(3)
    price, promotion = rng.normal(10.0, 1.0, (GEOS, WEEKS)), (rng.random((GEOS, WEEKS)) < 0.05) * 1.0
    assert codes(with_controls(panel, price=price, promotion=promotion)) == set()
    (found,) = data_checks(with_controls(panel, price=price, rate=np.full((GEOS, WEEKS), 3.0)))
    assert found.code == "constant-control"
    assert "'rate' is the same everywhere" in found.message
    slip = price.copy()
    slip[2, 40] = -999.0
    (found,) = data_checks(with_controls(panel, price=slip))
    assert (found.code, found.level) == ("control-outlier", "note")
    assert f"geo 'g2' on {panel.dates[40]}" in found.message
    (found,) = data_checks(with_controls(panel, price=price, cost=-2 * price + rng.normal(0, 0.1, price.shape)))
    assert (found.code, found.level) == ("collinear-controls", "note")
    impressions = 30 * panel.spend[:, :, 2] * rng.uniform(0.98, 1.02, price.shape)
    (found,) = data_checks(with_controls(panel, impressions=impressions))
    assert found.code == "control-like-channel"
    assert "'impressions' moves with channel 'c'" in found.message


def test_little_data() -> None:
    assert codes(sound(geos=1, periods=60)) == {"few-data"}
    few = data_checks(sound(geos=1, periods=40))
    assert {(problem.code, problem.level) for problem in few} == {("few-data", "warning"), ("short-history", "note")}


def test_warnings_come_first() -> None:
    panel = with_spend(sound(periods=40), at(ALL, ALL, 1, value=40.0))
    levels = [problem.level for problem in data_checks(panel)]
    assert levels == sorted(levels, key=lambda level: level != "warning")


def test_tiny_panels_break_nothing() -> None:
    for periods in (1, 2, 3, 8, 13):
        for geos in (1, 2):
            data_checks(sound(geos=geos, periods=periods))
            data_checks(sound(geos=geos, periods=periods, period="day"))
    panel = sound()
    bare = replace(panel, channels=(), spend=panel.spend[:, :, :0], exposure=panel.spend[:, :, :0])
    assert data_checks(bare) == []


def test_variance_inflation_is_that_of_regressions() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((200, 4)) @ rng.standard_normal((4, 4))
    expected = []
    for j in range(4):
        others = np.column_stack([np.ones(200), np.delete(x, j, axis=1)])
        rest = x[:, j] - others @ np.linalg.lstsq(others, x[:, j], rcond=None)[0]
        expected.append(((x[:, j] - x[:, j].mean()) ** 2).sum() / (rest**2).sum())
    np.testing.assert_allclose(series.variance_inflation(x), expected)


def test_small_statistics() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal(5000)
    np.testing.assert_allclose(series.robust_z(x), x, atol=0.1)
    assert series.lagged_correlation(x[:-3], x[3:], -3) == pytest.approx(1.0)
    assert series.lagged_correlation(x[3:], x[:-3], 3) == pytest.approx(1.0)
    np.testing.assert_array_equal(series.neighbours(np.array([[1.0, 9, 2, 3, 4]]), 3), [[9, 1.5, 6, 3, 3]])
    assert series.effective_size(x, x) == pytest.approx(5000, rel=0.1)
    walk = np.cumsum(x)
    assert series.effective_size(walk, walk) < 50
