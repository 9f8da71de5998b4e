"""Schedules of switchbacks: what is drawn, what is refused, and the power that they promise."""

import json
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import Experiment, records
from experiments.records import Assignment
from experiments.switchback.case import resolve
from experiments.switchback.draws import Mechanism
from experiments.switchback.estimators import FITTERS
from experiments.switchback.schedule import fewest_blocks, make_schedule, power, smallest_p
from measurement import DataError, DesignError, Panel

START = date(2024, 1, 1)


def panel_of(outcome: np.ndarray, period: str = "day") -> Panel:
    geos, periods = outcome.shape
    nothing = np.zeros((geos, periods, 0))
    return Panel(
        dates=np.datetime64(START) + np.arange(periods) * {"day": 1, "week": 7}[period],
        geos=tuple(f"g{row:02d}" for row in range(geos)),
        channels=(),
        spend=nothing,
        exposure=nothing,
        kpis={"sales": outcome},
        kpi="sales",
        period=period,
    )


def history(seed: int, periods: int, geos: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(geos, periods + 60))
    for i in range(1, periods + 60):
        noise[:, i] = 0.5 * noise[:, i - 1] + 0.87 * noise[:, i]
    return 1000 + 100 * np.sin(2 * np.pi * np.arange(periods) / 7) + 50 * noise[:, 60:]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(5, 12),
    st.integers(1, 8),
    st.integers(0, 1 << 40),
    st.sampled_from(["pairs", "uniform"]),
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from([(), ("a", "b")]),
)
def test_a_schedule_is_whole_and_drawn_by_its_rule(
    pairs: int, length: int, seed: int, pattern: str, period: str, geos: tuple[str, ...]
) -> None:
    blocks = make_schedule(START, 2 * pairs * length, length, 0, seed, pattern, period=period, geos=geos)
    assert blocks == make_schedule(START, 2 * pairs * length, length, 0, seed, pattern, period=period, geos=geos)
    for geo in geos or ("",):
        own = [block for block in blocks if block.geo == geo]
        assert len(own) == 2 * pairs
        assert own[0].start == START
        assert all(one.end + timedelta(1) == after.start for one, after in pairwise(own))
        assert sum(block.on for block in own) == pairs
        if pattern == "pairs":
            assert all(one.on != other.on for one, other in zip(own[::2], own[1::2], strict=True))
        if period != "month":
            assert {(block.end - block.start).days + 1 for block in own} == {length * {"day": 1, "week": 7}[period]}
        else:
            assert all(block.start.day == 1 and (block.end + timedelta(1)).day == 1 for block in own)
    record = Experiment(
        experiment_id="s",
        channel=("tv",),
        method="switchback",
        start_date=START,
        end_date=blocks[-1].end,
        schedule=blocks,
        assignment=Assignment(rule=pattern, seed=seed),
    )
    assert records.parse(json.loads(json.dumps(record.to_dict())), results=False) == [record]


def test_blocks_of_whole_weeks_hold_every_day_of_the_week_alike() -> None:
    on = [block for block in make_schedule(START, 84, 7, seed=3) if block.on]
    week = [(block.start + timedelta(day)).weekday() for block in on for day in range(7)]
    assert np.bincount(week).tolist() == [6] * 7


def test_every_schedule_is_as_likely() -> None:
    counts: dict[tuple[bool, ...], int] = {}
    for seed in range(3200):
        states = tuple(block.on for block in make_schedule(START, 10, 1, seed=seed)[::2])
        counts[states] = counts.get(states, 0) + 1
    assert len(counts) == 32
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 52.2  # chi-square, 31 df, 1 %


@pytest.mark.parametrize(
    ("alpha", "pattern", "markets", "blocks"),
    [
        (0.1, "pairs", 1, 10),  # 2 of 2^5 = 32
        (0.05, "pairs", 1, 12),  # 2 of 64
        (0.1, "uniform", 1, 8),  # 2 of 70; of 6 blocks there are 20, and 2 of 20 is not below .1
        (0.1, "pairs", 4, 4),  # 2 of 2^8
        (0.01, "uniform", 1, 10),  # 2 of 252
    ],
)
def test_fewest_blocks_with_which_an_effect_can_be_found(alpha: float, pattern: str, markets: int, blocks: int) -> None:
    assert fewest_blocks(alpha, pattern, markets) == blocks
    assert smallest_p(blocks, pattern, markets) < alpha <= smallest_p(blocks - 2, pattern, markets)
    geos = tuple(f"g{row}" for row in range(markets)) if markets > 1 else ()
    make_schedule(START, blocks, 1, pattern=pattern, geos=geos, alpha=alpha)
    with pytest.raises(DesignError, match=f"needs {blocks} blocks or more"):
        make_schedule(START, blocks - 2, 1, pattern=pattern, geos=geos, alpha=alpha)


