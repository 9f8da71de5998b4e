"""Forecasts: the same model on the history, honest intervals where the truth is known, and paired scenarios."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from measurement.errors import DataError
from measurement.mmm import Posterior, Spec, effects
from measurement.mmm.ahead import ahead, later_columns, media_ahead
from measurement.mmm.design_matrix import BEND, design_of
from measurement.mmm.noise import Noise
from measurement.mmm.prior import prior
from measurement.panel import Panel
from measurement.plan.forecast import forecast, scenario
from measurement.plan.horizon import business_as_usual, following, returns, same_periods
from measurement.plan.planned import planned_controls, planned_spend

WEEKS, AHEAD = 60, 8
LEVERS: dict[str, Any] = {"treatments": {"price": {"baseline": "max"}}}


def panel_of(geos: int = 3, weeks: int = WEEKS, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    spend = rng.gamma(2.0, 500.0, (geos, weeks, 2))
    return Panel(
        dates=np.datetime64("2022-06-06") + 7 * np.arange(weeks),
        geos=tuple(f"geo {g}" for g in range(geos)),
        channels=("search", "tv"),
        spend=spend,
        exposure=2.0 * spend,
        kpis={"orders": rng.normal(3000.0, 100.0, (geos, weeks))},
        kpi="orders",
        kpi_value=5.0,
        controls=rng.normal(10.0, 2.0, (geos, weeks, 2)),
        control_names=("price", "weather"),
    )


def fixture_of(panel: Panel, draws: int = 60, demand_driven: str = "no", **fields: Any) -> Posterior:
    channels = {name: {"demand_driven": demand_driven} for name in panel.channels}
    channels["tv"] |= {"l_max": 5}
    settings = LEVERS | {"changepoint_every": 26, "trend": "piecewise"} | fields
    return prior(panel, Spec.default(panel, channels=channels, **settings), draws=draws, seed=1)


@pytest.mark.parametrize(
    ("geos", "holidays"), [(1, ("DE",)), (3, ("DE",)), (3, {"geo 0": ("DE-BY",), "geo 1": ("AT", "DE"), "*": ("DE",)})]
)
def test_on_the_history_the_columns_are_those_of_the_fit(geos: int, holidays: Any) -> None:
    panel = panel_of(geos)
    post = fixture_of(panel, demand_driven="some", holidays=holidays)
    design = design_of(post.spec, panel, post.scales, post.noise)
    own = later_columns(post.spec, panel, post.scales, panel.dates, np.arange(float(WEEKS)), panel.controls)
    for columns, matrix, labels in (
        (own.national, design.national.T, design.national_labels),
        (own.local, design.local.T, design.local_labels),
        (own.cells, design.cells, design.cells_labels),
    ):
        of_the_panel = [label for label in labels if label[0] == "confounding" or label[1].startswith("carry-in")]
        fitted = [label for label in labels if label not in of_the_panel]
        assert [label for _, label in columns] == fitted
        for k, (column, _) in enumerate(columns):
            np.testing.assert_allclose(column, matrix[k], atol=1e-12)


def test_media_go_on_as_in_a_longer_panel() -> None:
    panel = panel_of()
    post = fixture_of(panel)
    plan = np.random.default_rng(2).gamma(2.0, 900.0, (3, AHEAD, 2))
    whole = np.concatenate([panel.exposure, plan], axis=1)
    longer = replace(
        panel,
        dates=panel.dates[0] + 7 * np.arange(WEEKS + AHEAD),
        spend=whole,
        exposure=whole,
        kpis={"orders": np.ones((3, WEEKS + AHEAD))},
    )
    found = media_ahead(post, panel, plan).sum(axis=2)
    np.testing.assert_allclose(found, effects(post, longer)[..., WEEKS:], rtol=1e-9)


def truth_of(post: Posterior, panel: Panel, draw: int, rng: np.random.Generator) -> np.ndarray:
    """The KPI of history and future as the model makes it, from one draw's media and fresh terms, demand and noise."""
    weeks, geos = WEEKS + AHEAD, len(panel.geos)
    dates = panel.dates[0] + 7 * np.arange(weeks)
    controls = np.concatenate([panel.controls, panel.controls[:, same_periods(panel, AHEAD)]], axis=1)
    columns = later_columns(post.spec, panel, post.scales, dates, np.arange(float(weeks)), controls)
    y = np.full((geos, weeks), 0.8)
    y += sum(rng.standard_normal() * column for column, _ in columns.national)
    y += sum(rng.standard_normal((geos, 1)) * column for column, _ in columns.local)
    y += sum(rng.standard_normal() * cells for cells, _ in columns.cells)
    y += rng.standard_normal() * BEND * np.maximum(np.arange(weeks) - (WEEKS - 1), 0.0) / 26
    sigma, noise = post.draws["sigma"][draw], post.noise
    covariance = noise.persistence ** np.abs(np.subtract.outer(np.arange(weeks), np.arange(weeks)))
    y += sigma * np.sqrt(noise.ratio) * np.linalg.cholesky(covariance) @ rng.standard_normal(weeks)
    own = noise.local_persistence ** np.abs(np.subtract.outer(np.arange(weeks), np.arange(weeks)))
    y += sigma * noise.relative[:, None] * (rng.standard_normal((geos, weeks)) @ np.linalg.cholesky(own).T)
    usual = business_as_usual(panel, AHEAD)
    exposure = np.concatenate([panel.exposure, usual.spend * post.scales.exposure_per_money], axis=1)
    one = replace(post, draws={name: values[[draw]] for name, values in post.draws.items()})
    empty = replace(panel, exposure=np.zeros_like(panel.exposure))
    media = media_ahead(one, empty, exposure)[0].sum(axis=0)
    return post.scales.outcome * post.scales.size[:, None] * y + media


