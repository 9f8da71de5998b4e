"""What came against a plan: the parts add up, each is what it says, and alerts need both of their reasons."""

from dataclasses import replace

import numpy as np
import pytest

from measurement.archive import pack
from measurement.errors import DataError
from measurement.mmm import Posterior, Spec
from measurement.mmm.prior import prior
from measurement.panel import Panel
from measurement.plan.deviation import Deviation, deviation
from measurement.plan.forecast import forecast
from measurement.plan.horizon import business_as_usual
from measurement.plan.recorded import Recorded

AHEAD = 6


def recorded(panel: Panel, post: Posterior, seed: int = 3) -> Recorded:
    return Recorded.of(forecast(post, panel, business_as_usual(panel, AHEAD, "recent"), seed=seed), panel, "forecast")


@pytest.fixture(scope="module")
def plan(world: tuple[Panel, Posterior]) -> Recorded:
    return recorded(*world)


def came(plan: Recorded, spend: np.ndarray, outcome: np.ndarray, controls: np.ndarray | None = None) -> Panel:
    """The panel with what was spent and sold in the planned periods."""
    panel = plan.panel
    controls = plan.controls if controls is None else controls
    return replace(
        panel,
        dates=np.concatenate([panel.dates, plan.horizon.dates]),
        spend=np.concatenate([panel.spend, spend], axis=1),
        exposure=np.concatenate([panel.exposure, 2.0 * spend], axis=1),
        kpis={"orders": np.concatenate([panel.outcome, outcome], axis=1)},
        controls=np.concatenate([panel.controls, controls], axis=1) if panel.control_names else panel.controls,
    )


def adds_up(found: Deviation) -> None:
    parts = found.spend.draws + found.controls.draws + found.missed.draws
    np.testing.assert_allclose(parts, found.total.actual - found.total.predicted.draws, rtol=1e-9)


def test_the_parts_add_up_draw_by_draw_and_the_missed_part_is_against_the_spend_that_happened(world, plan) -> None:
    panel, post = world
    spend, sold = plan.horizon.spend * [0.5, 1.0, 1.6], np.full((2, AHEAD), 3100.0)
    found = deviation(post, plan, came(plan, spend, sold))
    adds_up(found)
    happened = forecast(post, panel, replace(plan.horizon, spend=spend, exposure=2.0 * spend), seed=3)
    against = found.total.actual - happened.draws.sum(axis=(1, 2))
    np.testing.assert_allclose(found.missed.draws, against, rtol=1e-6, atol=1e-6 * found.total.actual)
    assert found.total.actual == pytest.approx(sold.sum())
    radio, search, tv = found.channels
    assert [each.off for each in (radio, search, tv)] == [True, False, True]
    assert tv.actual == pytest.approx(1.6 * tv.planned)
    assert radio.explains.high < 0 < tv.explains.low
    np.testing.assert_allclose(search.explains.draws, 0.0, atol=1e-6)
    channels = sum(each.explains.draws for each in found.channels)
    np.testing.assert_allclose(channels, found.spend.draws, rtol=1e-6, atol=1e-6)


def test_the_planned_spend_leaves_nothing_to_the_spend(world, plan) -> None:
    found = deviation(world[1], plan, came(plan, plan.horizon.spend, np.full((2, AHEAD), 3000.0)))
    np.testing.assert_allclose(found.spend.draws, 0.0, atol=1e-6 * found.total.actual)
    assert not found.revised


def test_what_other_controls_explain_is_told_apart(panel_of) -> None:
    rng = np.random.default_rng(4)
    panel = panel_of(geos=1, control_names=("price",), controls=rng.normal(10.0, 1.0, (1, 60, 1)))
    post = prior(panel, Spec.default(panel), draws=40, seed=2)
    plan = recorded(panel, post)
    later = came(plan, plan.horizon.spend, np.full((1, AHEAD), 3000.0), plan.controls + 2.0)
    found = deviation(post, plan, later)
    adds_up(found)
    assert np.abs(found.controls.draws).min() > 0
    np.testing.assert_allclose(found.spend.draws, 0.0, atol=1e-6 * found.total.actual)
    same = deviation(post, plan, came(plan, plan.horizon.spend, np.full((1, AHEAD), 3000.0)))
    np.testing.assert_allclose(same.controls.draws, 0.0, atol=1e-6 * found.total.actual)


