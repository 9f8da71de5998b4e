"""The PyMC model is the fast engine's model: equal log-densities, and what can be done with it."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

pm = pytest.importorskip("pymc")

from pytensor.compile.mode import Mode  # noqa: E402

from measurement.lift import Lift  # noqa: E402
from measurement.mmm.density import explicit, log_density_fn, media  # noqa: E402
from measurement.mmm.design_matrix import design_of  # noqa: E402
from measurement.mmm.dims import SIZE_NAMES, demand_root, sized  # noqa: E402
from measurement.mmm.effect_size import money_per_share  # noqa: E402
from measurement.mmm.noise import local_precision  # noqa: E402
from measurement.mmm.prepare import prepare  # noqa: E402
from measurement.mmm.priors import standardised, unpack  # noqa: E402
from measurement.mmm.pymc_model import to_pymc  # noqa: E402
from measurement.mmm.spec import Spec  # noqa: E402

PLAIN = Mode("py", "fast_compile")  # no compiler: a density is wanted a few times only
LINEAR = ("demand_shock", "national_coefficient", "local_coefficient", "cell_coefficient")
PRIOR = {"median": 0.3, "low": 0.1, "high": 0.9}


def lift_of(panel, name, channel, start, length, change=9e3, **fields) -> Lift:
    c = panel.channels.index(channel)
    dates = panel.dates[[start, start + length - 1, start + length + 1]].tolist()
    usual = 0.4 * panel.spend[:1, start : start + length, c : c + 1]
    return Lift(name, (channel,), panel.geos[:1], *dates, change, 2e3, 0.15, usual, **fields)


def national(panel_of):
    panel, _ = panel_of(1, 40, 2, seed=3)
    return panel, Spec.default(panel, trend="piecewise", changepoint_every=10, fourier_order=1), ()


def geo_with_a_test(panel_of):
    panel, _ = panel_of(3, 40, 2, seed=3)
    return panel, Spec.default(panel, fourier_order=1), (lift_of(panel, "t", "channel 1", 20, 5),)


def carry_overs(panel_of):
    panel, _ = panel_of(1, 60, 5, seed=3)
    kinds = ("geometric", "delayed", "weibull", "binomial", "none")
    own = {f"channel {c}": {"adstock": kind, "l_max": 5 + c} for c, kind in enumerate(kinds)}
    return panel, Spec.default(panel, channels=own, fourier_order=1), ()


def saturations(panel_of):
    """Every form, the priors about marginal ROI: forms and their derivatives."""
    panel, _ = panel_of(2, 40, 7, seed=3)
    kinds = ("hill", "logistic", "exponential", "michaelis_menten", "tanh", "root", "none")
    orders = ("adstock_first", "saturation_first")
    own = {f"channel {c}": {"saturation": kind, "order": orders[c % 2], "mroi": PRIOR} for c, kind in enumerate(kinds)}
    lifts = (lift_of(panel, "a", "channel 0", 10, 3), lift_of(panel, "b", "channel 5", 20, 3))
    return panel, Spec.default(panel, channels=own, fourier_order=0, likelihood="normal"), lifts


def four_kinds_of_prior(panel_of):
    panel, _ = panel_of(3, 50, 4, seed=3)
    forms = [{}, {"order": "saturation_first", "saturation": "exponential"}, {"saturation": "root"}, {}]
    own = {f"channel {c}": {kind: PRIOR} | forms[c] for c, kind in enumerate(SIZE_NAMES)}
    return panel, Spec.default(panel, channels=own, fourier_order=1), ()


def organic_treatments_and_holidays(panel_of):
    panel, _ = panel_of(2, 40, 2, seed=3)
    spend = panel.spend.copy()
    spend[..., 1] = 0.0
    controls = np.random.default_rng(1).normal(10.0, 2.0, (2, 40, 2))
    panel = replace(panel, spend=spend, controls=controls, control_names=("price", "weather"))
    own = {"channel 0": {"demand_driven": "strong"}, "channel 1": {"organic": True, "demand_driven": "no"}}
    treatments = {"price": {"baseline": "max", "effect": 0.3}}
    holidays = {"geo 0": ("DE-BY",), "*": ("DE",)}
    return panel, Spec.default(panel, channels=own, treatments=treatments, fourier_order=1, holidays=holidays), ()


def shared_spread_of_tests(panel_of):
    panel, _ = panel_of(1, 50, 2, seed=3)
    outside = Lift(
        "market",
        ("channel 0",),
        (),
        *panel.dates[[5, 8, 8]].tolist(),
        -2e3,
        3e3,
        0.3,
        np.full((1, 4, 1), 9e3),
        actual_spend=np.zeros((1, 4, 1)),
        market_share=0.3,
        carry_in="steady_state",
        cooldown_periods=2,
    )
    lifts = (
        lift_of(panel, "a", "channel 0", 10, 4),
        lift_of(panel, "b", "channel 0", 30, 6, -4e3),
        lift_of(panel, "alone", "channel 1", 20, 4),
        outside,
    )
    return panel, Spec.default(panel, mask_tests="yes", fourier_order=1), lifts


def effects_that_vary(panel_of):
    """Two of three channels, one with a prior of its marginal ROI, and tests in and outside the panel."""
    panel, _ = panel_of(2, 50, 3, seed=3)
    own = {"channel 0": {"varies": "slow"}, "channel 2": {"varies": "slow", "mroi": PRIOR}}
    outside = replace(
        lift_of(panel, "market", "channel 0", 40, 5),
        geos=(),
        counterfactual_spend=np.full((1, 5, 1), 9e3),
        actual_spend=np.zeros((1, 5, 1)),
        carry_in="cold_start",
    )
    lifts = (lift_of(panel, "a", "channel 2", 10, 4), outside)
    return panel, Spec.default(panel, channels=own, fourier_order=1), lifts


def cells_of_one_test(panel_of):
    """Two cells with one joint error, one of them in a part of its geo, and a test of its own."""
    panel, _ = panel_of(3, 40, 2, seed=3)
    lifts = (
        lift_of(panel, "a", "channel 0", 20, 4, part=0.5, cell_of="both", correlations=(("b", 0.4),)),
        lift_of(panel, "alone", "channel 1", 10, 4),
        lift_of(panel, "b", "channel 1", 20, 4, -4e3, cell_of="both"),
    )
    return panel, Spec.default(panel, fourier_order=1), lifts


CASES = (
    national,
    geo_with_a_test,
    carry_overs,
    saturations,
    four_kinds_of_prior,
    organic_treatments_and_holidays,
    shared_spread_of_tests,
    effects_that_vary,
    cells_of_one_test,
)


def point_of(ready, panel, spec, raw) -> dict[str, np.ndarray]:
    """The fast engine's parameters on their links' scale, under the names of PyMC's unconstrained values."""
    point: dict[str, Any] = {}
    for name, shape in ready.layout.sizes.items():
        at = ready.layout.start(name)
        block = raw[at : at + int(np.prod(shape, dtype=int))].reshape(shape)
        if name == "log_contribution":
            money = np.log(money_per_share(panel))
            for kind, (_, places) in sized(panel, spec).items():
                shift = money[places] if kind in ("roi", "mroi") else 0.0
                point[f"{SIZE_NAMES[kind]}_log__"] = block[places] + shift
        else:
            link = {"decay": "_logodds__", "delay": "_logodds__", "geo_effect": "", "lift_bias": "", "drift_step": ""}
            point[name + link.get(name, "_log__")] = block
    return point


