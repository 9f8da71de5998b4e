"""The whole roof on a small simulated company: records to evidence, two fits, judgement, one view."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from attribution import attribute, read_paths
from calibration import Conflict, View, calibrate, gather, reconcile
from calibration.curves import changes_by_channel
from calibration.evidence_model import Tests
from calibration.side_by_side import pool
from calibration.sources import Attributed, Blocks, gaussian, joint_errors
from calibration.verdict import money
from experiments.records import parse
from measurement import mmm
from measurement.errors import DataError
from measurement.mmm import Sampling, Spec, lift_delta, prior
from measurement.simulate import geo, simulate

CHANNELS = ("brand_search", "social", "tv")


@pytest.fixture(scope="module")
def world():
    settings = geo(4, 78, CHANNELS, 5, n_tests=2, journey_weeks=16)
    precise = tuple(replace(trial, iroas_se=0.15) for trial in settings.trials)
    return simulate(replace(settings, revenue=100_000.0, trials=precise))


@pytest.fixture(scope="module")
def panel(world):
    return world.panel()


@pytest.fixture(scope="module")
def evidence(world, panel):
    return gather(parse(world.experiments), panel)[0]


@pytest.fixture(scope="module")
def credit(world, tmp_path_factory):
    file = tmp_path_factory.mktemp("journeys") / "touchpoints.parquet"
    world.touchpoints.to_parquet(file, index=False)
    return attribute(read_paths(file), ["markov:1", "last", "linear"], seed=1, draws=40)


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def calibration(world, panel, evidence, told):
    demand = {c.name: {"demand_driven": c.demand_driven} for c in world.settings.channels}
    return calibrate(
        panel,
        Spec.default(panel, channels=demand),
        [item.lift for item in evidence],
        seed=1,
        sampling=Sampling(chains=2, warmup=120, draws=150),
        progress=told.append,
    )


@pytest.fixture(scope="module")
def view(panel, calibration, evidence, credit, world):
    return reconcile(
        panel,
        calibration.sibling,
        evidence,
        credit,
        calibrated=calibration.calibrated,
        conflicts=calibration.conflicts,
        resolved=[c.experiment_id for c in calibration.conflicts],
        platform=world.platform,
        margin=0.5,
        seed=2,
    )


def test_progress_spans_both_fits(calibration, told):
    done = [p.done for p in told]
    assert done == sorted(done)
    assert told[-1].done == told[-1].total == 2 * 2 * (120 + 150)
    assert {p.phase.split(", ")[1] for p in told} == {"without tests", "with tests"}


def test_calibration_prints_both_fits_and_one_judgement_per_test(calibration, evidence):
    printed = calibration.to_dict()
    assert [c["channel"] for c in printed["channels"]] == sorted(CHANNELS)
    assert printed["channels"][0]["iroas"] != printed["channels"][0]["sibling"]["iroas"]
    assert [c["experiment_id"] for c in printed["conflicts"]] == [item.id for item in evidence]
    assert all(0 <= c["p"] <= 1 for c in printed["conflicts"])
    assert calibration.sibling.provenance.parents == ()
    assert set(calibration.calibrated.provenance.parents) == {item.id for item in evidence}


def test_tests_sharpen_what_they_tested_and_keep_its_truth(world, calibration, evidence):
    tested = sorted({name for item in evidence for name in item.lift.channels})
    at = [calibration.sibling.channels.index(name) for name in tested]
    truth = np.array([world.truth.iroas[name] for name in tested])
    without, with_tests = (
        np.quantile(fit.draws["iroas"][:, at], [0.05, 0.95], axis=0)
        for fit in (calibration.sibling, calibration.calibrated)
    )
    assert (np.log(with_tests[1] / with_tests[0]) < np.log(without[1] / without[0])).all()
    assert ((with_tests[0] < truth) & (truth < with_tests[1])).all()


def test_no_test_is_judged_where_there_is_none(panel, calibration):
    alone = replace(calibration, calibrated=None, conflicts=())
    assert alone.best is calibration.sibling
    assert alone.to_dict()["conflicts"] == []


def test_view_holds_every_source(view, evidence):
    assert [v.channel for v in view.channels] == sorted(CHANNELS)
    tested = {name for item in evidence for name in item.lift.channels}
    for channel in view.channels:
        assert channel.iroas.low < channel.iroas.median < channel.iroas.high
        assert channel.mmm is not None
        assert channel.mmm_calibrated is not None
        assert (channel.experiments is not None) == (channel.channel in tested)
        assert (channel.evidence_grade is not None) == (channel.channel in tested)
        assert sum(channel.weights.values()) == pytest.approx(1.0, abs=0.05)
        assert 0 <= channel.next_above_break_even <= 1
        assert channel.action
    assert view["tv"].attribution == {}
    assert view["tv"].incrementality_factor is None
    assert set(view["social"].attribution) == {"markov:1", "last", "linear"}
    assert view["social"].platform is not None
    assert view.primary == "markov:1"
    assert f"attribution ({view['social'].attribution['markov:1'].median:.2f})" in view["social"].reason
    assert view.break_even == 2.0
    assert View.from_dict(view.to_dict(full=True)) == view


def test_incrementality_factor_is_unified_over_attributed(view):
    social = view["social"]
    assert social.incrementality_factor.median == pytest.approx(
        social.iroas.median / social.attribution["markov:1"].median, rel=0.35
    )


def test_same_seed_same_view(view, panel, calibration, evidence, credit, world):
    again = reconcile(
        panel, calibration.sibling, evidence, credit, calibrated=calibration.calibrated,
        conflicts=calibration.conflicts, resolved=[c.experiment_id for c in calibration.conflicts],
        platform=world.platform, margin=0.5, seed=2,
    )  # fmt: skip
    assert again == view


def test_each_test_counts_once(panel, calibration, evidence):
    """A calibrated fit drops its own tests, whichever way they are handed over."""
    with_tests = reconcile(panel, calibration.calibrated, evidence, seed=2)
    without = reconcile(panel, calibration.calibrated, (), seed=2)
    assert [v.iroas for v in with_tests.channels] == [v.iroas for v in without.channels]
    assert all(item.id in with_tests.derived_from for item in evidence)
    assert all(v.experiments is None for v in with_tests.channels)
    assert "not counted again" in " ".join(with_tests.notes)


def test_a_record_that_comes_twice_counts_once(panel, calibration, evidence):
    """Under its own name or under another: the interval does not narrow."""
    once = reconcile(panel, calibration.sibling, evidence, conflicts=(), seed=2)
    again = reconcile(panel, calibration.sibling, [*evidence, evidence[0]], conflicts=(), seed=2)
    assert [v.iroas for v in again.channels] == [v.iroas for v in once.channels]
    assert "counted once" in " ".join(again.notes)
    other = replace(
        evidence[0],
        experiment=evidence[0].experiment.model_copy(update={"experiment_id": "the same"}),
        lift=replace(evidence[0].lift, experiment_id="the same"),
    )
    under_two = reconcile(panel, calibration.sibling, [*evidence, other], conflicts=(), seed=2)
    name = evidence[0].lift.channels[0]
    width = [np.log(v[name].iroas.high / v[name].iroas.low) for v in (once, under_two)]
    assert width[1] == pytest.approx(width[0], rel=0.05)
    assert "read the same sales" in " ".join(under_two.notes)


def test_cells_of_one_channel_with_shared_controls_are_in_part_one_measurement(evidence):
    one = evidence[0]
    day = timedelta(days=1000)  # no sales in common
    apart = replace(one.lift, start=one.lift.start - day, end=one.lift.end - day, cooldown_end=one.lift.start - day)
    experiment = one.experiment.model_copy(update={"experiment_id": "second"})
    second = replace(one, experiment=experiment, lift=replace(apart, experiment_id="second", cell_of="both"))
    first = replace(one, lift=replace(one.lift, cell_of="both", correlations=(("second", 0.6),)))
    assert joint_errors([one, second]).size == 0
    np.testing.assert_allclose(joint_errors([first, second]), [[1.0, 0.6], [0.6, 1.0]])
    elsewhere = replace(second, lift=replace(second.lift, channels=("another",)))
    assert joint_errors([first, elsewhere]).size == 0


def test_a_fit_that_saw_the_tests_sales_is_named(panel, calibration, evidence):
    saw = replace(calibration.sibling, counts=np.ones_like(calibration.sibling.counts))
    assert "count in both" in " ".join(reconcile(panel, saw, evidence, conflicts=(), seed=2).notes)
    assert "count in both" not in " ".join(reconcile(panel, calibration.sibling, evidence, seed=2).notes)


def test_attribution_that_was_calibrated_by_the_tests_is_left_out(panel, calibration, evidence, credit):
    inside = replace(credit, provenance=replace(credit.provenance, parents=(evidence[0].id,)))
    view = reconcile(panel, calibration.sibling, evidence, inside, conflicts=(), seed=2)
    alone = reconcile(panel, calibration.sibling, evidence, conflicts=(), seed=2)
    assert [v.iroas for v in view.channels] == [v.iroas for v in alone.channels]
    assert "left out" in " ".join(view.notes)


def test_tests_that_contradict_each_other_are_shown_and_never_averaged(panel, calibration, evidence):
    """Without anybody's judgement too: the number is withheld, and both tests are named."""
    first = evidence[0]
    shift = timedelta(weeks=20)
    moved = {"start": first.lift.start - shift, "end": first.lift.end - shift}
    off = replace(
        first,
        experiment=first.experiment.model_copy(update={"experiment_id": "off"}),
        lift=replace(
            first.lift,
            experiment_id="off",
            **moved,
            cooldown_end=first.lift.cooldown_end - shift,
            outcome_change=first.lift.outcome_change + 12 * first.lift.std_error * np.sign(first.lift.outcome_change),
        ),
    )
    held = reconcile(panel, calibration.sibling, [first, off], seed=2)[first.lift.channels[0]]
    assert held.iroas is None
    assert held.state == "conflict, withheld"
    assert "'off'" in held.reason
    assert held.move is None
    cells = [c for c in reconcile(panel, calibration.sibling, [first, off], seed=2).cells if c.channel == held.channel]
    assert all(cell.iroas is None for cell in cells)