@pytest.mark.parametrize("factor", [1.0, 1.5, 10.0, 1e-3])
def test_an_alert_is_far_and_outside(world, plan, factor: float) -> None:
    usual = float(np.median(plan.draws.sum(axis=(1, 2))))
    sold = np.full((2, AHEAD), factor * usual / (2 * AHEAD))
    found = deviation(world[1], plan, came(plan, plan.horizon.spend, sold))
    total = found.total
    assert total.outside == (not total.predicted.low <= total.actual <= total.predicted.high)
    assert total.share == pytest.approx(factor - 1, abs=1e-9)
    assert found.alert == (total.outside and abs(total.share) > 0.2)
    assert found.alert == found.to_dict()["alert"]
    if factor in (1.0, 10.0):
        assert found.alert == (factor == 10.0)


def test_only_what_has_come_is_compared(world, plan) -> None:
    panel, post = world
    whole = came(plan, plan.horizon.spend, np.full((2, AHEAD), 3000.0))
    found = deviation(post, plan, whole.part(slice(0, panel.shape[1] + 2)))
    assert found.came == 2
    assert [each.actual for each in found.periods] == [pytest.approx(6000.0)] * 2 + [None] * 4
    assert sum(each.planned for each in found.channels) == pytest.approx(plan.horizon.spend[:, :2].sum())
    np.testing.assert_array_equal(found.total.predicted.draws, plan.draws[:, :, :2].sum(axis=(1, 2)))
    assert [each.what for each in found.geos] == list(panel.geos)
    assert sum(each.actual for each in found.geos) == pytest.approx(found.total.actual)
    frame = found.to_frame()
    assert frame["actual"].notna().sum() == 2
    assert len(frame) == AHEAD


def test_the_promise_stays_when_the_past_is_revised(world, plan) -> None:
    later = came(plan, plan.horizon.spend, np.full((2, AHEAD), 3000.0))
    first = deviation(world[1], plan, later)
    changed = later.outcome.copy()
    changed[0, 3] *= 2.0
    found = deviation(world[1], plan, replace(later, kpis={"orders": changed}))
    assert found.revised
    np.testing.assert_array_equal(found.missed.draws, first.missed.draws)


def test_other_studies_are_refused(world, plan) -> None:
    panel, post = world
    whole = came(plan, plan.horizon.spend, np.full((2, AHEAD), 3000.0))
    with pytest.raises(DataError, match="nothing has come yet"):
        deviation(post, plan, panel)
    with pytest.raises(DataError, match="other channels than the plan: cinema, tv"):
        deviation(post, plan, replace(whole, channels=("radio", "search", "cinema")))
    with pytest.raises(DataError, match="the plan is of 'orders' by week"):
        deviation(post, plan, replace(whole, kpis={"visits": whole.outcome}, kpi="visits"))


def test_a_plan_reads_back_as_it_was_written(world, plan) -> None:
    raw = plan.to_bytes()
    assert raw == plan.to_bytes()
    read = Recorded.from_bytes(raw)
    assert read.to_bytes() == raw
    assert read.panel.sha256 == plan.panel.sha256
    assert (read.seed, read.provenance) == (3, plan.provenance)
    later = came(plan, 1.1 * plan.horizon.spend, np.full((2, AHEAD), 3000.0))
    first, second = (deviation(world[1], each, later).to_dict() for each in (plan, read))
    assert first == second
    for wrong in (b"", raw[: len(raw) // 2], pack({}, {})[:-9]):
        with pytest.raises(DataError, match="stored plan"):
            Recorded.from_bytes(wrong)
