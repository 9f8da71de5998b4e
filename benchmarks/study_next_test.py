"""Whether a test earns what it was said to be worth, in worlds whose truth is known.

``python benchmarks/study_next_test.py [beliefs refits] [--runs 120] [--refits 8] [--seed 61]`` writes
``results/next_test.csv`` and ``.md``; a part that is not named keeps its lines (``beliefs`` alone by default).
"""

import argparse
import csv
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import tables
from scipy import stats

from calibration.next_test import Budgeting, Wanted, next_tests
from calibration.next_test.decision import Decision, decision_of
from calibration.next_test.simulated import changed
from calibration.next_test.value import ReadOut, by_weights, perfect
from measurement import mmm
from measurement.lift import Lift
from measurement.mmm.prior import prior
from measurement.panel import Panel
from measurement.plan.horizon import Horizon, business_as_usual
from measurement.simulate import geo, simulate

CHANNELS = ("tv", "radio", "social", "video")
BELIEFS, TRUTHS = 600, 200
WEEKS, HORIZON, TEST, AFTER, MARGIN = 92, 26, 6, 2, 0.5
QUICK = mmm.Sampling(chains=2, warmup=200, draws=250)
ABOUT = """What a test is said to be worth (EVSI) and what it then earns (`python benchmarks/study_next_test.py`), as a
share of what knowing every curve is worth in that world. *beliefs*: simulated companies of four channels; draws of a
posterior are the belief, others of the same posterior are truths. Each truth's test is read with its error, the belief
is weighted by it and the budget decided again; *earned* is the profit of that budget under the truth less that of the
budget without the test, *ratio* all that was earned over all that was predicted. *slope* and *intercept* are those of
earned on predicted over worlds, with 90 % intervals from resampled worlds; *rank* is Spearman's correlation."""

REFITS = """ *refits*: the test is run in a simulated market, its read-out enters a new fit of the longer data, and the
budget decided on that fit is held against the market's truth; below it the same by weighting the draws of the old fit.
Here *predicted* and *earned* are money per 1,000 that the plan spends: one truth per world, so earned varies widely.
*same* is the correlation, over worlds, of what the two advise for the tested channel (over business as usual)."""


def panel_of(seed: int) -> Panel:
    world = simulate(geo(n_geos=4, weeks=70, channels=CHANNELS, seed=seed, n_tests=0))
    return world.panel()


def believed_world(seed: int) -> tuple[float, float, float, float]:
    """Predicted and earned value of a random test over EVPI, its error over the spread of Delta, and EVPI."""
    rng = np.random.default_rng(seed)
    panel = panel_of(seed)
    post = prior(panel, mmm.Spec.default(panel), draws=BELIEFS + TRUTHS, seed=seed)
    plan = business_as_usual(panel, HORIZON)
    whole = decision_of(post, panel, plan, margin=MARGIN)
    mine = np.arange(BELIEFS + TRUTHS) < BELIEFS
    belief = whole.only(mine)
    now = belief.best(belief.mean[None]).spend[0]
    name = str(rng.choice(CHANNELS))
    usual = panel.spend[:, -13:, panel.channels.index(name)].mean(axis=1)
    change = changed(post, panel, name, usual, float(rng.choice([-1.0, 1.0])), TEST, AFTER)
    delta = change.read_out[:, rng.permutation(4)[:2]].sum(axis=1)
    noise = float(np.exp(rng.uniform(np.log(0.15), np.log(2.0))))
    test = ReadOut(delta, noise * float(delta[mine].std()), 0.05)
    read_out = replace(test, delta=delta[mine])
    evpi = float(perfect(belief, now).mean())
    predicted = by_weights(belief, read_out, now, count=48).value
    seen = (delta + test.scale * stats.t.rvs(6, size=delta.size, random_state=rng))[~mine]
    log = read_out.log_likelihood(seen)
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    _, spend = belief.gains(np.tensordot(weights, belief.value, axes=1), now)
    truths = whole.value[~mine]
    earned = float((whole.worth(truths, spend) - whole.worth(truths, now)).mean())
    return predicted / evpi, earned / evpi, noise, evpi


