"""Draws, totals, what is printed and what is stored."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from attribution import Attribution, PathSpec, attribute, read_paths
from attribution.aggregated import from_frame
from measurement import DataError
from measurement.archive import pack, unpack


@pytest.fixture(scope="module")
def log():
    random = np.random.default_rng(11)
    rows = []
    start = pd.Timestamp("2024-01-01")
    for user in range(1_500):
        at = start + pd.Timedelta(days=float(random.uniform(0, 120)))
        for _ in range(random.integers(0, 4)):
            rows.append((f"u{user}", at, str(random.choice(["search", "social", "tv"])), "click", None))
            at += pd.Timedelta(hours=float(random.exponential(40)))
        if random.random() < 0.3:
            rows.append((f"u{user}", at, None, "conversion", float(random.lognormal(3, 1))))
    return pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event", "value"])


@pytest.fixture(scope="module")
def paths(log):
    return read_paths(log)


@pytest.fixture(scope="module")
def result(paths):
    return attribute(paths, draws=400, spend={"search": 1000.0, "social": 0.0, "radio": 50.0})


def test_credits_sum_to_the_log(log, paths, result):
    sales = log[log["event"] == "conversion"]
    assert paths.no_touch[0] > 0
    for _, rows in result.to_frame().groupby("model"):
        assert rows["conversions"].sum() == pytest.approx(len(sales), abs=1e-9)
        assert rows["value"].sum() == pytest.approx(sales["value"].sum(), rel=1e-12)
        assert rows["share"].sum() == pytest.approx(1, abs=1e-12)


def test_models_are_drawn_jointly(result):
    """In a draw all models share the same resampled conversions and money."""
    conversions = np.stack([credit.conversions_draws.sum(axis=1) for credit in result.credits.values()])
    money = np.stack([credit.value_draws.sum(axis=1) for credit in result.credits.values()])
    np.testing.assert_allclose(conversions, np.broadcast_to(conversions[0], conversions.shape), rtol=1e-9)
    np.testing.assert_allclose(money, np.broadcast_to(money[0], money.shape), rtol=1e-9)
    assert conversions[0].std() > 0


def test_draws_have_the_variance_of_whole_users_resampled():
    """Users of one to five journeys: the draws vary as sums over users do, not as sums over journeys."""
    random = np.random.default_rng(3)
    start, rows = pd.Timestamp("2024-01-01"), []
    for user in range(4_000):
        for journey in range(random.integers(1, 6)):
            at = start + pd.Timedelta(hours=int(journey * 24 + random.integers(0, 12)))
            rows.append((f"u{user}", at, str(random.choice(["a", "b"])), "click", None))
            rows.append((f"u{user}", at + pd.Timedelta(hours=1), None, "conversion", float(random.gamma(2, 5))))
    frame = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event", "value"])
    sales = frame[frame["event"] == "conversion"].assign(channel=frame["channel"].shift())
    of_user = sales.pivot_table(index="user_id", columns="channel", values="value", aggfunc=["count", "sum"]).fillna(0)
    draws = attribute(read_paths(frame), ["last"], draws=4_000)["last"]
    squares = of_user.pow(2).sum()
    np.testing.assert_allclose(draws.conversions_draws.var(axis=0), squares["count"], rtol=0.12)
    np.testing.assert_allclose(draws.value_draws.var(axis=0), squares["sum"], rtol=0.12)
    as_journeys = attribute(from_frame(read_paths(frame).to_frame(), PathSpec(), ()), ["last"], draws=4_000)["last"]
    np.testing.assert_allclose(as_journeys.conversions_draws.var(axis=0), draws.conversions, rtol=0.12)


def test_same_seed_same_answer(paths):
    one, same, other = (attribute(paths, seed=seed).to_bytes() for seed in (3, 3, 4))
    assert one == same
    assert one != other


def test_intervals_hold_the_truth_nine_times_in_ten():
    """Journeys drawn from a known chain; the credit of the whole population is the truth."""
    random = np.random.default_rng(2)
    routes = ["a", "b", "a > b", "b > a", "a > c > b", "c", "c > a", "b > b > c"]
    share = random.dirichlet(np.ones(len(routes)))
    rate = random.uniform(0.05, 0.5, len(routes))
    journeys = 2_000

    def table(conversions, nulls):
        return pd.DataFrame({"path": routes, "conversions": conversions, "nulls": nulls}).astype({"conversions": float})

    everyone = table(journeys * share * rate, journeys * share * (1 - rate))
    truth = attribute(from_frame(everyone, PathSpec(), ()), draws=0)
    models = ["linear", "position", "markov:1"]
    inside = dict.fromkeys(models, 0)
    runs = 250
    for run in range(runs):
        won, lost = random.poisson(journeys * share * rate), random.poisson(journeys * share * (1 - rate))
        found = attribute(from_frame(table(won, lost), PathSpec(), ()), models, seed=run)
        for model in models:
            low, high = np.quantile(found[model].conversions_draws, [0.05, 0.95], axis=0)
            inside[model] += ((low <= truth[model].conversions) & (truth[model].conversions <= high)).sum()
    for model, count in inside.items():
        assert 0.86 <= count / (3 * runs) <= 0.94, model


def test_it_prints_what_the_design_says(result):
    found = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert {"spec_hash", "conversions", "value", "models"} <= set(found)
    markov = found["models"]["markov:1"]
    assert 0 < markov["conversion_probability"] < 1
    rows = {row["channel"]: row for row in markov["channels"]}
    assert set(rows) == {"search", "social", "tv", "(no touch)"}
    search = rows["search"]
    assert search["conversions"]["low"] < search["conversions"]["estimate"] < search["conversions"]["high"]
    assert search["roas"] == pytest.approx(search["value"]["estimate"] / 1000)
    assert search["roas_interval"]["low"] == pytest.approx(search["value"]["low"] / 1000)
    assert 0 < search["removal_effect"] <= 1
    assert rows["social"]["roas"] is None  # nothing was spent
    assert rows["tv"]["roas"] is None  # spend is not known
    assert found["models"]["linear"]["conversion_probability"] is None
    assert [p["code"] for p in found["findings"] if p["code"] == "unseen-channel"] == ["unseen-channel"]


def test_it_reads_what_it_stores(result):
    stored = result.to_bytes()
    again = Attribution.from_bytes(stored)
    assert again.to_dict() == result.to_dict()
    assert again.to_bytes() == stored
    assert again.provenance.sha256 == result.provenance.sha256
    np.testing.assert_array_equal(again["markov:1"].value_draws, result["markov:1"].value_draws)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: b"nonsense",
        lambda data: data[: len(data) // 2],
        lambda data: data[:200] + bytes([data[200] ^ 255]) + data[201:],
        lambda data: pack({"models": []}, {}).replace(b"header", b"reader"),
    ],
)
def test_damaged_bytes_are_refused(result, spoil):
    with pytest.raises(DataError):
        Attribution.from_bytes(spoil(result.to_bytes()))


def test_another_format_is_refused(monkeypatch, result):
    monkeypatch.setattr("measurement.archive.FORMAT", 99)
    foreign = result.to_bytes()
    monkeypatch.undo()
    with pytest.raises(DataError, match="another format"):
        unpack(foreign, "attribution")


def test_unknown_models_are_told_with_the_nearest(paths):
    with pytest.raises(DataError) as caught:
        attribute(paths, ["lnear", "shapely", "linear"])
    assert "did you mean 'linear'" in str(caught.value)
    assert len(caught.value.problems) == 2
    with pytest.raises(DataError, match="at least one"):
        attribute(paths, [])


def test_what_cannot_be_credited_is_refused(paths):
    lost = replace(paths, conversions=np.zeros(len(paths)), value=None)
    with pytest.raises(DataError, match="nothing to credit"):
        attribute(lost)
    with pytest.raises(DataError, match="spend of 'tv'"):
        attribute(paths, spend={"tv": -1.0})
    with pytest.raises(DataError, match="draws"):
        attribute(paths, draws=-1)


def test_without_draws_there_are_no_intervals(paths):
    found = attribute(paths, ["linear"], draws=0)
    row = found.to_dict()["models"]["linear"]["channels"][0]
    assert row["conversions"]["low"] is None
    assert found["linear"].conversions_draws.shape == (0, 3)
    assert np.isnan(found.to_frame()["conversions_low"]).all()
    assert Attribution.from_bytes(found.to_bytes()).to_dict() == found.to_dict()


def test_ranks_say_how_firm_the_order_is():
    frame = pd.DataFrame({"path": ["a", "b", "c", "d"], "conversions": [900.0, 100, 95, 1], "nulls": [9.0] * 4})
    result = attribute(from_frame(frame, PathSpec(), ()), ["last"], draws=500)
    ranks = result["last"].ranks(top=2).set_index("channel")
    assert list(ranks.index) == ["a", "b", "c", "d"]
    assert list(ranks["rank"]) == [1, 2, 3, 4]
    assert ranks.loc["a", "in_top"] == 1
    assert ranks.loc["d", "in_top"] == 0
    assert 0.5 < ranks.loc["b", "in_top"] < 0.8
    assert ranks.loc["b", ["rank_low", "rank_high"]].to_list() == [2, 3]
    (rare,) = [p for p in result.findings if p.code == "rare-channel"]
    assert "'d' (1)" in rare.message
    assert attribute(from_frame(frame, PathSpec(), ()), ["last"], draws=0)["last"].ranks()["in_top"].isna().all()


def test_a_credit_that_is_not_there_is_named(result):
    with pytest.raises(DataError, match="did you mean 'markov:1'"):
        result["markov"]
