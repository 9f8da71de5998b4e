"""The hazard with a baseline: its maximum against a general optimiser, its truth in simulated worlds, draws, sums."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from attribution import Attribution, PathSpec, attribute, read_paths
from attribution.ages import DAYS
from attribution.models import hazard_baseline as model
from attribution.sums import Resampling

NAME = "hazard:baseline"
EFFECT = np.array([0.3, 0.12, 0.05])
HALF_LIFE = np.array([1.0, 4.0, 2.0])
IMPRESSION, BASE, DAYS_SEEN = 0.4, 0.01, 150.0


def world(seed, users=4_000, reuse=False):
    """Users whose touches set off conversions, and who convert by themselves; and how many each cause brought.

    Where touches are not used again, a conversion ends what the touches before it would still have set off.
    """
    random = np.random.default_rng(seed)
    rows, caused = [], np.zeros(4)
    for user in range(users):
        size = 1 + random.poisson(3)
        at = np.sort(random.uniform(0, 20) + np.cumsum(random.exponential(8, size)))
        at, size = at[at < DAYS_SEEN], int((at < DAYS_SEEN).sum())
        channel, shown = random.choice(3, size, p=[0.3, 0.3, 0.4]), random.random(size) < 0.5
        mean = EFFECT[channel] * np.where(shown, IMPRESSION, 1.0)
        due = [
            (t + random.exponential(HALF_LIFE[c] / np.log(2)), t, c)
            for t, c, expected in zip(at, channel, mean, strict=True)
            for _ in range(random.poisson(expected))
        ]
        due += [(t, t, 3) for t in random.uniform(at[0], DAYS_SEEN, random.poisson(BASE * (DAYS_SEEN - at[0])))]
        last = -1.0
        for when, begin, cause in sorted(due):
            if when < DAYS_SEEN and (cause == 3 or reuse or begin > last):
                rows.append((user, when, None, "conversion"))
                caused[cause] += 1
                last = when
        rows += [
            (user, t, "abc"[c], "impression" if s else "click") for t, c, s in zip(at, channel, shown, strict=True)
        ]
    frame = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event"])
    frame["user_id"] = "u" + frame["user_id"].astype(str)
    frame["timestamp"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.rint(frame["timestamp"] * 86_400), unit="s")
    return frame, caused


SPEC = PathSpec(click_lookback_days=40, impression_lookback_days=40)


@pytest.fixture(scope="module")
def paths():
    return read_paths(world(1)[0], SPEC)


@pytest.mark.parametrize("reuse", [False, True])
def test_it_finds_what_made_the_conversions_and_what_needed_no_touch(reuse):
    frame, caused = world(2, users=12_000, reuse=reuse)
    paths = read_paths(frame, SPEC.model_copy(update={"after_conversion": "reuse" if reuse else "reset"}))
    plain, found = (attribute(paths, ["hazard", NAME], draws=200)[name] for name in ("hazard", NAME))
    np.testing.assert_allclose(found.conversions, caused[:3], rtol=0.12)
    by_itself = found.baseline[0, 0] + paths.no_touch[0]
    assert by_itself == pytest.approx(caused[3], rel=0.07)
    low, high = np.quantile(found.conversions_draws, [0.005, 0.995], axis=0)
    assert ((low < caused[:3]) & (caused[:3] < high)).all()
    assert plain.conversions.sum() > 1.3 * caused[:3].sum()  # without a baseline touches are credited with its orders
    np.testing.assert_allclose(list(found.about["half_life_days"].values())[:2], HALF_LIFE[:2], rtol=0.2)
    np.testing.assert_allclose(list(found.about["conversions_per_click"].values()), EFFECT, rtol=0.2)
    assert found.about["impression_over_click"] == pytest.approx(IMPRESSION, rel=0.15)
    assert found.about["baseline_per_user_and_year"] == pytest.approx(365.25 * BASE, rel=0.07)


def test_the_maximum_is_that_of_a_general_optimiser(paths):
    data = model.Data.of(paths)
    found, touches = model.fit(data), data.touches

    def loss(logs):
        effect, rate, factor, base = np.exp(logs[:3]), np.exp(logs[3:6]), np.exp(logs[6]), np.exp(logs[7])
        one = effect[touches.channel] * rate[touches.channel] * np.exp(-rate[touches.channel] * DAYS[touches.age])
        total = base + np.bincount(touches.sale, one * np.where(data.kind == 1, factor, 1.0))
        gone = effect[:, None] * (1 - np.exp(-rate[:, None] * DAYS))
        expected = base * data.days.sum() + ((data.watched[0] + factor * data.watched[1]) * gone).sum()
        return expected - (touches.conversions * np.log(total)).sum() - data.alone.sum() * np.log(base)

    ours = np.log(np.concatenate([found.effect, found.rate, [found.factor, found.base]]))
    best = minimize(loss, ours + 0.05, method="BFGS", options={"gtol": 1e-4})
    assert loss(ours) <= best.fun + 1e-2
    np.testing.assert_allclose(ours, best.x, atol=0.02)


def test_draws_are_those_of_fitting_anew(paths):
    found = attribute(paths, [NAME], draws=40)[NAME]
    data, times = model.Data.of(paths), Resampling.of(paths, 40, 0).times
    again = []
    for drawn in times.T:
        watched = np.asarray(data.watched_by_group @ drawn).reshape(3, 2, -1).transpose(1, 0, 2)
        sold = data.touches.conversions * drawn[data.touches.group]
        own = replace(
            data,
            touches=replace(data.touches, conversions=sold),
            watched=watched,
            days=data.days * drawn,
            alone=data.alone * drawn,
        )
        fitted = model.fit(own)
        credit = np.bincount(data.touches.channel, sold[data.touches.sale] * fitted.share, 3)
        again.append([*credit, sold @ fitted.own])
    ours = np.column_stack([found.conversions_draws, found.baseline[0, 1:]])
    off = np.abs(ours - np.array(again)).mean(axis=0)
    assert (off < 0.35 * np.std(again, axis=0)).all()


def test_the_rows_sum_to_all_conversions_and_all_money_and_are_kept(paths):
    frame = world(1, users=600)[0]
    frame["value"] = np.where(frame["event"] == "conversion", 5.0, np.nan)
    made = attribute(read_paths(frame, SPEC), [NAME, "linear"], draws=20)
    rows = made.to_frame().query("model == @NAME")
    assert set(rows["channel"]) == {"a", "b", "c", "(baseline)", "(no touch)"}
    assert rows["conversions"].sum() == pytest.approx(made.conversions, abs=1e-9)
    assert rows["value"].sum() == pytest.approx(made.value, abs=1e-9)
    row = rows.set_index("channel").loc["(baseline)"]
    assert row["conversions_low"] < row["conversions"] < row["conversions_high"]
    again = Attribution.from_bytes(made.to_bytes())
    assert again.to_dict() == made.to_dict()


def test_one_kind_alone_has_no_factor():
    frame = world(1, users=400)[0]
    frame.loc[frame["event"] == "impression", "event"] = "click"
    credit = attribute(read_paths(frame, SPEC), [NAME], draws=20)[NAME]
    assert credit.about["impression_over_click"] is None
    assert np.isfinite(credit.conversions_draws).all()