def test_every_wrong_input_is_named_at_once(panel, calibration, evidence):
    other = evidence[0].experiment.model_copy(update={"estimate": 1.0})
    with pytest.raises(DataError) as caught:
        reconcile(
            panel, calibration.sibling, [*evidence, replace(evidence[0], experiment=other)], margin=1.5,
            start=date(2030, 1, 1), end=date(2029, 1, 1), markets=("geo_1",), by="week",
            platform=pd.DataFrame({"channel": ["tv"], "value": [1.0]}),
        )  # fmt: skip
    said = str(caught.value)
    for part in ("twice with different content", "1.5", "before it starts", "did you mean 'geo_01'", "week", "date"):
        assert part in said
    wrong = pd.DataFrame({"date": ["2024-01-01"], "channel": ["tv"], "value": [np.inf]})
    with pytest.raises(DataError, match="finite"):
        reconcile(panel, calibration.sibling, platform=wrong)


def test_what_hangs_on_each_source_is_told(view, panel, calibration, evidence, credit):
    social, tv = view["social"], view["tv"]
    assert set(social.without) >= {"mmm", "attribution"}
    assert "attribution" not in tv.without
    without_attribution = reconcile(
        panel, calibration.sibling, evidence, resolved=[item.id for item in evidence], margin=0.5, seed=2
    )
    median = without_attribution["social"].iroas.median
    assert social.without["attribution"].iroas.median == pytest.approx(median, rel=0.05)
    for channel in view.channels:
        assert channel.move is not None
        assert channel.action.startswith(channel.move.split()[0])
        assert set(channel.says) <= {"mmm", "experiments", "attribution"}
        for tip in channel.tipping.values():
            assert money(tip.becomes) != money(channel.move)
            assert 1 / 10 <= tip.overstates <= 10