def conditional_precision(ready, design, sigma) -> np.ndarray:
    """Inverse covariance of demand shocks and linear terms given the media and the data, written out."""
    data, demand = ready.data, sigma * demand_root(ready.noise, ready.counts.shape[1])
    columns = np.concatenate([np.tile(demand, (ready.layout.geos, 1)), design.matrix()], axis=1).T
    near = local_precision(data.own, data.lag, columns.reshape(-1, *ready.counts.shape))[0].reshape(columns.shape)
    return np.eye(len(columns)) + columns @ near.T / sigma**2


@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_log_density_is_that_of_the_fast_engine(build: Callable[..., Any], panel_of):
    """With linear terms and demand integrated out of the PyMC model, by its own value and gradient at zero."""
    panel, spec, lifts = build(panel_of)
    ready = prepare(panel, spec, lifts, pad=False)
    design = design_of(spec, panel, ready.scales, ready.noise, ready.usual)
    model = to_pymc(panel, spec, lifts)
    linear = [model[name] for name in LINEAR if name in model.named_vars]
    run = model.compile_fn([model.logp(), model.dlogp(vars=linear)], inputs=model.value_vars, mode=PLAIN, point_fn=True)
    unit = ready.scales.size[:, None] * ready.scales.outcome
    layout, data = ready.layout, ready.data
    with jax.enable_x64(True):
        fast = jax.jit(log_density_fn(layout))
        for seed in range(2):
            rng = np.random.default_rng(seed)
            z = 0.7 * rng.standard_normal(layout.dimension)
            raw = data.prior_mean + data.prior_sd * standardised(
                layout, data.forms.code, data.prior_mean, data.prior_sd, z
            )
            shapes = {name: model.initial_point()[name].shape for name in LINEAR if name in model.named_vars}
            point = point_of(ready, panel, spec, raw)
            assert point.keys() | shapes.keys() == {value.name for value in model.value_vars}
            value, gradient = run(point | {name: np.zeros(shape) for name, shape in shapes.items()})
            precision = conditional_precision(ready, design, np.exp(raw[layout.start("sigma")]))
            moved = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
            flat = np.concatenate([each.ravel() for each in moved.values()])
            quadratic = value + gradient @ flat - 0.5 * flat @ precision @ flat
            assert run(point | moved)[0] == pytest.approx(quadratic, rel=1e-9, abs=1e-6)
            free, log_det = len(flat), np.linalg.slogdet(precision)[1]
            integrated = value + 0.5 * gradient @ np.linalg.solve(precision, gradient)
            integrated += 0.5 * free * np.log(2 * np.pi) - 0.5 * log_det
            expected = float(fast(z, data)) - 0.5 * layout.dimension * np.log(2 * np.pi) - np.log(data.prior_sd).sum()
            expected -= (ready.counts * np.log(unit)).sum()
            assert integrated == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("likelihood", ["student_t", "negative_binomial"])
