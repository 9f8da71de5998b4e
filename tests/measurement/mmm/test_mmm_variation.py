"""Effects that change slowly: the walk, its exact shares, tests of their own time, the way on, and a known truth."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from measurement import mmm
from measurement.errors import DataError
from measurement.lift import Lift
from measurement.mmm.ahead import media_ahead
from measurement.mmm.counterfactual import lift_delta, naive_lift_delta
from measurement.mmm.density import log_density_fn
from measurement.mmm.prepare import prepare
from measurement.mmm.spec import check_spec
from measurement.mmm.variation import basis_of, knots_of, multiplier_at, steps_of
from measurement.panel import Panel
from measurement.periods import expected_dates

SLOW = {"channel 0": {"varies": "slow"}}
QUARTER = 365.25 / 4


@pytest.fixture(scope="module")
def varying(panel_of):
    """A geo panel and draws of a prior in which the first of two channels varies."""
    panel, _ = panel_of(3, 80, 2, seed=4)
    spec = mmm.Spec.default(panel, channels=SLOW)
    return panel, spec, mmm.prior(panel, spec, draws=60, seed=1)


@pytest.mark.parametrize(("period", "last"), [("day", "2024-03-10"), ("week", "2025-02-24"), ("month", "2025-11-01")])
def test_the_walk_is_a_random_walk_by_quarters_about_its_mean(period, last):
    dates = expected_dates(np.datetime64("2023-01-01", "D"), np.datetime64(last, "D"), period)
    steps = np.random.default_rng(0).standard_normal(steps_of(dates))
    knots = np.append(0.0, np.cumsum(0.5 * steps))
    at = (dates - dates[0]).astype(int) / QUARTER
    assert len(knots) - 2 < at[-1] <= len(knots) - 1
    path = np.interp(at, np.arange(len(knots)), knots)
    np.testing.assert_allclose(basis_of(dates) @ steps, path - path.mean(), atol=1e-12)
    walk = knots_of(dates)
    np.testing.assert_allclose(walk @ steps, knots - path.mean(), atol=1e-12)
    year = walk[4:] - walk[:-4]
    np.testing.assert_allclose((year**2).sum(1), 1.0)  # a standard deviation of one drift within a year


def test_effects_add_up_to_the_contribution_exactly(varying):
    panel, _, post = varying
    np.testing.assert_allclose(mmm.contribution(post, panel), post.draws["contribution"], rtol=1e-10)
    np.testing.assert_allclose(mmm.iroas(post, panel), post.draws["iroas"], rtol=1e-10)
    moved = multiplier_at(post, 0, panel.dates)
    assert moved.std(axis=1).min() > 0
    np.testing.assert_allclose(np.log(moved).mean(1), 0.0, atol=1e-12)
    still = replace(post, spec=mmm.Spec.default(panel))
    np.testing.assert_allclose(
        mmm.effects(post, panel)[:, 0], mmm.effects(still, panel)[:, 0] * moved, rtol=1e-12, atol=1e-12
    )
    np.testing.assert_array_equal(mmm.effects(post, panel)[:, 1], mmm.effects(still, panel)[:, 1])
    parts = [mmm.contribution(post, panel, *panel.dates[[at, at]].tolist())[:, 0] for at in (10, 60)]
    plain = [mmm.contribution(still, panel, *panel.dates[[at, at]].tolist())[:, 0] for at in (10, 60)]
    near = [moved[:, at : at + 8] for at in (10, 60)]
    for part, other, factor in zip(parts, plain, near, strict=True):
        assert (part <= other * factor.max(1) * (1 + 1e-9)).all()
        assert (part >= other * factor.min(1) * (1 - 1e-9)).all()


def test_without_drift_it_is_the_constant_model(panel_of):
    panel, _ = panel_of(2, 50, 2, seed=3)
    place = panel.dates[[20, 24, 26]].tolist()
    lift = Lift("t", ("channel 0",), panel.geos[:1], *place, 9e3, 2e3, 0.1, 0.5 * panel.spend[:1, 20:25, :1])
    plain = prepare(panel, mmm.Spec.default(panel), [lift])
    moving = prepare(panel, mmm.Spec.default(panel, channels=SLOW), [lift])
    assert plain.data.basis is None
    assert plain.layout.varying == ()
    assert moving.layout.dimension == plain.layout.dimension + 1 + moving.layout.steps
    rng, at = np.random.default_rng(2), moving.layout.start("drift")
    z = rng.normal(0, 0.7, plain.layout.dimension)
    steps = rng.standard_normal(moving.layout.steps)
    still = np.concatenate([z[:at], [-40.0], steps, z[at:]])
    gone = np.concatenate([z[:at], [0.0], steps, z[at:]])
    with jax.enable_x64(True):
        constant = float(log_density_fn(plain.layout)(jnp.array(z), jax.tree.map(jnp.asarray, plain.data)))
        run = jax.jit(log_density_fn(moving.layout))
        arrays = jax.tree.map(jnp.asarray, moving.data)
        without, with_drift = float(run(jnp.array(still), arrays)), float(run(jnp.array(gone), arrays))
    assert without == pytest.approx(constant - 0.5 * (40.0**2 + steps @ steps), rel=1e-9)
    assert abs(with_drift + 0.5 * steps @ steps - constant) > 0.1


@pytest.mark.parametrize(("first", "factor"), [(5, 0.0), (60, 2.0)])
def test_a_test_sees_the_effect_of_its_own_time(varying, first, factor):
    panel, _, post = varying
    place = panel.dates[[first, first + 4, first + 6]].tolist()
    usual = factor * panel.spend[:2, first : first + 5, :2]
    lift = Lift("t", panel.channels, panel.geos[:2], *place, 1.0, 1.0, 0.0, usual)
    found = lift_delta(post, panel, lift)
    np.testing.assert_allclose(found, naive_lift_delta(post, panel, lift), rtol=1e-9)
    still = lift_delta(replace(post, spec=mmm.Spec.default(panel)), panel, lift)
    assert np.abs(found / still - 1).max() > 0.05


@pytest.mark.parametrize(("day", "at"), [("2020-01-06", 0), ("2023-10-02", 39), ("2030-01-07", 79)])
def test_a_test_elsewhere_has_the_effect_of_its_dates_or_of_the_nearest_end(varying, day, at):
    panel, _, post = varying
    when = np.datetime64(day).item()
    usual = np.full((1, 1, 1), 9e3)
    lift = Lift("t", ("channel 0",), (), when, when, when, 1.0, 1.0, 0.0, usual, 0.0 * usual, 0.2, "cold_start")
    still = lift_delta(replace(post, spec=mmm.Spec.default(panel)), panel, lift)
    moved = multiplier_at(post, 0, panel.dates[[at]])[:, 0]
    np.testing.assert_allclose(lift_delta(post, panel, lift), still * moved, rtol=1e-12)


def test_it_goes_on_as_a_random_walk_from_where_the_panel_leaves_it(varying):
    panel, spec, _ = varying
    post = mmm.prior(panel, spec, draws=4_000, seed=2)
    weeks = panel.dates[-1] + 7 * np.arange(1, 121)
    last = np.log(multiplier_at(post, 0, panel.dates[-1:])[:, 0])
    later = np.log(multiplier_at(post, 0, weeks, seed=5))
    np.testing.assert_allclose(later[:, 0], last, atol=1.0)
    knots = post.draws["log_multiplier"].shape[2] - 1
    since = later - post.draws["log_multiplier"][:, 0, -1:]
    quarters = (weeks - panel.dates[0]).astype(int) / QUARTER - knots
    z = since / post.draws["drift"]
    for week in (40, 80, 119):
        whole, part = divmod(quarters[week], 1.0)
        assert z[:, week].std() == pytest.approx(0.5 * np.sqrt(whole + part**2), rel=0.05)
        assert abs(z[:, week].mean()) < 0.1
    np.testing.assert_array_equal(np.log(multiplier_at(post, 0, weeks[:30], seed=5)), later[:, :30])
    assert not np.array_equal(np.log(multiplier_at(post, 0, weeks, seed=6)), later)


def test_later_media_follow_the_walk(varying):
    panel, _, post = varying
    plan = np.tile(panel.exposure.mean(axis=1, keepdims=True), (1, 60, 1))
    found = media_ahead(post, panel, plan, seed=3)
    plain = media_ahead(replace(post, spec=mmm.Spec.default(panel)), panel, plan)
    moved = multiplier_at(post, 0, panel.dates[-1] + 7 * np.arange(1, 61), seed=3)
    np.testing.assert_allclose(found[:, 0], plain[:, 0] * moved[:, None], rtol=1e-12)
    np.testing.assert_array_equal(found[:, 1], plain[:, 1])
    np.testing.assert_array_equal(media_ahead(post, panel, plan, seed=3), found)


def test_the_table_of_the_effect_over_time(varying):
    panel, _, post = varying
    table = mmm.effect_over_time(post, panel)
    assert table.quarters[0] == np.datetime64("2023-01-01")
    assert len(table.quarters) == 7
    assert (table.relative[:, 1] == 1.0).all()
    moved = multiplier_at(post, 0, panel.dates)
    spring = (panel.dates >= np.datetime64("2023-04-01")) & (panel.dates < np.datetime64("2023-07-01"))
    effect = mmm.effects(post, panel)[:, 0]
    average = effect.sum(1) / (effect / moved).sum(1)
    np.testing.assert_allclose(table.relative[:, 0, 1], moved[:, spring].mean(1) / average, rtol=1e-12)
    np.testing.assert_allclose(table.iroas[:, 0, 1], table.relative[:, 0, 1] * post.draws["iroas"][:, 0], rtol=1e-9)
    frame = table.to_frame()
    assert len(frame) == 14
    assert (frame["relative_low"] <= frame["relative_median"]).all()
    assert list(frame["channel"].unique()) == list(panel.channels)
    first, other = table.to_dict()["channels"]
    assert (first["varies"], other["varies"]) == (True, False)
    assert first["quarters"][1]["from"] == "2023-04-01"
    assert first["quarters"][1]["relative"]["median"] == pytest.approx(frame["relative_median"][1])
    assert first["quarters"][1]["iroas"]["high"] == pytest.approx(frame["iroas_high"][1])


def test_a_stored_fit_reads_back_with_its_walk(varying):
    panel, _, post = varying
    again = mmm.Posterior.from_bytes(post.to_bytes())
    assert again.start == panel.dates[0]
    np.testing.assert_array_equal(mmm.effects(again, panel), mmm.effects(post, panel))
    assert mmm.prior(panel, draws=5).start is None


def test_half_a_year_is_the_least(panel_of):
    panel, _ = panel_of(1, 25, 1)
    spec = mmm.Spec.default(panel, fourier_order=0, channels=SLOW)
    assert "half a year" in "".join(problem.message for problem in check_spec(spec, panel))
    with pytest.raises(DataError, match="varies"):
        mmm.Spec.default(panel, channels={"channel 0": {"varies": "fast"}})


def halving(panel_of) -> tuple[Panel, np.ndarray]:
    """Two years in which the first channel's effect falls to a half; its true effect by period."""
    panel, truth = panel_of(1, 104, 2, seed=11, noise=0.01, roi=3.0)
    decay = 0.5 ** np.arange(8)
    pulses = panel.spend[0, :, 0] / 3_000.0
    carried = np.convolve(pulses, decay / decay.sum())[:104]
    effect = carried**1.2 / (carried**1.2 + 1.5**1.2)
    effect *= truth[0] * panel.spend[0, :, 0].sum() / effect.sum()
    falling = effect * 0.5 ** np.linspace(-0.5, 0.5, 104)
    falling *= effect.sum() / falling.sum()
    return replace(panel, kpis={"revenue": panel.outcome + (falling - effect)}), falling


