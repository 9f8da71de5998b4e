"""What the data taught, and whose word a number is: priors written out, densities of tests, known sensitivities."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from measurement.lift import Lift
from measurement.mmm.density import lift_log_density
from measurement.mmm.prepare import prepare
from measurement.mmm.prior import prior
from measurement.mmm.priors import unpack
from measurement.mmm.spec import Spec
from measurement.validation.sensitivity import Sensitivity, density_of_tests, log_prior, sensitivities
from measurement.validation.shift import Shift, shifts

ABOUT = {
    "roi": {},
    "contribution": {"contribution": {"median": 0.05, "low": 0.01, "high": 0.2}},
    "mroi": {"mroi": {"median": 0.8, "low": 0.2, "high": 3.0}},
    "coefficient": {"coefficient": {"median": 0.1, "low": 0.02, "high": 0.5}},
}


@pytest.mark.parametrize("about", ABOUT)
def test_the_log_prior_is_minus_half_the_square_of_the_standard_normal_parameters(about, panel_of):
    panel, _ = panel_of(1, 40, 2, seed=1)
    spec = Spec.default(panel, channels={"channel 0": ABOUT[about], "channel 1": {"adstock": "delayed"}})
    drawn = prior(panel, spec, draws=30, seed=5)
    layout = prepare(panel, spec, pad=False).layout
    z = np.random.default_rng(5).standard_normal((30, layout.dimension))
    own, rest = log_prior(drawn, panel)
    sizes = slice(layout.start("log_contribution"), layout.start("log_contribution") + 2)
    np.testing.assert_allclose(own, -0.5 * z[:, sizes] ** 2, rtol=1e-6, atol=1e-8)
    sigma = z[:, layout.start("sigma")]
    np.testing.assert_allclose(own.sum(1) + rest, -0.5 * ((z**2).sum(1) - sigma**2), rtol=1e-7)


def two_tests(panel):
    place = panel.dates[[20, 24, 26]].tolist()
    usual = 0.5 * panel.spend[:1, 20:25, :1]
    return [Lift(name, ("channel 0",), panel.geos[:1], *place, 9e3, 2e3, 0.1, usual) for name in ("a", "b")]


def test_the_density_of_tests_is_the_engine_s(panel_of):
    panel, _ = panel_of(3, 40, 2, seed=1)
    spec, lifts = Spec.default(panel), two_tests(panel)
    ready = prepare(panel, spec, lifts, pad=False)
    rng = np.random.default_rng(0)
    z = rng.standard_normal((4, ready.layout.dimension))
    values = unpack(ready.layout, ready.data.prior_mean + ready.data.prior_sd * z)
    coefficient = rng.uniform(0.05, 0.2, (4, 2, 3))
    post = replace(prior(panel, spec, draws=4), draws={**values, "coefficient": coefficient})
    found = density_of_tests(post, panel, lifts)
    with jax.enable_x64(True):
        data = jax.tree.map(jnp.asarray, ready.data)
        for draw in range(4):
            named = {name: jnp.asarray(array[draw]) for name, array in values.items()}
            expected = float(lift_log_density(ready.layout, data, named, jnp.asarray(coefficient[draw])))
            assert found[draw] == pytest.approx(expected, rel=1e-9)


def test_a_fit_that_is_its_prior_has_learnt_nothing(panel_of):
    panel, _ = panel_of(1, 40, 2, seed=1)
    same = prior(panel, draws=3000, seed=9)
    found = shifts(same, panel)
    assert {(s.channel, s.parameter) for s in found} == {
        (name, parameter)
        for name in panel.channels
        for parameter in ("ROI", "half-life", "half-saturation", "steepness")
    }
    assert all(s.verdict == "nothing" and abs(s.moved) < 0.1 for s in found)
    assert "its interval is the prior's" in found[0].words


def test_learning_is_measured_in_prior_deviations(panel_of):
    """The ROI's prior is lognormal with log sd 1 / (2 x 1.645) log 25: half of it, moved by one."""
    panel, _ = panel_of(1, 40, 1, seed=1)
    same = prior(panel, draws=4000, seed=9)
    sd = np.log(25) / (2 * stats.norm.ppf(0.95))
    log_roi = np.log(same.draws["iroas"])
    moved = replace(same, draws={**same.draws, "iroas": np.exp(0.5 * log_roi + sd)})
    roi = next(s for s in shifts(moved, panel) if s.parameter == "ROI")
    assert roi.contraction == pytest.approx(0.5, abs=0.03)
    assert roi.moved == pytest.approx(1.0, abs=0.06)
    assert roi.verdict == "much"
    far = replace(same, draws={**same.draws, "iroas": np.exp(0.1 * log_roi + 3 * sd)})
    (words,) = [s.words for s in shifts(far, panel) if s.parameter == "ROI"]
    assert "above what was believed" in words


