"""Lift tests inside the model: the windowed simulation equals two full runs, and every kind of test can be placed."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from measurement.errors import DataError
from measurement.lift import Lift
from measurement.mmm.counterfactual import lift_delta, naive_lift_delta
from measurement.mmm.density import lift_log_density, media
from measurement.mmm.lifts import (
    counterfactual_exposure,
    delta,
    joint_errors,
    masked_cells,
    rows_of,
    spend_change,
)
from measurement.mmm.prepare import prepare
from measurement.mmm.priors import unpack
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import Spec


def lift_on(panel, first=20, weeks=5, cooldown=2, geos=2, channels=1, factor=0.0, **fields):
    end = first + weeks - 1
    usual = factor * panel.spend[:geos, first : first + weeks, :channels]
    return Lift(
        "test",
        panel.channels[:channels],
        panel.geos[:geos],
        panel.dates[first].item(),
        panel.dates[end].item(),
        panel.dates[min(end + cooldown, panel.shape[1] - 1)].item(),
        1e4,
        1e3,
        0.1,
        usual,
        **fields,
    )


@pytest.fixture(scope="module")
def world(panel_of, posterior_of):
    panel, _ = panel_of(4, 50, 4, seed=2)
    forms = {
        "channel 0": {"adstock": "delayed", "l_max": 6},
        "channel 1": {"saturation": "logistic", "order": "saturation_first"},
        "channel 2": {"adstock": "none", "saturation": "none"},
        "channel 3": {"adstock": "weibull", "saturation": "root"},
    }
    return panel, posterior_of(panel, Spec.default(panel, channels=forms))


@given(
    first=st.integers(0, 49),
    weeks=st.integers(1, 8),
    cooldown=st.integers(0, 6),
    geos=st.integers(1, 4),
    channels=st.integers(1, 4),
    factor=st.sampled_from([0.0, 0.4, 1.0, 2.5]),
    part=st.sampled_from([1.0, 1.0, 0.3]),
)
@settings(max_examples=40, deadline=None)
def test_windowed_delta_equals_the_full_counterfactual(world, first, weeks, cooldown, geos, channels, factor, part):
    panel, post = world
    weeks = min(weeks, 50 - first)
    lift = lift_on(panel, first, weeks, cooldown, geos, channels, factor, part=part)
    np.testing.assert_allclose(lift_delta(post, panel, lift), naive_lift_delta(post, panel, lift), rtol=1e-6, atol=1e-6)


def test_a_heavy_up_adds_and_a_go_dark_takes_away(world):
    panel, post = world
    assert (lift_delta(post, panel, lift_on(panel, factor=0.5)) > 0).all()
    assert (lift_delta(post, panel, lift_on(panel, factor=2.0)) < 0).all()
    assert (lift_delta(post, panel, lift_on(panel, factor=1.0)) == 0).all()


def test_a_part_of_a_geo_is_a_small_geo(world):
    """A third of the geo doubles its spend: a third of what doubling the whole geo's would bring."""
    panel, post = world
    whole = lift_on(panel, 20, 5, 2, 1, 1, factor=0.5)
    spend = panel.spend.copy()
    spend[0, 20:25, 0] = 0.5 * spend[0, 20:25, 0] * (1 + 1 / 3)
    part = replace(whole, part=1 / 3)
    got = lift_delta(post, replace(panel, spend=spend, exposure=spend), part)
    outside = lift_delta(post, panel, whole)
    np.testing.assert_allclose(got, outside / 3, rtol=1e-9)


def cells(panel, correlation=0.4, back=None):
    one = replace(lift_on(panel, 20, geos=1), experiment_id="one", correlations=(("two", correlation),))
    two = replace(lift_on(panel, 20, geos=2, factor=2.0), experiment_id="two", outcome_change=-6e3, std_error=2e3)
    two = two if back is None else replace(two, correlations=(("one", back),))
    return replace(one, cell_of="both"), replace(two, cell_of="both"), lift_on(panel, 35, geos=1)


