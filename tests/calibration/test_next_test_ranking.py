"""The ranking: simulated tests against full runs of the model, calendar and portfolio, order and reasons."""

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from calibration.next_test import Budgeting, NextTests, Terms, Wanted, next_tests
from calibration.next_test.calendar import Stretch, free_from, registered
from calibration.next_test.simulated import changed
from experiments.records import Experiment
from measurement.errors import DataError, DesignError
from measurement.lift import Lift
from measurement.mmm import Posterior, Spec
from measurement.mmm.counterfactual import naive_lift_delta
from measurement.mmm.prior import prior
from measurement.panel import Panel
from measurement.plan.horizon import following
from measurement.plan.items import Bound
from measurement.simulate import geo, simulate

QUICK = Wanted(durations=(4,), geos=(2, 2))
HALF = Budgeting(margin=0.5, horizon=26)


@pytest.fixture(scope="module")
def company() -> tuple[Panel, Posterior]:
    """A simulated company of 14 geos and 4 channels, of which one has stopped; its posterior is its prior."""
    world = simulate(geo(n_geos=14, weeks=90, channels=("tv", "radio", "social", "video"), seed=3, n_tests=0))
    panel = world.panel()
    stopped = panel.spend.copy()
    stopped[:, -30:, panel.channels.index("video")] = 0.0
    panel = replace(panel, spend=stopped, exposure=stopped)
    return panel, prior(panel, Spec.default(panel), draws=240, seed=1)


@pytest.fixture(scope="module")
def found(company: tuple[Panel, Posterior]) -> NextTests:
    panel, post = company
    return next_tests(post, panel, HALF, wanted=QUICK, terms=Terms(fixed=10.0), seed=2)


def test_a_simulated_test_is_two_full_runs_of_the_model(company: tuple[Panel, Posterior]) -> None:
    """The panel with the test's weeks behind it, once as usual and once as changed."""
    panel, post = company
    c, few = panel.channels.index("tv"), post.thinned(20)
    usual = panel.spend[:, -13:, c].mean(axis=1)
    got = changed(few, panel, "tv", usual, 0.6, 3, 2)
    rest = 3 + 2 + few.spec.channels["tv"].l_max
    ahead = np.zeros((14, rest, 4))
    ahead[..., c] = usual[:, None]
    ahead[[1, 4], :3, c] *= 1.6
    spend = np.concatenate([panel.spend, ahead], axis=1)
    per = few.scales.exposure_per_money
    exposure = np.concatenate([panel.exposure, ahead * per], axis=1)
    dates = np.concatenate([panel.dates, following(panel, rest)])
    longer = Panel(
        dates=dates,
        geos=panel.geos,
        channels=panel.channels,
        spend=spend,
        exposure=exposure,
        kpis={panel.kpi: np.ones(spend.shape[:2])},
        kpi=panel.kpi,
        kpi_value=1.0,
        population=panel.population,
    )
    first = dates[panel.shape[1]].astype("datetime64[D]").item()
    geos = (panel.geos[1], panel.geos[4])
    business = np.tile(usual[[1, 4]][:, None, None], (1, 3, 1))
    for weeks, part in ((5, got.read_out), (rest, got.whole)):
        end = first + timedelta(days=20)
        lift = Lift("t", ("tv",), geos, first, end, first + timedelta(days=7 * weeks - 1), 0.0, 1.0, 0.0, business)
        np.testing.assert_allclose(part[:, [1, 4]].sum(axis=1), naive_lift_delta(few, longer, lift), rtol=1e-7)


