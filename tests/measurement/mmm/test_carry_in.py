"""What the spend before a panel still brings: the columns for it have the prior's own second moment, and hold it."""

import numpy as np
import pytest

from measurement.mmm.carry_in import carry_in_columns
from measurement.mmm.design_matrix import design_of
from measurement.mmm.effect_size import raw_prior
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import Spec

TIGHT = {"median": 1.0, "low": 0.6, "high": 1.6}


def tail_of(decay: np.ndarray, l_max: int) -> np.ndarray:
    """Share of an effect that lands later than 0, 1, ... periods after its spend, by hand."""
    weights = decay[:, None] ** np.arange(l_max)
    return 1.0 - np.cumsum(weights / weights.sum(1, keepdims=True), axis=1)[:, :-1]


def test_columns_have_the_second_moment_of_draws_from_the_prior(panel_of):
    panel, _ = panel_of(1, 60, 3)
    own = {"channel 0": {"roi": TIGHT}, "channel 1": {"roi": TIGHT, "l_max": 4}, "channel 2": {"contribution": TIGHT}}
    spec = Spec.default(panel, channels=own)
    rng, draws = np.random.default_rng(1), 200_000
    mean, sd = raw_prior(spec, panel)
    missing = np.zeros((draws, 60))
    for c, name in enumerate(panel.channels):
        centre, spread = spec.channels[name].decay.normal
        decay = 1 / (1 + np.exp(-centre - spread * rng.standard_normal(draws)))
        tail = tail_of(decay, spec.channels[name].l_max)
        missing[:, : tail.shape[1]] += np.exp(mean[c] + sd[c] * rng.standard_normal(draws))[:, None] * tail
    columns = carry_in_columns(spec, panel)
    np.testing.assert_allclose(columns @ columns.T, missing.T @ missing / draws, atol=0.01 * (missing**2).mean(0).max())


@pytest.mark.parametrize("decay", [0.4, 0.8])
def test_columns_hold_the_carry_over_of_every_likely_decay(panel_of, decay):
    panel, _ = panel_of(1, 60, 2)
    columns = carry_in_columns(Spec.default(panel), panel)
    missing = np.zeros(60)
    missing[:7] = 0.1 * tail_of(np.array([decay]), 8)[0]
    gram = columns.T @ columns + 0.02**2 * np.eye(columns.shape[1])  # noise of 2 % of the KPI
    left = missing - columns @ np.linalg.solve(gram, columns.T @ missing)
    assert np.abs(left).max() < 0.25 * missing.max()


def test_columns_end_with_the_carry_over_and_are_part_of_the_baseline(panel_of):
    panel, _ = panel_of(2, 60, 2)
    spec = Spec.default(panel, channels={"channel 0": {"l_max": 5}, "channel 1": {"l_max": 3}})
    design = design_of(spec, panel, Scales.of(panel))
    found = [k for k, (term, name) in enumerate(design.national_labels) if name.startswith("carry-in")]
    assert {design.national_labels[k][0] for k in found} == {"baseline"}
    assert design.national[:4, found].any(1).all()
    assert not design.national[4:, found].any()
    without = Spec.default(panel, channels={name: {"adstock": "none"} for name in panel.channels})
    assert carry_in_columns(without, panel).shape == (60, 0)
    assert (
        carry_in_columns(Spec.default(panel, channels={n: {"l_max": 400} for n in panel.channels}), panel).shape[0]
        == 60
    )