def test_the_smallest_p_value_is_reached() -> None:
    outcome = 100 + 0.01 * history(0, 20)
    blocks = make_schedule(START, 20, 2, seed=1, period="week")
    outcome += 500 * np.repeat([block.on for block in blocks], 2)
    design = Experiment(
        experiment_id="s",
        channel=("tv",),
        method="switchback",
        start_date=START,
        end_date=blocks[-1].end,
        schedule=blocks,
        assignment=Assignment(rule="pairs"),
    )
    assert FITTERS["randomisation"](resolve(panel_of(outcome, "week"), design), 0).test.p_value() == smallest_p(10)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"periods": 80}, "an even number of blocks of 7 is needed: 70 or 84"),
        ({"periods": 7}, "is needed: 14"),
        ({"block_length": 0}, "1 period or more"),
        ({"burn_in": 7}, "nothing is left"),
        ({"burn_in": -1}, "from 0"),
        ({"pattern": "pair"}, "did you mean 'pairs'"),
        ({"geos": ("a", "a")}, "twice"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, object], words: str) -> None:
    plan: dict[str, object] = {"periods": 84, "block_length": 7, "burn_in": 1}
    with pytest.raises(DataError, match=words):
        make_schedule(START, **(plan | wrong))
    rest = {name: value for name, value in (plan | wrong).items() if name != "geos"}
    if "geos" not in wrong:
        with pytest.raises(DataError, match=words):
            power(panel_of(history(0, 200)), **rest)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 2), st.integers(1, 3), st.integers(0, 1000))
