"""Leave-future-out against the normal conditioned by hand, and against refits where the truth has a closed form."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from measurement.mmm.design_matrix import design_of
from measurement.mmm.spec import Spec
from measurement.validation.collapsed import residuals_of
from measurement.validation.lfo import lfo


def covariance(post, panel, sigma):
    """Of all cells for one draw; no cell is left out."""
    geos, periods, _ = panel.shape
    noise, lag = post.noise, np.abs(np.arange(periods)[:, None] - np.arange(periods))
    full = np.zeros((geos, periods, geos, periods))
    for g in range(geos):
        full[g, :, g] = noise.relative[g] ** 2 * noise.local_persistence**lag
        for h in range(geos):
            full[g, :, h] += noise.ratio * noise.persistence**lag
    rows = design_of(post.spec, panel, post.scales, noise, post.usual).matrix()
    return rows @ rows.T + sigma**2 * full.reshape(geos * periods, -1)


@pytest.fixture(scope="module", params=[1, 3], ids=["national", "geo"])
def case(request, panel_of, posterior_of):
    panel, _ = panel_of(request.param, 36, 1, seed=2)
    # Nearly equal draws: the weights are smooth, and every number has a closed form to compare with.
    post = posterior_of(panel, Spec.default(panel, fourier_order=1), draws=80)
    one = {name: np.repeat(values[:1], 80, axis=0) for name, values in post.draws.items()}
    jitter = 1 + 1e-4 * np.random.default_rng(0).standard_normal(80)
    return panel, replace(post, draws=one | {"sigma": one["sigma"] * jitter})


def test_each_origin_is_the_future_given_the_past(case):
    panel, post = case
    geos, periods, _ = panel.shape
    found = lfo(post, panel, origins=3, horizon=2)
    assert found.dates.tolist() == panel.dates[[33, 34, 35]].tolist()
    assert np.isnan(found.elpd[2])  # one period is left, not two
    assert found.refits == 0
    sigma = float(np.mean(post.draws["sigma"]))
    full = covariance(post, panel, sigma)
    residual = residuals_of(post, panel)[0]
    unit = post.scales.size * post.scales.outcome
    cells = np.arange(geos * periods).reshape(geos, periods)
    for i, t in enumerate((33, 34, 35)):
        past = cells[:, :t].ravel()
        for periods_ahead, value in ((2, found.elpd[i]), (1, found.next_elpd[i])):
            if t + periods_ahead > periods:
                continue
            ahead = cells[:, t : t + periods_ahead].ravel()
            gain = np.linalg.solve(full[np.ix_(past, past)], full[np.ix_(past, ahead)])
            mean = residual.ravel()[past] @ gain
            rest = full[np.ix_(ahead, ahead)] - full[np.ix_(ahead, past)] @ gain
            expected = stats.multivariate_normal.logpdf(residual.ravel()[ahead], mean, rest)
            assert value == pytest.approx(expected - periods_ahead * np.log(unit).sum(), abs=2e-3)
        miss = unit @ (residual.ravel()[ahead] - mean)
        assert found.miss[i] == pytest.approx(miss, rel=1e-4)
        assert found.below[i] == pytest.approx(stats.norm.cdf(miss, 0, np.sqrt(unit @ rest @ unit)), abs=2e-3)


def test_it_stops_where_the_weights_fail_unless_a_refit_is_given(panel_of, posterior_of):
    panel, _ = panel_of(1, 60, 2, seed=4)
    driven = {panel.channels[0]: {"demand_driven": "strong"}}
    wild = posterior_of(panel, Spec.default(panel, channels=driven), draws=100)
    alone = lfo(wild, panel, origins=30)
    assert len(alone.dates) < alone.asked == 30
    asked = []

    def refit(periods):
        asked.append(periods)
        return posterior_of(panel.part(slice(0, periods)), wild.spec, draws=100, seed=periods)

    again = lfo(wild, panel, origins=30, refit=refit, refits=2)
    assert again.refits == len(asked) == 2
    assert len(again.dates) > len(alone.dates)
    # A refit serves from its own origin backward: there all its draws weigh the same.
    at = [t for t, day in enumerate(panel.dates) if day in again.dates]
    assert asked[0] == max(t for t in at if panel.dates[t] not in alone.dates)
    khat = dict(zip(at, again.khat, strict=True))
    assert khat[asked[0]] == 0.0


def test_under_students_t_only_what_is_fitted_anew_is_judged(panel_of, posterior_of):
    panel, _ = panel_of(1, 60, 1, seed=4)
    spec = Spec.default(panel, likelihood="student_t")
    post = posterior_of(panel, spec, draws=100)
    none = lfo(post, panel, origins=10)
    assert len(none.dates) == 0
    assert none.asked == 10
    assert "takes a fit" in none.why

    def refit(periods):
        short = panel.part(slice(0, periods))
        own = posterior_of(short, Spec.default(short, likelihood="normal"), draws=400)
        design = design_of(own.spec, short, own.scales, own.noise).matrix()
        return replace(
            own,
            spec=spec,
            draws=dict(own.draws)
            | {"linear": np.zeros((400, design.shape[1])), "demand": np.zeros((400, periods)), "nu": np.full(400, 5.0)},
        )

    some = lfo(post, panel, origins=10, refit=refit, refits=2)
    assert some.dates.tolist() == panel.dates[-2:].tolist()
    assert some.refits == 2
    assert ((some.below >= 0) & (some.below <= 1)).all()
    assert some.to_dict()["next_elpd"] is None


def test_weights_are_those_of_the_shorter_posterior(case):
    """Draws from a known distribution of sigma: weighting equals normalising the shorter density over them."""
    panel, post = case
    sigma = 0.02 * np.exp(0.02 * np.random.default_rng(1).standard_normal(400))
    draws = {name: np.repeat(values[:1], 400, axis=0) for name, values in post.draws.items()} | {"sigma": sigma}
    wide = replace(post, draws=draws)
    found = lfo(wide, panel, origins=1, horizon=1)
    residual = residuals_of(wide, panel)[0].ravel()
    geos, periods, _ = panel.shape
    before = np.arange(geos * periods).reshape(geos, periods)[:, :-1].ravel()

    def density(kept, value):
        return stats.multivariate_normal.logpdf(residual[kept], cov=covariance(post, panel, value)[np.ix_(kept, kept)])

    grid = sigma[::8]
    whole = np.array([density(np.arange(geos * periods), value) for value in grid])
    past = np.array([density(before, value) for value in grid])
    weight = np.exp(past - whole)
    expected = logsumexp(whole - past, b=weight / weight.sum())
    unit = np.log(post.scales.size * post.scales.outcome).sum()
    assert found.elpd[0] == pytest.approx(expected - unit, abs=0.05)
