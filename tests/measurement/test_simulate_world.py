"""Whole worlds: one truth behind all tables, the same seed the same world."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from measurement.errors import DataError
from measurement.simulate import ChannelTruth, TrialPlan, WorldSettings, demo, geo, national, simulate
from measurement.simulate.spend import campaigns

QUIET = {"journey_weeks": 0}


@pytest.fixture(scope="module")
def world():
    return simulate(replace(demo(3), **QUIET))


def _bytes(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_same_seed_same_bytes_and_another_seed_another_world(tmp_path):
    settings = geo(4, 40, 3, seed=5, n_tests=2, journey_weeks=3)
    for name, each in (("a", settings), ("b", settings), ("c", replace(settings, seed=6))):
        simulate(each).write(tmp_path / name)
    first, again, other = (_bytes(tmp_path / name) for name in "abc")
    assert first == again
    assert set(first) == {
        "media.csv",
        "outcome.csv",
        "platform.csv",
        "touchpoints.parquet",
        "experiments.json",
        "truth.json",
    }
    assert all(first[name] != other[name] for name in first)


def test_parts_have_their_own_streams(world):
    """Tests, confounding and journeys can be switched without disturbing what they do not cause."""
    plain = simulate(replace(demo(3, confounding=0.0), trials=(), **QUIET)).truth
    assert np.array_equal(world.truth.demand, plain.demand)
    assert np.allclose(world.truth.baseline, plain.baseline)
    with_journeys = simulate(replace(demo(3), journey_weeks=2, nulls_per_order=0.1))
    assert with_journeys.outcome.equals(world.outcome)
    assert with_journeys.platform.equals(world.platform)


def test_tables_hold_every_cell_once_and_sane_values(world):
    geos, weeks, channels = 16, 130, 7
    assert len(world.media) == geos * weeks * channels
    assert len(world.outcome) == geos * weeks
    assert not world.media.duplicated(["date", "geo", "channel"]).any()
    assert not world.media.isna().any(axis=None)
    assert not world.outcome.isna().any(axis=None)
    assert (world.media["spend"] >= 0).all()
    assert (world.outcome["revenue"] > 0).all()
    assert set(world.platform["channel"]) == {"affiliates", "brand_search", "generic_search", "social", "video"}
    assert (world.platform["conversions"] > 0).all()


def test_panel_is_read_back_on_the_axes_of_the_truth(world):
    panel, truth = world.panel(), world.truth
    assert panel.geos == truth.geos
    assert panel.channels == truth.channels
    assert np.array_equal(panel.dates, truth.dates)
    assert np.array_equal(panel.spend, truth.spend)
    assert panel.control_names == world.controls
    # revenue is cause and nothing else, but for rounding to cents
    assert np.abs(panel.outcome - truth.baseline - truth.effect.sum(axis=-1)).max() <= 0.00501


def test_order_of_names_in_the_settings_does_not_matter():
    settings = geo(5, 30, 4, seed=2, n_tests=0)
    turned = replace(
        settings,
        geos=settings.geos[::-1],
        population=settings.population[::-1],
        channels=settings.channels[::-1],
    )
    assert simulate(settings).panel().sha256 == simulate(turned).panel().sha256


def test_truth_equals_the_counterfactual_of_spending_nothing(world):
    truth = world.truth
    for i, channel in enumerate(truth.channels):
        without = truth.spend.copy()
        without[..., i] = 0.0
        lost = (truth.effect - truth.response.effects(without)).sum()
        assert truth.contribution[channel] == pytest.approx(lost)
        assert truth.iroas[channel] == pytest.approx(lost / truth.spend[..., i].sum())
        assert truth.increment(channel) == pytest.approx(lost)


def test_tests_move_the_realised_iroas_only_a_little(world):
    wanted = {channel.name: channel.iroas for channel in world.settings.channels}
    assert world.truth.iroas == pytest.approx(wanted, rel=0.03)


def test_marginal_return_is_that_of_one_per_cent_more(world):
    truth = world.truth
    for i, channel in enumerate(truth.channels):
        more = truth.spend.copy()
        more[..., i] *= 1.01
        extra = (truth.response.effects(more) - truth.effect).sum()
        assert truth.mroas[channel] == pytest.approx(extra / (0.01 * truth.spend[..., i].sum()), rel=1e-6)
    # a concave curve returns less on the next unit than on the average one
    assert truth.mroas["brand_search"] < truth.iroas["brand_search"]


def test_increment_of_a_window_counts_its_carry_over(world):
    truth = world.truth
    inside = (truth.dates >= np.datetime64("2024-03-01")) & (truth.dates <= np.datetime64("2024-05-31"))
    lost = truth.increments("tv", "2024-03-01", "2024-05-31")
    assert lost[:, : inside.argmax()] == pytest.approx(0.0)
    assert lost[:, inside.nonzero()[0][-1] + 1 :].sum() > 0
    with pytest.raises(DataError, match="did you mean 'tv'"):
        truth.increment("tvv")


def test_history_leaves_something_behind_that_is_not_the_panels_doing():
    settings = replace(demo(3, history=13), **QUIET)
    truth = simulate(settings).truth
    left_over = truth.response.left_over(settings.weeks).sum(axis=-1)
    assert left_over[:, 0].min() > 0
    assert left_over[:, 13:] == pytest.approx(0.0)
    without = simulate(replace(settings, history=0)).truth
    assert truth.expected_baseline == pytest.approx(without.expected_baseline + left_over)
    unexplained = (
        settings.demand_sd * truth.demand
        + (without.baseline - without.expected_baseline) / (without.expected_baseline.mean(axis=1, keepdims=True))
        - settings.demand_sd * without.demand
    )
    level = without.expected_baseline.mean(axis=1, keepdims=True)
    assert (truth.baseline - truth.expected_baseline) / level == pytest.approx(unexplained, abs=0.002)
    assert truth.iroas == pytest.approx({c.name: c.iroas for c in settings.channels}, rel=0.05)


def _own_variation(truth):
    """Log of usual spend per person, less each geo's and campaign's mean, shape (geos, weeks, channels)."""
    logged = np.log(np.where(truth.usual_spend > 0, truth.usual_spend, np.nan))
    return logged - np.nanmean(logged, axis=1, keepdims=True)


@pytest.mark.parametrize(("confounding", "low", "high"), [(1.0, 0.3, 1.0), (0.0, -0.25, 0.25)])
def test_spend_follows_demand_only_where_it_should(confounding, low, high):
    truth = simulate(replace(demo(3, confounding=confounding), **QUIET)).truth
    moves, driven = _own_variation(truth), [c.demand_driven for c in truth.settings]
    for i, kind in enumerate(driven):
        seen = ~np.isnan(moves[..., i])
        correlation = np.corrcoef(moves[..., i][seen], truth.demand[seen])[0, 1]
        if kind == "no":
            assert abs(correlation) < 0.25, truth.channels[i]
        else:
            assert low < correlation < high, truth.channels[i]


def test_more_confounding_pulls_more():
    def pull(strength):
        truth = simulate(replace(demo(3, confounding=strength), **QUIET)).truth
        moves = _own_variation(truth)[..., truth.channels.index("brand_search")]
        return np.polyfit(truth.demand.ravel(), moves.ravel(), 1)[0]

    assert pull(2.0) - pull(1.0) == pytest.approx(0.35, abs=0.02)
    assert pull(1.0) - pull(0.0) == pytest.approx(0.35, abs=0.02)


def test_campaigns_raise_their_channels_together(world):
    truth = world.truth
    on = campaigns(world.settings) > 0
    weekly = truth.usual_spend.sum(axis=0)
    for i, channel in enumerate(truth.settings):
        ratio = weekly[on, i][weekly[on, i] > 0].mean() / weekly[~on, i][weekly[~on, i] > 0].mean()
        assert ratio == pytest.approx(1.0 + channel.burst, rel=0.25), channel.name
    social, video = (weekly[:, truth.channels.index(name)] for name in ("social", "video"))
    assert np.corrcoef(social, video)[0, 1] > 0.5


def _regression(world, with_demand):
    """Least squares on the right shapes: the estimate of each channel's iROAS."""
    truth, panel = world.truth, world.panel()
    geos, weeks, channels = truth.effect.shape
    level = truth.baseline.mean(axis=1)[:, None]
    day = (truth.dates - truth.dates.astype("datetime64[Y]")).astype(float) / 365.25
    time = [np.arange(weeks) / weeks]
    time += [wave(2 * np.pi * k * day) for k in (1, 2) for wave in (np.sin, np.cos)]
    columns = [np.broadcast_to(series, (geos, weeks)) for series in time]
    columns += [np.repeat(np.eye(geos)[g][:, None], weeks, axis=1) for g in range(geos)]
    columns += [panel.controls[..., k] for k in range(2)]
    columns += [truth.demand] if with_demand else []
    columns += [truth.effect[..., i] / level for i in range(channels)]
    design = np.stack([column.ravel() for column in columns], axis=1)
    solution = np.linalg.lstsq(design, (panel.outcome / level).ravel(), rcond=None)[0]
    return {name: truth.iroas[name] * solution[i - channels] for i, name in enumerate(truth.channels)}