@pytest.mark.parametrize("pad", [False, True])
def test_cells_of_one_test_have_a_joint_t(panel_of, pad):
    panel, _ = panel_of(3, 50, 1, seed=2)
    spec = Spec.default(panel)
    lifts = tuple(replace(lift, relative_sd=0.2) for lift in cells(panel))
    ready = prepare(panel, spec, lifts, pad=pad)
    z = np.random.default_rng(0).normal(0, 0.5, ready.layout.dimension)
    with jax.enable_x64(True):
        values = unpack(ready.layout, jnp.array(ready.data.prior_mean + ready.data.prior_sd * z))
        _, coefficient, _ = media(ready.layout, ready.data, values)
        got = float(lift_log_density(ready.layout, ready.data, values, coefficient))
        rows = rows_of(lifts, panel, ready.scales, ready.data.forms.present.shape[1])
        named = {name: np.asarray(value)[None] for name, value in values.items()}
        kinds = ready.layout.kinds
        outside = (np.asarray(coefficient) * ready.scales.size).sum(-1, keepdims=True) / ready.scales.size.sum()
        strength = np.concatenate([np.asarray(coefficient), outside], -1)[None]
        parts = delta(kinds, ready.data.forms, named, strength, rows)[0]
    effect = np.array([parts[rows.test == e].sum() for e in range(3)])
    spread = ready.data.tests.spread[:3] * np.asarray(values["lift_spread"])[0] * np.asarray(values["lift_bias"])[:3]
    se, y = np.array([lift.std_error for lift in lifts]), np.array([lift.outcome_change for lift in lifts])
    shape = np.array([[1.0, 0.4], [0.4, 1.0]]) * np.outer(se[:2], se[:2]) + np.diag((0.2 * effect[:2]) ** 2)
    expected = stats.multivariate_t.logpdf(y[:2], (effect + spread)[:2], shape, 6)
    expected += stats.t.logpdf(y[2], 6, (effect + spread)[2], np.hypot(se[2], 0.2 * effect[2]))
    assert got == pytest.approx(expected, rel=1e-9)


def test_without_correlation_cells_are_tests_of_their_own(panel_of):
    panel, _ = panel_of(3, 50, 1, seed=2)
    alone = tuple(replace(lift, correlations=()) for lift in cells(panel))
    assert joint_errors(alone) is None
    assert joint_errors(cells(panel)[:1]) is None, "the other cell is no evidence"


def test_correlations_that_cannot_be_true_are_refused(panel_of):
    panel, _ = panel_of(3, 50, 1, seed=2)
    with pytest.raises(DataError, match="different correlations"):
        joint_errors(cells(panel, back=0.7))
    assert joint_errors(cells(panel, back=0.4))[0][0, 1] == 0.4
    with pytest.raises(DataError, match="no cell of the same test"):
        joint_errors([replace(lift, cell_of=str(i)) for i, lift in enumerate(cells(panel))])
    base = [replace(lift, experiment_id=name, cell_of="x") for lift, name in zip(cells(panel), "abc", strict=True)]
    said = ((("b", 0.9), ("c", -0.9)), (("c", 0.9),), ())
    with pytest.raises(DataError, match="cannot all be true together"):
        joint_errors([replace(lift, correlations=pairs) for lift, pairs in zip(base, said, strict=True)])


def test_exposure_follows_money(panel_of):
    panel, _ = panel_of(2, 30, 1, seed=1)
    spend = panel.spend.copy()
    spend[0, 10] = 0.0
    impressions = 200.0 * spend
    impressions[0, 11] *= 3.0  # cheap that week
    panel = replace(panel, spend=spend, exposure=impressions)
    lift = lift_on(panel, 10, 3, 0, 1)
    lift = replace(lift, counterfactual_spend=np.array([[[500.0], [0.5 * spend[0, 11, 0]], [0.0]]]))
    scales = Scales.of(panel)
    got = counterfactual_exposure(lift, panel, scales)
    assert got[0, 10, 0] == pytest.approx(500.0 * impressions.sum() / spend.sum())
    assert got[0, 11, 0] == pytest.approx(0.5 * impressions[0, 11, 0])
    assert got[0, 12, 0] == 0.0
    changed = np.zeros_like(got, dtype=bool)
    changed[0, 10:13] = True
    np.testing.assert_array_equal(got[~changed], impressions[~changed])


