"""Matched pairs: the default's estimator is chosen by the history alone, and the test stays exact."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import Experiment, analyse
from experiments.geo.case import Case
from experiments.geo.estimators import DEFAULT, ESTIMATORS
from experiments.geo.inference import infer
from experiments.geo.inference.choice import choose
from experiments.geo.inference.draws import draw_sets
from measurement import Panel

PLAIN = "difference_in_differences"
PAIRS, PERIODS, ONSET = 8, 60, 50


def panel_of(rng: np.random.Generator, matched: bool, pairs: int = PAIRS) -> np.ndarray:
    """Pairs (rows 0 and 1, 2 and 3, ...) that move together, or geos that follow two factors as they like."""
    size = np.repeat(np.exp(rng.normal(6, 0.8, pairs)), 2)[:, None]
    own = 0.02 * rng.normal(size=(pairs, PERIODS)).cumsum(axis=1).repeat(2, axis=0)
    factors = 0.03 * rng.normal(size=(2 * pairs, 2)) @ rng.normal(size=(2, PERIODS)).cumsum(axis=1)
    return size * (2 + (own if matched else factors) + 0.01 * rng.standard_t(4, (2 * pairs, PERIODS)))


def names(count: int) -> tuple[str, ...]:
    return tuple(f"g{row:02d}" for row in range(count))


def case_of(outcome: np.ndarray, treated: np.ndarray) -> Case:
    dates = np.datetime64("2024-01-01") + np.arange(PERIODS).astype("timedelta64[D]")
    controls = np.setdiff1d(np.arange(len(outcome)), treated)
    return Case(outcome, dates, names(len(outcome)), treated, controls, ONSET, PERIODS, PERIODS, False, ())


def record(count: int, **more: object) -> Experiment:
    geos = names(count)
    fields = {
        "experiment_id": "t",
        "channel": ["tv"],
        "method": "heavy_up",
        "start_date": "2024-02-20",
        "end_date": "2024-02-29",
        "pairs": [list(geos[row : row + 2]) for row in range(0, count, 2)],
    }
    return Experiment.model_validate(fields | more, strict=False)


def flip(rng: np.random.Generator, pairs: int = PAIRS) -> np.ndarray:
    return np.arange(pairs) * 2 + rng.integers(0, 2, pairs)


def frame_of(outcome: np.ndarray) -> Panel:
    dates = np.datetime64("2024-01-01") + np.arange(outcome.shape[1])
    nothing = np.zeros((*outcome.shape, 0))
    return Panel(
        dates=dates,
        geos=names(len(outcome)),
        channels=(),
        spend=nothing,
        exposure=nothing,
        kpis={"sales": outcome},
        kpi="sales",
        period="day",
    )


@pytest.mark.parametrize(("matched", "wanted"), [(True, PLAIN), (False, DEFAULT)])
def test_the_result_names_what_was_chosen_and_why(matched: bool, wanted: str) -> None:
    rng = np.random.default_rng(5)
    panel = frame_of(panel_of(rng, matched))
    treated = [panel.geos[row] for row in flip(rng)]
    found = analyse(panel, record(2 * PAIRS, treatment_geos=treated))
    assert found.estimator == wanted
    assert found.provenance.settings["estimator"] == wanted
    assert {DEFAULT, PLAIN} - {wanted} <= set(found.alternates)
    assert wanted not in found.alternates
    choice = found.diagnostics["choice"]
    assert choice["estimator"] == wanted
    assert (choice["errors"][PLAIN] < 0.8 * choice["errors"][DEFAULT]) == matched
    assert choice["why"] in found.inference
    assert f"{wanted} was chosen from the history alone" in found.inference
    assert "exact, because the assignment is on record" in found.inference


def test_a_named_estimator_is_obeyed_and_other_draws_are_not_chosen_for() -> None:
    rng = np.random.default_rng(5)
    panel = frame_of(panel_of(rng, True))
    treated = [panel.geos[row] for row in flip(rng)]
    for name in (DEFAULT, "sdid"):
        found = analyse(panel, record(2 * PAIRS, treatment_geos=treated), estimator=name)
        assert (found.estimator, found.diagnostics["choice"]) == (name, None)
    unpaired = analyse(panel, record(2 * PAIRS, treatment_geos=treated, pairs=[]))
    assert (unpaired.estimator, unpaired.diagnostics["choice"]) == (DEFAULT, None)


@pytest.mark.parametrize("matched", [True, False])
def test_every_flip_would_have_led_to_the_same_choice_and_the_read_out_is_not_read(matched: bool) -> None:
    rng = np.random.default_rng(6)
    outcome = panel_of(rng, matched)
    changed = outcome.copy()
    changed[:, ONSET:] = rng.uniform(1, 1e6, (len(outcome), PERIODS - ONSET))
    errors = []
    for _ in range(4):
        for panel in (outcome, changed):
            case = case_of(panel, flip(rng))
            made = choose(case, draw_sets(case, record(2 * PAIRS), 0.1, 0))
            assert (made.sets, made.windows) == (2**PAIRS, 16)  # anchors at 25 and 37, and ten days each
            errors.append([made.errors[DEFAULT], made.errors[PLAIN]])
    assert np.ptp(errors, axis=0) == pytest.approx(0, abs=1e-12)


def test_a_history_without_a_window_leaves_the_default_and_says_so() -> None:
    outcome = panel_of(np.random.default_rng(7), True)
    treated = np.arange(PAIRS) * 2
    short = Case(outcome, np.arange(60), names(16), treated, treated + 1, 12, PERIODS - 30, PERIODS - 30, False, ())
    made = choose(short, draw_sets(short, record(2 * PAIRS), 0.1, 0))
    assert (made.estimator.name, made.errors, made.windows) == (DEFAULT, {}, 0)
    assert "too short to make one" in made.words


def coverage(runs: int, seed: int, most: int) -> tuple[float, float, float]:
    """Share of 90 % intervals that hold a true 5 %, of p below .1 without an effect, of choices of PLAIN."""
    rng = np.random.default_rng(seed)
    rows = []
    for run in range(runs):
        outcome = panel_of(rng, matched=run % 2 == 0)
        treated = flip(rng)
        effect = 0.05 * outcome[treated, :ONSET].mean(axis=1)
        lifted = outcome.copy()
        lifted[treated, ONSET:] += effect[:, None]
        null, case = case_of(outcome, treated), case_of(lifted, treated)
        draws = draw_sets(case, record(2 * PAIRS), 0.1, run, most=most)
        chosen = choose(case, draws).estimator
        low, high = infer(case, draws, chosen, 0.1, thorough=False).total.interval(0.1)
        p = infer(null, draws, chosen, 0.1, thorough=False).total.p_value()
        rows.append((low <= effect.mean() <= high, p < 0.1, chosen.name == PLAIN))
    held, false, plain = np.mean(rows, axis=0)
    return held, false, plain


def test_intervals_after_the_choice_hold_the_truth_as_often_as_promised() -> None:
    held, false, plain = coverage(120, 8, 79)
    assert 0.83 <= held <= 0.97  # two and a half standard errors
    assert false <= 0.17
    assert 0.3 < plain < 0.7  # both are chosen, each where it belongs


@pytest.mark.slow
def test_intervals_after_the_choice_hold_the_truth_in_a_long_study() -> None:
    held, false, _ = coverage(1000, 9, 199)
    assert 0.88 <= held <= 0.92
    assert 0.07 <= false <= 0.12


def test_public_pairs_are_judged_far_more_precisely(reference_data: Path) -> None:
    """The 57 pairs of the trimmed-match example, 90 days and four weeks before their test."""
    frame = pd.read_csv(reference_data / "trimmed_match_post_analysis.csv")
    frame = frame[(frame["date"] >= "2020-07-01") & (frame["date"] < "2020-11-04")]
    first = frame.drop_duplicates("geo").pivot(index="pair", columns="assignment", values="geo")
    sold = frame.pivot(index="geo", columns="date", values="response").loc[first.to_numpy().ravel()].to_numpy()
    sold = sold[:, -118:]
    dates = np.datetime64("2024-01-01") + np.arange(118).astype("timedelta64[D]")
    even = np.arange(57) * 2
    case = Case(sold, dates, names(114), even, even + 1, 90, 118, 118, True, ())
    draws = draw_sets(case, record(114), 0.1, 0, most=99)
    chosen = choose(case, draws).estimator
    assert chosen.name == PLAIN
    ends = [infer(case, draws, ESTIMATORS[e], 0.1, thorough=False).total.interval(0.1) for e in (PLAIN, DEFAULT)]
    ours, weighted = (high - low for low, high in ends)
    assert ours < weighted / 4
