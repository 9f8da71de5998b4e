"""Panels and posteriors for the MMM's tests, made here so that the tests need no simulator."""

from collections.abc import Callable

import numpy as np
import pytest

from measurement.mmm.diagnostics import Diagnostics
from measurement.mmm.noise import Noise
from measurement.mmm.posterior import Posterior
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import Spec
from measurement.panel import Panel
from measurement.provenance import Provenance


def hill(x, half, slope):
    return x**slope / (x**slope + half**slope)


def make_panel(
    geos: int = 1,
    periods: int = 78,
    channels: int = 2,
    seed: int = 0,
    roi: float = 1.5,
    noise: float = 0.02,
    smooth: bool = False,
) -> tuple[Panel, np.ndarray]:
    """A panel whose effects are Hill of geometric adstock, and the true iROAS of each channel."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0, 0.5, geos)) if geos > 1 else np.ones(1)
    pulses = rng.gamma(1.2, 1.0, (geos, periods, channels)) * (rng.random((geos, periods, channels)) < 0.8)
    if smooth:  # spend that wanders like demand does, with no pulses to tell them apart
        pulses = np.exp(0.3 * np.cumsum(rng.standard_normal((geos, periods, channels)), axis=1) / periods**0.25)
    spend = 3_000.0 * size[:, None, None] * pulses
    decay = 0.5 ** np.arange(8)
    carried = sum(
        np.pad(pulses, ((0, 0), (lag, 0), (0, 0)))[:, :periods] * weight
        for lag, weight in enumerate(decay / decay.sum())
    )
    effect = size[:, None, None] * hill(carried, 1.5, 1.2)
    effect *= roi * spend.sum((0, 1)) / effect.sum((0, 1))
    time = np.arange(periods)
    base = 1 + 0.1 * np.sin(2 * np.pi * time / 52.18) + 0.05 * time / periods
    own = 100_000.0 * size[:, None] * (base + noise * rng.standard_normal((geos, periods)))
    names = tuple(f"geo {g}" for g in range(geos)) if geos > 1 else ("national",)
    panel = Panel(
        dates=np.datetime64("2023-01-02") + 7 * np.arange(periods),
        geos=names,
        channels=tuple(f"channel {c}" for c in range(channels)),
        spend=spend,
        exposure=spend,
        kpis={"revenue": own + effect.sum(-1)},
        kpi="revenue",
        population=1e6 * size if geos > 1 else None,
    )
    return panel, effect.sum((0, 1)) / spend.sum((0, 1))


def make_posterior(panel: Panel, spec: Spec | None = None, draws: int = 40, seed: int = 0) -> Posterior:
    """A posterior of random draws: for everything that reads one and does not care how it came about."""
    rng = np.random.default_rng(seed)
    geos, _, channels = panel.shape
    shape = (draws, channels)
    values = {
        "decay": rng.uniform(0.1, 0.8, shape),
        "delay": rng.uniform(0.1, 0.9, shape),
        "weibull_shape": rng.uniform(0.7, 2.5, shape),
        "weibull_scale": rng.uniform(1.0, 4.0, shape),
        "half_saturation": rng.uniform(0.5, 3.0, shape),
        "slope": rng.uniform(0.8, 1.8, shape),
        "coefficient": rng.uniform(0.05, 0.2, (*shape, geos)),
        "sigma": rng.uniform(0.01, 0.03, draws),
    }
    return Posterior(
        draws=values,
        chains=2,
        channels=panel.channels,
        geos=panel.geos,
        spec=spec or Spec.default(panel),
        scales=Scales.of(panel),
        counts=np.ones((geos, panel.shape[1])),
        usual=np.ones((geos, panel.shape[1])),
        noise=Noise(0.02, 0.8, 0.6, 0.2 * (geos > 1), 0.03, 0.02, np.linspace(0.8, 1.2, geos)),
        diagnostics=Diagnostics(True, 1.0, 1000.0, 0, draws, 10.0, 1.0, 0.5, ()),
        provenance=Provenance(panel.sha256, seed=seed),
    )


@pytest.fixture(scope="session")
def panel_of() -> Callable[..., tuple[Panel, np.ndarray]]:
    return make_panel


@pytest.fixture(scope="session")
def posterior_of() -> Callable[..., Posterior]:
    return make_posterior