def test_a_sample_of_draws_obeys_the_rule(units: int, pairs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    on = rng.permuted(np.tile(np.arange(2 * pairs) < pairs, (units, 1)), axis=1)
    unit = np.repeat(np.arange(units), 2 * pairs)
    uniform = Mechanism(on.ravel(), unit, "uniform")
    for others in (uniform.others(seed), uniform.others(seed, most=3)):
        assert (others.reshape(-1, units, 2 * pairs).sum(axis=2) == pairs).all()
    assert len(np.unique(uniform.others(seed), axis=0)) == min(uniform.count - 1, 4999)
    first = rng.random(units * pairs) < 0.5
    paired = Mechanism(np.stack([first, ~first], axis=1).ravel(), unit, "pairs")
    for others in (paired.others(seed), paired.others(seed, most=3)):
        assert (others[:, ::2] ^ others[:, 1::2]).all()
    assert paired.count == 2 ** (units * pairs) == len(np.unique(paired.others(seed), axis=0)) + 1


def test_power_rises_with_the_effect_and_is_as_wanted_at_the_mde() -> None:
    panel = panel_of(history(1, 220))
    found = power(panel, 70, 7, 1, effects=(-0.2, 0.0, 0.02, 0.05, 0.1, 0.2), seed=2)
    assert (np.diff(found.power[1:]) >= 0).all()
    assert found.power[0] == pytest.approx(found.power[-1], abs=0.1)
    assert found.power[1] == found.false_positive_rate
    assert found.false_positive_interval[0] <= 0.1
    assert abs(found.bias) < 4 * found.rmse / np.sqrt(found.rehearsals)
    assert power(panel, 70, 7, 1, effects=(found.mde, -found.mde), seed=2).power.mean() == pytest.approx(0.8, abs=0.01)
    assert found.mde_absolute == pytest.approx(found.mde * panel.outcome.mean())
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["power_curve"][1]["effect"] == 0.0
    again = power(panel, 70, 7, 1, effects=(-0.2, 0.0, 0.02, 0.05, 0.1, 0.2), seed=2)
    assert again.to_dict() == found.to_dict()


def test_promised_power_is_delivered_by_the_analysis() -> None:
    """Effects put into other worlds of the same kind are found as often as the rehearsal says."""
    effect = 0.06
    promised = float(np.mean([power(panel_of(history(seed, 140)), 70, 7, 1, (effect,)).power[0] for seed in range(4)]))
    seen = []
    for seed in range(150):
        outcome = history(1000 + seed, 126)
        blocks = make_schedule(START + timedelta(56), 70, 7, 1, seed)
        outcome[0, 56:] *= 1 + effect * np.repeat([block.on for block in blocks], 7)
        design = Experiment(
            experiment_id="s",
            channel=("tv",),
            method="switchback",
            start_date=blocks[0].start,
            end_date=blocks[-1].end,
            schedule=blocks,
            burn_in=1,
            assignment=Assignment(rule="pairs"),
        )
        seen.append(FITTERS["randomisation"](resolve(panel_of(outcome), design), 0).test.p_value() < 0.1)
    assert np.mean(seen) == pytest.approx(promised, abs=0.12)


def test_more_geos_each_by_itself_find_smaller_effects() -> None:
    panel = panel_of(history(3, 160, geos=6))
    one = power(panel, 70, 7, geos=("g00",), rehearsals=80)
    six = power(panel, 70, 7, per_geo=True, rehearsals=80)
    assert six.mde < 0.6 * one.mde
    assert six.mde_absolute > one.mde_absolute


def test_power_says_what_it_cannot_rehearse() -> None:
    panel = panel_of(history(0, 60))
    with pytest.raises(DesignError, match="cannot be rehearsed on 60"):
        power(panel, 70, 7)
    with pytest.raises(DesignError, match="needs 10 blocks or more"):
        power(panel, 56, 7)
    with pytest.raises(DataError, match="unknown geo"):
        power(panel, 50, 5, geos=("g99",))
    with pytest.raises(DesignError, match="without any KPI"):
        power(panel_of(np.zeros((1, 60))), 50, 5)


@pytest.mark.parametrize(
    ("schedule", "more", "words"),
    [
        ([(1, 7, True), (7, 14, False)], {}, "overlap"),
        ([(1, 7, True), (9, 14, False)], {}, "leave a gap"),
        ([(1, 7, True), (8, 14, True)], {}, "on in every block"),
        ([(1, 7, True), (8, 14, False)], {"burn_in": 7}, "nothing of it would be left"),
        ([(1, 7, True), (8, 14, False)], {"method": "geo_holdout"}, "is for switchback and on_off"),
        ([(1, 7, True), (8, 14, False), (15, 21, True)], {"assignment": {"rule": "pairs"}}, "just one of every two"),
        ([], {}, "names its blocks"),
        ([], {"method": "go_dark", "burn_in": 2}, "burn_in.*is for switchback"),
    ],
)
def test_a_record_with_a_strange_schedule_is_refused(
    schedule: list[tuple[int, int, bool]], more: dict[str, object], words: str, tmp_path: Path
) -> None:
    record = {
        "experiment_id": "s",
        "channel": "tv",
        "method": "switchback",
        "start_date": "2024-01-01",
        "end_date": "2024-01-31",
        "schedule": [
            {"start": f"2024-01-{first:02d}", "end": f"2024-01-{last:02d}", "on": on} for first, last, on in schedule
        ],
    }
    record = {name: value for name, value in record.items() if value != []}
    (tmp_path / "plan.json").write_text(json.dumps(record | more))
    with pytest.raises(DataError, match=words):
        records.read(tmp_path / "plan.json", results=False)


def test_placement_names_blocks_that_the_data_cannot_hold() -> None:
    panel = panel_of(history(0, 20, geos=2), "week")
    blocks = make_schedule(START, 70, 7, geos=("g00", "nowhere"))
    record = Experiment(
        experiment_id="s",
        channel=("tv",),
        method="switchback",
        start_date=START,
        end_date=blocks[-1].end,
        schedule=blocks,
        burn_in=1,
    )
    codes = {problem.code for problem in records.place([record], panel, {})}
    assert {"unknown-geo", "burn-in"} <= codes
    thin = record.model_copy(update={"schedule": make_schedule(START, 40, 4, geos=("g00",))})
    assert "block-too-short" in {problem.code for problem in records.place([thin], panel, {})}
