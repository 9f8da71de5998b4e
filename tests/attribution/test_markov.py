"""The chain's closed form against walks that are followed step by step, and the published properties of the method."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution import PathSpec, attribute, read_paths
from attribution.aggregated import from_frame
from measurement import DataError

START, LOST = "start", "lost"


def table(rows):
    return pd.DataFrame(rows, columns=["path", "conversions", "value", "nulls"]).astype(
        {"conversions": float, "value": float, "nulls": float}
    )


def follow(frame, removed=None, reward="conversions"):
    """Reward per journey, walks followed until almost no mass is on the way; whoever meets ``removed`` is lost."""
    leave, arrive = defaultdict(float), defaultdict(float)
    ends = defaultdict(float)
    for path, conversions, value, nulls in frame.itertuples(index=False):
        steps = [START, *path.split(" > ")]
        for here, there in pairwise(steps):
            arrive[here, there] += conversions + nulls
        for here in steps:
            leave[here] += conversions + nulls
        ends[steps[-1]] += conversions if reward == "conversions" else value
    mass, won = {START: 1.0}, 0.0
    while sum(mass.values()) > 1e-15:
        ahead = defaultdict(float)
        for here, weight in mass.items():
            if leave[here] == 0:
                continue
            won += weight * ends[here] / leave[here]
            for (source, there), count in arrive.items():
                if source == here and there != removed:
                    ahead[there] += weight * count / leave[here]
        mass = ahead
    return won


rows = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcd"), min_size=1, max_size=5).map(" > ".join),
        st.integers(0, 4),
        st.integers(1, 50),
        st.integers(0, 4),
    ).map(lambda row: (row[0], row[1], float(row[2]) if row[1] else 0.0, row[3])),
    min_size=1,
    max_size=6,
).filter(lambda found: sum(row[1] for row in found) > 0 and sum(row[3] for row in found) > 0)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(rows)
def test_equal_to_following_every_walk(found):
    frame = table(found)
    spec = PathSpec()
    paths = from_frame(frame, spec, ())
    credit = attribute(paths, ["markov:1"], draws=0)["markov:1"]
    probability = follow(frame)
    observed = frame["conversions"].sum() / (frame["conversions"].sum() + frame["nulls"].sum())
    assert credit.conversion_probability == pytest.approx(probability, abs=1e-9)
    assert credit.conversion_probability == pytest.approx(observed, abs=1e-12)
    effects = np.array([1 - follow(frame, name) / probability for name in credit.channels])
    np.testing.assert_allclose(credit.removal_effect, effects, atol=1e-9)
    np.testing.assert_allclose(credit.conversions, effects / effects.sum() * frame["conversions"].sum(), atol=1e-9)
    money = follow(frame, reward="value")
    worth = np.array([money - follow(frame, name, "value") for name in credit.channels])
    np.testing.assert_allclose(credit.value, worth / worth.sum() * frame["value"].sum(), rtol=1e-9, atol=1e-9)
    assert (credit.conversions >= 0).all()
    assert (credit.value >= 0).all()


def test_canonical_example():
    paths = read_paths(table([("c1 > c2 > c3", 1, 10, 0), ("c1", 0, 0, 1), ("c2 > c3", 0, 0, 1)]))
    result = attribute(paths, ["markov:1"])
    credit = result["markov:1"]
    np.testing.assert_allclose(credit.removal_effect, [0.5, 1, 1], atol=1e-12)
    np.testing.assert_allclose(credit.conversions, [0.2, 0.4, 0.4], atol=1e-12)
    assert credit.conversion_probability == pytest.approx(1 / 3, abs=1e-12)


def test_repeats_do_not_move_the_chain():
    found = [("a > a > b", 2, 8, 1), ("b > b > b", 1, 2, 3), ("a", 0, 0, 4)]
    kept = attribute(read_paths(table(found)), ["markov:1"], draws=0)["markov:1"]
    collapsed = attribute(read_paths(table(found), PathSpec(repeats="collapse")), ["markov:1"], draws=0)["markov:1"]
    np.testing.assert_allclose(kept.removal_effect, collapsed.removal_effect, atol=1e-12)


def test_a_channel_seen_only_in_lost_journeys_is_worth_nothing():
    paths = read_paths(table([("a", 3, 3, 1), ("b > c", 0, 0, 2)]))
    credit = attribute(paths, ["markov:1"])["markov:1"]
    np.testing.assert_allclose(credit.conversions, [3, 0, 0], atol=1e-12)


def test_one_channel():
    credit = attribute(read_paths(table([("a", 3, 30, 7)])), ["markov:1"])["markov:1"]
    assert credit.removal_effect == pytest.approx([1.0])
    assert credit.conversion_probability == pytest.approx(0.3)
    assert credit.value == pytest.approx([30.0])


def test_refused_without_lost_journeys_unless_asked_for():
    found = table([("a > b", 3, 3, 0), ("b", 1, 1, 0)])
    with pytest.raises(DataError, match="did not convert"):
        attribute(read_paths(found), ["markov:1"])
    left_out = attribute(read_paths(found))
    assert "markov:1" not in left_out.credits
    assert any(p.code == "markov:1" for p in left_out.findings)
    credit = attribute(read_paths(found, PathSpec(null_journeys="optional")), ["markov:1"])["markov:1"]
    # every walk converts, so the removal effect is the share of walks that meet the channel
    np.testing.assert_allclose(credit.removal_effect, [0.75, 1.0], atol=1e-12)


def test_too_many_channels_are_refused(monkeypatch):
    monkeypatch.setattr("attribution.models.first_order.MOST_CHANNELS", 2)
    with pytest.raises(DataError, match="over 3 channels"):
        attribute(read_paths(table([("a > b", 1, 1, 1), ("c", 0, 0, 1)])), ["markov:1"])


def test_five_hundred_channels():
    random = np.random.default_rng(5)
    names = [f"channel {i}" for i in range(500)]
    found = [
        (" > ".join(random.choice(names, random.integers(1, 5))), int(random.integers(0, 2)), 0.0, 1)
        for _ in range(4_000)
    ]
    frame = table(found)
    result = attribute(from_frame(frame, PathSpec(), ()), ["linear", "markov:1"], draws=10)
    for credit in result.credits.values():
        assert len(credit.channels) == 500
        assert credit.conversions.sum() == pytest.approx(frame["conversions"].sum(), abs=1e-9)
        assert credit.conversions_draws.shape == (10, 500)
