"""Journeys: the panel's own orders, touched because of intent, caused as the truth says."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from measurement.simulate import ChannelTruth, Touches, WorldSettings, demo, geo, simulate


@pytest.fixture(scope="module")
def world():
    return simulate(demo(2))


def _orders(world):
    frame = world.touchpoints[world.touchpoints["event"] == "conversion"]
    first = np.datetime64(world.truth.dates[0], "s")
    week = (frame["timestamp"].to_numpy().astype("datetime64[s]") - first).astype(np.int64) // (7 * 86_400)
    return frame.assign(week=week)


def _last_touch(frame):
    """Value of orders by the touch before them, at most 30 days old."""
    rows = frame.sort_values(["user_id", "timestamp"], kind="stable").reset_index(drop=True)
    before = rows.shift(1)
    near = rows["timestamp"] - before["timestamp"] <= pd.Timedelta(days=30)
    credited = (rows["event"] == "conversion") & (before["event"] != "conversion") & near
    credited &= rows["user_id"] == before["user_id"]
    return rows["value"][credited].groupby(before["channel"][credited]).sum()


def test_orders_add_up_to_the_panels_revenue_to_the_cent(world):
    orders = _orders(world)
    cents = (orders["value"] * 100).round().astype("int64").groupby([orders["geo"], orders["week"]]).sum()
    revenue = world.panel().outcome[:, -26:]
    expected = np.rint(revenue * 100).astype(np.int64)
    assert np.array_equal(cents.unstack().to_numpy(), expected)
    assert orders["value"].mean() == pytest.approx(130, rel=0.01)
    assert (orders["value"] > 0).all()
    assert 100_000 < len(orders) < 200_000


def test_the_log_is_of_its_period_in_order_and_well_formed(world):
    log = world.touchpoints
    assert list(log.columns) == ["user_id", "timestamp", "channel", "event", "value", "geo"]
    start = np.datetime64(world.truth.dates[-26], "us")
    assert log["timestamp"].min() >= start
    assert log["timestamp"].max() < start + np.timedelta64(26 * 7, "D")
    assert log["timestamp"].is_monotonic_increasing
    converted = log["event"] == "conversion"
    assert log["value"].notna().equals(converted)
    assert log["channel"].isna().equals(converted)
    assert set(log["event"]) == {"click", "impression", "conversion"}
    assert log.groupby("user_id")["geo"].nunique().max() == 1
    assert log.loc[~converted, "user_id"].nunique() > 200_000  # most journeys end without an order


def test_offline_channels_leave_no_touch(world):
    assert set(world.touchpoints["channel"].dropna()) == {
        "affiliates",
        "brand_search",
        "generic_search",
        "social",
        "video",
    }
    assert world.truth.orders["tv"] > 0


def test_no_touch_where_the_test_took_the_spend_away(world):
    record = next(e for e in world.experiments if e["experiment_id"] == "affiliates-dark-2024")
    log = world.touchpoints[world.touchpoints["channel"] == "affiliates"]
    during = log["timestamp"].between(
        pd.Timestamp(record["start_date"]), pd.Timestamp(record["end_date"]) + pd.Timedelta("1D")
    )
    treated = log["geo"].isin(record["treatment_geos"])
    assert not (during & treated).any()
    assert (during & ~treated).sum() > 1_000
    assert (~during & treated).sum() > 1_000


def test_causes_are_those_of_the_panels_truth(world):
    truth = world.truth
    effect = truth.effect[:, -26:].sum(axis=(0, 1))
    for name, revenue in zip(truth.channels, effect, strict=True):
        expected = revenue / world.settings.order_value
        assert abs(truth.orders[name] - expected) < 4 * np.sqrt(expected), name
    assert sum(truth.orders.values()) == len(_orders(world))
    # without the orders that ads caused, what is left is the revenue of a world without ads
    baseline = truth.baseline[:, -26:].sum() / world.settings.order_value
    assert truth.orders["baseline"] == pytest.approx(baseline, rel=0.01)


def test_attribution_errs_in_known_directions(world):
    """Last touch overstates those who stand at the till, and misses what works without a logged click."""
    truth = world.truth
    credit = _last_touch(world.touchpoints)
    caused = dict(zip(truth.channels, truth.effect[:, -26:].sum(axis=(0, 1)), strict=True))
    assert credit["brand_search"] > 3 * caused["brand_search"]
    assert credit["affiliates"] > 3 * caused["affiliates"]
    assert credit["video"] < caused["video"]
    assert credit["brand_search"] / caused["brand_search"] > 3 * credit["social"] / caused["social"]


def test_buyers_meet_search_more_often_than_others(world):
    log = world.touchpoints
    buyers = set(log.loc[log["event"] == "conversion", "user_id"])
    touches = log[log["event"] != "conversion"]
    bought = touches["user_id"].isin(buyers)
    share = touches["channel"].groupby(bought).value_counts(normalize=True).unstack()
    assert share.loc[True, "brand_search"] > 2 * share.loc[False, "brand_search"]
    assert share.loc[True, "video"] < share.loc[False, "video"]


def _bare(touches, **changes):
    """A world whose only touches are those that caused an order."""
    channels = (
        ChannelTruth("seen", share=0.05, iroas=2.0, decay=0.5, l_max=3, touches=touches),
        ChannelTruth("unseen", share=0.05, iroas=1.0),
    )
    base = {"weeks": 30, "journey_weeks": 20, "nulls_per_order": 0.0, "revenue": 300_000.0}
    return simulate(WorldSettings(4, ("a", "b"), (2e6, 1e6), channels, **(base | changes)))


def test_every_order_that_a_channel_caused_has_its_touch_within_the_carry_over():
    world = _bare(Touches(on_orders=0.0, click_share=1.0))
    log = world.touchpoints.sort_values(["user_id", "timestamp"], kind="stable").reset_index(drop=True)
    touches = int((log["event"] == "click").sum())
    caused = world.truth.orders["seen"]
    # only touches before the start of the log are missing: those of the first weeks' carry-over
    assert caused * 0.93 < touches <= caused
    touch = log["event"] == "click"
    after = log.groupby("user_id")["timestamp"].transform("max")[touch]
    assert (after > log["timestamp"][touch]).all()
    first = log[log["user_id"].duplicated(keep=False) & touch]
    follow = log.loc[first.index + 1]
    days = (follow["timestamp"].to_numpy() - first["timestamp"].to_numpy()) / np.timedelta64(1, "D")
    assert np.quantile(days, 0.99) <= 21
    assert (days < 7).mean() > 0.4


def test_a_channel_that_is_half_tracked_shows_half_of_its_touches():
    whole, half = (_bare(Touches(on_orders=0.0, tracked=share)).touchpoints for share in (1.0, 0.5))
    count = [(log["event"] != "conversion").sum() for log in (whole, half)]
    assert count[1] / count[0] == pytest.approx(0.5, abs=0.04)


def test_a_world_without_online_channels_has_orders_only():
    world = simulate(geo(2, 20, ["tv", "radio"], n_tests=0, journey_weeks=2))
    assert set(world.touchpoints["event"]) == {"conversion"}
    assert world.platform.empty
    assert list(world.platform.columns) == ["date", "channel", "conversions", "value"]


def test_seed_and_size_rule_the_log():
    settings = geo(3, 30, 4, seed=9, n_tests=0, journey_weeks=4)
    one, same = simulate(settings).touchpoints, simulate(settings).touchpoints
    assert one.equals(same)
    larger = simulate(replace(settings, revenue=2 * settings.revenue)).touchpoints
    assert len(larger) / len(one) == pytest.approx(2.0, rel=0.1)
