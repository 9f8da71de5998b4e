"""Views of paths against what can be counted by hand, and channels beyond the leading ones added up."""

import numpy as np
import pandas as pd
import pytest

from attribution import attribute, cost, read_paths, views
from measurement.errors import DataError

PATHS = pd.DataFrame(
    {
        "path": ["a > b > a", "a", "b > a > a > b > a", "b", "(no touch)"],
        "conversions": [3.0, 2.0, 1.0, 0.0, 7.0],
        "value": [30.0, 10.0, 5.0, 0.0, 70.0],
        "nulls": [1.0, 6.0, 0.0, 4.0, 0.0],
    }
)


@pytest.fixture
def paths():
    return read_paths(PATHS)


def test_lengths_with_their_rates(paths):
    frame = views.path_lengths(paths, longest=4).set_index("length")
    assert frame["conversions"].to_dict() == {"1": 2.0, "3": 3.0, "4 or more": 1.0}
    assert frame["journeys"].to_dict() == {"1": 12.0, "3": 4.0, "4 or more": 1.0}
    assert frame["rate"].to_list() == pytest.approx([2 / 12, 3 / 4, 1.0])
    assert (frame["rate_low"] <= frame["rate"]).all()
    assert (frame["rate"] <= frame["rate_high"]).all()
    pd.testing.assert_frame_equal(views.path_lengths(paths, 4), views.path_lengths(paths, 4))


def test_the_interval_of_a_rate_is_as_wide_as_a_binomials():
    n, rate = 20_000, 0.3
    paths = read_paths(pd.DataFrame({"path": ["a"], "conversions": [n * rate], "nulls": [n * (1 - rate)]}))
    row = views.path_lengths(paths).iloc[0]
    half = 1.645 * np.sqrt(rate * (1 - rate) / n)
    assert (row["rate_high"] - row["rate_low"]) / 2 == pytest.approx(half, rel=0.2)


def test_lags_are_those_of_the_first_and_the_last_touch():
    times = ["2025-01-01 10:00", "2025-01-06 09:30", "2025-01-06 10:00", "2025-01-07 10:00", "2025-01-08 12:00"]
    log = pd.DataFrame(
        {
            "user_id": ["u", "u", "u", "v", "v"],
            "timestamp": pd.to_datetime(times),
            "channel": ["a", "b", None, "a", None],
            "event": ["click", "click", "conversion", "click", "conversion"],
        }
    )
    frame = views.time_lags(read_paths(log))
    seen = {(row.since, row.lag): row.conversions for row in frame.itertuples() if row.conversions}
    assert seen == {
        ("first touch", "4 to 7 d"): 1.0,
        ("first touch", "1 to 2 d"): 1.0,
        ("last touch", "under 1 h"): 1.0,
        ("last touch", "1 to 2 d"): 1.0,
    }
    assert frame.groupby("since")["share"].sum().to_list() == pytest.approx([1.0, 1.0])


def test_paths_without_times_have_no_lags(paths):
    with pytest.raises(DataError, match="event log"):
        views.time_lags(paths)


def test_transitions_count_every_step(paths):
    frame = views.transitions(paths).set_index(["source", "target"])["count"].to_dict()
    assert frame == {
        ("(start)", "a"): 12.0,
        ("(start)", "b"): 5.0,
        ("a", "a"): 1.0,
        ("a", "b"): 5.0,
        ("b", "a"): 6.0,
        ("a", "(conversion)"): 6.0,
        ("a", "(no conversion)"): 7.0,
        ("b", "(no conversion)"): 4.0,
    }
    few = views.transitions(paths, top=1)
    assert few["count"].sum() == sum(frame.values())  # two channels: a rest of one is not worth a name
    assert few.groupby("source")["share"].sum().to_list() == pytest.approx([1.0] * few["source"].nunique())


def test_flows_lose_nobody(paths):
    frame = views.flows(paths, steps=2)
    first = frame[frame["step"] == 1]
    assert first["conversions"].sum() == 6.0
    rows = frame.set_index(["step", "source", "target"])["conversions"].to_dict()
    assert rows == {
        (1, "a", "b"): 3.0,
        (1, "a", "(conversion)"): 2.0,
        (1, "b", "a"): 1.0,
        (2, "b", "(more touches)"): 3.0,
        (2, "a", "(more touches)"): 1.0,
    }


@pytest.fixture
def many():
    rng = np.random.default_rng(3)
    names = [f"c{i:02d}" for i in range(30)]
    rows = [" > ".join(rng.choice(names, rng.integers(1, 5))) for _ in range(300)]
    numbers = {"conversions": rng.integers(0, 9, 300).astype(float), "nulls": rng.integers(0, 40, 300).astype(float)}
    return read_paths(pd.DataFrame({"path": rows} | numbers))


def test_the_leading_channels_and_the_rest_keep_all_credit(many):
    whole = attribute(many, ["linear", "markov:1"], draws=50, spend=dict.fromkeys(many.channels, 10.0))
    cut = views.leading(whole, 5)
    assert len(cut.channels) == 6
    assert cut.channels[-1] == views.OTHER
    for name in whole.credits:
        assert cut[name].conversions.sum() == pytest.approx(whole[name].conversions.sum())
        np.testing.assert_allclose(cut[name].conversions_draws.sum(axis=1), whole[name].conversions_draws.sum(axis=1))
    assert cut.spend[views.OTHER] == 250.0
    assert views.leading(cut, 5) is cut
    assert views.transitions(many, 5)["source"].nunique() == 7
    assert views.flows(many, top=5)["source"].nunique() == 6


def test_cost_of_a_conversion_is_spend_over_credit(many):
    made = attribute(many, ["linear"], draws=100, spend={"c01": 500.0, "c02": 0.0})
    row = cost.returns(made).iloc[0]
    at = made.channels.index("c01")
    assert len(cost.returns(made)) == 1
    assert row["cpa"] == pytest.approx(500 / made["linear"].conversions[at])
    low, high = np.quantile(made["linear"].conversions_draws[:, at], [0.05, 0.95])
    assert (row["cpa_low"], row["cpa_high"]) == pytest.approx((500 / high, 500 / low))
    assert np.isnan(row["roas"])
    plain = next(c for c in made.to_dict()["models"]["linear"]["channels"] if c["channel"] == "c01")
    assert plain["cpa"] == pytest.approx(row["cpa"])
    assert plain["cpa_interval"] == pytest.approx({"low": row["cpa_low"], "high": row["cpa_high"]})