def test_every_test_keeps_the_order_of_values_and_its_sums(found: NextTests) -> None:
    assert {test.channel for test in found.tests} == {"tv", "radio", "social"}
    assert {test.direction for test in found.tests} == {"go_dark", "heavy_up"}
    nets = [test.net.value for test in found.tests]
    assert nets == sorted(nets, reverse=True)
    for test in found.tests:
        assert 0 <= test.evsi.value <= test.evppi <= found.evpi.value
        assert test.value.value == pytest.approx(test.evsi.value * (26 - test.known) / 26)
        assert test.net.value == pytest.approx(test.value.value - max(test.cost.expected, 0.0) - 10.0)
        assert test.known == 6
        assert test.cost.low <= test.cost.expected <= test.cost.high
        assert np.sign(test.spend_delta) == (1 if test.direction == "heavy_up" else -1)
        assert test.record.start_date == date.fromisoformat(found.first)
        assert set(test.estimates) == {"psis", "regression", "gaussian"}
    assert sum(test.chance_best for test in found.tests) <= 1 + 1e-9
    assert found.best is not None
    assert found.best.agree
    assert found.evpi.value > 0


def test_a_channel_without_spend_is_named_with_its_reason(found: NextTests) -> None:
    assert set(found.left_out) == {"video"}
    assert "last quarter" in found.left_out["video"]


def test_readings_say_what_moves_where(found: NextTests) -> None:
    best = found.best
    assert best is not None
    assert best.readings
    below, above = ([r for r in best.readings if r.side == side] for side in ("below", "above"))
    for each in below:
        assert each.money < 0
        assert each.other_money >= 0
    for each in above:
        assert each.money > 0
    for each in best.readings:
        assert 0 < each.chance < 1
        assert each.gain > 0
        assert each.other != best.channel
    if below and above:
        assert below[0].iroas <= above[0].iroas


def test_the_same_seed_gives_the_same_answer_and_it_can_be_kept(
    company: tuple[Panel, Posterior], found: NextTests
) -> None:
    panel, post = company
    again = next_tests(post, panel, HALF, wanted=QUICK, terms=Terms(fixed=10.0), seed=2)
    plain = json.dumps(found.to_dict(), sort_keys=True)
    assert json.dumps(again.to_dict(), sort_keys=True) == plain
    assert json.dumps(NextTests.from_dict(json.loads(plain)).to_dict(), sort_keys=True) == plain
    assert found.provenance.data == panel.sha256
    assert post.provenance.sha256 in found.provenance.parents


def test_nothing_is_worth_a_test_where_nothing_may_move(company: tuple[Panel, Posterior]) -> None:
    panel, post = company
    fixed = replace(HALF, otherwise=Bound(low=1.0, high=1.0))
    none = next_tests(post, panel, fixed, wanted=QUICK)
    assert none.best is None
    assert none.worthwhile == ()
    assert none.evpi.value == pytest.approx(0.0, abs=1e-3)
    assert all(test.evsi.value == pytest.approx(0.0, abs=1e-3) and not test.readings for test in none.tests)
    assert none.portfolio == ()


def test_no_result_counts_after_the_horizon(company: tuple[Panel, Posterior]) -> None:
    panel, post = company
    short = next_tests(post, panel, replace(HALF, horizon=5), wanted=replace(QUICK, channels=("tv",)))
    assert short.tests == ()
    assert "before the horizon ends" in short.left_out["tv"]


def test_tests_together_meet_no_market_twice_and_add_less_than_alone(
    company: tuple[Panel, Posterior], found: NextTests
) -> None:
    chosen = found.portfolio
    assert chosen
    alone = {(test.channel, test.direction): test.value.value for test in found.tests}
    assert len({each.channel for each in chosen}) == len(chosen)
    assert sum(each.adds for each in chosen) <= found.evpi.value
    assert chosen[0].adds == pytest.approx(max(alone.values()), rel=1e-6)
    for i, one in enumerate(chosen):
        for other in chosen[i + 1 :]:
            apart = (
                one.record.read_out_end < other.record.start_date or other.record.read_out_end < one.record.start_date
            )
            assert apart or not set(one.record.treatment_geos) & set(other.record.treatment_geos)