@pytest.fixture(scope="module")
def regressions():
    worlds = [simulate(replace(demo(seed), **QUIET)) for seed in range(20, 32)]
    return [pd.DataFrame([_regression(world, known) for world in worlds]).mean().to_dict() for known in (True, False)]


def test_a_regression_that_knows_demand_recovers_the_truth(regressions):
    known, _ = regressions
    wanted = {channel.name: channel.iroas for channel in demo().channels}
    assert known == pytest.approx(wanted, rel=0.12)


def test_a_regression_that_does_not_know_it_overstates_the_demand_driven_channels(regressions):
    _, naive = regressions
    truth = {channel.name: channel.iroas for channel in demo().channels}
    assert naive["brand_search"] > 2.5 * truth["brand_search"]
    assert naive["affiliates"] > 1.8 * truth["affiliates"]
    assert naive["generic_search"] > 1.25 * truth["generic_search"]
    assert naive["tv"] == pytest.approx(truth["tv"], rel=0.2)
    assert naive["video"] == pytest.approx(truth["video"], rel=0.2)


def test_platforms_claim_more_than_they_caused(world):
    claimed = world.platform.groupby("channel")["value"].sum()
    ratio = {name: claimed[name] / world.truth.contribution[name] for name in claimed.index}
    assert min(ratio.values()) > 1.2
    assert ratio["brand_search"] > 2.5 * ratio["video"]


