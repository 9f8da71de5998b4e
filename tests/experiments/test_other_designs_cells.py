"""Plans of tests with several cells: disjoint, drawn evenly, with a shared control, and ready to be analysed."""

from dataclasses import replace
from datetime import date
from itertools import product

import numpy as np
import pytest

from experiments import analyse, records
from experiments.analysis import analyse_cells
from experiments.planning.goal import Goal
from experiments.planning.multi_cell import CellDesigns, _disjoint, _spread, design_cells
from measurement import DataError, DesignError, Panel

GOAL = Goal(channel=("tv",), durations=(14,), geos=(2, 2), direction="heavy_up", cells=2, iroas=2.0, budget=1e5)


def panel_of(periods: int = 120, geos: int = 26, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(6, 0.5, (geos, 1)))
    common = 0.03 * rng.normal(size=(geos, 2)) @ rng.normal(size=(2, periods)).cumsum(axis=1) / 4
    sales = size * (1 + common + 0.03 * rng.normal(size=(geos, periods)))
    media = np.repeat(0.1 * size, periods, axis=1)[:, :, None]
    return Panel(
        dates=np.datetime64("2024-01-01") + np.arange(periods),
        geos=tuple(f"g{row:02d}" for row in range(geos)),
        channels=("tv",),
        spend=media,
        exposure=media,
        kpis={"sales": sales},
        kpi="sales",
        period="day",
    )


@pytest.fixture(scope="module")
def whole() -> Panel:
    """Data of which the last two weeks are the test's."""
    return panel_of()


def history(panel: Panel) -> Panel:
    parts = {name: getattr(panel, name)[:, :-14] for name in ("spend", "exposure")}
    return replace(panel, dates=panel.dates[:-14], kpis={"sales": panel.outcome[:, :-14]}, **parts)


@pytest.fixture(scope="module")
def planned(whole: Panel) -> CellDesigns:
    return design_cells(history(whole), GOAL)


def test_cells_are_disjoint_and_share_their_control(planned: CellDesigns) -> None:
    one, two = planned.best.cells
    assert not set(one.treatment_geos) & set(two.treatment_geos)
    assert one.control_geos == two.control_geos
    assert not set(one.control_geos) & {*one.treatment_geos, *two.treatment_geos}
    assert len(one.control_geos) == 26 - 4


def test_the_reference_sets_of_a_cell_have_no_geo_of_the_other(planned: CellDesigns) -> None:
    for cell, other in (planned.best.cells, planned.best.cells[::-1]):
        candidates = cell.assignment.candidates
        assert len(candidates) >= 40
        assert cell.treatment_geos in candidates
        assert not any(set(each) & set(other.treatment_geos) for each in candidates)
        assert f"exact randomisation test among the {len(candidates)} sets" in cell.inference


def test_money_and_alpha_are_shared_out(planned: CellDesigns, whole: Panel) -> None:
    for cell in planned.best.cells:
        assert cell.goal.alpha == pytest.approx(0.05)
        assert cell.goal.budget == pytest.approx(5e4)
        rows = [whole.geos.index(geo) for geo in cell.treatment_geos]
        assert cell.cost.spend_delta == pytest.approx(float(whole.spend[rows, 0].sum()) * 14)
    both = planned.best.cost
    for name in ("spend_delta", "net", "needed"):
        assert getattr(both, name) == pytest.approx(sum(getattr(cell.cost, name) for cell in planned.best.cells))
    assert both.enough is all(cell.cost.enough for cell in planned.best.cells)
    assert any("read their p-values after Holm" in note for note in planned.best.notes)


def test_the_records_are_analysed_together(planned: CellDesigns, whole: Panel) -> None:
    plans = planned.best.records()
    assert [each.experiment_id for each in plans] == ["tv-heavy_up-14-2-cell-1", "tv-heavy_up-14-2-cell-2"]
    assert {each.cell_of for each in plans} == {"tv-heavy_up-14-2"}
    assert records.parse([each.to_dict() for each in plans], results=False) == list(plans)
    panel = replace(whole, kpis={"sales": whole.outcome.copy()}, spend=whole.spend.copy())
    truth = []
    for plan, lift in zip(plans, (0.15, 0.0), strict=True):
        rows = [panel.geos.index(geo) for geo in plan.treatment_geos]
        truth.append(lift * float(panel.outcome[rows, -14:].sum()))
        panel.outcome[rows, -14:] *= 1 + lift
        panel.spend[rows, -14:] *= 2
    found = analyse_cells(panel, plans)
    for result, effect in zip(found.results, truth, strict=True):
        assert result.outcome_change.low < effect < result.outcome_change.high
    assert found.results[0].p_value < 0.1


