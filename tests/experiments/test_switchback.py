"""Switchback and on-off tests: exact randomisation p-values, intervals that agree, errors by formula, carry-over."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import Experiment, Result, analyse
from experiments.records import Assignment, Block
from experiments.switchback.case import resolve
from experiments.switchback.estimators import FITTERS
from experiments.switchback.regression import Cells, newey_west, randomisation_test, reduce
from experiments.switchback.schedule import make_schedule
from measurement import DataError, DesignError, Panel

START = date(2024, 1, 1)
STEPS = {"day": 1, "week": 7}
GUESSED = 0.5


def panel_of(
    outcome: np.ndarray, period: str = "day", spend: np.ndarray | None = None, kpi_value: float = 1.0
) -> Panel:
    geos, periods = outcome.shape
    media = np.zeros((geos, periods, 0)) if spend is None else spend[:, :, None]
    return Panel(
        dates=np.datetime64(START) + np.arange(periods) * STEPS[period],
        geos=tuple(f"g{row:02d}" for row in range(geos)),
        channels=() if spend is None else ("tv",),
        spend=media,
        exposure=media,
        kpis={"sales": outcome},
        kpi="sales",
        period=period,
        kpi_value=kpi_value,
    )


def design_of(schedule: tuple[Block, ...] = (), **more: object) -> Experiment:
    fields: dict[str, object] = {
        "experiment_id": "s1",
        "channel": ("tv",),
        "method": "switchback",
        "schedule": schedule,
        "spend_delta": 1000.0,
    }
    if schedule:
        fields |= {"start_date": schedule[0].start, "end_date": max(block.end for block in schedule)}
    return Experiment(**(fields | more))


def blocks_of(states: str, length: int, first: int = 0, period: str = "day", geo: str = "") -> tuple[Block, ...]:
    """Blocks of equal length from a text such as "+-+-"."""
    days = STEPS[period]
    starts = [START + timedelta(days=(first + i * length) * days) for i in range(len(states))]
    until = timedelta(days=length * days - 1)
    return tuple(
        Block(start=day, end=day + until, on=state == "+", geo=geo) for day, state in zip(starts, states, strict=True)
    )


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], rho: float) -> np.ndarray:
    noise = rng.normal(size=(*shape[:-1], shape[-1] + 60))
    for i in range(1, noise.shape[-1]):
        noise[..., i] = rho * noise[..., i - 1] + np.sqrt(1 - rho**2) * noise[..., i]
    return noise[..., 60:]


def market(seed: int, periods: int, rho: float = 0.6, noise: float = 50.0) -> np.ndarray:
    week = 100 * np.sin(2 * np.pi * np.arange(periods) / 7)
    return 1000 + week + noise * autoregressive(np.random.default_rng(seed), (1, periods), rho)


def with_effect(outcome: np.ndarray, schedule: tuple[Block, ...], effect: float, ramp: tuple[float, ...] = ()):
    """The outcome with an effect in on-blocks; ``ramp`` is the share that is there in the first days after a switch."""
    moved = outcome.copy()
    for row in range(len(outcome)):
        own = [block for block in schedule if block.geo in ("", f"g{row:02d}")]
        state, since = 0.0, len(ramp)
        for block in own:
            if block.on != bool(state):
                state, since = float(block.on), 0
            for day in range((block.start - START).days, (block.end - START).days + 1):
                share = ramp[since] if since < len(ramp) else 1.0
                moved[row, day] += effect * (share if state else 1 - share if since < len(ramp) else 0.0)
                since += 1
    return moved


def t_of(values: np.ndarray, treatment: np.ndarray, terms: np.ndarray, time: np.ndarray, rho: float) -> float:
    """The classical t of a treatment by generalised least squares, from the textbook formula."""
    inverse = np.linalg.inv(rho ** np.abs(time[:, None] - time[None, :]))
    x = np.column_stack([treatment, terms])
    if np.linalg.matrix_rank(x) < x.shape[1]:  # all geos in step: the levels of the periods say it all
        return 0.0
    bread = np.linalg.inv(x.T @ inverse @ x)
    beta = bread @ x.T @ inverse @ values
    left = values - x @ beta
    return float(beta[0] / np.sqrt(left @ inverse @ left / (values.size - x.shape[1]) * bread[0, 0]))


def share_as_extreme(
    values: np.ndarray, real: np.ndarray, drawn: list[np.ndarray], terms: np.ndarray, time: np.ndarray, effect: float
) -> float:
    bare = values - effect * real
    own = abs(t_of(bare, real, terms, time, GUESSED))
    return float(np.mean([abs(t_of(bare, other, terms, time, GUESSED)) >= own * (1 - 1e-9) for other in drawn]))


@pytest.mark.parametrize(("rule", "states"), [("pairs", "+--+-++-+-"), ("uniform", "++-+---+")])
@pytest.mark.parametrize("effect", [0.0, 30.0, -55.0])
def test_p_value_is_that_of_counting_all_schedules(rule: str, states: str, effect: float) -> None:
    outcome = 500 + 40 * autoregressive(np.random.default_rng(4), (1, 3 * len(states)), 0.5)
    outcome += 60 * np.repeat([state == "+" for state in states], 3)
    design = design_of(blocks_of(states, 3, period="week"), burn_in=1, assignment=Assignment(rule=rule))
    case = resolve(panel_of(outcome, "week"), design)
    test = FITTERS["randomisation"](case, 0).test

    time = np.flatnonzero(np.arange(outcome.size) % 3 >= 1)
    block = time // 3
    own = np.array([state == "+" for state in states])
    if rule == "pairs":
        drawn = [np.array(flips).repeat(2) ^ own for flips in product([False, True], repeat=len(states) // 2)]
        terms = (block[:, None] // 2 == np.arange(len(states) // 2)).astype(float)
    else:
        chosen = combinations(range(len(states)), int(own.sum()))
        drawn = [np.isin(np.arange(len(states)), each) for each in chosen]
        terms = np.column_stack([np.ones(time.size), time / 10])
    expected = share_as_extreme(
        outcome[0, time], own[block].astype(float), [each[block] for each in drawn], terms, time, effect
    )
    assert case.mechanism.count == len(drawn)
    assert test.p_value(effect) == pytest.approx(expected, abs=1e-12)


def test_p_value_of_geos_that_switch_apart_is_that_of_counting_all_schedules() -> None:
    states = {"g00": "+--++-", "g01": "-++--+", "g02": "+-+-+-"}
    outcome = np.array([[400.0], [90.0], [900.0]]) * (1 + 0.05 * np.random.default_rng(8).normal(size=(3, 12)))
    schedule = tuple(block for geo, own in states.items() for block in blocks_of(own, 2, period="week", geo=geo))
    case = resolve(panel_of(outcome, "week"), design_of(schedule, assignment=Assignment(rule="pairs")))
    test = FITTERS["randomisation"](case, 0).test

    values = (outcome / outcome.mean(axis=1, keepdims=True)).ravel()
    geo, period = np.divmod(np.arange(36), 12)
    block = geo * 6 + period // 2
    levels = (block[:, None] // 2 == np.arange(9)).astype(float)
    terms = np.column_stack([levels, period[:, None] == np.arange(1, 12)])
    far = geo * 10_000 + period  # markets share no noise
    own = np.array([state == "+" for each in states.values() for state in each])
    drawn = [np.array(flips).repeat(2) ^ own for flips in product([False, True], repeat=9)]
    terms = np.delete(terms, [12, 16], axis=1)  # a period of each later pair: the levels of its geos add up to it
    assert np.linalg.matrix_rank(terms) == terms.shape[1]
    for effect in (0.0, 0.02):
        expected = share_as_extreme(
            values, own[block].astype(float), [each[block] for each in drawn], terms, far, effect
        )
        assert test.p_value(effect) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["pairs", "uniform"]),
    st.floats(-200, 200),
    st.sampled_from([0.05, 0.1, 0.2]),
)
def test_p_value_and_interval_agree_and_move_with_the_effect(seed: int, rule: str, effect: float, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    outcome = 300 + 50 * autoregressive(rng, (1, 36), 0.5)
    schedule = make_schedule(START, 36, 3, seed=seed, pattern=rule, period="week")
    design = design_of(schedule, burn_in=1, assignment=Assignment(rule=rule))
    before = FITTERS["randomisation"](resolve(panel_of(outcome, "week"), design), seed).test
    moved = outcome + effect * np.repeat([block.on for block in schedule], 3)
    after = FITTERS["randomisation"](resolve(panel_of(moved, "week"), design), seed).test
    low, high = after.interval(alpha)
    assert low <= after.estimate <= high
    assert after.estimate == pytest.approx(before.estimate + effect, abs=1e-6)
    assert (low, high) == pytest.approx(tuple(end + effect for end in before.interval(alpha)), abs=1e-5)
    for value in rng.normal(after.estimate, after.estimate - low, 10):
        assert (after.p_value(value) >= alpha) == (low <= value <= high)


def cells_of(rng: np.random.Generator, rho: float = 0.5) -> tuple[Cells, np.ndarray]:
    time = np.flatnonzero(np.arange(60) % 6 >= 2)
    block = time // 6
    terms = np.column_stack([np.ones(time.size), time / 30 - 1, time % 7 == 0])
    values = 3 + autoregressive(rng, (60,), rho)[time]
    cells = Cells(values, np.zeros_like(time), time, block, np.ones(time.size), terms)
    return cells, np.array([True, False, False, True, True, False, True, False, False, True])


@pytest.mark.parametrize("lags", [0, 1, 5, 100])
def test_newey_west_is_the_sandwich_formula(lags: int) -> None:
    cells, on = cells_of(np.random.default_rng(2))
    x = np.column_stack([on[cells.block], cells.terms]).astype(float)
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ cells.values
    scores = np.zeros((60, x.shape[1]))
    scores[cells.time] = x * (cells.values - x @ beta)[:, None]
    meat = scores.T @ scores
    for lag in range(1, min(lags, 57) + 1):
        one = scores[lag:].T @ scores[:-lag]
        meat += (1 - lag / (lags + 1)) * (one + one.T)
    expected = np.sqrt((bread @ meat @ bread)[0, 0] * cells.values.size / (cells.values.size - x.shape[1]))
    found = newey_west(cells, reduce(cells, 10), on, lags, 8)
    assert found.estimate == pytest.approx(beta[0])
    assert found.std_error == pytest.approx(expected)
    assert found.df == 8


@pytest.mark.parametrize("rho", [0.0, 0.4, 0.9])
def test_weights_for_autocorrelation_are_generalised_least_squares(rho: float) -> None:
    cells, on = cells_of(np.random.default_rng(3))
    inverse = np.linalg.inv(rho ** np.abs(cells.time[:, None] - cells.time).astype(float))
    x = np.column_stack([on[cells.block], cells.terms]).astype(float)
    beta = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ cells.values)
    assert reduce(cells, 10, rho).estimate(on) == pytest.approx(beta[0])


def test_a_weight_that_is_wrong_costs_no_validity() -> None:
    """Under no effect the rank of the real schedule is uniform, whatever the weights."""
    cells, _ = cells_of(np.random.default_rng(5))
    reduced = reduce(cells, 10, 0.9)
    every = np.array([np.isin(np.arange(10), each) for each in combinations(range(10), 5)])
    p_values = [
        randomisation_test(reduced, every[i], np.delete(every, i, axis=0))[0].p_value() for i in range(len(every))
    ]
    for alpha in (0.05, 0.1, 0.25, 0.5):
        assert np.mean(np.array(p_values) < alpha) <= alpha
        assert np.mean(np.array(p_values) < alpha) >= alpha - 4 / len(every)


SCHEDULE = blocks_of("+--++-+--+-++--+", 7, first=56)


@pytest.fixture(scope="module")
def result() -> tuple[Result, float]:
    """A market that sells 120 a day more in on-blocks; and how much that is in all."""
    outcome = with_effect(market(1, 168), SCHEDULE, 120.0)
    spend = np.where(with_effect(np.zeros((1, 168)), SCHEDULE, 1.0) > 0, 90.0, 40.0)
    design = design_of(SCHEDULE, burn_in=1, spend_delta=None, assignment=Assignment(rule="pairs", seed=3))
    return analyse(panel_of(outcome, spend=spend, kpi_value=2.0), design), 120.0 * 56


def test_the_effect_is_found_over_all_on_periods(result: tuple[Result, float]) -> None:
    found, truth = result
    change = found.outcome_change
    assert change.low < truth < change.high
    assert abs(change.estimate - truth) < 3 * change.std_error
    assert found.p_value == 2 / 256
    assert found.average_effect.estimate == pytest.approx(change.estimate / 56)
    assert found.incremental_outcome == change
    assert found.relative_lift.estimate == pytest.approx(0.12, abs=0.06)
    assert found.estimator == "randomisation"
    assert set(found.alternates) == {"autoregressive", "newey_west", "difference_in_means"}


def test_money_is_what_on_periods_cost_more(result: tuple[Result, float]) -> None:
    found, _ = result
    assert found.spend.source == "panel"
    assert found.spend.delta == pytest.approx(56 * 50.0)
    assert found.spend.counterfactual == pytest.approx(56 * 40.0)
    assert found.iroas is not None
    assert found.icpa is not None
    assert found.iroas.estimate == pytest.approx(found.outcome_change.estimate * 2.0 / 2800)
    assert found.icpa.estimate == pytest.approx(2800 / found.outcome_change.estimate)


def test_periods_add_up_to_the_result(result: tuple[Result, float]) -> None:
    found, _ = result
    phases = [period.phase for period in found.periods]
    assert phases[:14] == ["burn_in", *["on"] * 6, "burn_in", *["off"] * 6]
    assert phases.count("burn_in") == 16
    assert phases.count("on") == phases.count("off") == 48
    last, change = found.periods[-1], found.outcome_change
    assert (last.cumulative, last.cumulative_low, last.cumulative_high) == pytest.approx(
        (change.estimate, change.low, change.high)
    )
    on = [period.effect for period in found.periods if period.phase == "on"]
    off = [period.effect for period in found.periods if period.phase == "off"]
    assert np.mean(on) - np.mean(off) == pytest.approx(found.average_effect.estimate, rel=0.3)
    assert len(found.pre_periods) == 56
    assert all(period.observed - period.effect == pytest.approx(period.counterfactual) for period in found.periods)


def test_result_is_plain_json_and_a_record(result: tuple[Result, float]) -> None:
    found, _ = result
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert json.loads(text)["diagnostics"]["schedules"] == 256
    assert len(found.placebo_effects) == 255
    assert found.diagnostics["switches"] == 10
    record = found.to_record()
    assert record.spend_delta == pytest.approx(2800)
    assert record.schedule == SCHEDULE


def test_a_cut_that_loses_sales_is_an_incremental_gain() -> None:
    outcome = with_effect(market(2, 168), SCHEDULE, -120.0)
    found = analyse(panel_of(outcome), design_of(SCHEDULE, burn_in=1, spend_delta=-500.0))
    assert found.outcome_change.high < 0 < found.incremental_outcome.low
    assert found.iroas is not None
    assert found.iroas.estimate == pytest.approx(found.outcome_change.estimate / -500)


def test_burn_in_takes_out_carry_over() -> None:
    """Half of the effect is missing on the first two days after a switch, and stays as long after the next."""
    outcome = with_effect(market(3, 168, noise=2.0), SCHEDULE, 100.0, ramp=(0.3, 0.6))
    plain, dropped = (
        analyse(panel_of(outcome), design_of(SCHEDULE, burn_in=burn_in, assignment=Assignment(rule="pairs")))
        for burn_in in (0, 2)
    )
    truth = 100.0 * 56
    assert plain.outcome_change.high < truth
    assert dropped.outcome_change.estimate == pytest.approx(truth, rel=0.01)
    assert dropped.outcome_change.low < truth < dropped.outcome_change.high
    checks = (
        {check.name: check.passed for check in plain.checks},
        {check.name: check.passed for check in dropped.checks},
    )
    assert not checks[0]["carry-over"]
    assert [each["burn_in"] for each in dropped.diagnostics["by_burn_in"]] == [0, 2, 4]


def test_grades_say_what_was_drawn_and_locked() -> None:
    outcome = with_effect(market(4, 168, rho=0.2, noise=20.0), SCHEDULE, 100.0)
    grades = [
        analyse(panel_of(outcome), design_of(SCHEDULE, burn_in=1, **more)).grade
        for more in (
            {"assignment": Assignment(rule="pairs"), "preregistered": True},
            {"preregistered": True},
            {"method": "on_off", "assignment": Assignment(rule="pairs"), "preregistered": True},
        )
    ]
    assert grades == ["A", "B", "D"]


def test_a_test_that_moved_no_money_is_an_e() -> None:
    spend = np.full((1, 168), 100.0)
    spend[0, 60] = 100.5
    design = design_of(SCHEDULE, burn_in=1, spend_delta=None)
    assert analyse(panel_of(market(4, 168), spend=spend), design).grade == "E"


def test_too_few_blocks_fall_back_to_regression_and_say_so() -> None:
    schedule = blocks_of("+-+--+-+", 7, first=56)
    outcome = with_effect(market(5, 112), schedule, 100.0)
    design = design_of(schedule, burn_in=1, assignment=Assignment(rule="pairs"))
    found = analyse(panel_of(outcome), design)
    assert found.estimator == "autoregressive"
    assert found.grade == "D"
    assert found.diagnostics["p_values"]["randomisation"] == 2 / 16
    assert "not by randomisation" in found.inference
    json.dumps(found.to_dict(), allow_nan=False)
    with pytest.raises(DesignError, match="16 ways, too few"):
        analyse(panel_of(outcome), design, estimator="randomisation")


def test_on_off_without_a_schedule_reads_the_weeks_around_it() -> None:
    outcome = market(6, 150, rho=0.3)
    outcome[0, 70:98] += 150
    design = design_of(method="on_off", start_date=START + timedelta(70), end_date=START + timedelta(97))
    found = analyse(panel_of(outcome), design)
    assert found.estimator == "autoregressive"
    assert found.grade == "D"
    assert found.outcome_change.low < 150 * 28 < found.outcome_change.high
    assert [period.phase for period in found.periods[:28]] == ["on"] * 28
    assert {period.phase for period in found.periods[28:]} == {"off"}
    assert "randomisation" not in found.alternates  # three ways to fall exclude nothing
    washed = analyse(panel_of(outcome), design.model_copy(update={"cooldown_end_date": START + timedelta(104)}))
    assert washed.diagnostics["off_periods_read"] == found.diagnostics["off_periods_read"] - 7


def test_on_off_with_its_off_blocks_is_read_within_them() -> None:
    schedule = blocks_of("-+-", 28, first=28)
    outcome = with_effect(market(12, 112, rho=0.3), schedule, 150.0)
    outcome[0, :28] -= 500  # whatever ran before the first block does not matter
    found = analyse(panel_of(outcome), design_of(schedule, method="on_off", burn_in=2))
    assert found.grade == "D"
    assert found.outcome_change.low < 150 * 28 < found.outcome_change.high
    assert found.diagnostics["off_periods_read"] == 52
    assert found.average_effect.estimate == pytest.approx(150, abs=60)


def crossover(seed: int) -> tuple[np.ndarray, tuple[Block, ...]]:
    """Eight geos, half of them on while the others are off."""
    states, mirror = "+--+-++-+--+", "-++-+--+-++-"
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(5, 1, (8, 1)))
    shared = 0.1 * autoregressive(rng, (1, 140), 0.6)
    outcome = size * (1 + shared + 0.05 * autoregressive(rng, (8, 140), 0.6))
    blocks = [blocks_of(states if row % 2 else mirror, 7, first=56, geo=f"g{row:02d}") for row in range(8)]
    return outcome, tuple(block for own in blocks for block in own)


def test_geos_that_take_turns_are_one_draw() -> None:
    outcome, schedule = crossover(0)
    found = analyse(panel_of(outcome), design_of(schedule, burn_in=1))
    assert found.diagnostics["schedules"] == 2**6
    assert found.diagnostics["markets"] == 8
    assert "drawn together" in found.diagnostics["notes"][-1]
    assert "does not say how" in found.diagnostics["notes"][0]


def test_each_geo_gains_in_proportion_to_its_size() -> None:
    outcome, schedule = crossover(1)
    size = outcome[:, :56].mean(axis=1, keepdims=True)
    gain = with_effect(np.zeros_like(outcome), schedule, 0.2) * size
    found, quiet = (
        analyse(panel_of(outcome + moved), design_of(schedule, burn_in=1)) for moved in (gain, np.zeros_like(gain))
    )
    assert found.outcome_change.estimate - quiet.outcome_change.estimate == pytest.approx(gain.sum())
    assert found.outcome_change.low < gain.sum() < found.outcome_change.high
    assert found.periods[-1].cumulative == pytest.approx(found.outcome_change.estimate)


def test_a_sample_of_schedules_is_the_same_for_the_same_seed() -> None:
    outcome = np.vstack([market(20 + row, 140) for row in range(6)])
    geos = tuple(f"g{row:02d}" for row in range(6))
    schedule = make_schedule(START + timedelta(56), 84, 7, seed=1, geos=geos)
    design = design_of(schedule, burn_in=1, assignment=Assignment(rule="pairs", seed=1))
    one, again, other = (analyse(panel_of(outcome), design, seed=seed) for seed in (1, 1, 2))
    assert one.diagnostics["schedules"] == 2**36
    assert one.to_dict() == again.to_dict()
    assert one.outcome_change.estimate == other.outcome_change.estimate
    assert one.outcome_change.low != other.outcome_change.low


def test_geos_that_all_switch_together_are_one_market() -> None:
    outcome = np.vstack([market(7, 168), market(8, 168)])
    apart = tuple(block.model_copy(update={"geo": geo}) for geo in ("g00", "g01") for block in SCHEDULE)
    one, two = (
        analyse(panel_of(outcome), design_of(schedule, burn_in=1, assignment=Assignment(rule="pairs")))
        for schedule in (SCHEDULE, apart)
    )
    assert one.outcome_change == two.outcome_change
    assert one.average_effect.estimate == pytest.approx(one.outcome_change.estimate / (56 * 2))


def test_control_geos_that_move_alike_make_the_interval_shorter() -> None:
    rng = np.random.default_rng(9)
    shared = 80 * autoregressive(rng, (1, 168), 0.8)
    outcome = market(10, 168, noise=10.0) + np.array([[1.0], [1.0]]) * shared
    alone, beside = (
        analyse(panel_of(outcome), design_of(SCHEDULE, burn_in=1, treatment_geos=("g00",), control_geos=controls))
        for controls in ((), ("g01",))
    )
    assert beside.outcome_change.std_error < 0.5 * alone.outcome_change.std_error


def test_weeks_that_straddle_blocks_are_left_out() -> None:
    schedule = tuple(
        block.model_copy(update={"start": block.start + timedelta(3), "end": block.end + timedelta(3)})
        for block in blocks_of("+-+--+-++--+", 3, first=10, period="week")
    )
    found = analyse(panel_of(market(11, 60, noise=30.0), "week"), design_of(schedule))
    assert "left out" in found.diagnostics["notes"][0]
    assert found.diagnostics["on_periods_read"] == found.diagnostics["off_periods_read"] == 12


def days(first: int, last: int, on: bool, geo: str = "") -> Block:
    return Block(start=START + timedelta(first), end=START + timedelta(last), on=on, geo=geo)


TWO = (days(10, 16, True), days(17, 23, False))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "names its blocks"),
        ({"schedule": (days(10, 17, True), days(17, 23, False))}, "overlap"),
        ({"schedule": (days(10, 16, True), days(19, 23, False))}, "leave a gap"),
        ({"schedule": (days(10, 16, True), days(17, 23, True))}, "is on in every block"),
        ({"schedule": TWO, "burn_in": 7}, "nothing of it would be left"),
        ({"schedule": (days(10, 16, True, "g00"), days(17, 23, False))}, "names a geo for some"),
        ({"schedule": (days(10, 16, True, "nowhere"), days(17, 23, False, "nowhere"))}, "unknown geo 'nowhere'"),
        (
            {"schedule": (days(10, 16, True, "g00"), days(17, 23, False, "g00")), "treatment_geos": ("g01",)},
            "no blocks",
        ),
        ({"schedule": (days(10, 16, True), days(17, 40, False))}, "outside the test"),
        ({"schedule": TWO, "assignment": Assignment(rule="near_best", candidates=(("g00",),))}, "set of geos"),
        ({"schedule": (*TWO, days(24, 30, True)), "assignment": Assignment(rule="pairs")}, "just one of every two"),
        ({"schedule": TWO, "treatment_geos": ("g07",)}, "unknown geo 'g07'"),
        ({"schedule": TWO, "treatment_geos": ("g00",), "control_geos": ("g00",)}, "both arms"),
        ({"schedule": TWO, "kpi": "profit"}, "profit"),
        ({"schedule": TWO, "end_date": START + timedelta(500)}, "outside the data"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(more: dict[str, object], words: str) -> None:
    window = {"start_date": START + timedelta(10), "end_date": START + timedelta(30)}
    with pytest.raises(DataError, match=words):
        analyse(panel_of(np.vstack([market(0, 60), market(1, 60)])), design_of(**(window | more)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda outcome: outcome * 0 + 5, "the same KPI"),
        (lambda outcome: np.where(np.arange(168) == 70, np.nan, outcome), "no number"),
    ],
)
def test_a_market_without_sound_numbers_is_refused(change: Callable[[np.ndarray], np.ndarray], words: str) -> None:
    with pytest.raises(DataError, match=words):
        analyse(panel_of(change(market(0, 168))), design_of(SCHEDULE))


def test_a_test_on_geos_of_one_market_is_sent_on() -> None:
    design = design_of(method="go_dark", start_date=START + timedelta(70), end_date=START + timedelta(97))
    with pytest.raises(DesignError, match="say method on_off, or switchback"):
        analyse(panel_of(market(0, 150)), design)


def test_what_cannot_be_analysed_is_said() -> None:
    panel = panel_of(market(0, 168))
    with pytest.raises(DesignError, match="too few beside"):
        analyse(panel_of(market(0, 4)), design_of(blocks_of("+-+-", 1)))
    with pytest.raises(DesignError, match="cannot be told apart"):
        analyse(panel, design_of(blocks_of("+++++--" * 5, 1)))
    with pytest.raises(DesignError, match="outside the panel"):
        analyse(panel, design_of(SCHEDULE, off_panel=True, counterfactual_spend=1.0))
    with pytest.raises(DesignError, match="which way spend was moved"):
        analyse(panel, design_of(SCHEDULE, spend_delta=None))
    with pytest.raises(DataError, match="did you mean 'newey_west'"):
        analyse(panel, design_of(SCHEDULE), estimator="newey-west")
    with pytest.raises(DataError, match="alpha lies between"):
        analyse(panel, design_of(SCHEDULE), alpha=0.7)
    with pytest.raises(DesignError, match="before the test are too few"):
        analyse(panel, design_of(method="on_off", start_date=START, end_date=START + timedelta(30)))


def coverage(seed: int, tests: int, rho: float, length: int, pattern: str = "pairs", walk: float = 0.0):
    """Share of 90 % intervals that hold a true effect of 5 %, and the p-values of the truth."""
    rng = np.random.default_rng(seed)
    held, p_values = [], []
    for _ in range(tests):
        outcome = market(int(rng.integers(1 << 30)), 140, rho)
        outcome += 1000 * walk * rng.normal(size=outcome.shape).cumsum(axis=1)
        schedule = make_schedule(START + timedelta(56), 84, length, seed=int(rng.integers(1 << 30)), pattern=pattern)
        case = resolve(
            panel_of(with_effect(outcome, schedule, 50.0)),
            design_of(schedule, burn_in=1, assignment=Assignment(rule=pattern)),
        )
        test = FITTERS["randomisation"](case, 0).test
        low, high = test.interval(0.1)
        held.append(low <= 50.0 <= high)
        p_values.append(test.p_value(50.0))
    return float(np.mean(held)), np.array(p_values)


def assert_uniform(p_values: np.ndarray, steps: int) -> None:
    """Kolmogorov's distance to the uniform on as many steps, at the 1 % level."""
    grid = np.arange(1, steps + 1) / steps
    distance = np.abs((p_values[:, None] <= grid + 1e-9).mean(axis=0) - grid).max()
    assert distance < 1.63 / np.sqrt(p_values.size)


def test_intervals_cover_and_p_values_are_uniform() -> None:
    share, p_values = coverage(1, 150, rho=0.6, length=3)
    assert 0.85 <= share <= 0.95
    assert_uniform(p_values, 100)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rho", "length", "pattern", "walk"),
    [
        (0.0, 7, "pairs", 0.0),
        (0.6, 7, "pairs", 0.0),
        (0.9, 7, "pairs", 0.0),
        (0.6, 3, "pairs", 0.0),
        (0.6, 7, "uniform", 0.0),
        (0.6, 7, "pairs", 0.01),
    ],
)
def test_intervals_cover_in_many_worlds(rho: float, length: int, pattern: str, walk: float) -> None:
    share, p_values = coverage(11, 1500, rho, length, pattern, walk)
    assert 0.88 <= share <= 0.92
    assert_uniform(p_values, 32)
