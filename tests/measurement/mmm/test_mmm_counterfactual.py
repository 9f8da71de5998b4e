"""What is read from a posterior: contributions, iROAS, curves, decomposition, and its bytes."""

import io
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from measurement import mmm
from measurement.errors import DataError, StoreError
from measurement.mmm.spec import Spec


@pytest.fixture(scope="module")
def world(panel_of, posterior_of):
    panel, _ = panel_of(3, 60, 2, seed=6)
    panel = replace(panel, kpi_value=2.0)
    return panel, posterior_of(panel, Spec.default(panel, channels={"channel 1": {"saturation": "none", "l_max": 4}}))


def test_windows_of_a_linear_channel_add_up(world):
    """Without saturation the channel's periods do not interact, so windows sum to the whole."""
    panel, post = world
    cut = str(panel.dates[30])
    before = mmm.contribution(post, panel, end=panel.dates[29].item())
    after = mmm.contribution(post, panel, start=cut)
    whole = mmm.contribution(post, panel)
    np.testing.assert_allclose((before + after)[:, 1], whole[:, 1], rtol=1e-10)
    assert (np.abs(before + after - whole)[:, 0] > 1e-9 * whole[:, 0]).all()  # saturation: here they do
    np.testing.assert_allclose(mmm.effects(post, panel).sum(-1), whole, rtol=1e-12)
    np.testing.assert_allclose(mmm.geo_effects(post, panel).sum(-1), whole, rtol=1e-10)


def test_a_window_is_the_difference_of_two_full_runs(world):
    panel, post = world
    window = slice(20, 26)
    got = mmm.contribution(post, panel, str(panel.dates[20]), str(panel.dates[25]))
    for c in range(2):
        without = panel.exposure.copy()
        without[:, window, c] = 0.0
        change = (mmm.effects(post, panel) - mmm.effects(post, panel, without))[:, c]
        np.testing.assert_allclose(got[:, c], change.sum(-1), rtol=1e-9)
        assert (change[:, :20] == 0).all()
        assert (change[:, 26:] > 0).any()  # carry-over beyond the window counts


def test_ratios_are_money_per_money(world):
    panel, post = world
    spend = panel.spend.sum((0, 1))
    np.testing.assert_allclose(mmm.iroas(post, panel), mmm.contribution(post, panel) * 2.0 / spend, rtol=1e-12)
    average, marginal = mmm.iroas(post, panel), mmm.mroas(post, panel)
    np.testing.assert_allclose(marginal[:, 1], average[:, 1], rtol=1e-9)  # linear: the next unit is like the average
    assert (mmm.mroas(post, panel, step=0.1)[:, 0] < marginal[:, 0]).mean() > 0.9


def test_response_curve_passes_through_what_happened(world):
    panel, post = world
    curve = mmm.response_curve(post, panel, "channel 0", [0.0, 0.5, 1.0, 2.0])
    assert curve.shape == (post.size, 4)
    np.testing.assert_array_equal(curve[:, 0], 0.0)
    np.testing.assert_allclose(curve[:, 2], mmm.contribution(post, panel)[:, 0], rtol=1e-12)
    assert (np.diff(curve, axis=1) > 0).all()
    low, high = mmm.observed_range(panel, "channel 0")
    assert low < 1.0 < high
    with pytest.raises(DataError, match="from 0 upwards"):
        mmm.response_curve(post, panel, "channel 0", [-1.0])


def test_nothing_spent_has_no_ratio(world):
    panel, post = world
    spend = panel.spend.copy()
    spend[:, 10:14, 0] = 0.0
    quiet = replace(panel, spend=spend, exposure=spend)
    got = mmm.iroas(post, quiet, str(panel.dates[10]), str(panel.dates[13]))
    assert np.isnan(got[:, 0]).all()
    assert np.isfinite(got[:, 1]).all()


def test_half_life_of_slow_and_quick_carry_over(world):
    _, post = world
    quick = replace(post, draws=dict(post.draws) | {"decay": np.full_like(post.draws["decay"], 1e-6)})
    np.testing.assert_allclose(mmm.half_life(quick), 0.5, rtol=1e-4)  # half of the first period
    assert (mmm.half_life(post) > 0.5).all()


def test_terms_add_up_to_the_fitted_mean(world):
    panel, post = world
    parts = mmm.decomposition(post, panel)
    assert set(parts) == {"baseline", "seasonality", "confounding", "demand", "media: channel 0", "media: channel 1"}
    np.testing.assert_allclose(sum(parts.values()), mmm.fitted(post, panel), rtol=1e-12)
    np.testing.assert_allclose(mmm.fitted(post, panel).mean(0), panel.outcome.sum(0), rtol=0.2)


def test_another_panel_is_refused(world, panel_of):
    _, post = world
    with pytest.raises(DataError, match="fit it first"):
        mmm.contribution(post, panel_of(2, 60, 2)[0])


def test_bytes_round_trip(world):
    panel, post = world
    raw = post.to_bytes()
    again = mmm.Posterior.from_bytes(raw)
    assert again.to_bytes() == raw
    assert again.spec == post.spec
    assert again.provenance == post.provenance
    assert again.diagnostics == post.diagnostics
    np.testing.assert_array_equal(mmm.iroas(again, panel), mmm.iroas(post, panel))
    np.testing.assert_array_equal(mmm.fitted(again, panel), mmm.fitted(post, panel))


def test_damaged_bytes_are_refused(world):
    _, post = world
    raw = post.to_bytes()
    with pytest.raises(StoreError, match="damaged"):
        mmm.Posterior.from_bytes(raw[: len(raw) // 2])
    with pytest.raises(StoreError, match="damaged"):
        mmm.Posterior.from_bytes(b"not an archive")
    pickled, out = io.BytesIO(), io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(io.BytesIO(raw)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            target.writestr(name, pickled.getvalue() if name == "counts.npy" else source.read(name))
    with pytest.raises(StoreError, match="damaged"):
        mmm.Posterior.from_bytes(out.getvalue())


def test_reading_a_posterior_needs_no_jax():
    code = (
        "import sys; from measurement import mmm; mmm.Posterior, mmm.iroas, mmm.fitted, mmm.Spec, mmm.Sampling;"
        "sys.exit(any(m.split('.')[0] in ('jax', 'numpyro') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