def test_a_national_world_has_no_geo_column():
    world = simulate(national(weeks=60, channels=3, seed=8, n_tests=2, journey_weeks=1))
    for table in (world.media, world.outcome, world.touchpoints, world.platform):
        assert "geo" not in table.columns
    assert world.panel().geos == ("national",)
    assert world.panel().shape == (1, 60, 3)
    assert world.truth.iroas == pytest.approx({c.name: c.iroas for c in world.settings.channels}, rel=1e-3)


def test_names_are_only_values():
    names = ("TV", "='cmd'!A1", "Радио, <b>", "a\"b'c")
    world = simulate(geo(3, 40, names, seed=2, n_tests=1, geos=["01", "NA", "Île-de-France"], journey_weeks=1))
    assert set(world.panel().channels) == set(names)
    assert world.panel().geos == ("01", "NA", "Île-de-France")


def test_truth_json_is_readable_and_small(tmp_path, world):
    paths = world.write(tmp_path / "w")
    assert "touchpoints" not in paths
    truth = json.loads(paths["truth"].read_text(encoding="utf-8"))
    assert paths["truth"].stat().st_size < 10_000
    assert truth["seed"] == 3
    assert truth["channels"]["tv"]["iroas"] == pytest.approx(world.truth.iroas["tv"])
    assert truth["channels"]["tv"]["offline"] is True
    assert set(truth["test_effects"]) == {e["experiment_id"] for e in world.experiments}
    parts = sum(each["contribution"] for each in truth["channels"].values()) + truth["baseline"]
    assert parts == pytest.approx(truth["revenue"])
    assert json.loads(paths["experiments"].read_text(encoding="utf-8")) == world.experiments


