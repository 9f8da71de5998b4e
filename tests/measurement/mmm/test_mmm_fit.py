"""Fits: known truth, tests and demand in the answer, repeatability, interruption."""

from dataclasses import replace

import numpy as np
import pytest

from measurement import mmm
from measurement.errors import DataError
from measurement.lift import Lift
from measurement.mmm.diagnostics import diagnose
from measurement.mmm.spec import check_spec

QUICK = mmm.Sampling(chains=2, warmup=250, draws=350)


@pytest.fixture(scope="module")
def world(panel_of):
    panel, truth = panel_of(1, 104, 2, seed=11)
    trusted = {name: {"demand_driven": "no"} for name in panel.channels}
    return panel, truth, mmm.Spec.default(panel, channels=trusted)


@pytest.fixture(scope="module")
def base(world):
    panel, _, spec = world
    told = []
    return mmm.fit(panel, spec, seed=3, sampling=QUICK, progress=told.append), told


def interval(post):
    return np.quantile(post.draws["iroas"], [0.05, 0.5, 0.95], axis=0)


def test_a_clean_national_panel_gives_back_its_truth(world, base):
    panel, truth, _ = world
    post, _ = base
    low, median, high = interval(post)
    assert post.converged, post.diagnostics.reasons
    assert ((low < truth) & (truth < high)).all()
    np.testing.assert_allclose(median, truth, rtol=0.4)
    assert (high / low < 4.0).all()
    np.testing.assert_allclose(mmm.iroas(post, panel), post.draws["iroas"], rtol=1e-9)
    np.testing.assert_allclose(mmm.contribution(post, panel), post.draws["contribution"], rtol=1e-9)
    assert np.corrcoef(mmm.fitted(post, panel).mean(0), panel.outcome[0])[0, 1] > 0.95


def test_diagnostics_and_provenance_say_what_was_done(world, base):
    panel, _, spec = world
    post, _ = base
    assert {(q.name, q.channel) for q in post.diagnostics.quantities} == {
        (name, channel) for name in ("iroas", "contribution") for channel in panel.channels
    }
    assert post.diagnostics.draws == 700
    assert post.provenance.data == panel.sha256
    assert post.provenance.settings["spec"] == spec.to_dict()
    assert post.provenance.seed == 3
    assert "numpyro" in post.provenance.versions


def test_progress_rises_to_the_end(base):
    _, told = base
    assert told[0].phase == "prepare"
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert told[-1].done == told[-1].total == 1200
    assert told[-1].seconds_left == pytest.approx(0.0)


def test_same_seed_same_draws(world, base):
    panel, _, spec = world
    again = mmm.fit(panel, spec, seed=3, sampling=QUICK)
    other = mmm.fit(panel, spec, seed=4, sampling=QUICK)
    for name, values in base[0].draws.items():
        np.testing.assert_array_equal(values, again.draws[name])
    assert not np.array_equal(base[0].draws["iroas"], other.draws["iroas"])
    # Two seeds agree within the noise of a Monte Carlo median.
    np.testing.assert_allclose(interval(other)[1], interval(base[0])[1], rtol=0.12)


@pytest.fixture(scope="module")
def wandering(panel_of):
    """Fits of a panel whose spend wanders as demand does, under each suspicion."""
    panel, _ = panel_of(1, 104, 2, seed=11, noise=0.01, smooth=True)
    specs = {
        level: mmm.Spec.default(panel, channels={name: {"demand_driven": level} for name in panel.channels})
        for level in ("no", "some", "strong")
    }
    return panel, specs, {level: mmm.fit(panel, spec, seed=3, sampling=QUICK) for level, spec in specs.items()}


def test_suspected_demand_widens_the_interval(wandering):
    _, _, fits = wandering
    widths = {level: np.log(interval(post)[2] / interval(post)[0]) for level, post in fits.items()}
    assert (widths["some"] > 1.2 * widths["no"]).all()
    assert (widths["strong"] > 1.4 * widths["no"]).all()


def off_panel_lift(panel, roi, relative_error, name="test", channel="channel 0"):
    """A go-dark elsewhere, at the panel's mean spend, that measured the given ROI."""
    c = panel.channels.index(channel)
    usual = np.full((1, 8, 1), 0.1 * panel.spend[..., c].mean())
    day = panel.dates[0].item()
    change = -roi * usual.sum()
    return Lift(
        name, (channel,), (), day, day, day, change, abs(change) * relative_error, 0.05, usual, 0.0 * usual, 0.1,
        "steady_state", cooldown_periods=6,
    )  # fmt: skip


def test_a_strong_test_moves_roi_to_what_it_measured(wandering):
    panel, specs, fits = wandering
    lift = off_panel_lift(panel, 3.0, 0.05)
    post = mmm.fit(panel, specs["strong"], [lift], seed=3, sampling=QUICK)
    low, median, high = interval(post)
    assert np.median(mmm.lift_delta(post, panel, lift)) == pytest.approx(lift.outcome_change, rel=0.1)
    assert low[0] < 3.0 < high[0]
    alone = interval(fits["strong"])
    assert low[0] > alone[1][0]
    shrunk = np.log(high / low) / np.log(alone[2] / alone[0])
    assert shrunk[0] < 0.3
    assert shrunk[1] > 0.85
    assert median[1] == pytest.approx(alone[1][1], rel=0.35)
    assert post.provenance.parents == ("test",)


