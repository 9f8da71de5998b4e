"""Bounds of geos, channels in geos and ramps: against brute force, and clashes that are named."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from measurement.errors import DataError, DesignError
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.plan.budget import Budget, budget
from measurement.plan.horizon import business_as_usual, returns
from measurement.plan.items import Bound, GroupBound

AHEAD = 6
GRID = np.linspace(0.6, 1.4, 9)
OTHERS = Bound(low=0.6, high=1.4)


def planned(world: tuple[Panel, Posterior], **settings: Any) -> Budget:
    panel, post = world
    plan = business_as_usual(panel, AHEAD, "recent")
    return budget(post, panel, horizon=plan, **({"otherwise": OTHERS, "by_geo": True, "spend_all": False} | settings))


@pytest.fixture(scope="module")
def cells(world: tuple[Panel, Posterior]) -> tuple[np.ndarray, np.ndarray]:
    """Business as usual of each channel in each geo, and the expected revenue of each there at the grid."""
    panel, post = world
    plan = business_as_usual(panel, AHEAD, "recent")
    factors = np.broadcast_to(GRID, (3, 2, len(GRID)))
    value = (returns(post, panel, plan, factors, by_geo=True) * panel.kpi_value).mean(axis=0)
    return plan.spend.sum(axis=1).T, value


def best_on_grid(cells: tuple[np.ndarray, np.ndarray], allowed) -> float:
    """The best profit of all combinations of multiples in the six cells, by trying them all."""
    usual, value = cells
    combos = np.array(list(product(range(len(GRID)), repeat=6))).reshape(-1, 3, 2)
    spend = usual * GRID[combos]
    c, g = np.indices((3, 2))
    net = value[c, g, combos].sum(axis=(1, 2)) - spend.sum(axis=(1, 2))
    return float(net[allowed(GRID[combos], spend)].max())


def spend_of(found: Budget) -> np.ndarray:
    return np.array([move.advised for move in found.moves]).reshape(3, 2)


def test_no_combination_within_bounds_of_geos_brings_more(world, cells) -> None:
    usual, _ = cells
    geo, pair = 0.75 * usual[:, 0].sum(), 0.9 * usual.sum()
    most = 1.2 * usual[2].sum()
    found = planned(
        world,
        total=2.0 * usual.sum(),
        bounds={("radio", "geo 1"): Bound(low=1.2, high=1.4), "tv": Bound(low=0.6, high=1.4, most=most)},
        groups=[GroupBound((), high=geo, geos=("geo 0",)), GroupBound((), high=pair, geos=("geo 0", "geo 1"))],
    )
    best = best_on_grid(
        cells,
        lambda m, s: (
            (s[:, :, 0].sum(axis=1) <= geo)
            & (s.sum(axis=(1, 2)) <= pair)
            & (m[:, 0, 1] >= 1.2 - 1e-9)
            & (s[:, 2].sum(axis=1) <= most)
        ),
    )
    assert found.objective >= best - 1e-4 * abs(best)
    assert found.gap < 1e-4
    spend = spend_of(found)
    assert spend[:, 0].sum() <= geo * (1 + 1e-6)
    assert spend.sum() <= pair * (1 + 1e-6)
    assert spend[0, 1] >= 1.2 * usual[0, 1] * (1 - 1e-6)
    assert spend[2].sum() <= most * (1 + 1e-6)


def test_a_ramp_holds_in_every_geo_whatever_the_bounds_allow(world, cells) -> None:
    usual, _ = cells
    ramped = {"tv": Bound(low=0.6, high=1.4, ramp=0.1)}
    found = planned(world, total=usual.sum(), bounds=ramped, otherwise=Bound(low=0.6, high=1.4, ramp=0.3))
    best = best_on_grid(
        cells,
        lambda m, s: (
            (np.abs(m[:, 2] - 1) <= 0.1 + 1e-9).all(axis=1)
            & (np.abs(m[:, :2] - 1) <= 0.3 + 1e-9).all(axis=(1, 2))
            & (s.sum(axis=(1, 2)) <= usual.sum())
        ),
    )
    assert found.objective >= best - 1e-4 * abs(best)
    change = np.abs(spend_of(found) / usual - 1)
    assert change[2].max() <= 0.1 + 1e-5
    assert change[:2].max() <= 0.3 + 1e-5
    wide = planned(world, total=usual.sum())
    assert wide.objective > found.objective


def test_money_of_a_channel_is_that_of_all_geos(world, cells) -> None:
    usual, _ = cells
    least = 1.3 * usual[1].sum()
    found = planned(world, total=usual.sum(), bounds={"search": Bound(low=0.6, high=1.4, least=least)})
    assert spend_of(found)[1].sum() >= least * (1 - 1e-6)


def test_limits_that_clash_are_named_and_no_others(world, cells) -> None:
    usual, _ = cells
    loose = GroupBound(("tv",), high=9.0 * usual.sum())
    tight = GroupBound((), low=1.35 * usual[:, 1].sum(), geos=("geo 1",))
    with pytest.raises(DesignError) as error:
        planned(world, total=0.7 * usual.sum(), groups=[loose, tight], by_geo=True)
    said = str(error.value)
    assert "all channels in geo 1" in said
    assert "for all channels together" in said
    assert "tv" not in said


def test_a_return_that_cannot_be_had_comes_with_the_best_that_can(world, cells) -> None:
    usual, value = cells
    with pytest.raises(DesignError, match="the best within the other limits returns") as error:
        planned(world, total=2 * usual.sum(), iroas=1e5, margin=0.5)
    best = float(str(error.value).split("returns ")[1].split(")")[0])
    reached = (value / (usual[..., None] * GRID)).max()
    at_least = value[..., 0].sum() / (0.6 * usual.sum())
    assert at_least * (1 - 1e-2) <= best <= reached
    found = planned(world, total=2 * usual.sum(), iroas=0.99 * best, margin=0.5)
    assert found.revenue.mean >= 0.98 * best * found.total


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bounds": {("tv", "geo 9"): Bound()}}, "unknown geo 'geo 9'"),
        ({"groups": [GroupBound((), high=1.0, geos=("geo 7",))]}, "unknown geo 'geo 7'"),
        ({"groups": [GroupBound((), high=1.0, geos=("geo 0",))], "by_geo": False}, "plan by geo"),
        ({"otherwise": Bound(low=1.5, high=2.0, ramp=0.1)}, "widen its bound or its ramp"),
        ({"bounds": {"tv": Bound(ramp=-1.0)}}, "a share of usual spend"),
        ({"bounds": {"tv": Bound(ramp=0.5, may_stop=True)}}, "leave one of them out"),
        ({"bounds": {"tv": Bound(least=5.0, may_stop=True)}}, "geos together"),
    ],
)
def test_limits_that_say_nothing_clear_are_refused(world, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        planned(world, **settings)
