"""Fast draws in PyMC's data tree: the joint posterior of the generative model, which ArviZ and PyMC read."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

pm = pytest.importorskip("pymc")

from pytensor.compile.mode import Mode  # noqa: E402

from measurement.lift import Lift  # noqa: E402
from measurement.mmm import prior  # noqa: E402
from measurement.mmm.counterfactual import contribution, effects  # noqa: E402
from measurement.mmm.datatree import to_datatree  # noqa: E402
from measurement.mmm.dims import SIZE_NAMES  # noqa: E402
from measurement.mmm.pymc_model import to_pymc  # noqa: E402
from measurement.mmm.spec import Spec  # noqa: E402

PLAIN = Mode("py", "fast_compile")
PRIOR = {"median": 0.3, "low": 0.1, "high": 0.9}
DETERMINISTIC = ["iroas", "contribution", "coefficient", "effect", "demand", "multiplier"]


@pytest.fixture(scope="module")
def case(panel_of):
    """Four channels, one prior of each kind, on three geos; organic, delayed, saturation-first and varying channels."""
    panel, _ = panel_of(3, 50, 4, seed=3)
    spend = panel.spend.copy()
    spend[..., 2] = 0.0
    forms = [
        {"adstock": "delayed"},
        {"order": "saturation_first", "varies": "slow"},
        {"organic": True},
        {"saturation": "root", "varies": "slow"},
    ]
    own = {
        f"channel {c}": {kind: PRIOR} | forms[c]
        for c, kind in enumerate(("roi", "mroi", "contribution", "coefficient"))
    }
    panel = replace(panel, spend=spend)
    return panel, Spec.default(panel, channels=own, fourier_order=1)


def test_the_tree_holds_the_whole_model_and_agrees_with_it(case):
    """What PyMC computes from the tree's free variables is what the fast engine says."""
    panel, spec = case
    post = replace(prior(panel, spec, draws=20), chains=2)
    tree, model = to_datatree(post, panel), to_pymc(panel, spec)
    free = {variable.name for variable in model.free_RVs}
    assert free <= set(tree["posterior"].data_vars)
    got = pm.compute_deterministics(
        tree["posterior"].dataset,
        var_names=DETERMINISTIC,
        model=model,
        compile_kwargs={"mode": PLAIN},
        progressbar=False,
    )
    for name in DETERMINISTIC:
        assert got[name].dims == tree["posterior"][name].dims, name
        np.testing.assert_allclose(got[name], tree["posterior"][name], rtol=1e-9, atol=1e-12, err_msg=name)
    flat = tree["posterior"].dataset.stack(sample=("chain", "draw"), create_index=False)
    np.testing.assert_allclose(flat["effect"].transpose("sample", "channel", "period"), effects(post, panel))
    np.testing.assert_allclose(flat["contribution"].transpose("sample", "channel"), contribution(post, panel))
    for dim in ("channel", "geo", "period", "national_term", "local_term", "cell_term"):
        assert list(tree["posterior"][dim].values) == list(np.array(model.coords[dim])), dim
    assert list(tree["posterior"]["paid_channel"].values) == ["channel 0", "channel 1", "channel 3"]


@pytest.mark.parametrize("likelihood", ["student_t", "negative_binomial"])
def test_the_tree_of_the_full_form_holds_the_same(likelihood, panel_of):
    panel, _ = panel_of(2, 30, 2, seed=3)
    kpi = np.random.default_rng(0).poisson(9 * panel.outcome / panel.outcome.mean()).astype(float)
    panel = replace(panel, kpis={"kpi": kpi}, kpi="kpi")
    spec = Spec.default(panel, likelihood=likelihood, fourier_order=1)
    post = replace(prior(panel, spec, draws=6), chains=2)
    tree, model = to_datatree(post, panel), to_pymc(panel, spec)
    assert {variable.name for variable in model.free_RVs} <= set(tree["posterior"].data_vars)
    wanted = ["demand", "coefficient", *(["nu"] if likelihood == "student_t" else [])]
    got = pm.compute_deterministics(
        tree["posterior"].dataset, var_names=wanted, model=model, compile_kwargs={"mode": PLAIN}, progressbar=False
    )
    for name in wanted:
        np.testing.assert_allclose(got[name], tree["posterior"][name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_what_the_fit_does_not_keep_is_drawn_from_its_prior_where_data_cannot_tell(case):
    """From draws of the prior the tree must give back the prior: of each kind of size, and of the geos' variables."""
    panel, spec = case
    draws = to_datatree(prior(panel, spec, draws=3_000), panel)["posterior"]
    for name in SIZE_NAMES.values():
        sizes = np.log(draws[name].values.ravel())
        expected = stats.norm(np.log(0.3), np.log(9) / (2 * 1.6448536269514722))
        assert stats.kstest(sizes, expected.cdf).pvalue > 1e-3, name
    geo = draws["geo_effect"].values[0]
    assert stats.kstest(geo.ravel(), "norm").pvalue > 1e-3
    for c in range(4):
        np.testing.assert_allclose(np.cov(geo[:, c].T), np.eye(3), atol=0.12)
    spread = np.log(draws["geo_spread"].values[0])
    typical = np.log(draws["typical_coefficient"].values[0, :, 0])
    for other in (geo[:, 3].mean(-1), spread[:, 3]):
        assert abs(np.corrcoef(typical, other)[0, 1]) < 0.07


def test_tests_are_in_the_tree_under_their_ids(panel_of):
    panel, _ = panel_of(1, 40, 2, seed=3)
    spec = Spec.default(panel, fourier_order=0, trend="piecewise", changepoint_every=10)
    lifts = [
        Lift(name, ("channel 0",), panel.geos, *panel.dates[[at, at + 3, at + 4]].tolist(), 9e3, 2e3, 0.1, usual)
        for name, at in (("spring", 8), ("autumn", 25))
        for usual in [0.5 * panel.spend[:, at : at + 4, :1]]
    ]
    post = prior(panel, spec, draws=30)
    rng = np.random.default_rng(0)
    draws = post.draws | {"lift_spread": rng.uniform(0.1, 1.0, (30, 1)), "lift_bias": rng.standard_normal((30, 2))}
    post = replace(post, draws=draws, provenance=replace(post.provenance, parents=("spring", "autumn")))
    tree, model = to_datatree(post, panel), to_pymc(panel, spec, lifts)
    assert {variable.name for variable in model.free_RVs} <= set(tree["posterior"].data_vars)
    assert list(tree["posterior"]["test"].values) == list(model.coords["test"]) == ["spring", "autumn"]
    np.testing.assert_array_equal(tree["posterior"]["lift_bias"].values[0], draws["lift_bias"])
    bends = [name for name in tree["posterior"]["national_term"].values if "bend" in name]
    assert len(bends) == len(set(bends)) > 1