def test_money_for_tests_is_kept(company: tuple[Panel, Posterior]) -> None:
    panel, post = company
    poor = next_tests(post, panel, HALF, wanted=QUICK, terms=Terms(fixed=10.0, money=15.0), seed=2)
    assert len(poor.portfolio) <= 1
    assert all(each.record.spend_delta is not None and each.record.spend_delta < 0 for each in poor.portfolio)


def running(panel: Panel, treated: tuple[str, ...], weeks: int) -> Experiment:
    first = panel.dates[-1].astype("datetime64[D]").item()
    return Experiment(
        experiment_id="running",
        channel=("radio",),
        method="go_dark",
        start_date=first,
        end_date=first + timedelta(days=7 * (weeks + 1) - 1),
        treatment_geos=treated,
        control_geos=tuple(geo for geo in panel.geos if geo not in treated),
    )


def test_a_running_test_keeps_its_markets(company: tuple[Panel, Posterior]) -> None:
    """All others are its controls: the next test has to wait for its end."""
    panel, post = company
    test = running(panel, panel.geos[:3], 5)
    assert registered([test], panel) == (Stretch("running", frozenset(panel.geos), frozenset(panel.geos[:3]), 0, 5),)
    later = next_tests(post, panel, HALF, wanted=replace(QUICK, channels=("tv",)), registered=[test])
    for each in later.tests:
        assert each.known == 5 + 6
        assert each.record.start_date == date.fromisoformat(later.first) + timedelta(weeks=5)
    free = test.model_copy(update={"control_geos": panel.geos[3:6]})
    now = next_tests(post, panel, HALF, wanted=replace(QUICK, channels=("tv",)), registered=[free])
    for each in now.tests:
        assert each.known == 6
        assert not set(each.record.treatment_geos) & set(panel.geos[:6])
        assert not set(each.record.control_geos) & set(panel.geos[:3])


def test_the_first_free_period() -> None:
    taken = [Stretch("a", frozenset("xy"), frozenset("x"), 0, 4), Stretch("b", frozenset("x"), frozenset("x"), 6, 9)]
    assert free_from(("z",), 5, taken) == 0
    assert free_from(("y",), 5, taken) == 4
    assert free_from(("x",), 2, taken) == 4
    assert free_from(("x",), 3, taken) == 9


@pytest.mark.parametrize(
    ("budgeting", "wanted", "terms", "words"),
    [
        (Budgeting(margin=1.4), QUICK, Terms(), "margin"),
        (Budgeting(margin=0.5, total=-1.0), QUICK, Terms(), "total"),
        (Budgeting(margin=0.5, horizon=0), QUICK, Terms(), "horizon"),
        (Budgeting(margin=0.5, bounds={"tvv": Bound()}), QUICK, Terms(), "did you mean 'tv'"),
        (HALF, replace(QUICK, channels=("vido",)), Terms(), "did you mean 'video'"),
        (HALF, Wanted(directions=("go_drak",)), Terms(), "did you mean 'go_dark'"),  # type: ignore[arg-type]
        (HALF, Wanted(heavy_up=-0.5), Terms(), "heavy-up"),
        (HALF, Wanted(geos=(8, 2)), Terms(), "the smaller number first"),
        (HALF, QUICK, Terms(fixed=-1.0), "cost of a test"),
        (HALF, QUICK, Terms(most=0), "tests at most"),
    ],
)
def test_what_makes_no_sense_is_refused(
    company: tuple[Panel, Posterior], budgeting: Budgeting, wanted: Wanted, terms: Terms, words: str
) -> None:
    panel, post = company
    with pytest.raises(DataError, match=words):
        next_tests(post, panel, budgeting, wanted=wanted, terms=terms)


def test_no_feasible_design_is_one_error(company: tuple[Panel, Posterior]) -> None:
    panel, post = company
    with pytest.raises(DesignError, match="no test of any channel could be planned"):
        next_tests(post, panel, HALF, wanted=replace(QUICK, exclude=panel.geos))