def test_a_source_that_is_off_by_its_tipping_bias_turns_the_action(panel, calibration, evidence, credit):
    """The linear answer against the whole integration with the source's number moved."""
    told = {"conflicts": (), "margin": 0.8, "seed": 2}
    view = reconcile(panel, calibration.sibling, evidence, credit, **told)
    tips = [(v.channel, v.tipping["mmm"]) for v in view.channels if "mmm" in v.tipping]
    name, tip = min(tips, key=lambda found: abs(np.log(found[1].overstates)))
    for size, turned in ((0.5, False), (1.6, True)):
        c = panel.channels.index(name)
        wrong = calibration.sibling.draws["iroas"].copy()
        wrong[:, c] /= tip.overstates**size
        moved = replace(calibration.sibling, draws={**calibration.sibling.draws, "iroas": wrong})
        then = reconcile(panel, moved, evidence, credit, **told)[name]
        assert (money(then.move) != money(view[name].move)) == turned


def test_cells_are_parts_of_their_channel(view, panel, calibration, evidence):
    again = reconcile(panel, calibration.sibling, evidence, by="month", markets=panel.geos[:2], conflicts=(), seed=2)
    for name in panel.channels:
        quarters = [cell for cell in view.cells if cell.channel == name]
        assert sum(cell.spend for cell in quarters) == pytest.approx(view[name].spend)
        known = [cell for cell in quarters if cell.iroas]
        mean = np.average([cell.iroas.median for cell in known], weights=[cell.spend for cell in known])
        assert mean == pytest.approx(view[name].iroas.median, rel=0.12)
        months = [cell for cell in again.cells if cell.channel == name]
        assert {cell.market for cell in months} == {"", *panel.geos[:2]}
        whole = sum(cell.spend for cell in months if cell.market == "")
        assert whole == pytest.approx(view[name].spend)
        for cell in months:
            assert (cell.iroas is None) == (cell.spend == 0)
            if cell.iroas:
                assert 0 < cell.iroas.low < cell.iroas.median < cell.iroas.high


