"""Tests with several cells, and one test on several KPIs."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import Experiment, analyse
from experiments.analysis import analyse_cells, analyse_kpis
from experiments.geo.case import Case
from experiments.geo.cells import joint_correlation
from experiments.geo.estimators import ESTIMATORS
from measurement import DataError, DesignError, Panel

START = np.datetime64("2024-01-01")
GEOS, PERIODS = 20, 90


def panel_of(outcome: np.ndarray, **kpis: np.ndarray) -> Panel:
    media = np.zeros((*outcome.shape, 0))
    return Panel(
        dates=START + np.arange(outcome.shape[1]).astype("timedelta64[D]"),
        geos=tuple(f"g{row:02d}" for row in range(len(outcome))),
        channels=(),
        spend=media,
        exposure=media,
        kpis={"sales": outcome, **kpis},
        kpi="sales",
        period="day",
    )


def world(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(6, 0.6, (GEOS, 1)))
    common = 0.05 * rng.normal(size=(GEOS, 2)) @ rng.normal(size=(2, PERIODS)).cumsum(axis=1) / 3
    return size * (1 + common + 0.03 * rng.normal(size=(GEOS, PERIODS)))


def day(after: int) -> date:
    return (START + np.timedelta64(after, "D")).item()


def cell(name: str, geos: tuple[str, ...], **more: object) -> Experiment:
    fields = {
        "experiment_id": name,
        "channel": ("tv",),
        "method": "heavy_up",
        "cell_of": "both",
        "treatment_geos": geos,
        "start_date": day(70),
        "end_date": day(83),
        "spend_delta": 100.0,
    }
    return Experiment(**(fields | more))


ONE, TWO = ("g00", "g01"), ("g02", "g03")


def test_every_cell_is_compared_with_the_shared_controls_only() -> None:
    outcome = world(1)
    outcome[:2, 70:84] *= 1.1
    outcome[2:4, 70:84] *= 2.0  # as a donor it would spoil the first cell
    found = analyse_cells(panel_of(outcome), [cell("a", ONE), cell("b", TWO)])
    small, large = found.results
    assert small.relative_lift.estimate == pytest.approx(0.1, abs=0.05)
    assert large.relative_lift.estimate == pytest.approx(1.0, abs=0.1)
    assert set(small.diagnostics["weights"]).isdisjoint(TWO)
    assert set(large.diagnostics["weights"]).isdisjoint(ONE)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(
        [result.outcome_change.std_error for result in found.results]
    )
    assert np.linalg.eigvalsh(found.covariance).min() > 0
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_one_cell_alone_needs_its_controls_named() -> None:
    panel = panel_of(world(2))
    with pytest.raises(DesignError, match="name its control_geos"):
        analyse(panel, cell("a", ONE))
    shared = tuple(f"g{row:02d}" for row in range(4, GEOS))
    alone = analyse(panel, cell("a", ONE, control_geos=shared))
    together = analyse_cells(panel, [cell("a", ONE), cell("b", TWO)]).results[0]
    assert alone.outcome_change == together.outcome_change


def test_the_correlation_of_cells_is_that_of_shared_controls() -> None:
    """Difference in differences on alike geos: k treated against c controls, correlation k / (c + k) in closed form."""
    rng = np.random.default_rng(3)
    outcome = 100 + rng.normal(size=(GEOS, 400))
    outcome[:2, 390:] += 25.0  # found effects are taken out before the draws
    rows = np.arange(GEOS)
    dates = START + np.arange(400).astype("timedelta64[D]")
    names = tuple(f"g{row:02d}" for row in rows)
    cases = [
        Case(outcome, dates, names, rows[first : first + 4], rows[8:], 390, 400, 400, False, ()) for first in (0, 4)
    ]
    found = joint_correlation(cases, (12.5, 0.0), ESTIMATORS["difference_in_differences"], 0)
    assert np.diag(found) == pytest.approx([1.0, 1.0])
    assert found[0, 1] == pytest.approx(4 / (12 + 4), abs=0.15)


REFUSALS = [
    ([cell("a", ONE)], "two records or more"),
    ([cell("a", ONE), cell("b", TWO, cell_of="other")], "share it"),
    ([cell("a", ONE), cell("b", TWO, cell_of=None)], "share it"),
    ([cell("a", ONE), cell("b", ("g01", "g05"))], "'g01' is treated in the cell 'b'"),
    ([cell("a", ONE, control_geos=("g02", "g05", "g06")), cell("b", TWO)], "'g02' is treated in the cell 'b'"),
    ([cell("a", ONE), cell("b", TWO, kpi="orders")], "differs between the cells"),
    ([cell("a", ONE), cell("b", TWO, end_date=day(80))], "differs between the cells"),
]


@pytest.mark.parametrize(("designs", "words"), REFUSALS)
def test_records_that_are_not_cells_of_one_test_are_refused(designs: list[Experiment], words: str) -> None:
    with pytest.raises(DataError, match=words):
        analyse_cells(panel_of(world(4)), designs)


def test_public_multi_cell_panel(reference_data: Path) -> None:
    """GeoLift's own example of two cells: both were lifted, by about 5 and 3 %."""
    frame = pd.read_csv(reference_data / "GeoLift_Test_MultiCell.csv").rename(
        columns={"location": "geo", "Y": "outcome"}
    )
    frame["date"] = pd.to_datetime(frame["date"]).astype("datetime64[s]")
    panel = Panel.from_frames(frame[["date", "geo", "outcome"]], period="day")
    dates = {"start_date": panel.dates[90].tolist(), "end_date": panel.dates[104].tolist()}
    cells = [
        cell("one", ("chicago", "cincinnati"), method="geo_holdout", **dates),
        cell("two", ("honolulu", "indianapolis"), method="geo_holdout", **dates),
    ]
    found = analyse_cells(panel, cells)
    assert all(result.outcome_change.estimate > 0 for result in found.results)
    assert 0 < found.correlation[0, 1] < 0.9
    assert set(found.results[0].diagnostics["weights"]).isdisjoint({"honolulu", "indianapolis"})


def test_several_kpis_stand_apart_and_their_p_values_allow_for_each_other() -> None:
    sales, orders, visits = world(5), world(6), world(7)
    orders[:2, 70:84] *= 1.5
    panel = panel_of(sales, orders=orders, visits=visits)
    design = cell("a", ONE, cell_of=None)
    found = analyse_kpis(panel, design)
    assert list(found) == ["sales", "orders", "visits"]
    alone = analyse(panel, design.model_copy(update={"kpi": "orders"}))
    assert found["orders"].outcome_change == alone.outcome_change
    raw = sorted(result.p_value for result in found.values())
    adjusted = sorted(result.diagnostics["multiplicity"]["holm_p"] for result in found.values())
    assert adjusted[0] == pytest.approx(3 * raw[0])
    assert adjusted[1] == pytest.approx(max(3 * raw[0], min(2 * raw[1], 1)))
    assert list(analyse_kpis(panel, design, ["visits", "orders"])) == ["visits", "orders"]
    with pytest.raises(DataError, match="named twice"):
        analyse_kpis(panel, design, ["visits", "visits"])
    with pytest.raises(DataError, match="did you mean 'orders'"):
        analyse_kpis(panel, design, ["order"])
