"""The KPI's distribution given its mean: densities against scipy, draws against their moments, the choice of it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from measurement.errors import DataError
from measurement.mmm.likelihood import Family, counted, draw, family_of, innovations, log_count, log_density, positive
from measurement.mmm.likelihood_choice import SMALL_COUNT, choose, note
from measurement.mmm.prepare import prepare
from measurement.mmm.spec import Spec

COUNTS = np.ones((2, 9))
COUNTS[1, 4] = 0.0
SCALE = np.array([[2.0, 3.0], [1.0, 0.5]])
SHAPE = np.array([3.5, 8.0])


def family(likelihood, persistence=0.6):
    return Family(likelihood, SCALE, SHAPE, persistence, COUNTS, np.array([10.0, 20.0]))


def series(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(50, 3, (2, 9)), rng.normal(50, 2, (2, 2, 9))


def test_normal_cells_add_up_to_the_joint_normal_of_the_autoregression():
    kpi, mean = series()
    found = log_density(family("normal"), kpi, mean)
    stretch = np.array([0, 0, 0, 0, -1, 1, 1, 1, 1])
    lag = 0.6 ** np.abs(np.arange(9)[:, None] - np.arange(9))
    for d in range(2):
        whole = stats.multivariate_normal.logpdf(kpi[0], mean[d, 0], SCALE[d, 0] ** 2 * lag)
        assert found[d, 0].sum() == pytest.approx(whole, rel=1e-12)
        parts = [
            stats.multivariate_normal.logpdf(
                kpi[1, at], mean[d, 1, at], SCALE[d, 1] ** 2 * 0.6 ** np.abs(np.arange(4)[:, None] - np.arange(4))
            )
            for at in (stretch == 0, stretch == 1)
        ]
        assert found[d, 1].sum() == pytest.approx(sum(parts), rel=1e-12)
    assert (found[:, 1, 4] == 0).all()


def test_student_t_cells_are_t_innovations_and_become_normal():
    kpi, mean = series()
    found = log_density(family("student_t"), kpi, mean)
    residual = kpi[0] - mean[1, 0]
    first = stats.t.logpdf(residual[0], 8.0, scale=1.0)
    assert found[1, 0, 0] == pytest.approx(first, rel=1e-12)
    second = stats.t.logpdf(residual[1], 8.0, 0.6 * residual[0], 0.8)
    assert found[1, 0, 1] == pytest.approx(second, rel=1e-12)
    after_the_gap = stats.t.logpdf(kpi[1, 5], 8.0, mean[1, 1, 5], 0.5)
    assert found[1, 1, 5] == pytest.approx(after_the_gap, rel=1e-12)
    heavy = replace(family("student_t"), shape=np.full(2, 1e9))
    np.testing.assert_allclose(log_density(heavy, kpi, mean), log_density(family("normal"), kpi, mean), rtol=1e-6)


def test_counts_have_scipys_density():
    rng = np.random.default_rng(0)
    kpi, mean = rng.poisson(6, (2, 9)).astype(float), rng.uniform(2, 10, (2, 2, 9))
    found = log_density(family("negative_binomial"), kpi, mean)
    for d, phi in enumerate(SHAPE):
        expected = stats.nbinom.logpmf(kpi, phi, phi / (phi + mean[d]))
        np.testing.assert_allclose(found[d][COUNTS > 0], expected[COUNTS > 0], rtol=1e-10)


@pytest.mark.parametrize("dispersion", [0.4, 3.0, 29.9, 30.1, 1e3, 1e6, 1e10, 1e16, 1e25])
def test_counts_become_poisson_however_large_the_dispersion(dispersion):
    """The difference of two logarithms of gamma functions would be off by 80 at 1e16, where a chain once stayed."""
    kpi, mean = np.array([0.0, 1.0, 5.0, 12.0, 40.0, 200.0]), np.array([3.0, 3.0, 7.0, 10.0, 60.0, 150.0])
    found = log_count(kpi, mean, np.array(dispersion), special.gammaln)
    if dispersion < 1e6:
        expected = stats.nbinom.logpmf(kpi, dispersion, dispersion / (dispersion + mean))
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    else:
        np.testing.assert_allclose(found, stats.poisson.logpmf(kpi, mean), atol=4e3 / dispersion + 1e-10)


@pytest.mark.parametrize("likelihood", ["normal", "student_t"])
def test_drawn_noise_has_the_variance_and_the_persistence_it_should(likelihood):
    size = 40_000
    nu = np.full(size, 6.0)
    own = Family(likelihood, np.full((size, 2), 2.0), nu, 0.6, COUNTS, np.ones(2))
    noise = draw(own, np.full((size, 2, 9), 5.0), np.random.default_rng(1)) - 5.0
    variance = 4.0 * (1.5 if likelihood == "student_t" else 1.0)
    np.testing.assert_allclose(noise.var(0), variance, rtol=0.06)
    correlation = np.corrcoef(noise[:, 1, 3], noise[:, 1, 2])[0, 1]
    assert correlation == pytest.approx(0.6, abs=0.02)
    assert np.corrcoef(noise[:, 1, 5], noise[:, 1, 4])[0, 1] == pytest.approx(0.0, abs=0.02)
    tail = (np.abs(innovations(own, (size, 2), np.random.default_rng(2))) > 4.0).mean()
    exact = 2 * (stats.t.sf(4.0, 6.0) if likelihood == "student_t" else stats.norm.sf(4.0))
    assert tail == pytest.approx(exact, abs=5e-4)


def test_drawn_counts_have_the_mean_and_variance_they_should_and_rise_with_the_mean():
    size = 40_000
    mean = np.broadcast_to(np.linspace(2.0, 10.0, 9), (size, 2, 9))
    own = Family("negative_binomial", np.ones((size, 2)), np.full(size, 4.0), 0.0, COUNTS, np.ones(2))
    drawn = draw(own, mean, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(0), mean[0], rtol=0.03)
    np.testing.assert_allclose(drawn.var(0), mean[0] + mean[0] ** 2 / 4.0, rtol=0.06)
    chance = np.random.default_rng(1).random((500,))
    assert (
        counted(np.float64(6.0), np.float64(4.0), chance) >= counted(np.float64(5.0), np.float64(4.0), chance)
    ).all()


def test_a_mean_is_itself_where_it_is_large_and_never_below_zero():
    x = np.linspace(-60.0, 3.0, 2001)
    bent = positive(x)
    assert (bent > 0).all()
    assert (np.diff(bent) >= 0).all()
    np.testing.assert_allclose(bent[x > 0.3], x[x > 0.3], rtol=1e-3)
    unit = np.array([10.0, 200.0])
    own = Family("negative_binomial", np.ones((1, 2)), np.ones(1), 0.0, COUNTS, unit)
    additive = np.broadcast_to(np.array([[5.0], [100.0]]), (1, 2, 9))
    np.testing.assert_allclose(own.mean_of(additive) / unit[:, None], positive(np.full((1, 2, 9), 0.5)))
    assert family("normal").mean_of(additive) is additive


def test_a_posterior_says_its_family(panel_of, posterior_of):
    panel, _ = panel_of(3, 40, 2)
    post = posterior_of(panel)
    own = family_of(post)
    expected = post.draws["sigma"][:, None] * post.noise.relative * post.scales.size * post.scales.outcome
    np.testing.assert_allclose(own.scale, expected)
    assert own.likelihood == "normal"


def small_counts(panel_of, geos=1, mean=12.0, seed=0):
    panel, _ = panel_of(geos, 60, 2)
    rate = panel.outcome / panel.outcome.mean() * mean
    return replace(panel, kpis={"orders": np.random.default_rng(seed).poisson(rate).astype(float)}, kpi="orders")


def test_the_likelihood_is_chosen_from_the_data(panel_of):
    panel, _ = panel_of(1, 60, 2)
    assert choose(panel).likelihood == Spec.default(panel).likelihood == "normal"
    outcome = panel.outcome.copy()
    outcome[0, 30] *= 1.6
    odd = replace(panel, kpis={"revenue": outcome})
    assert Spec.default(odd).likelihood == "student_t"
    assert str(panel.dates[30]) in note("student_t", odd)
    assert Spec.default(odd, likelihood="auto").likelihood == "student_t"
    assert Spec.default(odd, likelihood="normal").likelihood == "normal"
    assert note("normal", odd).startswith("Normal likelihood, as set; left to itself it would be Student-t: the KPI")
    counts = small_counts(panel_of)
    assert Spec.default(counts).likelihood == "negative_binomial"
    assert f"counts {np.median(counts.outcome):g} in a typical week" in note("negative_binomial", counts)
    many = small_counts(panel_of, mean=3 * SMALL_COUNT)
    assert Spec.default(many).likelihood == "normal"
    assert note("normal", many) == "Normal likelihood: the KPI has no outliers and is no small count."
    half = replace(counts, kpis={"orders": counts.outcome + 0.5})
    assert Spec.default(half).likelihood != "negative_binomial"


@pytest.mark.parametrize(
    ("change", "words"), [(0.5, "12.5 in 'national'"), (-40.0, "no whole number from 0 upwards in")]
)
def test_what_is_no_count_is_refused_with_a_way_out(panel_of, change, words):
    counts = small_counts(panel_of)
    outcome = counts.outcome.copy()
    outcome[0, np.flatnonzero(outcome[0] == 12)[0]] += change
    panel = replace(counts, kpis={"orders": outcome})
    with pytest.raises(DataError) as refused:
        prepare(panel, Spec.default(panel, likelihood="negative_binomial"))
    assert words in str(refused.value)
    assert "in 1 of 60 cells" in str(refused.value)
    assert "'student_t'" in str(refused.value)
    prepare(counts, Spec.default(counts, likelihood="student_t"))