def test_markets_are_told_apart_as_the_fit_tells_them(panel, calibration):
    """A market where every unit of exposure does three times as much."""
    geos, fit = panel.geos[:2], calibration.sibling
    larger = fit.draws["coefficient"].copy()
    larger[:, :, 1] *= 3
    fit = replace(fit, draws={**fit.draws, "coefficient": larger})
    fit = replace(fit, draws={**fit.draws, "iroas": mmm.iroas(fit, panel)})
    brought = mmm.geo_contribution(fit, panel)[:, :, :2]
    said = np.median(brought / panel.spend.sum(axis=1).T[:, :2], axis=0)
    cells = reconcile(panel, fit, markets=geos, seed=2).cells
    for c, name in enumerate(panel.channels):
        mean = [
            np.average([cell.iroas.median for cell in own], weights=[cell.spend for cell in own])
            for geo in geos
            if (own := [cell for cell in cells if (cell.channel, cell.market) == (name, geo) and cell.iroas])
        ]
        assert mean[1] / mean[0] == pytest.approx(said[c, 1] / said[c, 0], rel=0.15)


def test_campaigns_add_up_to_their_channel(panel, calibration, evidence, credit):
    """Two campaigns of social in the proportion 3 to 1, one without credit of its own name."""
    at = credit.channels.index("social")
    names = (*(name for name in credit.channels if name != "social"), "social / spring", "social / autumn")

    def parted(draws):
        rest = np.delete(draws, at, axis=-1)
        own = draws[..., [at]]
        return np.concatenate([rest, 0.75 * own, 0.25 * own], axis=-1)

    credits = {
        name: replace(
            made,
            channels=names,
            conversions=parted(made.conversions),
            conversions_draws=parted(made.conversions_draws),
            value=parted(made.value),
            value_draws=parted(made.value_draws),
            removal_effect=None,
        )
        for name, made in credit.credits.items()
    }  # fmt: skip
    by_campaign = replace(credit, credits=credits, channels=names, spend={"social / spring": 1000.0})
    told = {"conflicts": (), "seed": 2}
    whole = reconcile(panel, calibration.sibling, evidence, credit, **told)
    view = reconcile(panel, calibration.sibling, evidence, by_campaign, **told)
    assert [v.iroas for v in view.channels] == [v.iroas for v in whole.channels]
    spring, autumn = view.campaigns
    assert (spring.channel, spring.campaign, autumn.campaign) == ("social", "spring", "autumn")
    assert spring.share.median == pytest.approx(0.75)
    assert spring.value.median == pytest.approx(3 * autumn.value.median)
    window = panel.window(*credit.window)
    money_in = panel.spend[:, window, panel.channels.index("social")].sum()
    factor, roas = whole["social"].incrementality_factor.median, whole["social"].attribution["markov:1"].median
    assert spring.value.median + autumn.value.median == pytest.approx(factor * roas * money_in, rel=0.05)
    assert spring.iroas.median == pytest.approx(spring.value.median / 1000.0)
    assert autumn.iroas is None


