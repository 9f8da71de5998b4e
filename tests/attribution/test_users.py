"""Journeys by group of users: they add up to the paths, and ages and exposure are what the events say."""

import numpy as np
import pandas as pd
import pytest

from attribution import PathSpec, read_paths
from attribution.ages import BINS, DAYS, bins
from attribution.users import GROUPS

MINUTE = 60_000_000


@pytest.fixture(scope="module")
def log():
    random = np.random.default_rng(4)
    size = 6_000
    kind = random.choice(["click", "impression", "conversion"], size, p=[0.5, 0.4, 0.1])
    converts = kind == "conversion"
    return pd.DataFrame(
        {
            "user_id": np.char.add("u", random.integers(0, 900, size).astype(str)),
            "timestamp": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 90 * 86_400, size), unit="s"),
            "channel": np.where(converts, None, random.choice(["a", "b", "c"], size).astype(object)),
            "event": kind,
            "value": np.where(converts, random.gamma(2, 20, size).round(2), np.nan),
        }
    )


def by_path(paths, place, weight=None):
    return np.bincount(place, weight, len(paths))


@pytest.mark.parametrize("chunk", [1 << 20, 211])
def test_groups_add_up_to_the_paths(log, chunk, monkeypatch):
    monkeypatch.setattr("attribution.paths.CHUNK", chunk)
    paths = read_paths(log)
    users = paths.users
    np.testing.assert_array_equal(by_path(paths, users.sale_path, users.sale_conversions), paths.conversions)
    np.testing.assert_allclose(by_path(paths, users.sale_path, users.sale_value), paths.value, rtol=1e-12)
    np.testing.assert_array_equal(by_path(paths, users.null_path), paths.nulls)
    np.testing.assert_allclose(users.no_touch.sum(axis=1), paths.no_touch)
    assert len(users.sale_ages) == paths.lengths[users.sale_path].sum()
    assert users.no_touch.shape == (2, GROUPS)
    assert users.sale_group.max() < GROUPS


def test_portions_do_not_matter(log, monkeypatch):
    whole = read_paths(log)
    monkeypatch.setattr("attribution.paths.CHUNK", 211)
    parts = read_paths(log)
    for one, other in zip(whole.users.arrays(), parts.users.arrays(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_user_is_always_in_the_same_group(log):
    early, late = (
        read_paths(log, PathSpec(start=first, end=last)).users
        for first, last in (("2024-01-01", "2024-02-15"), ("2024-02-16", "2024-03-31"))
    )
    one = log[log["user_id"] == log.loc[log["event"] == "conversion", "user_id"].iloc[0]]
    alone = read_paths(one).users
    assert len({*alone.sale_group, *alone.null_group}) == 1
    assert set(alone.sale_group) <= {*early.sale_group, *late.sale_group}


def test_ages_are_within_nine_percent():
    ages = np.geomspace(1, 1_500_000, 500)
    found = DAYS[bins((ages * MINUTE).astype(np.int64), 1)] * 1_440
    assert np.abs(np.log(found / ages)).max() <= np.log(2) / 8 + 1e-6
    np.testing.assert_array_equal(bins(np.array([-5, 0, MINUTE // 2]), 1), 0)
    assert bins(np.array([10**6]) * 1_440 * MINUTE, 1) == BINS - 1


def test_exposure_ends_with_conversion_lookback_or_log():
    rows = [
        ("u1", "2024-01-01 00:00", "a", "click"),
        ("u1", "2024-01-03 00:00", None, "conversion"),  # two days
        ("u2", "2024-01-01 00:00", "b", "click"),  # no conversion: its lookback of 10 days
        ("u3", "2024-01-31 00:00", "b", "impression"),  # unfinished: a day until the log ends
        ("u4", "2024-02-01 00:00", "a", "click"),
        ("u5", "2024-01-31 00:00", None, "conversion"),  # comes into the log with it
        ("u5", "2024-01-31 12:00", None, "conversion"),  # is known by then
        (None, "2024-01-31 13:00", None, "conversion"),  # nobody
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event"])
    users = read_paths(frame, PathSpec(click_lookback_days=10, impression_lookback_days=5)).users
    day = 1_440 * MINUTE

    def cell(channel, kind, days):
        return (2 * channel + kind) * BINS + int(bins(np.array([int(days * day)]), 1)[0])

    assert sorted(users.exposed) == sorted([cell(0, 0, 2), cell(1, 0, 10), cell(1, 1, 1), cell(0, 0, 0)])
    assert users.exposed_touches.sum() == 4
    np.testing.assert_array_equal(users.sale_ages, bins(np.array([2 * day]), 1))
    assert (users.alone.sum(), users.entered.sum(), users.no_touch[0].sum()) == (2, 1, 3)
    assert users.watched.sum() == 86_400 * (31 + 31 + 1 + 0 + 1)


def test_logs_without_a_journey_have_empty_groups():
    frame = pd.DataFrame({"user_id": [None], "timestamp": ["2024-01-01 10:00"], "channel": ["a"], "event": ["click"]})
    users = read_paths(frame).users
    assert len(users.sale_path) == len(users.null_path) == len(users.exposed) == 0
