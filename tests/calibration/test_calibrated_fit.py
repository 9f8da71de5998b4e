"""What tests do to the model: short windows, contradicting tests, tests that say that ads cost sales."""

from dataclasses import replace

import numpy as np
import pytest

from calibration import calibrate
from calibration.conflict import judge, withheld
from measurement.lift import Lift
from measurement.mmm import Sampling, Spec, fit, lift_delta
from measurement.panel import Panel

QUICK = Sampling(chains=2, warmup=150, draws=200)
WEEKS, DECAY, RETURN, DARK = 104, 0.7, 1.2, slice(60, 64)
STRONG = {"demand_driven": "strong", "saturation": "none", "l_max": 12}


def effect_of(spend):
    """What the spend brings, in proportion to it, with a carry-over of .7, shape (weeks,)."""
    weights = DECAY ** np.arange(12)
    return RETURN * np.convolve(spend, weights / weights.sum())[:WEEKS]


@pytest.fixture(scope="module")
def market():
    """A national panel whose spend wanders, and whose channel goes dark for four weeks; what it did to sales then."""
    rng = np.random.default_rng(5)
    usual = 3_000.0 * np.exp(0.1 * np.cumsum(rng.standard_normal(WEEKS)))
    spend = usual.copy()
    spend[DARK] = 0.0
    time = np.arange(WEEKS)
    base = 1 + 0.08 * np.sin(2 * np.pi * time / 52.18) + 0.01 * rng.standard_normal(WEEKS)
    panel = Panel(
        dates=np.datetime64("2022-01-03") + 7 * np.arange(WEEKS).astype("timedelta64[D]"),
        geos=("national",),
        channels=("video",),
        spend=spend[None, :, None],
        exposure=spend[None, :, None],
        kpis={"revenue": (60_000.0 * base + effect_of(spend))[None]},
        kpi="revenue",
    )
    change = float((effect_of(spend) - effect_of(usual))[DARK].sum())
    return panel, usual, change, effect_of(spend).sum() / spend.sum()


def dark(panel, usual, change, std_error, name="dark"):
    day = panel.dates[[DARK.start, DARK.stop - 1, DARK.stop - 1]].tolist()
    return Lift(name, ("video",), ("national",), *day, change, std_error, 0.0, usual[DARK][None, :, None])


@pytest.fixture(scope="module")
def calibrated(market):
    panel, usual, change, _ = market
    known = STRONG | {"decay": {"median": 0.7, "low": 0.6, "high": 0.79}}
    spec = Spec.default(panel, channels={"video": known})
    return calibrate(panel, spec, [dark(panel, usual, change, 0.03 * abs(change))], seed=2, sampling=QUICK)


def test_a_four_week_test_gives_the_return_with_all_of_its_carry_over(market, calibrated):
    """Four weeks of darkness catch little more than half of what the spend brings; the model knows the rest."""
    _, usual, change, truth = market
    naive = change / -usual[DARK].sum()
    assert naive < 0.75 * truth
    low, median, high = np.quantile(calibrated.best.draws["iroas"][:, 0], [0.05, 0.5, 0.95])
    alone = np.quantile(calibrated.sibling.draws["iroas"][:, 0], [0.05, 0.95])
    assert median == pytest.approx(truth, rel=0.1)
    assert low < truth < high
    assert np.log(high / low) < 0.65 * np.log(alone[1] / alone[0])
    assert calibrated.conflicts[0].verdict == "agrees"


def elsewhere(panel, roi, se, name):
    """A go-dark in another market at the mean spend that measured this return."""
    usual = np.full((1, 8, 1), 0.1 * panel.spend.mean())
    day, change = panel.dates[0].item(), -roi * usual.sum()
    return Lift(
        name, ("video",), (), day, day, day, change, se * usual.sum(), 0.0, usual, 0.0 * usual, 0.1,
        "steady_state", cooldown_periods=12,
    )  # fmt: skip


def even(panel):
    """The same market with spend that hardly moves, of which the weeks say nothing."""
    spend = 3_000.0 * (1 + 0.002 * np.random.default_rng(1).standard_normal(panel.spend.shape))
    return replace(panel, spend=spend, exposure=spend)


def test_returns_of_one_and_five_leave_room_for_both_and_raise_the_flag(market):
    panel = even(market[0])
    spec = Spec.default(panel, channels={"video": STRONG})
    lifts = [elsewhere(panel, 1.0, 0.2, "one"), elsewhere(panel, 5.0, 0.2, "five")]
    made = calibrate(panel, spec, lifts, seed=2, sampling=QUICK)
    low, high = np.quantile(made.best.draws["iroas"][:, 0], [0.05, 0.95])
    assert low < 1.0
    assert high > 3.5, "the prior's own 95 % point is 5"
    assert {c.verdict for c in made.conflicts} == {"tests disagree"}
    assert "contradict each other" in withheld(made.conflicts)["video"]


def test_a_test_that_says_ads_cost_sales_is_taken_as_it_is(market, calibrated):
    panel, usual, change, _ = market
    sibling = calibrated.sibling
    loss = dark(panel, usual, -change, 0.2 * abs(change), "loss")
    made = fit(panel, sibling.spec, [loss], seed=2, sampling=QUICK)
    assert np.isfinite(made.draws["iroas"]).all()
    assert np.median(made.draws["iroas"]) < 0.9 * np.median(sibling.draws["iroas"])
    weak = replace(loss, outcome_change=-0.2 * change, std_error=abs(change))
    said = [
        judge([lift], [lift_delta(sibling, panel, lift)], None, sibling.draws["iroas"], panel.channels)[0].verdict
        for lift in (loss, weak)
    ]
    assert said == ["conflict", "agrees"]