def test_organic_channels_are_judged_by_their_contribution(panel_of):
    panel, _ = panel_of(1, 40, 2, seed=1)
    spend = panel.spend.copy()
    spend[..., 0] = 0.0
    free = replace(panel, spend=spend)
    spec = Spec.default(free, channels={"channel 0": {"organic": True, "adstock": "none", "saturation": "none"}})
    found = shifts(prior(free, spec, draws=500), free)
    assert [s.parameter for s in found if s.channel == "channel 0"] == ["contribution"]


def roi_posterior(panel, centre, sd, size=4000):
    """A posterior of one channel whose log ROI is normal; its other parameters are as the prior has them."""
    same = prior(panel, draws=size, seed=3)
    rng = np.random.default_rng(0)
    return replace(same, draws={**same.draws, "iroas": np.exp(centre + sd * rng.standard_normal((size, 1)))})


def test_a_looser_prior_moves_a_number_as_the_closed_form_says(panel_of):
    """Normal prior and likelihood of log ROI: with half the prior's precision the posterior mean is known."""
    panel, _ = panel_of(1, 40, 1, seed=1)
    width = np.log(25) / (2 * stats.norm.ppf(0.95))
    data_mean, data_sd = 0.6, 0.8

    def posterior(power):
        precision = power / width**2 + 1 / data_sd**2
        return data_mean / data_sd**2 / precision, precision**-0.5

    (found,) = sensitivities(roi_posterior(panel, *posterior(1.0)), panel)
    expected = np.exp(posterior(0.5)[0] - posterior(1.0)[0])
    assert found.looser == pytest.approx(expected, rel=0.03)
    mean, sd = posterior(1.0)
    assert found.away == pytest.approx(np.hypot(mean, sd) / width, rel=0.03)


def test_a_strong_prior_is_felt_and_a_weak_one_is_not(panel_of):
    panel, _ = panel_of(1, 40, 1, seed=1)
    (wide,) = sensitivities(roi_posterior(panel, 0.1, 0.05), panel)
    (narrow,) = sensitivities(roi_posterior(panel, 0.8, 0.8), panel)
    assert wide.own_prior < 0.05 < narrow.own_prior


@pytest.mark.parametrize(
    ("prior_", "series", "tests", "away", "verdict"),
    [
        (0.01, 0.2, None, 1.0, "data"),
        (0.3, 0.02, None, 1.0, "prior"),
        (0.1, 0.2, None, 1.2, "both"),
        (0.1, 0.02, 0.2, 2.5, "conflict"),
    ],
)
def test_whose_word_it_is(prior_, series, tests, away, verdict):
    found = Sensitivity("tv", prior_, 0.0, series, tests, 1.1, away)
    assert found.verdict == verdict
    assert "'tv'" in found.words
    assert ("the tests" in found.words) == (tests is not None)


def test_a_shift_goes_through_plain_values(panel_of):
    panel, _ = panel_of(1, 40, 1, seed=1)
    (first, *_) = shifts(prior(panel, draws=200), panel)
    assert isinstance(first, Shift)
    assert first.to_dict()["taught"] == "nothing"
