"""Cells left out under Student's t and the negative binomial, against the joint density integrated by brute force."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from measurement.mmm.design_matrix import design_of
from measurement.mmm.likelihood import family_of, log_density
from measurement.mmm.linear_terms import cell_means, linear_draws
from measurement.mmm.noise import Noise
from measurement.mmm.spec import Spec
from measurement.validation.explicit import cells_given_others, draws_for
from measurement.validation.loo import loo, pointwise
from measurement.validation.near import near_of
from measurement.validation.sensitivity import sensitivities

PERIODS = 12
DEMAND = np.linspace(-9.0, 9.0, 241)
"""Of one period, in its own stationary standard deviations."""


def full_posterior(panel_of, posterior_of, likelihood, geos, draws=3, periods=PERIODS, local=0.5):
    """Draws of everything that the full form holds, at random but near the data; one cell is left out."""
    panel, _ = panel_of(geos, periods, 1, seed=4)
    if likelihood == "negative_binomial":
        panel = replace(panel, kpis={panel.kpi: np.round(panel.outcome / panel.outcome.mean() * 9.0)})
    spec = Spec.default(panel, likelihood=likelihood, fourier_order=0, trend="none")
    post = posterior_of(panel, spec, draws=draws)
    rng = np.random.default_rng(8)
    sigma = rng.uniform(0.05, 0.08, draws)
    noise = Noise(0.06, 1.5, 0.6, local * (geos > 1), 0.1, 0.1, np.linspace(0.8, 1.2, geos))
    counts = post.counts.copy()
    counts[0, 5] = 0.0
    made = {"linear": np.zeros((draws, 0)), "demand": 0.08 * rng.standard_normal((draws, periods)), "sigma": sigma}
    made |= {"nu": rng.uniform(2.5, 6.0, draws), "dispersion": rng.uniform(10.0, 40.0, draws)}
    post = replace(post, draws=dict(post.draws) | made, noise=noise, counts=counts)
    columns = design_of(spec, panel, post.scales, noise).matrix().shape[1]
    post.draws["linear"] = 0.1 * rng.standard_normal((draws, columns))
    level = post.scales.outcome * post.scales.size[:, None]
    near = cell_means(post, panel).mean(0) + 0.1 * level * rng.standard_normal(counts.shape)
    kpi = np.round(np.maximum(near, 0.0)) if likelihood == "negative_binomial" else near
    kpi[0, 3] = 2 * kpi[0, 3]  # an odd cell beside ordinary ones
    return replace(panel, kpis={panel.kpi: kpi}), post


def by_hand(panel, post, draw, g, t, values):
    """The joint density of everything for other values of a cell, the demand of its period integrated out."""
    one = replace(post, draws={name: array[[draw]] for name, array in post.draws.items()})
    lag = np.abs(np.arange(PERIODS)[:, None] - np.arange(PERIODS))
    size = post.draws["sigma"][draw] * np.sqrt(post.noise.ratio)
    prior = stats.multivariate_normal(cov=size**2 * post.noise.persistence**lag)
    demand = np.repeat(one.draws["demand"], len(DEMAND), axis=0)
    demand[:, t] = size * DEMAND
    many = {name: np.repeat(array, len(DEMAND), axis=0) for name, array in one.draws.items()} | {"demand": demand}
    tried = replace(post, draws=many)
    family, mean, weight = family_of(tried), cell_means(tried, panel), prior.logpdf(demand)
    found = []
    for value in values:
        kpi = panel.outcome.copy()
        kpi[g, t] = value
        found.append(np.exp(log_density(family, kpi, mean).sum((1, 2)) + weight).sum())
    return np.array(found)


CASES = [("student_t", 1), ("student_t", 3), ("negative_binomial", 1), ("negative_binomial", 3)]


@pytest.mark.parametrize(("likelihood", "geos"), CASES)
def test_a_cell_given_all_others_is_the_joint_density_integrated_by_hand(likelihood, geos, panel_of, posterior_of):
    panel, post = full_posterior(panel_of, posterior_of, likelihood, geos)
    density, below = cells_given_others(post, panel)
    assert np.isnan(density[:, 0, 5]).all()
    for draw, g, t in ((0, 0, 0), (1, 0, 3), (2, geos - 1, 4), (1, geos - 1, PERIODS - 1)):
        seen = panel.outcome[g, t]
        if likelihood == "student_t":
            scale = post.draws["sigma"][draw] * post.scales.outcome * post.scales.size[g]
            grid = np.linspace(-9.0, 9.0, 601)
            values, step = seen + scale * np.sinh(grid), scale * np.cosh(grid) * 0.03
            joint = by_hand(panel, post, draw, g, t, values) * step
            expected = by_hand(panel, post, draw, g, t, [seen])[0] / joint.sum()
            less = (joint[:300].sum() + joint[300] / 2) / joint.sum()
        else:
            joint = by_hand(panel, post, draw, g, t, np.arange(100.0))
            expected = joint[int(seen)] / joint.sum()
            less = (joint[: int(seen)].sum() + joint[int(seen)] / 2) / joint.sum()
        assert density[draw, g, t] == pytest.approx(np.log(expected), abs=2e-3), (draw, g, t)
        assert below[draw, g, t] == pytest.approx(less, abs=2e-3), (draw, g, t)


def test_students_t_with_many_degrees_of_freedom_is_the_normal(panel_of, posterior_of):
    """Draws of linear terms and demand from their exact conditional: weighted they give the normal's leave-one-out."""
    panel, _ = panel_of(1, 40, 1, seed=3)
    spec = Spec.default(panel, fourier_order=1, likelihood="normal")
    post = posterior_of(panel, spec, draws=1)
    many = {name: np.repeat(values, 1500, axis=0) for name, values in post.draws.items()}
    many["iroas"] = np.exp(np.random.default_rng(3).standard_normal((1500, 1)))
    post = replace(post, draws=many)
    drawn = linear_draws(post, panel, seed=2)
    held = many | {"linear": drawn.coefficients, "demand": drawn.demand, "nu": np.full(1500, 1e7)}
    other = replace(post, spec=spec.model_copy(update={"likelihood": "student_t"}), draws=held)
    exact = pointwise(post.thinned(1), panel)
    found = loo(other, panel, draws=1500)
    trusted = found.known & ~found.influential
    assert trusted.mean() > 0.8
    np.testing.assert_allclose(found.elpd[trusted], exact.log_density[0][trusted], atol=0.3)
    np.testing.assert_allclose(found.below[trusted], exact.below[0][trusted], atol=0.06)
    assert np.abs(found.elpd[trusted] - exact.log_density[0][trusted]).mean() < 0.05
    assert near_of(other, panel).weights == pytest.approx(np.ones((1, 40)), abs=1e-4)
    for one, two in zip(sensitivities(post, panel), sensitivities(other, panel), strict=True):
        assert one.series == pytest.approx(two.series, abs=1e-3)


def test_the_weights_of_students_t_average_to_one_and_forget_the_odd_cell(panel_of, posterior_of):
    panel, post = full_posterior(panel_of, posterior_of, "student_t", 3, draws=40)
    weights = near_of(post, panel).weights
    assert weights[0, 3] < 0.5 * np.median(weights)


def test_a_large_panel_takes_fewer_draws(panel_of, posterior_of):
    panel, post = full_posterior(panel_of, posterior_of, "student_t", 3, draws=40)
    assert draws_for(post, panel, 1000) == 1000
    wide, post = full_posterior(panel_of, posterior_of, "student_t", 40, draws=40, periods=400)
    assert 250 <= draws_for(post, wide, 1000) < 1000
