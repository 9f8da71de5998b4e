"""What spend causes: closed forms, and the panel response against a plain loop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measurement.simulate import ChannelTruth, Response, adstock, adstock_weights, hill
from measurement.simulate.media import calibrated


def test_geometric_weights_halve():
    assert adstock_weights(0.5, 3) == pytest.approx([4 / 7, 2 / 7, 1 / 7])


def test_delayed_weights_peak_where_told():
    weights = adstock_weights(0.6, 6, peak=2.0)
    assert weights == pytest.approx(
        np.array([0.6 ** ((lag - 2) ** 2) for lag in range(6)]) / sum(0.6 ** ((lag - 2) ** 2) for lag in range(6))
    )
    assert weights.argmax() == 2


@given(decay=st.floats(0.05, 0.95), l_max=st.integers(1, 20), peak=st.floats(0, 3))
def test_weights_are_shares(decay, l_max, peak):
    weights = adstock_weights(decay, l_max, peak)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()


def test_one_burst_is_spread_as_the_weights_say():
    exposure = np.zeros((1, 8, 1))
    exposure[0, 2] = 10.0
    carried = adstock(exposure, adstock_weights(0.5, 3)[:, None])
    assert carried[0, :, 0] == pytest.approx([0, 0, 40 / 7, 20 / 7, 10 / 7, 0, 0, 0])


def test_hill_closed_form():
    assert hill(np.array([0.0, 2.0, 4.0]), 2.0, 1.0) == pytest.approx([0.0, 0.5, 2 / 3])
    assert hill(np.array([4.0]), 2.0, 3.0) == pytest.approx([8 / 9])


def _response(history=0):
    rng = np.random.default_rng(4)
    return Response(
        weights=np.stack([adstock_weights(0.6, 4), np.append(adstock_weights(0.2, 3), 0.0)], axis=1),
        half_saturation=np.array([0.02, 0.05]),
        slope=np.array([1.3, 0.9]),
        strength=rng.uniform(0.1, 0.3, (3, 2)),
        population=np.array([1e5, 2e5, 5e4]),
        history=rng.uniform(500, 5_000, (3, history, 2)),
    )


@pytest.mark.parametrize("history", [0, 3])
def test_effects_equal_a_plain_loop(history):
    response = _response(history)
    spend = np.random.default_rng(5).uniform(0, 8_000, (3, 12, 2))
    spend[:, 4:6, 0] = 0.0
    before = [list(map(list, response.history[:, h])) for h in range(history)]

    def level(panel):
        series = np.concatenate([np.array(before).transpose(1, 0, 2), panel], axis=1) if history else panel
        out = np.zeros_like(panel)
        for g in range(3):
            for t in range(12):
                for c in range(2):
                    carried = sum(
                        response.weights[lag, c] * series[g, history + t - lag, c] / response.population[g]
                        for lag in range(4)
                        if history + t - lag >= 0
                    )
                    raised = carried ** response.slope[c]
                    curve = raised / (raised + response.half_saturation[c] ** response.slope[c])
                    out[g, t, c] = response.strength[g, c] * response.population[g] * curve
        return out

    assert response.effects(spend) == pytest.approx(level(spend) - level(np.zeros_like(spend)), rel=1e-12)
    assert response.left_over(12) == pytest.approx(level(np.zeros_like(spend)), rel=1e-12)


def test_calibration_reaches_the_wanted_iroas():
    rng = np.random.default_rng(1)
    spend = rng.uniform(100, 900, (2, 30, 2))
    channels = (ChannelTruth("a", iroas=2.5, l_max=3), ChannelTruth("b", iroas=0.4, decay=0.7, peak=1.0))
    response = calibrated(channels, spend, spend[:, :0], np.array([1e4, 3e4]), np.ones((2, 2)))
    assert response.effects(spend).sum(axis=(0, 1)) / spend.sum(axis=(0, 1)) == pytest.approx([2.5, 0.4])


def test_half_saturation_is_reached_at_the_stated_multiple_of_the_mean_spend():
    spend = np.full((1, 40, 1), 500.0)
    channel = ChannelTruth("a", half_saturation=2.0, slope=1.7, l_max=1)
    response = calibrated((channel,), spend, spend[:, :0], np.array([1e4]), np.ones((1, 1)))
    at_half = response.effects(2.0 * spend)
    endless = response.effects(1e9 * spend)
    assert at_half[0, -1, 0] / endless[0, -1, 0] == pytest.approx(0.5)
    assert math.isclose(endless[0, -1, 0], response.strength[0, 0] * 1e4, rel_tol=1e-9)
