"""Response curves: the totals they stand for, their slopes, and where they are marked as never seen."""

from dataclasses import replace

import numpy as np
import pytest

from measurement.errors import DataError
from measurement.mmm import Posterior, Spec, contribution, mroas
from measurement.mmm.prior import prior
from measurement.panel import Panel
from measurement.plan.response import response_curves


@pytest.fixture(scope="module")
def world() -> tuple[Panel, Posterior]:
    rng = np.random.default_rng(4)
    spend = rng.uniform(500.0, 1500.0, (2, 50, 3)) * [1.0, 1.0, 0.0]
    panel = Panel(
        dates=np.datetime64("2023-01-02") + 7 * np.arange(50),
        geos=("north", "south"),
        channels=("radio", "tv", "word of mouth"),
        spend=spend,
        exposure=np.where(spend > 0, spend, rng.uniform(1.0, 2.0, spend.shape)),
        kpis={"orders": rng.normal(3000.0, 100.0, (2, 50))},
        kpi="orders",
        kpi_value=5.0,
    )
    return panel, prior(panel, Spec.default(panel, channels={"word of mouth": {"organic": True}}), draws=50, seed=1)


def test_today_is_what_the_channels_brought_and_what_their_next_money_returns(world) -> None:
    panel, post = world
    found = response_curves(post, panel, multiples=np.array([0.0, 1.0]))
    brought, margin = contribution(post, panel) * panel.kpi_value / 50, mroas(post, panel)
    for c, curve in enumerate(found.channels):
        np.testing.assert_array_equal(curve.revenue[0].draws, 0.0)
        np.testing.assert_allclose(curve.revenue[1].draws, brought[:, c], rtol=1e-9)
        if curve.spend is not None:
            assert curve.spend == pytest.approx(panel.spend[..., c].sum() / 50)
            np.testing.assert_allclose(curve.mroas[1].draws, margin[:, c], rtol=1e-6)


def test_more_brings_more_and_the_slopes_add_up_to_the_curve(world) -> None:
    panel, post = world
    fine = np.linspace(0.0, 2.0, 201)
    (tv,) = response_curves(post, panel, ["tv"], multiples=fine).channels
    revenue = np.stack([point.draws for point in tv.revenue])
    assert (np.diff(revenue, axis=0) > 0).all()
    slopes = np.stack([point.draws for point in tv.mroas])
    np.testing.assert_allclose(revenue[-1], 0.01 * tv.spend * slopes[:-1].sum(axis=0), rtol=1e-6)


def test_what_no_period_spent_is_marked(world) -> None:
    panel, post = world
    frame = response_curves(post, panel).to_frame()
    for name, part in frame.groupby("channel"):
        weeks = (panel.spend if name != "word of mouth" else panel.exposure)[..., panel.channels.index(name)].sum(0)
        inside = part["multiple"].between(weeks.min() / weeks.mean(), weeks.max() / weeks.mean())
        assert part["seen"].tolist() == inside.tolist()
        assert 0 < inside.sum() < len(part)


def test_what_costs_nothing_has_a_curve_and_no_return(world) -> None:
    panel, post = world
    found = response_curves(post, panel)
    free = found.to_dict()["channels"][2]
    assert free["spend"] is None
    assert all(point["mroas"] is None and point["spend"] is None for point in free["points"])
    low, high = (found.to_dict()["channels"][2]["points"][k]["revenue"]["median"] for k in (4, 12))
    assert high > low > 0
    assert "word of mouth" not in str(found.chart().to_dict()["datasets"])


def test_names_are_drawn_as_they_are(world) -> None:
    panel, post = world
    names = ("datum.x + 'y'", "tv", "<b>")
    spec = post.spec.to_dict()
    spec["channels"] = {new: spec["channels"][old] for old, new in zip(panel.channels, names, strict=True)}
    renamed = replace(panel, channels=names), replace(post, channels=names, spec=Spec.read(spec))
    drawn = response_curves(renamed[1], renamed[0]).chart().to_dict()
    titles = [row["hconcat"][0]["title"]["text"] for row in drawn["vconcat"]]
    assert titles == [["datum.x + 'y'"], ["tv"]]


def test_an_unknown_channel_is_refused(world) -> None:
    panel, post = world
    with pytest.raises(DataError, match="did you mean 'radio'"):
        response_curves(post, panel, ["radioo"])