def test_platform_reports_are_shown_and_not_used(view, panel, calibration, evidence, credit):
    bare = reconcile(panel, calibration.sibling, evidence, credit, seed=2)
    assert bare["social"].platform is None
    assert bare["social"].iroas == view["social"].iroas


def test_conflict_withholds_the_number_until_it_is_resolved(panel, calibration, evidence):
    name = evidence[0].lift.channels[0]
    against = [Conflict(evidence[0].id, (name,), 0.001, "conflict")]
    held = reconcile(panel, calibration.sibling, evidence, conflicts=against, seed=2)
    freed = reconcile(panel, calibration.sibling, evidence, conflicts=against, resolved=[evidence[0].id], seed=2)
    assert held[name].iroas is None
    assert held[name].mroas is None
    assert held[name].state == "conflict, withheld"
    assert evidence[0].id in held.to_dict()["channels"][panel.channels.index(name)]["state"]
    assert freed[name].iroas is not None
    assert freed[name].state != "conflict, withheld"


def test_a_window_has_its_own_spend_and_number(panel, calibration, evidence):
    start, end = (panel.dates[i].astype("datetime64[D]").item() for i in (40, 60))
    part = reconcile(panel, calibration.sibling, evidence, start=start, end=end, seed=2)
    assert part["social"].spend == pytest.approx(panel.spend[:, 40:61, panel.channels.index("social")].sum())
    assert part.window == (str(start), str(end))
    whole = reconcile(panel, calibration.sibling, evidence, seed=2)
    assert part["social"].iroas.median == pytest.approx(whole["social"].iroas.median, rel=0.5)


def test_a_window_without_spend_says_so(panel, calibration):
    tv = panel.channels.index("tv")
    off = np.flatnonzero(panel.spend[..., tv].sum(axis=0) == 0)[0]
    day = panel.dates[off].astype("datetime64[D]").item()
    silent = reconcile(panel, calibration.sibling, start=day, end=day, seed=2)["tv"]
    assert silent.iroas is None
    assert (silent.state, silent.spend) == ("not comparable", 0.0)
    assert "nothing was spent" in silent.to_dict()["state"]


def test_journeys_of_another_time_are_not_compared(panel, credit):
    early = replace(credit, window=(credit.window[0].replace(year=2019), credit.window[1].replace(year=2019)))
    assert Attributed.of(early, panel) is None
    assert Attributed.of(credit, panel).channels == ("brand_search", "social")


def test_changes_by_channel_add_up(panel, calibration, evidence):
    lift = evidence[0].lift
    other = next(name for name in panel.channels if name not in lift.channels)
    usual = panel.spend[panel.geo_index(lift.geos)][:, panel.window(lift.start, lift.end)]
    both = replace(
        lift,
        channels=(*lift.channels, other),
        counterfactual_spend=np.concatenate(
            [lift.counterfactual_spend, 1.5 * usual[..., [panel.channels.index(other)]]], axis=2
        ),
    )
    parts = changes_by_channel(calibration.sibling, panel, both)
    assert parts.sum(axis=1) == pytest.approx(lift_delta(calibration.sibling, panel, both))
    assert parts[:, 0] == pytest.approx(lift_delta(calibration.sibling, panel, lift))


