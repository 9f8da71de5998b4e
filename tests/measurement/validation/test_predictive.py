"""Posterior predictive draws and their scores."""

from dataclasses import replace

import numpy as np
import pytest

from measurement.mmm.linear_terms import fitted
from measurement.mmm.spec import Spec
from measurement.validation.predictive import closeness, predictive, replicates


@pytest.fixture(scope="module", params=[1, 3], ids=["national", "geo"])
def case(request, panel_of, posterior_of):
    panel, _ = panel_of(request.param, 60, 2, seed=3)
    return panel, posterior_of(panel, Spec.default(panel, fourier_order=1), draws=400)


def test_the_mean_adds_up_to_the_fitted_series(case):
    panel, post = case
    made = replicates(post, panel, seed=4)
    np.testing.assert_allclose(made.mean.sum(1), fitted(post, panel, seed=4), rtol=1e-9)


def test_noise_has_the_model_s_size_and_persistence(case):
    panel, post = case
    made = replicates(post, panel)
    unit = (post.scales.size * post.scales.outcome)[:, None]
    sigma = post.draws["sigma"][:, None, None]
    own = (made.given - made.mean) / unit / sigma / post.noise.relative[:, None]
    assert own.std() == pytest.approx(1.0, rel=0.02)
    lagged = (own[..., 1:] * own[..., :-1]).mean()
    assert lagged == pytest.approx(post.noise.local_persistence, abs=0.03)
    shared = ((made.fresh - made.known) / unit / sigma)[:, 0]
    wanted = np.sqrt(post.noise.ratio + post.noise.relative[0] ** 2)
    assert shared.std() == pytest.approx(wanted, rel=0.03)


def test_cells_that_the_fit_left_out_are_predicted_but_not_scored(case):
    panel, post = case
    counts = post.counts.copy()
    counts[0, 5:9] = 0.0
    kpi = panel.outcome.copy()
    kpi[0, 5:9] *= 5.0
    masked = replace(post, counts=counts)
    plain, odd = (predictive(masked, replace(panel, kpis={panel.kpi: values})) for values in (panel.outcome, kpi))
    # the KPI's total enters the carry-in's prior, by far less than five times four cells would be seen in the score
    assert odd.cells.wmape == pytest.approx(plain.cells.wmape, rel=0.01)
    assert odd.periods.wmape > 2 * plain.periods.wmape


def test_scores_of_exact_predictions_are_what_they_promise():
    rng = np.random.default_rng(0)
    centre = rng.normal(100, 20, 2000)
    seen = centre + rng.standard_normal(2000)
    mean = centre + 0.0 * rng.standard_normal((300, 1))
    found = closeness(mean, mean + rng.standard_normal((300, 2000)), seen)
    assert found.coverage_90 == pytest.approx(0.9, abs=0.02)
    assert found.coverage_50 == pytest.approx(0.5, abs=0.03)
    assert found.r2.median == pytest.approx(400 / 401, abs=0.001)
    assert found.wmape == pytest.approx(np.sqrt(2 / np.pi) / 100, rel=0.05)
    assert found.crps == pytest.approx(1 / np.sqrt(np.pi), rel=0.05)


def test_p_values_see_a_series_that_the_model_would_not_make(case):
    panel, post = case
    usual = predictive(post, panel)
    kpi = panel.outcome.copy()
    kpi[:, 30] *= 3.0
    peak = predictive(post, replace(panel, kpis={panel.kpi: kpi}))
    assert peak.p_values["peak"] == 0.0 <= usual.p_values["peak"]
    assert predictive(post, panel, seed=0).p_values == usual.p_values
