"""A test whose control geos go dark while the treated ones spend more: the money is the contrast, as the effect is."""

from datetime import date

import numpy as np
import pytest

from experiments import Experiment, Result, analyse
from measurement import Panel

PAIRS, PERIODS, ONSET = 20, 98, 70
IROAS = 3.0


@pytest.fixture(scope="module")
def found() -> Result:
    """Twenty pairs; from day 70 on one of each doubles its spend of 10 a day, the other one stops it."""
    rng = np.random.default_rng(3)
    size = np.repeat(np.exp(rng.normal(7, 0.5, PAIRS)), 2)[:, None]
    outcome = size * (
        1 + 0.1 * np.sin(2 * np.pi * np.arange(PERIODS) / 7) + 0.01 * rng.normal(size=(2 * PAIRS, PERIODS))
    )
    spend = np.full((2 * PAIRS, PERIODS), 10.0)
    spend[0::2, ONSET:], spend[1::2, ONSET:] = 20.0, 0.0
    outcome += IROAS * spend
    geos = tuple(f"g{row:02d}" for row in range(2 * PAIRS))
    panel = Panel(
        dates=np.datetime64("2024-01-01") + np.arange(PERIODS),
        geos=geos,
        channels=("tv",),
        spend=spend[:, :, None],
        exposure=spend[:, :, None],
        kpis={"sales": outcome},
        kpi="sales",
        period="day",
    )
    design = Experiment(
        experiment_id="swap",
        channel=("tv",),
        method="heavy_up",
        treatment_geos=geos[0::2],
        pairs=tuple(zip(geos[0::2], geos[1::2], strict=True)),
        start_date=panel.dates[ONSET].tolist(),
        end_date=date(2024, 4, 7),
    )
    return analyse(panel, design)


def test_the_spend_change_is_against_what_the_controls_spent(found: Result) -> None:
    assert found.spend.actual == pytest.approx(PAIRS * 28 * 20.0)
    assert found.spend.counterfactual == 0.0
    assert found.spend.delta == pytest.approx(PAIRS * 28 * 20.0)


def test_the_return_is_the_true_one_and_has_an_interval(found: Result) -> None:
    assert found.iroas is not None
    assert found.iroas.low < IROAS < found.iroas.high
    assert found.iroas.estimate == pytest.approx(found.outcome_change.estimate / found.spend.delta)
    assert found.iroas.std_error == pytest.approx(found.outcome_change.std_error / found.spend.delta)