def test_the_whole_as_json(planned: CellDesigns) -> None:
    best = planned.to_dict()["designs"][0]
    assert len(best["cells"]) == 2
    assert best["mde"] == max(cell["mde"] for cell in best["cells"])
    assert len(best["treatment_geos"]) == 4
    assert planned.recommendation.startswith("Treat 2 cells of 2 for 14 days (")


def test_each_cell_may_have_a_change_of_its_own(whole: Panel) -> None:
    plan = design_cells(history(whole), GOAL, changes=(0.5, 2.0)).best
    for cell, change in zip(plan.cells, (0.5, 2.0), strict=True):
        rows = [whole.geos.index(geo) for geo in cell.treatment_geos]
        assert cell.cost.spend_delta == pytest.approx(change * float(whole.spend[rows, 0].sum()) * 14)
    first, second = plan.records(date(2025, 1, 6), "both")
    assert (first.cell_of, first.start_date, first.experiment_id) == ("both", date(2025, 1, 6), "both-cell-1")
    assert second.spend_delta == pytest.approx(plan.cells[1].cost.spend_delta)


def test_every_tuple_of_disjoint_sets_is_as_likely() -> None:
    """Of five sets, every ordered pair without a geo in common appears as often, within four standard deviations."""
    pool = np.zeros((5, 6), dtype=bool)
    for row, geos in enumerate(((0, 1), (1, 2), (2, 3), (4, 5), (0, 5))):
        pool[row, list(geos)] = True
    valid = [(a, b) for a, b in product(range(5), repeat=2) if not (pool[a] & pool[b]).any()]
    counts = dict.fromkeys(valid, 0)
    draws = 3000
    for seed in range(draws):
        pair = _disjoint(pool, 2, seed)
        counts[tuple(int((pool == each).all(axis=1).argmax()) for each in pair)] += 1
    expected = draws / len(valid)
    assert max(abs(count - expected) for count in counts.values()) < 4 * np.sqrt(expected)


def test_sets_that_meet_most_others_leave_the_pool() -> None:
    pool = np.zeros((50, 101), dtype=bool)
    pool[np.arange(50), np.arange(50)] = True  # disjoint but for the last, which meets 20 of them
    pool[np.arange(50), 50 + np.arange(50)] = True
    pool[49, :20] = True
    kept = _spread(pool, 2, 40)
    assert kept.shape == (49, 101)
    assert not (kept == pool[49]).all(axis=1).any()
    assert _spread(pool, 10, 45) is None


@pytest.mark.parametrize(
    ("more", "column", "words"),
    [
        ({"cells": 1}, "cells", "found 1; a test of one cell is planned by design"),
        ({"cells": 12, "alpha": 0.1}, "alpha", "found 0.1; shared out over 12 cells it is below .01"),
        (
            {"must_include": ("g01",)},
            "must_include",
            "names geos that would be in every cell; cells have no geo in common, so leave it out",
        ),
        ({"exclude": ("x01",)}, "exclude", "unknown geo 'x01' (did you mean 'g01'?); the panel has 26 geos"),
    ],
)
def test_what_is_refused(whole: Panel, more: dict, column: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        design_cells(history(whole), replace(GOAL, **more))
    assert [(each.column, each.message) for each in caught.value.problems] == [(column, words)]


def test_changes_are_one_for_each_cell_and_of_one_direction(whole: Panel) -> None:
    with pytest.raises(DataError, match="found 3 for 2 cells; give one for each"):
        design_cells(history(whole), GOAL, changes=(0.5, 1.0, 2.0))
    with pytest.raises(DataError, match="a heavy_up test adds spend"):
        design_cells(history(whole), GOAL, changes=(0.5, -1.0))


def test_more_cells_than_geos_can_hold(whole: Panel) -> None:
    with pytest.raises(DesignError, match="no 4 cells can be drawn: 8 geos a cell for 14 days"):
        design_cells(history(whole), replace(GOAL, cells=4, geos=(8, 8), alpha=0.4))


def test_media_that_moved_by_no_more_than_rounding_do_not_stop_an_analysis(planned: CellDesigns, whole: Panel) -> None:
    result = analyse(whole, planned.best.records()[0])
    assert result.spend.source == "record"