def test_writing_does_not_touch_a_folder_in_use_unless_told(tmp_path, world):
    target = tmp_path / "w"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        world.write(target)
    assert [path.name for path in target.iterdir()] == ["notes.txt"]
    (target / "touchpoints.parquet").write_text("of another world")
    world.write(target, overwrite=True)
    names = {path.name for path in target.iterdir()}
    assert names == {"notes.txt", "media.csv", "outcome.csv", "platform.csv", "experiments.json", "truth.json"}
    with pytest.raises(DataError, match="is a file"):
        world.write(target / "notes.txt")


def test_written_tables_read_back_equal(tmp_path, world):
    paths = world.write(tmp_path / "w")
    media = pd.read_csv(paths["media"], parse_dates=["date"], keep_default_na=False)
    assert np.array_equal(media["spend"].to_numpy(), world.media["spend"].to_numpy())
    assert (media["date"] == world.media["date"]).all()
    outcome = pd.read_csv(paths["outcome"], parse_dates=["date"])
    assert np.array_equal(outcome["revenue"].to_numpy(), world.outcome["revenue"].to_numpy())
    assert outcome["population"].dtype == np.int64


def _settings(**changes):
    base = {
        "seed": 1,
        "geos": ("a", "b", "c"),
        "population": (1e6, 1e6, 1e6),
        "channels": (ChannelTruth("tv"), ChannelTruth("search")),
        "weeks": 40,
    }
    return WorldSettings(**(base | changes))


def test_all_problems_of_settings_are_told_together():
    with pytest.raises(DataError) as caught:
        _settings(
            population=(1e6, 0.0),
            noise_sd=-1.0,
            channels=(ChannelTruth("tv", decay=1.0), ChannelTruth("tv", slope=0.0)),
            trials=(TrialPlan("x", "tvv", start=39), TrialPlan("x", "tv", start=1, treated=3)),
        )
    text = str(caught.value)
    for part in ("population", "noise_sd", "decay", "slope", "different names", "different ids", "did you mean 'tv'"):
        assert part in text
    assert "ends after the panel" in text
    assert "leave no control" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"geos": ("a", "a", "b")},
        {"journey_weeks": 41},
        {"channels": ()},
        {"channels": (ChannelTruth("tv", share=0.5, iroas=2.0),)},
        {"channels": (ChannelTruth("tv", iroas=float("nan")),)},
        {"channels": (ChannelTruth("tv", l_max=2, peak=2.0),)},
        {"channels": (ChannelTruth("tv", decay=0.0, peak=1.0),)},
        {"trials": (TrialPlan("x", "tv", start=2, treated=("a", "d")),)},
        {"trials": (TrialPlan("x", "tv", start=2, treated=("a", "b", "c")),)},
        {"trials": (TrialPlan("x", "tv", start=2, treated=1, multiplier=1.0),)},
        {"trials": (TrialPlan("x", "tv", start=2, off_panel=0.0),)},
        {"trials": (TrialPlan("x", "tv", start=2, treated=1), TrialPlan("y", "tv", start=9, treated=1))},
    ],
)
def test_impossible_settings_are_refused(changes):
    with pytest.raises(DataError):
        _settings(**changes)


def test_a_preset_refuses_what_it_cannot_do():
    with pytest.raises(DataError, match="ask for fewer"):
        geo(4, 40, 3, n_tests=9)
    with pytest.raises(DataError, match="test-1"):
        geo(4, 80, 3, n_tests=1, wrong_tests=["test-9"])


def test_the_documented_truth_is_that_of_the_demo():
    page = (Path(__file__).parents[2] / "docs" / "worlds.md").read_text(encoding="utf-8")
    truth = simulate(replace(demo(1), **QUIET)).truth
    rows = {
        cells[0]: cells
        for cells in re.findall(r"^\| (\w+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \|", page, re.M)
    }
    assert set(rows) == set(truth.channels)
    for name, (_, spend, contribution, iroas, mroas) in rows.items():
        assert int(spend.replace(",", "")) == round(truth.total_spend[name] / 1_000)
        assert int(contribution.replace(",", "")) == round(truth.contribution[name] / 1_000)
        assert (float(iroas), float(mroas)) == (round(truth.iroas[name], 2), round(truth.mroas[name], 2))
