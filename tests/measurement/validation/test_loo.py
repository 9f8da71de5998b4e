"""Leave-one-out against brute force: the normal conditioned by hand, the weights against the model without the cell."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from measurement.mmm.counterfactual import media_effect
from measurement.mmm.design_matrix import design_of
from measurement.mmm.noise import precision_of
from measurement.mmm.spec import Spec
from measurement.validation.collapsed import collapsed_of, diagonal_of, residuals_of
from measurement.validation.loo import Pointwise, influential_cells, khat_limit, loo, pointwise, weighed


def covariance(post, panel, sigma):
    """Covariance of all cells for one draw, written out from the definition of demand, noise and linear terms."""
    geos, periods, _ = panel.shape
    noise, lag = post.noise, np.abs(np.arange(periods)[:, None] - np.arange(periods))
    stretch = np.cumsum(post.counts == 0, axis=1)
    full = np.zeros((geos, periods, geos, periods))
    for g in range(geos):
        joined = stretch[g][:, None] == stretch[g]
        full[g, :, g] = noise.relative[g] ** 2 * noise.local_persistence**lag * joined
        for h in range(geos):
            full[g, :, h] += noise.ratio * noise.persistence**lag
    rows = design_of(post.spec, panel, post.scales, noise, post.usual).matrix()
    return rows @ rows.T + sigma**2 * full.reshape(geos * periods, -1)


@pytest.fixture(scope="module", params=[1, 3], ids=["national", "geo"])
def case(request, panel_of, posterior_of):
    panel, _ = panel_of(request.param, 40, 2, seed=3)
    post = posterior_of(panel, Spec.default(panel, fourier_order=2), draws=6)
    counts = post.counts.copy()
    counts[0, 11:14] = 0.0
    return panel, replace(post, counts=counts)


def test_a_cell_given_all_others_is_the_normal_conditioned_by_hand(case):
    panel, post = case
    given, residual = pointwise(post, panel), residuals_of(post, panel)
    kept = np.flatnonzero(post.counts.ravel() > 0)
    unit = (post.scales.size * post.scales.outcome).repeat(panel.shape[1])
    for draw in (0, 5):
        full = covariance(post, panel, post.draws["sigma"][draw])
        flat = residual[draw].ravel()
        for cell in kept[::7]:
            rest = kept[kept != cell]
            gain = np.linalg.solve(full[np.ix_(rest, rest)], full[rest, cell])
            mean, sd = gain @ flat[rest], np.sqrt(full[cell, cell] - gain @ full[rest, cell])
            place = (draw, *np.unravel_index(cell, post.counts.shape))
            expected = stats.norm.logpdf(flat[cell] * unit[cell], mean * unit[cell], sd * unit[cell])
            assert given.log_density[place] == pytest.approx(expected, rel=1e-8)
            assert given.below[place] == pytest.approx(stats.norm.cdf(flat[cell], mean, sd), rel=1e-8)
    assert np.isnan(given.log_density[:, 0, 11:14]).all()


def test_the_joint_density_is_the_normal_written_out(case):
    panel, post = case
    kept = post.counts.ravel() > 0
    residual = residuals_of(post, panel)
    found = collapsed_of(post, panel).log_density(residual, post.draws["sigma"])
    for draw in range(3):
        full = covariance(post, panel, post.draws["sigma"][draw])[np.ix_(kept, kept)]
        expected = stats.multivariate_normal.logpdf(residual[draw].ravel()[kept], cov=full)
        assert found[draw] == pytest.approx(expected, rel=1e-9)


def test_the_diagonal_is_that_of_the_precision_applied(case):
    _, post = case
    precision = precision_of(post.noise, post.counts)
    unit = np.eye(post.counts.size).reshape(-1, *post.counts.shape)
    applied = precision.times(unit).reshape(post.counts.size, -1)
    np.testing.assert_allclose(diagonal_of(precision).ravel(), np.diag(applied), atol=1e-10)


def test_residuals_are_the_outcome_less_the_media(case):
    panel, post = case
    media = media_effect(post, panel, lambda effect: effect)
    back = residuals_of(post, panel) + design_of(post.spec, panel, post.scales).offset + media
    np.testing.assert_allclose(back[3], post.scales.scaled_outcome(panel))


def test_weights_give_the_predictive_density_of_the_model_without_the_cell():
    """A normal mean with a normal prior: leaving one of ten values out has a closed form."""
    rng = np.random.default_rng(0)
    seen = rng.normal(1.0, 1.0, 10)
    draws = rng.normal(seen.sum() / 10.25, np.sqrt(1 / 10.25), 40_000)
    log_density = stats.norm.logpdf(seen, draws[:, None], 1.0)
    found = weighed(Pointwise(log_density[:, None], stats.norm.cdf(seen, draws[:, None], 1.0)[:, None]))
    mean, sd = (seen.sum() - seen) / 9.25, np.sqrt(1 + 1 / 9.25)
    np.testing.assert_allclose(found.elpd[0], stats.norm.logpdf(seen, mean, sd), atol=0.02)
    np.testing.assert_allclose(found.below[0], stats.norm.cdf(seen, mean, sd), atol=0.01)
    assert found.total == pytest.approx(found.elpd.sum())
    # One parameter, pulled a little to its prior.
    assert 0.5 < found.parameters < 1.6
    assert not found.influential.any()


def test_a_cell_that_the_fit_hangs_on_is_named(panel_of):
    """Draws of a mean with a flat prior and one far value: without it they would be quite others."""
    panel, _ = panel_of(1, 40, 1, seed=1)
    rng = np.random.default_rng(1)
    seen = np.zeros(40)
    seen[17] = 60.0
    draws = rng.normal(seen.mean(), np.sqrt(1 / 40), 2000)
    log_density = stats.norm.logpdf(seen, draws[:, None], 1.0)[:, None]
    found = weighed(Pointwise(log_density, np.full_like(log_density, 0.5)))
    named = influential_cells(found, panel)
    assert named[0]["date"] == str(panel.dates[17])
    assert named[0]["geo"] == "national"
    assert len(named) == 1


def test_fewer_draws_ask_for_a_smaller_khat():
    assert khat_limit(100) == pytest.approx(0.5)
    assert khat_limit(10_000) == pytest.approx(0.7)


def test_cells_left_out_of_the_fit_are_not_judged(case, posterior_of):
    panel, fitted = case
    post = posterior_of(panel, fitted.spec, draws=80)
    found = loo(replace(post, counts=fitted.counts), panel)
    assert np.isnan(found.elpd[0, 11:14]).all()
    assert found.known.sum() == fitted.counts.sum()
    assert found.to_dict()["cells"] == int(fitted.counts.sum())
    assert 0 <= found.coverage(0.5) <= found.coverage(0.9) <= 1
