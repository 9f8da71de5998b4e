"""A geo whose read-out left everything seen before is named, lowers the grade and stays in the comparison."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import Experiment, Result, analyse
from experiments.geo.case import Case
from experiments.geo.strange import strange_geos
from measurement import Panel

GEOS, PERIODS, ONSET, END = 16, 84, 70, 84


def world(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(6, 0.8, (GEOS, 1)))
    drift = 0.015 * rng.normal(size=(GEOS, 2)) @ rng.normal(size=(2, PERIODS)).cumsum(axis=1) / 2
    return size * (1 + drift + 0.05 * rng.standard_t(4, (GEOS, PERIODS)))


def case_of(outcome: np.ndarray, onset: int = ONSET, treated: int = 2) -> Case:
    rows = np.arange(len(outcome))
    dates = np.datetime64("2024-01-01") + np.arange(outcome.shape[1]).astype("timedelta64[D]")
    geos = tuple(f"g{row:02d}" for row in rows)
    return Case(outcome, dates, geos, rows[:treated], rows[treated:], onset, END, END, False, ())


def named(outcome: np.ndarray) -> list[str]:
    return [each.geo for each in strange_geos(case_of(outcome))]


def analysed(outcome: np.ndarray) -> Result:
    dates = np.datetime64("2024-01-01") + np.arange(PERIODS)
    geos = tuple(f"g{row:02d}" for row in range(GEOS))
    nothing = np.zeros((GEOS, PERIODS, 0))
    panel = Panel(
        dates=dates,
        geos=geos,
        channels=(),
        spend=nothing,
        exposure=nothing,
        kpis={"sales": outcome},
        kpi="sales",
        period="day",
    )
    design = Experiment(
        experiment_id="t",
        channel=("tv",),
        method="heavy_up",
        treatment_geos=geos[:2],
        start_date=dates[ONSET].tolist(),
        end_date=dates[END - 1].tolist(),
        spend_delta=100.0,
    )
    return analyse(panel, design)


@pytest.mark.parametrize("factor", [1e6, 30.0, 3.0, 0.2, 0.0, -1.0])
@pytest.mark.parametrize("row", [0, 9])
def test_a_geo_out_of_range_is_named_whichever_way_it_went(factor: float, row: int) -> None:
    outcome = world(1)
    outcome[row, ONSET:] *= factor
    found = named(outcome)
    assert found == ([] if row == 0 and factor == 3.0 else [f"g{row:02d}"])


def test_geos_that_move_as_geos_do_are_not_named() -> None:
    for seed in range(200):
        outcome = world(seed)
        outcome[:2, ONSET:] *= 1.6  # a test may do that
        assert named(outcome) == []


def test_what_moves_all_geos_is_nobodys() -> None:
    outcome = world(2)
    outcome[:, ONSET:] *= 8.0
    assert named(outcome) == []


def test_a_geo_that_went_dark_before_may_do_so_again_and_the_units_do_not_matter() -> None:
    outcome = world(3)
    outcome[5, 20:40] = 0.0
    outcome[5, ONSET:] = 0.0
    assert named(outcome) == []
    outcome[7, ONSET:] *= 1e6  # one that never moved far is strange all the same: up and down are judged apart
    assert named(outcome) == named(1e-3 * outcome) == ["g07"]


def test_a_short_history_can_tell_too() -> None:
    outcome = world(4)
    outcome[9, ONSET:] *= 1e6
    assert [each.geo for each in strange_geos(case_of(outcome[:, ONSET - 8 :], onset=8))] == ["g09"]


def test_public_tests_hold_no_such_geo(reference_data: Path) -> None:
    frame = pd.read_csv(reference_data / "GeoLift_Test.csv")
    sold = frame.pivot(index="location", columns="date", values="Y").to_numpy()
    dates = np.arange(sold.shape[1]).astype("datetime64[D]")
    geos = tuple(map(str, range(len(sold))))
    case = Case(sold, dates, geos, np.array([0, 1]), np.arange(2, len(sold)), 90, 105, 105, False, ())
    assert strange_geos(case) == ()


def test_the_result_warns_fails_the_check_and_keeps_the_geo() -> None:
    outcome = world(1)
    clean = analysed(outcome)
    outcome[9, ONSET:] *= 1e6
    found = analysed(outcome)
    check = next(each for each in found.checks if each.name == "geos in range")
    assert not check.passed
    assert "control geo 'g09' moved as no geo did before the test" in check.text
    assert " times its usual level, the middle of all geos 1 times" in check.text
    assert any("'g09' is still part of the comparison" in note for note in found.diagnostics["notes"])
    assert found.diagnostics["control_geos"] == clean.diagnostics["control_geos"] == GEOS - 2
    assert "ABCDE".index(found.grade) > "ABCDE".index(clean.grade)
    assert next(each for each in clean.checks if each.name == "geos in range").passed
    assert not any("still part" in note for note in clean.diagnostics["notes"])
