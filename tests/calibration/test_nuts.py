"""The quasi-random integration against NUTS on the same model, every latent quantity sampled."""

import numpy as np
import pytest

from calibration.evidence_model import Sources
from calibration.evidence_model import Tests as Trials
from calibration.integrate import integrate
from calibration.nuts import by_nuts


@pytest.mark.slow
def test_both_ways_give_the_same_posterior():
    tests = Trials(
        outcome_change=np.array([-60.0, 45.0]),
        std_error=np.array([15.0, 12.0]),
        relative_sd=np.array([0.05, 0.15]),
        test=np.arange(2),
        channel=np.array([0, 1]),
        time=np.array([0.4, 1.2]),
        scale=np.array([-100.0, 40.0]),
        log_scale_cov=0.01 * np.eye(2),
    )
    sources = Sources(
        times=np.array([0.25, 0.75, 1.25]),
        spend_share=np.full((4, 3), 1 / 3),
        demand_driven=np.array([2, 0, 0, 1]),
        mmm=np.array([0.4, 0.1, -0.3, 0.2]),
        mmm_cov=0.09 * np.eye(4) + 0.01,
        attribution=np.array([0.9, 0.4, np.nan, 0.8]),
        attribution_sd=np.full(4, 0.1),
        attribution_share=np.tile([0.0, 0.0, 1.0], (4, 1)),
        tests=tests,
    )
    fusion = integrate(sources, seed=1, draws=4096)
    ours = fusion.theta.reshape(4096, -1)
    theirs = by_nuts(sources, seed=1, draws=2500).reshape(5000, -1)
    sd = ours.std(axis=0)
    assert fusion.reliable
    # NUTS has some 1,500 effective draws: standard errors of 0.03 of the mean, 0.02 relative of the sd.
    assert np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) / sd == pytest.approx(0.0, abs=0.12)
    assert theirs.std(axis=0) / sd == pytest.approx(np.ones(12), abs=0.1)
    for probability in (0.05, 0.5, 0.95):
        ends = np.quantile(ours, probability, axis=0) - np.quantile(theirs, probability, axis=0)
        assert np.abs(ends) / sd == pytest.approx(0.0, abs=0.2)