def test_two_tests_that_disagree_leave_room_for_both(wandering):
    panel, specs, _ = wandering
    lifts = [off_panel_lift(panel, 1.0, 0.2, "low"), off_panel_lift(panel, 5.0, 0.04, "high")]
    post = mmm.fit(panel, specs["strong"], lifts, seed=3, sampling=QUICK)
    agreeing = [off_panel_lift(panel, 3.0, 0.07, "one"), off_panel_lift(panel, 3.0, 0.07, "other")]
    calm = mmm.fit(panel, specs["strong"], agreeing, seed=3, sampling=QUICK)
    low, _, high = interval(post)[:, 0]
    assert low < 1.0
    assert high > 3.5
    assert np.log(high / low) > 2.5 * np.log(interval(calm)[2][0] / interval(calm)[0][0])
    assert np.median(post.draws["lift_spread"][:, 0]) > 1.5 > 0.5 > np.median(calm.draws["lift_spread"][:, 0])


def test_an_interruption_stops_every_chain(world):
    panel, _, spec = world
    told = []

    def interrupt(progress):
        told.append(progress)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mmm.fit(panel, spec, sampling=mmm.Sampling(chains=2, draws=100_000), progress=interrupt)
    assert told[-1].done < 50_000


def test_a_geo_panel_with_a_test_inside_it(panel_of):
    panel, truth = panel_of(4, 60, 2, seed=12)
    spec = mmm.Spec.default(panel, channels={name: {"demand_driven": "no"} for name in panel.channels})
    place = panel.dates[[20, 25, 27]].tolist()
    usual = np.zeros((2, 6, 1))
    lift = Lift("in", ("channel 0",), panel.geos[:2], *place, 1.0, 1.0, 0.05, usual)
    change = 1.5 * panel.spend[:2, 20:26, 0].sum()
    lift = replace(lift, outcome_change=change, std_error=0.15 * change)
    post = mmm.fit(panel, spec, [lift], seed=1, sampling=QUICK)
    low, _, high = interval(post)
    assert post.diagnostics.rhat < 1.03
    assert ((low < truth) & (truth < high)).all()
    assert post.draws["coefficient"].shape == (700, 2, 4)
    assert post.counts.sum() == 4 * 60 - 2 * 8
    assert mmm.effects(post, panel).shape == (700, 2, 60)


def test_a_panel_that_cannot_be_fitted_is_refused_at_once(world):
    panel, _, spec = world
    silent = replace(panel, spend=0.0 * panel.spend, exposure=0.0 * panel.spend)
    with pytest.raises(DataError, match="'channel 0' was never on") as refused:
        mmm.fit(silent, spec)
    assert len(refused.value.problems) == 2


def test_the_gate_refuses_bad_chains():
    rng = np.random.default_rng(0)
    good = rng.standard_normal((4, 500, 1))
    verdict = diagnose({"iroas": good}, ("tv",), 0, 10.0, 1.0, 0.0)
    assert verdict.converged
    assert verdict.reasons == []
    apart = good + np.arange(4)[:, None, None]
    for draws, divergent, reason in ((apart, 0, "R-hat"), (good[:, :50], 0, "ESS"), (good, 5, "diverged")):
        verdict = diagnose({"iroas": draws}, ("tv",), divergent, 10.0, 1.0, 0.0)
        assert not verdict.converged
        assert any(reason in text for text in verdict.reasons)
    assert not diagnose({"iroas": np.full((4, 500, 1), np.nan)}, ("tv",), 0, 1.0, 1.0, 0.0).converged


def test_an_organic_channel_has_a_contribution_and_no_return(panel_of):
    """The second channel costs nothing: what it brings is found, its iROAS is not a number and gates nothing."""
    panel, _ = panel_of(1, 104, 2, noise=0.01)
    truth = 1.5 * panel.spend[..., 1].sum()
    free = replace(panel, spend=panel.spend * [1.0, 0.0])
    forms = {"channel 1": {"organic": True, "demand_driven": "no"}}
    length = mmm.Sampling(chains=4, warmup=250, draws=250)
    post = mmm.fit(free, mmm.Spec.default(free, channels=forms), seed=1, sampling=length)
    low, high = np.quantile(mmm.contribution(post, free)[:, 1], [0.05, 0.95])
    assert low < truth < high
    assert np.isnan(post.draws["iroas"][:, 1]).all()
    assert np.isfinite(post.draws["iroas"][:, 0]).all()
    assert post.converged
    assert {(q.name, q.channel) for q in post.diagnostics.quantities} == {
        ("iroas", "channel 0"),
        ("contribution", "channel 0"),
        ("contribution", "channel 1"),
    }


@pytest.mark.parametrize(
    ("organic", "spends", "words"),
    [(True, True, "marked organic and spends money"), (False, False, "mark it organic"), (True, False, None)],
)
def test_money_and_mark_must_agree(panel_of, organic, spends, words):
    panel, _ = panel_of(1, 60, 2)
    seen = replace(panel, spend=panel.spend * [1.0, float(spends)])
    problems = check_spec(mmm.Spec.default(seen, channels={"channel 1": {"organic": organic}}), seen)
    assert [words in problem.message for problem in problems] == ([] if words is None else [True])