def test_an_effect_that_halves_is_followed_and_the_constant_model_misses_it(panel_of):
    panel, truth = halving(panel_of)
    trusted = {name: {"demand_driven": "no"} for name in panel.channels}
    slow = {"channel 0": {"demand_driven": "no", "varies": "slow", "drift": {"median": 0.3, "low": 0.1, "high": 0.9}}}
    length = mmm.Sampling(chains=2, warmup=300, draws=400)
    halves = {}
    for name, own in (("constant", trusted), ("varying", trusted | slow)):
        post = mmm.fit(panel, mmm.Spec.default(panel, channels=own), seed=3, sampling=length)
        assert post.diagnostics.rhat < 1.03
        effect = mmm.effects(post, panel)[:, 0]
        halves[name] = np.log(effect[:, :26].sum(1) / effect[:, -26:].sum(1))
    true = np.log(truth[:26].sum() / truth[-26:].sum())
    low, high = np.quantile(halves["varying"], [0.05, 0.95])
    assert low < true < high
    assert np.quantile(halves["constant"], 0.95) < true
    assert high - low < 1.2
    table = mmm.effect_over_time(post, panel).to_frame().query("channel == 'channel 0'")
    assert table["relative_high"].iloc[-1] < 1.0 < table["relative_low"].iloc[0]


def test_the_chart_draws_what_varies_with_its_interval(varying):
    panel, _, post = varying
    table = mmm.effect_over_time(post, panel)
    spec = table.chart().to_dict()
    (rows,) = spec["datasets"].values()
    assert {row["channel"] for row in rows} == {"channel 0"}
    assert [row["relative_median"] for row in rows] == table.to_frame()["relative_median"].tolist()[: len(rows)]
    band = spec["spec"]["layer"][1]["encoding"]
    assert (band["y"]["field"], band["y2"]["field"]) == ("relative_low", "relative_high")
