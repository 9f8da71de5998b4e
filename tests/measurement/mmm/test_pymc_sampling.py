"""PyMC's posterior is the fast engine's, and each reads the other's."""

import warnings

import numpy as np
import pytest

pm = pytest.importorskip("pymc")

import arviz as az  # noqa: E402
from arviz_stats.base import array_stats  # noqa: E402
from pytensor.compile.mode import Mode  # noqa: E402

from measurement.lift import Lift  # noqa: E402
from measurement.mmm import Spec, fit  # noqa: E402
from measurement.mmm.datatree import to_datatree  # noqa: E402
from measurement.mmm.pymc_model import to_pymc  # noqa: E402

PLAIN = Mode("py", "fast_compile")


@pytest.fixture(scope="module")
def case(panel_of):
    """A year of one channel with a lift test, and its fast fit."""
    panel, _ = panel_of(1, 52, 1, seed=3)
    lift = Lift(
        "t",
        panel.channels,
        panel.geos,
        *panel.dates[[20, 24, 26]].tolist(),
        9e3,
        3e3,
        0.15,
        0.3 * panel.spend[:, 20:25],
    )
    spec = Spec.default(panel, fourier_order=1)
    return panel, spec, lift, fit(panel, spec, [lift])


def test_the_posteriors_are_equal(case):
    """Medians and 90 % intervals agree within the Monte Carlo error of each."""
    panel, spec, lift, post = case
    with warnings.catch_warnings(), to_pymc(panel, spec, [lift]):
        warnings.simplefilter("ignore")  # of the samplers' own packages
        tree = pm.sample(800, tune=300, chains=2, cores=1, random_seed=1, progressbar=False, backend="jax")
    fast = to_datatree(post, panel)["posterior"]
    for name in ("iroas", "decay", "half_saturation", "slope", "sigma"):
        ours, theirs = (group[name].values.reshape(len(group.chain), -1) for group in (fast, tree["posterior"]))
        for prob in (0.05, 0.5, 0.95):
            error = np.hypot(
                *(
                    array_stats.mcse(each, method="quantile", prob=prob, chain_axis=0, draw_axis=1)
                    for each in (ours, theirs)
                )
            )
            assert error < 0.4 * ours.std(), f"{name}: too few draws to tell"
            assert abs(np.quantile(ours, prob) - np.quantile(theirs, prob)) < 4 * error, f"{name} at {prob}"


def test_arviz_and_pymc_read_a_fast_fit(case):
    panel, spec, lift, post = case
    tree, model = to_datatree(post.thinned(100), panel), to_pymc(panel, spec, [lift])
    table = az.summary(tree, var_names=["iroas", "decay"])
    assert list(table.index) == ["iroas[channel 0]", "decay[channel 0]"]
    with model:
        drawn = pm.sample_posterior_predictive(tree, random_seed=1, progressbar=False, compile_kwargs={"mode": PLAIN})
    predicted = drawn["posterior_predictive"]
    low, high = np.quantile(predicted["outcome"], [0.05, 0.95], axis=(0, 1))
    assert 0.85 <= ((low < panel.outcome) & (panel.outcome < high)).mean() <= 1.0
    assert 0.3 < (high - low).mean() / (4 * post.draws["sigma"].mean() * panel.outcome.mean()) < 1.5
    low, high = np.quantile(predicted["lift"], [0.005, 0.995])
    assert low < lift.outcome_change < high


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning:pytensor")
def test_a_scenario_changes_the_outcome_by_the_effect_alone(case):
    """As the how-to says: the same seed draws the same noise, so the difference is that of the exposure."""
    panel, spec, lift, post = case
    tree, model = to_datatree(post.thinned(20), panel), to_pymc(panel, spec, [lift])
    drawn = []
    with model:
        for factor in (1.0, 0.5):
            pm.set_data({"exposure": factor * panel.exposure})
            found = pm.sample_posterior_predictive(
                tree, var_names=["outcome", "effect"], random_seed=1, progressbar=False, compile_kwargs={"mode": PLAIN}
            )
            drawn.append(found["posterior_predictive"])
    change = [drawn[1][name] - drawn[0][name] for name in ("outcome", "effect")]
    np.testing.assert_allclose(change[0].sum("geo"), change[1].sum("channel"), atol=1e-6 * panel.outcome.mean())
    np.testing.assert_allclose(drawn[0]["effect"], tree["posterior"]["effect"], rtol=1e-9)
    lost = 1 - drawn[1]["effect"].sum("period") / drawn[0]["effect"].sum("period")
    assert ((lost > 0.1) & (lost < 0.8)).all()
