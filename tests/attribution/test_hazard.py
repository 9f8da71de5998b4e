"""The additive hazard: its maximum against a general optimiser, its truth in simulated worlds, draws against refits."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from attribution import PathSpec, attribute, read_paths
from attribution.ages import DAYS
from attribution.aggregated import from_frame
from attribution.models import hazard
from attribution.sums import Resampling
from measurement import DataError

EFFECT = np.array([0.25, 0.1, 0.03])
HALF_LIFE = np.array([1.0, 4.0, 2.0])
DAY = 86_400


def world(seed, users=3_000):
    """Users whose touches set off conversions by the model; the first one ends the journey. And what caused each."""
    random = np.random.default_rng(seed)
    rows, caused = [], np.zeros(3)
    for user in range(users):
        size = 1 + random.poisson(2)
        at = random.uniform(0, 100) + np.cumsum(random.exponential(1.5, size))
        channel = random.choice(3, size, p=[0.3, 0.3, 0.4])
        due = [
            (t + random.exponential(HALF_LIFE[c] / np.log(2)), c)
            for t, c in zip(at, channel, strict=True)
            for _ in range(random.poisson(EFFECT[c]))
        ]
        end, cause = min(due, default=(np.inf, -1))
        rows += [(user, t, "abc"[c], "click") for t, c in zip(at, channel, strict=True) if t < min(end, 110)]
        if end < 110:
            rows.append((user, end, None, "conversion"))
            caused[cause] += 1
    frame = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event"])
    frame["user_id"] = "u" + frame["user_id"].astype(str)
    frame["timestamp"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.rint(frame["timestamp"] * DAY), unit="s")
    return frame, caused


@pytest.fixture(scope="module")
def paths():
    return read_paths(world(1)[0])


def test_the_maximum_is_that_of_a_general_optimiser(paths):
    data = hazard.Data.of(paths)
    found = hazard.fit(data)

    def loss(logs):
        effect, rate = np.exp(logs[:3]), np.exp(logs[3:])
        ages = DAYS[data.age]
        intensity = effect[data.channel] * rate[data.channel] * np.exp(-rate[data.channel] * ages)
        total = np.bincount(data.sale, intensity)
        expected = (data.watched * effect[:, None] * (1 - np.exp(-rate[:, None] * DAYS))).sum()
        return expected - (data.conversions * np.log(total)).sum()

    start = np.log(np.concatenate([np.full(3, 0.1), np.full(3, 0.1)]))
    best = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 20_000, "xatol": 1e-7, "fatol": 1e-9})
    ours = np.log(np.concatenate([found.effect, found.rate]))
    assert loss(ours) <= best.fun + 1e-3
    np.testing.assert_allclose(ours, best.x, atol=0.01)
    # at the maximum every channel's credit is what its touches lead one to expect
    credit = np.bincount(data.channel, data.conversions[data.sale] * found.share)
    expected = found.effect * (data.watched * (1 - np.exp(-found.rate[:, None] * DAYS))).sum(axis=1)
    np.testing.assert_allclose(credit, expected, rtol=1e-6)


def test_it_finds_what_made_the_conversions():
    frame, caused = world(2, users=20_000)
    paths = read_paths(frame)
    credit = attribute(paths, ["hazard"], draws=200)["hazard"]
    assert credit.conversions.sum() + paths.no_touch[0] == pytest.approx(caused.sum(), abs=1e-9)
    np.testing.assert_allclose(credit.conversions, caused, rtol=0.12)
    lives = list(credit.about["half_life_days"].values())
    np.testing.assert_allclose(lives[:2], HALF_LIFE[:2], rtol=0.15)
    effects = list(credit.about["conversions_per_touch"].values())
    np.testing.assert_allclose(effects, EFFECT, rtol=0.15)


def test_draws_are_those_of_fitting_anew(paths):
    draws = attribute(paths, ["hazard"], draws=40)["hazard"].conversions_draws
    data, times = hazard.Data.of(paths), Resampling.of(paths, 40, 0).times
    again = []
    for drawn in times.T:
        watched = (data.watched_by_group @ drawn).reshape(data.watched.shape)
        sold = data.conversions * drawn[data.group]
        found = hazard.fit(replace(data, conversions=sold, watched=watched))
        again.append(np.bincount(data.channel, sold[data.sale] * found.share))
    off = np.abs(draws - np.array(again)).mean(axis=0)
    assert (off < 0.3 * np.std(again, axis=0)).all()
    np.testing.assert_allclose(draws.std(axis=0), np.std(again, axis=0), rtol=0.25)
    assert (draws >= 0).all()


def test_money_goes_by_the_same_shares(paths):
    frame = world(1)[0]
    frame["value"] = np.where(frame["event"] == "conversion", 5.0, np.nan)
    credit = attribute(read_paths(frame), ["hazard"])["hazard"]
    np.testing.assert_allclose(credit.value, 5 * credit.conversions, rtol=1e-12)
    np.testing.assert_allclose(credit.value_draws, 5 * credit.conversions_draws, rtol=1e-9)


def test_one_channel_takes_all():
    frame = world(3, users=300)[0].assign(channel=lambda f: f["channel"].where(f["channel"].isna(), "a"))
    credit = attribute(read_paths(frame), ["hazard"])["hazard"]
    np.testing.assert_allclose(credit.conversions, (frame["event"] == "conversion").sum())


def test_it_needs_times():
    frame = pd.DataFrame({"path": ["a > b"], "conversions": [1.0], "nulls": [1.0]})
    with pytest.raises(DataError, match="times of the touches"):
        attribute(from_frame(frame, PathSpec(), ()), ["hazard"])