def mapped(evidence, scale, log_sd=0.0):
    """Tests of channel 0, all with the same ``scale`` KPI units per unit of iROAS."""
    n = len(evidence)
    return Tests(
        outcome_change=np.array([item.lift.outcome_change for item in evidence]),
        std_error=np.array([item.lift.std_error for item in evidence]),
        relative_sd=np.zeros(n),
        test=np.arange(n),
        channel=np.zeros(n, dtype=np.int64),
        time=np.zeros(n),
        scale=np.full(n, scale),
        log_scale_cov=log_sd**2 * np.eye(n),
    )


def test_tests_alone_are_carried_to_the_average_of_the_channel(evidence):
    one = evidence[0]
    change = one.lift.outcome_change
    found = pool([one], mapped([one], change / 2.0), 0)
    assert found.median == pytest.approx(2.0)
    assert (found.high - found.low) / 2 == pytest.approx(1.6448536 * one.steps[-1].std_error / abs(change / 2.0))
    vague = pool([one], mapped([one], change / 2.0, log_sd=0.5), 0)
    assert vague.high - vague.low > found.high - found.low
    assert pool([one], mapped([one], change / 2.0), 1) is None


def test_pool_stretches_where_tests_scatter(evidence):
    one = evidence[0]
    scale = one.lift.outcome_change
    scattered = [
        replace(one, lift=replace(one.lift, outcome_change=one.lift.outcome_change + shift * one.steps[-1].std_error))
        for shift in (-4, 0, 4)
    ]
    width = {n: (q := pool([one] * n, mapped([one] * n, scale), 0)).high - q.low for n in (1, 3)}
    assert width[3] == pytest.approx(width[1] / np.sqrt(3))
    apart = pool(scattered, mapped(scattered, scale), 0)
    assert apart.high - apart.low == pytest.approx(4 * width[3], rel=0.01)


def test_quarters_cover_the_panel(panel):
    blocks = Blocks.calendar(panel, "quarter")
    assert len(Blocks.calendar(panel, "month").times) > 2 * len(blocks.times)
    assert np.all(np.diff(blocks.of) >= 0)
    assert np.bincount(blocks.of).min() >= 6
    assert np.all(np.diff(blocks.times) > 0)
    assert blocks.shares(panel).sum(axis=1) == pytest.approx(np.ones(3))
    late = blocks.shares(panel, slice(70, 78))
    assert late[:, : blocks.of[70]] == pytest.approx(0.0)


def test_long_tail_does_not_set_the_scale():
    rng = np.random.default_rng(0)
    logs = rng.normal(0.5, 0.3, (4000, 2))
    logs[:80, 0] -= 8.0
    centre, covariance = gaussian(logs)
    assert centre == pytest.approx([0.5, 0.5], abs=0.03)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.3, 0.3], abs=0.05)


def test_platform_dates_outside_the_window_do_not_count(panel, calibration, world):
    start = panel.dates[60].astype("datetime64[D]").item()
    part = reconcile(panel, calibration.sibling, platform=world.platform, start=start, seed=2)
    mine = world.platform[world.platform["channel"] == "social"]
    inside = mine[pd.to_datetime(mine["date"]).dt.date >= start]
    spend = panel.spend[:, 60:, panel.channels.index("social")].sum()
    assert part["social"].platform.median == pytest.approx(inside["value"].sum() / spend)


def test_a_channel_that_costs_nothing_has_no_return_and_disturbs_none(panel, credit):
    c = panel.channels.index("social")
    free = replace(panel, spend=panel.spend * (np.arange(len(panel.channels)) != c))
    with_free = prior(free, Spec.default(free, channels={"social": {"organic": True}}), draws=300, seed=1)
    view = reconcile(free, with_free, (), credit)
    found = {channel.channel: channel for channel in view.channels}
    assert found["social"].iroas is None
    assert found["social"].state == "not comparable"
    for name in ("brand_search", "tv"):
        assert found[name].iroas is not None
        assert 0 < found[name].iroas.low < found[name].iroas.high