@pytest.mark.parametrize("geos", [1, 3])
def test_log_density_of_the_full_form_is_that_of_the_fast_engine(geos: int, likelihood: str, panel_of):
    """At the same linear terms and demand, the fast engine's change of variables taken off; masked cells on geos."""
    panel, _ = panel_of(geos, 30, 2, seed=3)
    kpi = panel.outcome
    if likelihood == "negative_binomial":
        kpi = np.random.default_rng(0).poisson(9 * kpi / kpi.mean()).astype(float)
    panel = replace(panel, kpis={"kpi": kpi}, kpi="kpi")
    lifts = (lift_of(panel, "t", "channel 1", 20, 5),) if geos > 1 else ()
    spec = Spec.default(panel, fourier_order=1, likelihood=likelihood)
    ready = prepare(panel, spec, lifts, pad=False)
    model = to_pymc(panel, spec, lifts)
    run = model.compile_fn(model.logp(), inputs=model.value_vars, mode=PLAIN, point_fn=True)
    layout, data = ready.layout, ready.data
    design = design_of(spec, panel, ready.scales, ready.noise, ready.usual)
    unit = ready.scales.size[:, None] * ready.scales.outcome
    with jax.enable_x64(True):

        @jax.jit
        def fast(z):
            raw = data.prior_mean + data.prior_sd * standardised(
                layout, data.forms.code, data.prior_mean, data.prior_sd, z
            )
            values = unpack(layout, raw)
            left = data.outcome - media(layout, data, values)[0]
            found = explicit(layout, data, data.terms, left, values)[1]
            return log_density_fn(layout)(z, data) - found.log_jacobian, found.coefficients, found.demand, raw

        for seed in range(2):
            z = np.random.default_rng(seed).normal(0, 0.7, layout.dimension)
            value, linear, demand, raw = map(np.asarray, fast(z))
            point = point_of(ready, panel, spec, raw)
            for name in ("linear_coordinate_log__", "demand_coordinate_log__"):
                del point[name]
            if "nu_log__" in point:
                point["nu_excess_log__"] = point.pop("nu_log__")
            root = np.exp(raw[layout.start("sigma")]) * demand_root(ready.noise, panel.shape[1])
            point["demand_shock"] = np.linalg.solve(root, demand)
            first, last = design.national.shape[1], len(linear) - len(design.cells)
            point["national_coefficient"] = linear[:first]
            if geos > 1:
                point["local_coefficient"] = linear[first:last].reshape(geos, -1)
                point["cell_coefficient"] = linear[last:]
            assert point.keys() == {value.name for value in model.value_vars}
            expected = value - 0.5 * layout.dimension * np.log(2 * np.pi) - np.log(data.prior_sd).sum()
            if likelihood == "student_t":
                expected -= (ready.counts * np.log(unit)).sum()
            assert run(point) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("likelihood", ["student_t", "negative_binomial"])