@pytest.mark.parametrize(("geos", "persistence", "local"), [(1, 0.85, 0.0), (3, 0.8, 0.6)])
def test_intervals_hold_what_comes_as_often_as_they_say(geos: int, persistence: float, local: float) -> None:
    """Given the media, everything else is drawn exactly; so 90 % intervals hold 90 % of worlds made by the model."""
    panel, rng = panel_of(geos), np.random.default_rng(7)
    post = fixture_of(panel, draws=120)
    noise = Noise(0.05, 3.0, persistence, local, 0.1, 0.1, np.linspace(0.7, 1.3, geos) if geos > 1 else np.ones(1))
    post = replace(post, noise=noise, draws=dict(post.draws) | {"sigma": rng.uniform(0.03, 0.08, post.size)})
    usual = business_as_usual(panel, AHEAD)
    ranks, inside = [], []
    for world in range(120):
        y = truth_of(post, panel, world, rng)
        seen = replace(panel, kpis={"orders": y[:, :WEEKS]})
        known = replace(post, draws={name: np.repeat(v[[world]], 150, axis=0) for name, v in post.draws.items()})
        found = forecast(known, seen, usual, seed=world)
        ranks.append(np.mean(found.draws.sum(axis=(1, 2)) < y[:, WEEKS:].sum()))
        low, high = np.quantile(found.draws, (0.05, 0.95), axis=0)
        inside.append(np.mean((low <= y[:, WEEKS:]) & (y[:, WEEKS:] <= high)))
    ranks = np.array(ranks)
    assert 0.83 <= np.mean((ranks >= 0.05) & (ranks <= 0.95)) <= 0.97
    assert 0.87 <= np.mean(inside) <= 0.93
    assert np.mean(ranks) == pytest.approx(0.5, abs=0.08)
    assert 0.39 <= np.mean(np.abs(ranks - 0.5) < 0.25) <= 0.63, "neither too wide nor too narrow in the middle"


