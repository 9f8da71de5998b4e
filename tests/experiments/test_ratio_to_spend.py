"""The ratio of outcome to a spend change that is itself read from the panel: Fieller by randomisation."""

import numpy as np
import pytest

from experiments import Experiment
from experiments.geo.case import resolve
from experiments.geo.estimators import ESTIMATORS
from experiments.geo.inference import infer
from experiments.geo.inference.draws import draw_sets
from experiments.geo.money import ratio_test
from experiments.geo.spend import geo_changes, spend_change, spend_error, spend_seen
from measurement import Panel

GEOS, PERIODS, ONSET, IROAS = 30, 50, 40, 3.0
START = np.datetime64("2024-01-01")


def world(rng: np.random.Generator, spend_noise: float, treated: int) -> tuple[Panel, Experiment]:
    """Spend wanders by geo; sales follow all of it at the true return, so both errors hang together."""
    size = np.exp(rng.normal(0, 0.5, (GEOS, 1)))
    wander = spend_noise * rng.normal(size=(GEOS, 1)) * (np.arange(PERIODS) >= ONSET)
    spend = 20 * size * np.maximum(1 + wander + 0.05 * rng.normal(size=(GEOS, PERIODS)), 0)
    drawn = np.sort(rng.choice(GEOS, treated, replace=False))
    spend[drawn, ONSET:] += 20 * size[drawn]
    outcome = 200 * size * (1 + 0.05 * rng.normal(size=(GEOS, PERIODS))) + IROAS * spend
    dates = START + np.arange(PERIODS).astype("timedelta64[D]")
    names = tuple(f"g{row:02d}" for row in range(GEOS))
    media = spend[:, :, None]
    panel = Panel(dates, names, ("tv",), media, media, {"sales": outcome}, "sales", period="day")
    design = Experiment(
        experiment_id="t",
        channel=("tv",),
        method="heavy_up",
        treatment_geos=tuple(names[row] for row in drawn),
        start_date=dates[ONSET].tolist(),
        end_date=dates[-1].tolist(),
    )
    return panel, design


@pytest.mark.parametrize(("spend_noise", "treated"), [(0.15, 3), (0.15, 15), (0.5, 3)])
def test_the_true_return_is_held_as_often_as_promised(spend_noise: float, treated: int) -> None:
    """Nominal .90; 150 runs."""
    rng = np.random.default_rng(3)
    estimator, held, scaled = ESTIMATORS["difference_in_differences"], [], []
    for seed in range(150):
        panel, design = world(rng, spend_noise, treated)
        case = resolve(panel, design)
        spend = spend_change(panel, design, case)
        assert spend.delta is not None
        found = infer(case, draw_sets(case, design, 0.1, seed, most=60), estimator, 0.1, thorough=False)
        assert found.randomised is not None
        sets = found.randomised
        seen = spend_seen(panel, design, case, sets.members, sets.reference.contrasts)
        low, high = ratio_test(case, found.fit.effect, sets, spend.delta, seen).interval(0.1)
        held.append(low <= IROAS <= high)
        ends = np.array(found.total.interval(0.1)) * treated * (PERIODS - ONSET) / spend.delta
        scaled.append(ends[0] <= IROAS <= ends[1])
    assert 0.82 <= np.mean(held) <= 0.97
    assert np.mean(scaled) > 0.97  # dividing the outcome by what was seen forgets that both errors hang together


def test_sets_see_the_change_of_their_treated_geos_and_the_wander_of_their_controls() -> None:
    panel, design = world(np.random.default_rng(1), 0.2, 3)
    case = resolve(panel, design)
    changes = geo_changes(panel, design, case)
    assert changes is not None
    assert changes.sum() == pytest.approx(spend_change(panel, design, case).delta)
    assert not changes[case.controls].any()
    members = np.zeros((3, GEOS), dtype=np.bool_)
    members[0, case.treated] = True
    members[1, case.controls[:3]] = True
    members[2, [case.treated[0], *case.controls[:2]]] = True
    contrasts = members / 3 - 0.01 * ~members
    seen = spend_seen(panel, design, case, members, contrasts)
    assert seen[0] == pytest.approx(changes.sum() / 3)
    spend = panel.spend[:, :, 0]

    def wander(read: np.ndarray) -> float:
        others = np.setdiff1d(case.controls, read)
        moved = spend[others, ONSET:].mean() / spend[others, :ONSET].mean()
        return float((spend[read, ONSET:].sum(1) - spend[read, :ONSET].mean(1) * 10 * moved).sum())

    assert seen[1] == pytest.approx(wander(case.controls[:3]) / 3 - 0.01 * changes.sum())
    rest = changes[case.treated[1:]].sum()
    assert seen[2] == pytest.approx((changes[case.treated[0]] + wander(case.controls[:2])) / 3 - 0.01 * rest)
    assert spend_error(panel, design, case) > 0
