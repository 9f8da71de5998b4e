"""Transforms: closed forms, bounds, and gradients against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measurement.mmm import fast_forms
from measurement.mmm.fast_forms import FAST
from measurement.mmm.transforms import SATURATIONS, adstock_weights, lagged, log_elasticity, saturate

FULL = np.ones((1, 6), dtype=bool)


def weights(decay, delay=0.0, delayed=False, present=FULL):
    return adstock_weights(np.array([decay]), np.array([delay]), np.array([delayed]), present)[0]


def test_geometric_weights_are_powers_of_the_decay():
    expected = 0.6 ** np.arange(6)
    np.testing.assert_allclose(weights(0.6), expected / expected.sum(), rtol=1e-12)


def test_delayed_weights_peak_at_the_delay():
    expected = 0.6 ** ((np.arange(6) - 2.0) ** 2)
    got = weights(0.6, 2.0, True)
    np.testing.assert_allclose(got, expected / expected.sum(), rtol=1e-12)
    assert got.argmax() == 2


def test_one_lag_is_no_carry_over():
    present = np.arange(6) < 1
    np.testing.assert_array_equal(weights(0.9, present=present[None]), [1, 0, 0, 0, 0, 0])


@given(decay=st.floats(0.001, 0.999), delay=st.floats(0, 4), delayed=st.booleans(), l_max=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_weights_sum_to_one_and_stay_within_l_max(decay, delay, delayed, l_max):
    present = (np.arange(6) < l_max)[None]
    got = weights(decay, delay, delayed, present)
    assert got.sum() == pytest.approx(1.0)
    assert (got[l_max:] == 0).all()
    assert (got >= 0).all()


def test_hill_and_logistic_closed_forms():
    x = np.array([0.0, 0.5, 2.0])
    np.testing.assert_allclose(SATURATIONS["hill"](x, 1.5, 1.3), x**1.3 / (x**1.3 + 1.5**1.3), rtol=1e-12)
    rate = np.log(3.0) / 1.5
    logistic = (1 - np.exp(-rate * x)) / (1 + np.exp(-rate * x))
    np.testing.assert_allclose(SATURATIONS["logistic"](x, 1.5, 1.3), logistic, rtol=1e-12)


@pytest.mark.parametrize("form", ["hill", "logistic"])
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


@pytest.mark.parametrize("form", ["hill", "logistic", "none"])
def test_elasticity_is_the_slope_on_log_scales(form):
    half, slope = np.array([0.4, 1.5, 30.0]), np.array([0.8, 1.3, 2.0])
    up, down = (np.log(SATURATIONS[form](np.full(3, x), half, slope)) for x in (1 + 1e-6, 1 - 1e-6))
    got = log_elasticity((form,), np.zeros(3), half, slope)
    np.testing.assert_allclose(np.exp(got), (up - down) / 2e-6, rtol=1e-6)


def test_lag_tensor_shifts_and_starts_at_zero():
    got = lagged(np.arange(1.0, 5.0)[None, None], 3)[0, :, 0]
    np.testing.assert_array_equal(got, [[1, 2, 3, 4], [0, 1, 2, 3], [0, 0, 1, 2]])


@pytest.mark.parametrize("form", ["hill", "logistic", "none"])
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
    present = np.arange(6) < np.array([[6], [4]])
    delayed = np.array([False, True])
    scores = np.linspace(-1, 2, 12).reshape(2, 6)
    with jax.enable_x64(True):

        def total(decay, delay):
            return (adstock_weights(decay, delay, delayed, present) * scores).sum()

        decay, delay = jnp.array([0.3, 0.8]), jnp.array([0.0, 1.4])
        gradients = jax.grad(total, argnums=(0, 1))(decay, delay)
        for c in range(2):
            unit = np.eye(2)[c] * 1e-6
            by_decay = (total(decay + unit, delay) - total(decay - unit, delay)) / 2e-6
            by_delay = (total(decay, delay + unit) - total(decay, delay - unit)) / 2e-6
            assert gradients[0][c] == pytest.approx(float(by_decay), rel=1e-6)
            assert gradients[1][c] == pytest.approx(float(by_delay), rel=1e-6, abs=1e-9)