def test_demand_that_lasts_starts_where_it_is_and_forgets() -> None:
    panel = panel_of(1)
    post = fixture_of(panel, draws=400)
    post = replace(post, noise=replace(post.noise, ratio=9.0, persistence=0.9))
    bump = panel.outcome.copy()
    bump[:, -6:] *= 1.3
    raised = replace(panel, kpis={"orders": bump})
    later = following(panel, 40)
    controls = planned_controls(panel, None, later)
    high = ahead(post, raised, later, controls).terms["demand"].mean(axis=(0, 1))
    plain = ahead(post, panel, later, controls).terms["demand"].mean(axis=(0, 1))
    gained = high - plain
    assert gained[0] > 0.04 * panel.outcome.mean()
    np.testing.assert_allclose(gained, gained[0] * 0.9 ** np.arange(40), rtol=1e-6, atol=1e-6)


def test_confounding_has_the_mean_0_and_adds_its_variance() -> None:
    panel = panel_of(3)
    some, none = (fixture_of(panel, draws=300, demand_driven=how) for how in ("strong", "no"))
    later, plan = following(panel, AHEAD), business_as_usual(panel, AHEAD)
    moved = ahead(some, panel, later, planned_controls(panel, None, later)).terms["confounding"].sum(axis=1)
    assert moved.std() > 0
    assert abs(moved.mean()) < 0.2 * moved.std()
    assert "confounding" not in forecast(none, panel, plan).terms


def test_holidays_that_the_panel_never_held_are_drawn_from_their_prior() -> None:
    panel = panel_of(1, weeks=30)  # from June to the end of the year: no Easter
    post = fixture_of(panel, draws=300, holidays=("DE",))
    later = following(panel, 26)
    terms = ahead(post, panel, later, planned_controls(panel, None, later)).terms["holidays"][:, 0]
    easter = int(np.searchsorted(later, np.datetime64("2023-04-10"), side="right")) - 1
    expected = 0.1 * post.scales.outcome * np.sqrt(1.0)  # Easter Monday begins its week
    assert terms[:, easter].std() == pytest.approx(expected, rel=0.15)


def test_holidays_to_come_are_those_of_each_market() -> None:
    panel = panel_of(3)
    post = fixture_of(panel, draws=300, holidays={"geo 0": ("DE-BY",), "*": ("DE",)})
    later = following(panel, 52)
    terms = ahead(post, panel, later, planned_controls(panel, None, later)).terms["holidays"]
    week = {
        day: int(np.searchsorted(later, np.datetime64(f"2023-{day}"), side="right")) - 1 for day in ("11-01", "10-03")
    }
    assert terms[:, 0, week["11-01"]].std() > 0
    assert (terms[:, 1:, week["11-01"]] == 0).all()  # All Saints' Day is kept in Bavaria
    size = post.scales.size
    unity = terms[:, :, week["10-03"]] / size
    np.testing.assert_allclose(unity, unity[:, :1] * np.ones(3), rtol=1e-9)  # one effect wherever it is kept


def test_a_forecast_adds_up_and_says_the_same_twice() -> None:
    panel = panel_of()
    post = fixture_of(panel, demand_driven="some")
    plan = business_as_usual(panel, AHEAD)
    found = forecast(post, panel, plan, seed=3)
    assert found.to_dict() == forecast(post, panel, plan, seed=3).to_dict()
    assert found.to_dict() != forecast(post, panel, plan, seed=4).to_dict()
    left = found.draws.sum(axis=1) - sum(found.terms.values())
    spread = post.draws["sigma"] * post.scales.outcome * np.sqrt(np.sum((post.scales.size * post.noise.relative) ** 2))
    assert left.std() == pytest.approx(np.sqrt(np.mean(spread**2)), rel=0.15)
    assert found.year_ago is not None
    np.testing.assert_allclose(found.year_ago, panel.outcome.sum(axis=0)[8:16])
    assert found.chart(panel).to_dict()["layer"]
    assert sum(found.to_dict()["terms"][f"media: {name}"]["median"] > 0 for name in panel.channels) == 2


