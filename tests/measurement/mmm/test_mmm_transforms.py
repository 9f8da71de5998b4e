"""Transforms: closed forms, bounds, and gradients against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measurement.mmm import fast_forms
from measurement.mmm.fast_forms import FAST
from measurement.mmm.transforms import (
    ADSTOCKS,
    SATURATIONS,
    Forms,
    Kinds,
    adstock_weights,
    lagged,
    log_elasticity,
    respond,
    saturate,
)

FULL = np.ones((1, 6), dtype=bool)


def forms(*adstocks, present=FULL, saturations=(), first=()):
    count = len(adstocks)
    return Forms(
        carry=np.array([ADSTOCKS.index(name) for name in adstocks]),
        peak=np.full(count, 4.0),
        present=np.broadcast_to(present, (count, present.shape[-1])),
        code=np.array([list(SATURATIONS).index(name) for name in saturations or ["none"] * count]),
        first=np.array(first or [False] * count),
    )


def weights(decay, delay=0.0, adstock="geometric", present=FULL, shape=1.0, scale=1.0):
    values = {"decay": decay, "delay": delay / 4.0, "weibull_shape": shape, "weibull_scale": scale}
    arrays = {name: np.array([value]) for name, value in values.items()}
    return adstock_weights(Kinds((adstock,), ("none",)), forms(adstock, present=present), arrays)[0]


def test_geometric_weights_are_powers_of_the_decay():
    expected = 0.6 ** np.arange(6)
    np.testing.assert_allclose(weights(0.6), expected / expected.sum(), rtol=1e-12)


def test_delayed_weights_peak_at_the_delay():
    expected = 0.6 ** ((np.arange(6) - 2.0) ** 2)
    got = weights(0.6, 2.0, "delayed")
    np.testing.assert_allclose(got, expected / expected.sum(), rtol=1e-12)
    assert got.argmax() == 2


@pytest.mark.parametrize(("shape", "scale"), [(0.6, 2.0), (1.0, 3.0), (2.5, 3.0), (9.0, 40.0), (9.0, 0.05)])
def test_weibull_weights_are_its_density_at_the_lags(shape, scale):
    from scipy.stats import weibull_min

    log_density = weibull_min(shape, scale=scale).logpdf(np.arange(1.0, 7.0))
    expected = np.exp(log_density - log_density.max())
    np.testing.assert_allclose(
        weights(0.5, adstock="weibull", shape=shape, scale=scale), expected / expected.sum(), rtol=1e-9, atol=1e-300
    )


def test_binomial_weights_reach_zero_where_the_carry_over_ends():
    expected = (1 - np.arange(4) / 4) ** (1 / 0.3 - 1)
    got = weights(0.3, adstock="binomial", present=np.arange(6)[None] < 4)
    np.testing.assert_allclose(got, [*(expected / expected.sum()), 0, 0], rtol=1e-12)


def test_each_channel_gets_its_own_carry_over():
    values = {
        "decay": np.full(4, 0.5),
        "delay": np.full(4, 0.5),
        "weibull_shape": np.full(4, 2.0),
        "weibull_scale": np.full(4, 2.0),
    }
    names = ("weibull", "geometric", "binomial", "delayed")
    got = adstock_weights(Kinds(tuple(sorted(names)), ("none",)), forms(*names), values)
    for name, row in zip(names, got, strict=True):
        np.testing.assert_allclose(row, weights(0.5, 2.0, name, shape=2.0, scale=2.0), rtol=1e-12)


@pytest.mark.parametrize("xp", [np, jnp])
def test_the_order_is_each_channels_own(xp):
    """One channel carries over and then saturates, the other the other way round; both by hand."""
    x = np.array([[[1.0, 3.0, 0.0, 2.0]], [[1.0, 3.0, 0.0, 2.0]]])
    names = ("geometric", "geometric")
    mixed = forms(*names, present=np.ones((1, 2), dtype=bool), saturations=("hill", "hill"), first=[False, True])
    values = {"decay": [0.5, 0.5], "half_saturation": [1.5, 1.5], "slope": [1.0, 1.0]}
    with jax.enable_x64(True):
        arrays = {name: xp.asarray(value) for name, value in values.items()}
        got = respond(Kinds(("geometric",), ("hill",), (False, True)), mixed, arrays, xp.asarray(lagged(x, 2)))

    def hill(v):
        return v / (v + 1.5)

    def carry(v):
        return (2 * v + np.append(0.0, v[:-1])) / 3

    np.testing.assert_allclose(got[0, 0], hill(carry(x[0, 0])), rtol=1e-12)
    np.testing.assert_allclose(got[1, 0], carry(hill(x[1, 0])), rtol=1e-12)


def test_one_lag_is_no_carry_over():
    present = np.arange(6) < 1
    np.testing.assert_array_equal(weights(0.9, present=present[None]), [1, 0, 0, 0, 0, 0])


@given(
    decay=st.floats(0.001, 0.999),
    delay=st.floats(0, 4),
    adstock=st.sampled_from(ADSTOCKS),
    l_max=st.integers(1, 6),
    shape=st.floats(0.1, 20),
    scale=st.floats(0.05, 50),
)
@settings(max_examples=100, deadline=None)
def test_weights_sum_to_one_and_stay_within_l_max(decay, delay, adstock, l_max, shape, scale):
    present = (np.arange(6) < l_max)[None]
    got = weights(decay, delay, adstock, present, shape, scale)
    assert got.sum() == pytest.approx(1.0)
    assert (got[l_max:] == 0).all()
    assert (got >= 0).all()


def test_hill_and_logistic_closed_forms():
    x = np.array([0.0, 0.5, 2.0])
    np.testing.assert_allclose(SATURATIONS["hill"](x, 1.5, 1.3), x**1.3 / (x**1.3 + 1.5**1.3), rtol=1e-12)
    rate = np.log(3.0) / 1.5
    logistic = (1 - np.exp(-rate * x)) / (1 + np.exp(-rate * x))
    np.testing.assert_allclose(SATURATIONS["logistic"](x, 1.5, 1.3), logistic, rtol=1e-12)


def test_exponential_and_root_closed_forms():
    x = np.array([0.0, 0.5, 2.0])
    np.testing.assert_allclose(SATURATIONS["exponential"](x, 1.5, 1.0), 1 - 0.5 ** (x / 1.5), rtol=1e-12)
    np.testing.assert_allclose(SATURATIONS["root"](x, 1.0, 0.4), x**0.4, rtol=1e-12)


@pytest.mark.parametrize("form", ["hill", "logistic", "exponential", "michaelis_menten", "tanh"])
@given(half=st.floats(0.1, 10), slope=st.floats(0.3, 4), x=st.floats(0, 50), step=st.floats(1e-3, 10))
@settings(max_examples=60, deadline=None)
def test_saturation_is_zero_at_zero_half_at_half_and_increasing(form, half, slope, x, step):
    at = SATURATIONS[form]
    low, high = at(np.array([x, x + step]), half, slope)
    assert at(np.array(0.0), half, slope) == 0
    assert at(np.array(half), half, slope) == pytest.approx(0.5)
    assert low <= high <= 1.0


def test_each_channel_gets_its_own_form():
    code = np.array([list(SATURATIONS).index(kind) for kind in ("none", "hill", "logistic")])[:, None]
    x = np.array([[0.0, 2.0]] * 3)
    got = saturate(("hill", "logistic", "none"), code, x, 1.0, 1.0)
    np.testing.assert_allclose(got[:, 1], [2.0, 2 / 3, 0.8], rtol=1e-12)


@pytest.mark.parametrize("form", list(SATURATIONS))
def test_elasticity_is_the_slope_on_log_scales(form):
    half, slope = np.array([0.4, 1.5, 30.0]), np.array([0.8, 1.3, 2.0])
    up, down = (np.log(SATURATIONS[form](np.full(3, x), half, slope)) for x in (1 + 1e-6, 1 - 1e-6))
    got = log_elasticity((form,), np.zeros(3), half, slope)
    np.testing.assert_allclose(np.exp(got), (up - down) / 2e-6, rtol=1e-6)


def test_lag_tensor_shifts_and_starts_at_zero():
    got = lagged(np.arange(1.0, 5.0)[None, None], 3)[0, :, 0]
    np.testing.assert_array_equal(got, [[1, 2, 3, 4], [0, 1, 2, 3], [0, 0, 1, 2]])


@pytest.mark.parametrize("form", list(SATURATIONS))
def test_engine_forms_have_the_same_values_and_the_right_gradient(form):
    x = np.array([[0.0, 0.3, 2.0], [0.05, 1.0, 9.0]])
    half, slope = np.array([[0.7], [1.6]]), np.array([[0.8], [1.9]])
    with jax.enable_x64(True):
        np.testing.assert_allclose(FAST[form](jnp.array(x), half, slope), SATURATIONS[form](x, half, slope), rtol=1e-12)

        def total(x, half, slope):
            return (FAST[form](x, half, slope) * jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).sum()

        arguments = (jnp.array(x), jnp.array(half), jnp.array(slope))
        gradients = jax.grad(total, argnums=(0, 1, 2))(*arguments)
        for i, gradient in enumerate(gradients):
            assert np.isfinite(gradient).all()
            for place in np.ndindex(gradient.shape):
                if i == 0 and x[place] == 0:
                    continue  # the one-sided slope at 0 is not what a model without spend needs
                values = []
                for step in (1e-6, -1e-6):
                    moved = [np.array(argument) for argument in arguments]
                    moved[i][place] += step
                    values.append(float(total(*map(jnp.array, moved))))
                assert gradient[place] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-7)


def test_the_engines_logarithm_is_the_logarithm():
    x = np.concatenate([np.geomspace(1e-200, 1e200, 4001), 1 + np.linspace(-1e-3, 1e-3, 1001), [2**0.5, 0.5**0.5]])
    with jax.enable_x64(True):
        np.testing.assert_allclose(fast_forms.log(jnp.array(x)), np.log(x), rtol=1e-15, atol=1e-16)


def test_gradient_of_adstock_matches_finite_differences():
    names = ("geometric", "delayed", "weibull", "binomial")
    present = np.arange(6) < np.array([[6], [4], [6], [5]])
    mixed = forms(*names)._replace(present=present)
    scores = np.linspace(-1, 2, 24).reshape(4, 6)
    at = {
        "decay": np.array([0.3, 0.8, 0.5, 0.4]),
        "delay": np.array([0.0, 0.35, 0.2, 0.1]),
        "weibull_shape": np.array([1.0, 2.0, 1.7, 0.7]),
        "weibull_scale": np.array([1.0, 2.0, 2.3, 0.7]),
    }
    with jax.enable_x64(True):

        def total(values):
            return (adstock_weights(Kinds(tuple(sorted(names)), ("none",)), mixed, values) * scores).sum()

        gradients = jax.grad(total)({name: jnp.array(value) for name, value in at.items()})
        for name, value in at.items():
            for c in range(4):
                unit = np.eye(4)[c] * 1e-6
                up, down = (float(total(at | {name: value + step})) for step in (unit, -unit))
                assert gradients[name][c] == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-9)