def test_masked_cells_are_the_treated_geos_read_out(world):
    panel, _ = world
    cells = masked_cells([lift_on(panel, 20, 5, 2, 2)], panel)
    wanted = np.zeros(panel.shape[:2], dtype=bool)
    wanted[:2, 20:27] = True
    np.testing.assert_array_equal(cells, wanted)


def off_panel(carry_in, actual, usual, cooldown=0, share=0.1):
    spend = np.full((1, len(actual), 1), 0.0)
    spend[0, :, 0] = actual
    other = np.zeros_like(spend)
    other[0, :, 0] = usual
    day = np.datetime64("2030-01-07").item()
    return Lift(
        "off",
        ("channel 0",),
        (),
        day,
        day,
        day,
        1.0,
        1.0,
        0.0,
        other,
        spend,
        share,
        carry_in,
        cooldown_periods=cooldown,
    )


def test_a_market_outside_in_a_steady_state(panel_of, posterior_of):
    """Long constant spend against none: each further week brings the saturated level of that spend."""
    panel, _ = panel_of(3, 40, 1, seed=4)
    post = posterior_of(panel)
    weekly, share, weeks = 2_000.0, 0.1, 30
    lift = off_panel("cold_start", [weekly] * weeks, [0.0] * weeks, share=share)
    longer = off_panel("cold_start", [weekly] * (weeks + 1), [0.0] * (weeks + 1), share=share)
    extra = lift_delta(post, panel, longer) - lift_delta(post, panel, lift)
    people = share * post.scales.size.sum()
    x = weekly / (people * post.scales.exposure[0])
    half, slope = post.draws["half_saturation"][:, 0], post.draws["slope"][:, 0]
    mean_coefficient = (post.draws["coefficient"][:, 0] * post.scales.size).sum(1) / post.scales.size.sum()
    level = mean_coefficient * x**slope / (x**slope + half**slope) * people * post.scales.outcome
    np.testing.assert_allclose(extra, level, rtol=1e-10)
    # Going dark from that steady state for ever loses the same level in the end, with the opposite sign.
    dark = off_panel("steady_state", [0.0] * weeks, [weekly] * weeks, share=share)
    darker = off_panel("steady_state", [0.0] * (weeks + 1), [weekly] * (weeks + 1), share=share)
    np.testing.assert_allclose(lift_delta(post, panel, darker) - lift_delta(post, panel, dark), -level, rtol=1e-10)


def test_cooldown_reads_the_carry_over(panel_of, posterior_of):
    panel, _ = panel_of(1, 40, 1, seed=4)
    post = posterior_of(panel)
    short = lift_delta(post, panel, off_panel("cold_start", [900.0] * 4, [0.0] * 4))
    long = lift_delta(post, panel, off_panel("cold_start", [900.0] * 4, [0.0] * 4, cooldown=4))
    assert (long > short).all()


def test_tests_that_cannot_be_placed_are_refused(world):
    panel, _ = world
    lags, scales = 8, Scales.of(panel)
    good = lift_on(panel)
    bad = {
        "unknown channel 'chanel 0' .did you mean 'channel 0'": replace(good, channels=("chanel 0",)),
        "unknown geo 'moon'": replace(good, geos=("moon", "geo 1")),
        "the data run from": replace(good, start=panel.dates[0].item().replace(year=2030)),
        "spend has shape": replace(good, counterfactual_spend=np.zeros((1, 1, 1))),
        "standard error above 0": replace(good, std_error=0.0),
        "needs its actual spend": replace(good, carry_in="cold_start", counterfactual_spend=np.zeros((1, 4, 1))),
    }
    for message, lift in bad.items():
        with pytest.raises(DataError, match=message):
            rows_of([lift], panel, scales, lags)


def test_spend_change_is_signed(world):
    panel, _ = world
    assert spend_change(lift_on(panel, factor=0.0), panel) == pytest.approx(panel.spend[:2, 20:25, 0].sum())
    assert spend_change(lift_on(panel, factor=2.0), panel) == pytest.approx(-panel.spend[:2, 20:25, 0].sum())