def beliefs(runs: int, seed: int) -> dict[str, object]:
    found = np.array([believed_world(seed + run) for run in range(runs)])
    predicted, earned = found[:, 0], found[:, 1]
    rng = np.random.default_rng(seed)
    fits = []
    for _ in range(2000):
        rows = rng.integers(runs, size=runs)
        fits.append(np.polyfit(predicted[rows], earned[rows], 1))
    slope, intercept = np.polyfit(predicted, earned, 1)
    (low, low0), (high, high0) = np.quantile(fits, [0.05, 0.95], axis=0)
    ratio = earned.sum() / predicted.sum()
    ends = [earned[rows].sum() / predicted[rows].sum() for rows in rng.integers(runs, size=(2000, runs))]
    return {
        "part": "beliefs",
        "worlds": runs,
        "predicted": float(predicted.mean()),
        "earned": float(earned.mean()),
        "ratio": float(ratio),
        "ratio_low": float(np.quantile(ends, 0.05)),
        "ratio_high": float(np.quantile(ends, 0.95)),
        "slope": float(slope),
        "slope_low": float(low),
        "slope_high": float(high),
        "intercept": float(intercept),
        "intercept_low": float(low0),
        "intercept_high": float(high0),
        "rank": float(stats.spearmanr(predicted, earned).statistic),
        "same": "",
    }


def extended(world: Any, whole: Panel, treated: list[int], c: int, change: float) -> tuple[Panel, float]:
    """The panel with a test in its last weeks, and the test's true change of revenue."""
    spend = world.truth.usual_spend.copy()
    spend[treated, WEEKS : WEEKS + TEST, c] *= 1 + change
    effect = world.truth.response.effects(spend) - world.truth.response.effects(world.truth.usual_spend)
    revenue = whole.outcome + effect.sum(axis=-1)
    return replace(whole, spend=spend, exposure=spend, kpis={whole.kpi: revenue}), float(effect[treated, WEEKS:].sum())


def earned_in(world: Any, plan: Horizon, decision: Decision, spend: np.ndarray) -> float:
    """True profit of a plan over the horizon, its carry-over included."""
    before = world.truth.usual_spend[:, :WEEKS]
    tail = np.zeros((plan.spend.shape[0], 15, plan.spend.shape[2]))
    ahead = np.concatenate([plan.spend * (spend / decision.usual), tail], axis=1)
    effect = world.truth.response.effects(np.concatenate([before, ahead], axis=1))[:, WEEKS:]
    return float(MARGIN * effect.sum() - spend.sum())