def test_a_scenario_differs_by_its_media_alone() -> None:
    panel = panel_of()
    post = fixture_of(panel, demand_driven="some")
    usual = business_as_usual(panel, AHEAD)
    same = scenario(post, panel, usual, usual)
    np.testing.assert_array_equal(same.change.draws, 0.0)
    assert same.better == 0.0
    more = replace(usual, spend=usual.spend * [1.0, 1.4], like="as planned")
    found = scenario(post, panel, more, usual, margin=0.6)
    levels = np.array([[1.0, 1.0], [1.0, 1.4]])
    worth = np.diff(returns(post, panel, usual, levels), axis=2)[..., 0].sum(axis=1) * panel.kpi_value
    np.testing.assert_allclose(found.revenue_change.draws, worth, rtol=1e-7)
    np.testing.assert_allclose(found.profit_change.draws, 0.6 * worth - 0.4 * usual.spend[..., 1].sum(), rtol=1e-7)
    assert found.better == pytest.approx(np.mean(0.6 * worth > 0.4 * usual.spend[..., 1].sum()))
    assert (found.change.draws > 0).all()
    assert (found.change.draws * panel.kpi_value < worth).all(), "what is carried beyond the last week comes later"
    assert found.chart().to_dict()["layer"]


# -- plans from tables -------------------------------------------------------------------------------------------------


def table(panel: Panel, periods: int = 4, channel: str = "tv", geos: bool = True) -> pd.DataFrame:
    days = following(panel, periods).astype("datetime64[s]")
    rows = [
        {"date": day, "geo": geo, "channel": channel, "spend": 100.0 * (t + 1)}
        for t, day in enumerate(days)
        for geo in (panel.geos if geos else ("",))
    ]
    frame = pd.DataFrame(rows)
    return frame if geos else frame.drop(columns="geo")


def test_a_plan_takes_the_channels_it_names_and_leaves_the_others() -> None:
    panel = panel_of()
    usual = business_as_usual(panel, 4)
    apart = planned_spend(panel, table(panel))
    np.testing.assert_allclose(apart.spend[..., 1], np.tile(100.0 * np.arange(1, 5), (3, 1)))
    np.testing.assert_allclose(apart.spend[..., 0], usual.spend[..., 0])
    whole = planned_spend(panel, table(panel, geos=False).assign(channel="television"), {"television": "tv"})
    np.testing.assert_allclose(whole.spend[..., 1].sum(axis=0), 100.0 * np.arange(1, 5))
    share = usual.spend[..., 1].sum(axis=1)
    np.testing.assert_allclose(whole.spend[:, 0, 1], 100.0 * share / share.sum())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.assign(channel="tvv"), "did you mean 'tv'"),
        (lambda frame: frame.assign(geo="geo 7"), "unknown geo 'geo 7'"),
        (lambda frame: frame[frame["date"] > frame["date"].min()], "without a gap: look at 2023-07-31"),
        (lambda frame: frame.assign(date=frame["date"] - pd.Timedelta(days=70)), "every week from 2023-07-31"),
        (lambda frame: frame.assign(date=frame["date"] + pd.Timedelta(days=1)), "without a gap"),
    ],
)
def test_a_plan_for_other_periods_or_channels_is_refused(change: Any, words: str) -> None:
    panel = panel_of()
    with pytest.raises(DataError, match=words):
        planned_spend(panel, change(table(panel)))


def test_controls_are_those_given_and_of_a_year_ago_otherwise() -> None:
    panel = panel_of()
    later = following(panel, 4)
    usual = planned_controls(panel, None, later)
    np.testing.assert_array_equal(usual, panel.controls[:, 8:12])
    frame = pd.DataFrame({"date": later.astype("datetime64[s]"), "price": [1.0, 2.0, 3.0, 4.0]})
    given = planned_controls(panel, frame, later)
    np.testing.assert_array_equal(given[..., 0], np.tile([1.0, 2.0, 3.0, 4.0], (3, 1)))
    np.testing.assert_array_equal(given[..., 1], usual[..., 1])
    with pytest.raises(DataError, match="the controls end on"):
        planned_controls(panel, frame[:2], later)


def test_more_than_a_year_repeats_the_year() -> None:
    assert same_periods(panel_of(weeks=60), 60).tolist() == [*range(8, 60), *range(8, 16)]
    assert same_periods(panel_of(weeks=20), 30).tolist() == [*range(20), *range(10)]
