"""Rules against hand-worked shares, and what holds for all of them."""

import numpy as np
import pandas as pd
import pytest

from attribution import PathSpec, attribute, read_paths
from attribution.labels import LABELS, label
from attribution.models import DEFAULT, MODELS
from measurement import DataError

RULES = ["first", "last", "linear", "position", "time_decay"]


def aggregated(*rows):
    return pd.DataFrame(rows, columns=["path", "conversions", "value", "nulls"]).astype(
        {"conversions": float, "value": float, "nulls": float}
    )


def credit(frame, model, spec=None):
    return attribute(read_paths(frame, spec), [model], draws=0)[model]


@pytest.fixture
def log():
    """Ten days, three users: a > b > a converts twice at once, b converts, c stays without."""
    rows = [
        ("u1", "2024-01-01 00:00", "a", "click", None),
        ("u1", "2024-01-03 00:00", "b", "impression", None),
        ("u1", "2024-01-07 00:00", "a", "click", None),
        ("u1", "2024-01-08 00:00", None, "conversion", 30.0),
        ("u1", "2024-01-08 00:00", None, "conversion", 12.0),
        ("u2", "2024-01-02 00:00", "b", "click", None),
        ("u2", "2024-01-04 12:00", None, "conversion", 7.0),
        ("u3", "2024-01-02 00:00", "c", "click", None),
        ("u3", "2024-03-09 00:00", None, "conversion", 5.0),
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event", "value"])
    return frame.assign(timestamp=pd.to_datetime(frame["timestamp"]))


@pytest.mark.parametrize(
    ("model", "conversions", "value"),
    [
        ("first", [2, 1, 0], [42, 7, 0]),
        ("last", [2, 1, 0], [42, 7, 0]),
        ("linear", [2 * 2 / 3, 1 + 2 / 3, 0], [28, 14 + 7, 0]),
        ("position", [2 * 0.8, 1 + 0.4, 0], [42 * 0.8, 42 * 0.2 + 7, 0]),
    ],
)
def test_shares_worked_by_hand(log, model, conversions, value):
    found = credit(log, model)
    assert found.channels == ("a", "b", "c")
    np.testing.assert_allclose(found.conversions, conversions, atol=1e-12)
    np.testing.assert_allclose(found.value, value, atol=1e-12)


def test_time_decay_halves_with_every_half_life(log):
    found = credit(log, "time_decay", PathSpec(half_life_days=2))
    weights = np.array([2 ** (-7 / 2), 2 ** (-5 / 2), 2 ** (-1 / 2)])
    weights /= weights.sum()
    shares = np.array([weights[0] + weights[2], weights[1], 0])
    np.testing.assert_allclose(found.conversions, 2 * shares + [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(found.value, 42 * shares + [0, 7, 0], atol=1e-12)


def test_time_decay_is_exact_where_journeys_of_one_path_differ_in_age():
    rows = []
    for user, (first, second, money) in enumerate([(9.0, 1.0, 100.0), (2.0, 0.5, 1.0), (25.0, 24.0, 10.0)]):
        end = pd.Timestamp("2024-02-01")
        rows.append((f"u{user}", end - pd.Timedelta(days=first), "a", "click", None))
        rows.append((f"u{user}", end - pd.Timedelta(days=second), "b", "click", None))
        rows.append((f"u{user}", end, None, "conversion", money))
    frame = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event", "value"])
    paths = read_paths(frame, PathSpec(half_life_days=3))
    assert len(paths) == 1
    found = attribute(paths, ["time_decay"], draws=0)["time_decay"]
    older = np.array([2 ** (-(a - b) / 3) for a, b in [(9, 1), (2, 0.5), (25, 24)]])
    share = older / (1 + older)
    np.testing.assert_allclose(found.conversions, [share.sum(), 3 - share.sum()], atol=1e-12)
    money = share @ [100, 1, 10]
    np.testing.assert_allclose(found.value, [money, 111 - money], atol=1e-9)


def test_half_lives_far_below_the_ages_do_not_underflow():
    rows = [
        ("u", "2024-01-01 00:00:00", "a", "click"),
        ("u", "2024-01-01 06:00:00", "b", "click"),
        ("u", "2024-12-01 00:00:00", None, "conversion"),
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event"])
    spec = PathSpec(click_lookback_days=365, half_life_days=0.25)
    np.testing.assert_allclose(credit(frame, "time_decay", spec).conversions, [1 / 3, 2 / 3], atol=1e-12)


def test_time_decay_needs_times():
    with pytest.raises(DataError, match="times of the touches"):
        credit(aggregated(("a > b", 1, 1, 0)), "time_decay")


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((1, 0, 0), [4, 0, 0]),
        ((0, 0, 1), [1, 1, 2]),
        ((0, 1, 0), [2, 2, 0]),  # halves in the pair; beyond, all to the touches between
        ((3, 1, 1), [3 / 4 + 3 / 5 + 1 + 3.5 / 5, 1 / 4 + 1 / 5 + 0.5 / 5, 2 / 5]),
    ],
)
def test_position_weights_are_free(weights, expected):
    frame = aggregated(("a > b", 1, 0, 0), ("a > b > c", 1, 0, 0), ("a", 1, 0, 0), ("a > a > b > c", 1, 0, 0))
    found = credit(frame, "position", PathSpec(position_weights=weights))
    np.testing.assert_allclose(found.conversions, expected, atol=1e-12)


@pytest.mark.parametrize("model", RULES)
def test_credits_sum_to_all_conversions(log, model):
    result = attribute(read_paths(log), [model])
    frame = result.to_frame()
    assert frame["conversions"].sum() == pytest.approx(4, abs=1e-9)
    assert frame["value"].sum() == pytest.approx(54, abs=1e-9)
    assert frame.loc[frame["channel"] == "(no touch)", "value"].to_list() == [5.0]
    totals = result[model].conversions_draws.sum(axis=1)
    np.testing.assert_allclose(totals, np.round(totals), atol=1e-9)  # every draw shares whole conversions


def test_all_models_together_are_those_one_by_one(log):
    together = attribute(read_paths(log), seed=4)
    assert list(together.credits) == list(DEFAULT)
    for name in DEFAULT:
        alone = attribute(read_paths(log), [name], seed=4)[name]
        np.testing.assert_array_equal(alone.conversions, together[name].conversions)
        np.testing.assert_array_equal(alone.conversions_draws, together[name].conversions_draws)


def test_without_values_there_is_no_money(log):
    result = attribute(read_paths(log.drop(columns="value")), spend={"a": 10.0})
    row = result.to_dict()["models"]["linear"]["channels"][0]
    assert result.value is None
    assert row["value"] is None
    assert row["roas"] is None
    # two conversions of one user and instant, told apart by nothing but their value, are one without it
    assert result.conversions == 3
    assert row["conversions"]["estimate"] == pytest.approx(2 / 3)


def test_every_model_has_a_name_for_people_and_another_one_keeps_its_id() -> None:
    assert set(LABELS) == set(MODELS)
    assert len(set(LABELS.values())) == len(LABELS)
    assert label("markov:2") == "Markov, order 2"
    assert label("mine") == "mine"