def refitted(seed: int) -> tuple[float, ...]:
    """Value per 1,000 of planned money, predicted, earned by a refit and by weights; both budgets of the channel."""
    world = simulate(geo(n_geos=12, weeks=WEEKS + TEST + AFTER, channels=CHANNELS, seed=seed, n_tests=0))
    whole = world.panel()
    panel = whole.part(slice(0, WEEKS))
    driven = {channel.name: {"demand_driven": channel.demand_driven} for channel in world.truth.settings}
    spec = mmm.Spec.default(panel, channels=driven)
    post = mmm.fit(panel, spec, seed=seed, sampling=QUICK)
    wanted = Wanted(durations=(TEST,), geos=(3, 3), cooldown=AFTER)
    ranked = next_tests(post, panel, Budgeting(margin=MARGIN, horizon=HORIZON), wanted=wanted, seed=seed)
    on = world.truth.usual_spend[:, WEEKS : WEEKS + TEST].sum(axis=(0, 1)) > 0
    open_ = [each for each in ranked.tests if on[panel.channels.index(each.channel)]]
    test = max(open_, key=lambda each: each.evsi.value)
    c, treated = panel.channels.index(test.channel), panel.geo_index(test.record.treatment_geos).tolist()
    longer, true = extended(world, whole, treated, c, test.spend_change)
    read = true + test.std_error * float(np.random.default_rng(seed).standard_normal())
    first, last, end = (longer.dates[i].astype("datetime64[D]").item() for i in (WEEKS, WEEKS + TEST - 1, -1))
    usual = world.truth.usual_spend[treated][:, WEEKS : WEEKS + TEST, c][..., None]
    days = (first, last + timedelta(days=6), end + timedelta(days=6))
    lift = Lift(
        "t",
        (test.channel,),
        test.record.treatment_geos,
        *days,
        read,
        test.std_error,
        0.05,
        usual,
        cooldown_periods=AFTER,
    )
    after = mmm.fit(longer, spec, [lift], seed=seed, sampling=QUICK)
    plan = business_as_usual(panel, HORIZON)
    old, new = (decision_of(each, panel, plan, margin=MARGIN) for each in (post, after))
    now, then = (each.best(each.mean[None]).spend[0] for each in (old, new))
    level = panel.spend[:, -13:, c].mean(axis=1)
    delta = changed(post, panel, test.channel, level, test.spend_change, TEST, AFTER).read_out[:, treated].sum(axis=1)
    # what was spent in the weeks of the test is not the level that was planned: compare effects per money
    scale = float(test.spend_change * level[treated].sum() * TEST) / float((test.spend_change * usual).sum())
    log = ReadOut(delta, test.std_error, 0.05).log_likelihood(np.array([read * scale]))
    weights = np.exp(log - log.max())
    by_weight = old.gains(np.tensordot(weights / weights.sum(), old.value, axes=1), now)[1][0]
    base = earned_in(world, plan, old, now)
    unit = float(plan.spend.sum()) / 1000
    return (
        test.evsi.value / unit,
        (earned_in(world, plan, old, then) - base) / unit,
        (earned_in(world, plan, old, by_weight) - base) / unit,
        float(then[c] / old.usual[c]),
        float(by_weight[c] / old.usual[c]),
    )


def refits(runs: int, seed: int) -> list[dict[str, object]]:
    rows = []
    for run in range(runs):
        rows.append(refitted(seed + run))
        print("refit", run, np.round(rows[-1], 3), flush=True)
    found = np.array(rows)
    lines = []
    for part, column in (("refits", 1), ("refits, by weights alone", 2)):
        error = found[:, column].std(ddof=1) / np.sqrt(runs)
        line: dict[str, object] = {"part": part, "worlds": runs, "predicted": float(found[:, 0].mean())}
        line |= {"earned": float(found[:, column].mean()), "ratio": float(found[:, column].sum() / found[:, 0].sum())}
        near = 1.645 * error / found[:, 0].mean()
        line |= {"ratio_low": float(line["ratio"]) - near, "ratio_high": float(line["ratio"]) + near}
        blank = dict.fromkeys(
            ("slope", "slope_low", "slope_high", "intercept", "intercept_low", "intercept_high", "rank"), ""
        )
        lines.append(line | blank | {"same": float(np.corrcoef(found[:, 3], found[:, 4])[0, 1])})
    return lines


def kept(part: str) -> list[dict[str, object]]:
    """Lines of an earlier run of a part."""
    file = tables.RESULTS / "next_test.csv"
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        return [dict(line) for line in csv.DictReader(opened) if line["part"].startswith(part)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["beliefs"])
    parser.add_argument("--runs", type=int, default=120)
    parser.add_argument("--refits", type=int, default=8)
    parser.add_argument("--seed", type=int, default=61)
    asked = parser.parse_args()
    rows = [beliefs(asked.runs, asked.seed)] if "beliefs" in asked.parts else kept("beliefs")
    rows += refits(asked.refits, asked.seed) if "refits" in asked.parts else kept("refits")
    about = ABOUT + (REFITS if len(rows) > 1 else "")
    print(tables.write("next_test", about, rows, runs=asked.runs, seed=asked.seed))


if __name__ == "__main__":
    main()