def test_drawn_forwards_the_full_form_has_its_likelihoods_spread(likelihood: str, panel_of):
    panel, _ = panel_of(2, 30, 2, seed=3)
    kpi = np.random.default_rng(0).poisson(9 * panel.outcome / panel.outcome.mean()).astype(float)
    panel = replace(panel, kpis={"kpi": kpi}, kpi="kpi")
    spec = Spec.default(panel, fourier_order=1, likelihood=likelihood)
    lifts = (lift_of(panel, "t", "channel 1", 20, 5),)
    ready = prepare(panel, spec, lifts, pad=False)
    model = to_pymc(panel, spec, lifts)
    fixed = {v.name: np.zeros(model.initial_point()[model.rvs_to_values[v].name].shape) for v in model.free_RVs}
    fixed |= {name: np.ones_like(fixed[name]) for name in ("decay", "half_saturation", "slope", "roi", "geo_spread")}
    fixed |= {"decay": np.full(2, 0.5), "sigma": np.array(0.1)}
    fixed |= {name: np.array(6.0) for name in ("nu_excess", "dispersion") if name in fixed}
    drawn = pm.draw(pm.do(model, fixed)["outcome"], draws=800, random_seed=1, mode=PLAIN)
    if likelihood == "student_t":
        spread = 0.1 * (ready.scales.size * ready.scales.outcome * ready.noise.relative)[:, None]
        np.testing.assert_allclose(drawn.var(0).mean(1), (spread**2 * 8 / 6).ravel(), rtol=0.1)
    else:
        mean = drawn.mean(0)
        assert (drawn == np.round(drawn)).all()
        np.testing.assert_allclose(drawn.var(0).mean(1), (mean + mean**2 / 6).mean(1), rtol=0.1)


def test_without_pymc_it_says_what_to_install(panel_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymc", None)
    with pytest.raises(ImportError, match=r"pip install theodolite\[pymc\]"):
        to_pymc(panel_of(1, 40, 2)[0])


def test_drawn_forwards_the_noise_is_that_of_the_likelihood(panel_of):
    """Variance and autocorrelation of each geo's noise, broken at the cells that a test leaves out."""
    panel, spec, lifts = geo_with_a_test(panel_of)
    ready = prepare(panel, spec, lifts, pad=False)
    model = to_pymc(panel, spec, lifts)
    fixed = {
        v.name: np.zeros(s)
        for v, s in ((v, model.initial_point()[model.rvs_to_values[v].name].shape) for v in model.free_RVs)
    }
    fixed |= {name: np.ones_like(fixed[name]) for name in ("decay", "half_saturation", "slope", "roi", "geo_spread")}
    fixed |= {"decay": np.full(2, 0.5), "sigma": np.array(0.1)}
    drawn = pm.draw(pm.do(model, fixed)["outcome"], draws=600, random_seed=1, mode=PLAIN)
    noise = (drawn - drawn.mean(0)) / (0.1 * (ready.scales.size * ready.scales.outcome * ready.noise.relative)[:, None])
    np.testing.assert_allclose((noise**2).mean((0, 2)), 1.0, atol=0.05)
    rho = ready.noise.local_persistence
    assert rho > 0.05
    together = (noise[:, :, 1:] * noise[:, :, :-1]).mean(0)
    linked = np.ones(together.shape, dtype=bool)
    linked[0, 19:27] = False
    assert together[linked].mean() == pytest.approx(rho, abs=0.03)
    assert together[~linked].mean() == pytest.approx(0.0, abs=0.06)


def test_an_intervention_changes_the_effect_and_not_the_coefficients(panel_of):
    """Half the exposure through ``set_data``: the linear channel brings half, the other more than half."""
    panel, _ = panel_of(1, 40, 2, seed=3)
    spec = Spec.default(panel, channels={"channel 0": {"saturation": "none"}}, fourier_order=1)
    model = to_pymc(panel, spec)
    wanted = [model[name] for name in ("coefficient", "contribution", "iroas")]
    run = model.compile_fn(
        model.replace_rvs_by_values(wanted),
        inputs=model.value_vars,
        mode=PLAIN,
        point_fn=True,
        on_unused_input="ignore",
    )
    before = run(model.initial_point())
    with model:
        pm.set_data({"exposure": 0.5 * panel.exposure})
    after = run(model.initial_point())
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[2], after[2])
    ratio = after[1] / before[1]
    assert ratio[0] == pytest.approx(0.5, rel=1e-9)
    assert 0.3 < ratio[1] < 1.0
    assert abs(ratio[1] - 0.5) > 0.01
    np.testing.assert_allclose(before[2], before[1] * panel.kpi_value / panel.spend.sum((0, 1)), rtol=1e-9)
