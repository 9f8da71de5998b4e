import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy import stats

from calibration.conflict import (
    Conflict,
    disagreements,
    joint_log_likelihood,
    judge,
    log_likelihood,
    predictive_p,
    withheld,
)
from calibration.quantity import Quantity
from measurement.lift import Lift
from measurement.psis import smoothed


def lift(name="t", change=-100.0, se=20.0, relative=0.0, channels=("tv",)):
    day = date(2024, 1, 1)
    return Lift(name, channels, ("a",), day, day, day, change, se, relative, np.ones((1, 1, len(channels))))


def test_p_is_the_two_sided_t_tail():
    p = predictive_p(lift(change=-100.0, se=20.0), np.full(10, -40.0))
    assert p == pytest.approx(2 * stats.t.cdf(-3.0, 6))
    relative = predictive_p(lift(change=-100.0, se=20.0, relative=0.5), np.full(10, -40.0))
    assert relative == pytest.approx(2 * stats.t.cdf(-60 / math.hypot(20, 20), 6))


def test_p_is_uniform_where_the_model_is_right():
    rng = np.random.default_rng(0)
    delta = rng.normal(-100, 15, 400)
    truth = rng.normal(-100, 15, 400)
    results = truth + 20 * rng.standard_t(6, 400)
    p = [predictive_p(lift(change=y), delta) for y in results]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_leave_one_out_by_weights_equals_the_fit_without_the_test():
    """One effect, Normal prior, two tests: the weighted posterior of both is the posterior of the other alone."""
    rng = np.random.default_rng(1)
    first, second = lift("a", -120.0, 25.0), lift("b", -60.0, 30.0)
    grid = np.linspace(-400, 300, 20_001)
    prior = stats.norm.logpdf(grid, -80, 60)

    def sampled(tests):
        log = prior + sum(log_likelihood(test, grid) for test in tests)
        weight = np.exp(log - log.max())
        return rng.choice(grid, 8_000, p=weight / weight.sum())

    both, alone = sampled([first, second]), sampled([second])
    weight, khat = smoothed(-log_likelihood(first, both))
    assert khat < 0.7
    assert np.average(both, weights=weight) == pytest.approx(alone.mean(), abs=3.0)
    assert predictive_p(first, both, weight) == pytest.approx(predictive_p(first, alone), abs=0.02)
    judged = judge([first, second], [sampled([])] * 2, [both] * 2, np.ones((8_000, 1)), ["tv"])[0]
    assert judged.expected is not None
    told = [judged.expected.low, judged.expected.median, judged.expected.high]
    assert told == pytest.approx(np.quantile(alone, [0.05, 0.5, 0.95]), abs=6.0)


def test_a_cell_is_left_out_with_the_whole_test():
    """Two cells of one test: left out alone, the other one would still vouch for it by their common error."""
    rng = np.random.default_rng(7)
    one = replace(lift("one", -100.0, 20.0), cell_of="both", correlations=(("two", 0.8),))
    two = replace(lift("two", -100.0, 20.0), cell_of="both")
    third = lift("third", -60.0, 200.0)
    sibling = [rng.normal(-70, 15, 4_000)] * 3
    both = joint_log_likelihood([one, two], sibling[:2], [0.0, 0.0], np.array([[1.0, 0.8], [0.8, 1.0]]))
    keep = rng.choice(4_000, 4_000, p=np.exp(both - both.max()) / np.exp(both - both.max()).sum())
    calibrated = [draws[keep] for draws in sibling]
    found = judge([one, two, third], sibling, calibrated, np.ones((4_000, 1)), ["tv"])
    assert found[0].method == "psis"
    assert found[0].p == pytest.approx(predictive_p(one, sibling[0]), abs=0.05)


def test_joint_likelihood_is_the_multivariate_t():
    one, two = lift("one", -100.0, 20.0, 0.1), lift("two", -50.0, 30.0)
    deltas = [np.array([-80.0, -120.0]), np.array([-40.0, -90.0])]
    correlation = np.array([[1.0, 0.3], [0.3, 1.0]])
    got = joint_log_likelihood([one, two], deltas, [0.0, 5.0], correlation)
    expected = [
        stats.multivariate_t.logpdf(
            [-100.0, -50.0],
            [deltas[0][d], deltas[1][d]],
            correlation * np.outer([20, 30], [20, 30]) + np.diag([(0.1 * deltas[0][d]) ** 2, 25.0]),
            6,
        )
        for d in range(2)
    ]
    assert got[0] - got[1] == pytest.approx(expected[0] - expected[1])


def test_lone_test_is_judged_by_the_sibling():
    rng = np.random.default_rng(2)
    sibling = rng.normal(-500, 40, 500)
    found = judge([lift()], [sibling], [rng.normal(-120, 10, 500)], np.ones((500, 1)), ["tv"])
    assert (found[0].method, found[0].verdict) == ("sibling", "conflict")
    assert found[0].expected is not None
    assert [found[0].expected.low, found[0].expected.high] == pytest.approx(np.quantile(sibling, [0.05, 0.95]), abs=2.0)
    assert math.isnan(found[0].khat)


def test_weights_that_cannot_be_trusted_fall_back_on_a_refit_or_the_sibling():
    rng = np.random.default_rng(3)
    tests = [lift("sharp", -100.0, 1.0), lift("other", -100.0, 20.0, channels=("radio",))]
    sibling = [rng.normal(-100, 80, 800), rng.normal(-100, 80, 800)]
    calibrated = [-100 + 40 * rng.standard_t(2, 800), rng.normal(-100, 15, 800)]
    iroas = np.ones((800, 2))
    plain = judge(tests, sibling, calibrated, iroas, ["tv", "radio"])
    refitted = judge(tests, sibling, calibrated, iroas, ["tv", "radio"], refit=lambda e: np.full(800, 100.0))
    assert (plain[0].method, plain[1].method) == ("sibling", "psis")
    assert plain[0].khat > 0.7
    assert (refitted[0].method, refitted[0].verdict) == ("refit", "conflict")


@pytest.mark.parametrize(
    ("first", "second", "se", "apart"),
    [(100.0, 500.0, 20.0, True), (100.0, 150.0, 40.0, False), (100.0, 120.0, 5.0, False)],
)
def test_two_tests_of_one_channel(first, second, se, apart):
    rng = np.random.default_rng(4)
    iroas = rng.lognormal(0.5, 0.3, (600, 1))
    delta = 100 * iroas[:, 0]
    tests = [lift("one", first, se, 0.05), lift("two", second, se, 0.05)]
    against = disagreements(tests, [delta, delta], iroas, ["tv"])
    assert against == ((("two",), ("one",)) if apart else ((), ()))


def test_tests_at_different_levels_of_spend_are_compared_through_the_curve():
    """Half the outcome for the last half of the money is what the curve says: no disagreement."""
    rng = np.random.default_rng(5)
    iroas = rng.lognormal(0.0, 0.2, (600, 1))
    tests = [lift("dark", -100.0, 5.0), lift("heavy", 50.0, 5.0)]
    assert disagreements(tests, [-100 * iroas[:, 0], 50 * iroas[:, 0]], iroas, ["tv"]) == ((), ())
    assert disagreements(tests, [-100 * iroas[:, 0], 200 * iroas[:, 0]], iroas, ["tv"]) != ((), ())


def test_what_the_curve_leaves_open_of_both_tests_alike_hides_nothing():
    """Whether a window catches half or all of an effect, like tests of returns .5 and 2.5 contradict each other."""
    rng = np.random.default_rng(8)
    iroas, caught = rng.lognormal(0.0, 0.5, (600, 1)), rng.lognormal(-0.5, 0.6, 600)
    delta = 100 * iroas[:, 0] * caught
    tests = [lift("one", 50.0, 7.5, 0.05), lift("five", 250.0, 7.5, 0.05)]
    assert disagreements(tests, [delta, delta], iroas, ["tv"]) == (("five",), ("one",))
    other = 100 * iroas[:, 0] * rng.lognormal(-0.5, 0.6, 600)
    near = [lift("one", 50.0, 7.5, 0.05), lift("two", 100.0, 7.5, 0.05)]
    assert disagreements(near, [delta, other], iroas, ["tv"]) == ((), ())


def test_disagreement_withholds_until_resolved():
    tests = [lift("one", 100.0, 20.0), lift("two", 500.0, 20.0)]
    iroas = np.random.default_rng(6).lognormal(0.5, 0.3, (600, 1))
    delta = 100 * iroas[:, 0]
    found = judge(tests, [delta, delta], [delta, delta], iroas, ["tv"])
    assert {c.verdict for c in found} == {"tests disagree"}
    assert "contradict each other" in withheld(found)["tv"]
    assert withheld(found, resolved=["one", "two"]) == {}
    assert withheld(found, resolved=["one"]) != {}


def test_round_trip_keeps_the_printed_form():
    one = Conflict("t", ("tv",), 0.004, "conflict", "psis", 0.3)
    many = Conflict("m", ("tv", "radio"), 0.5, "agrees")
    assert Conflict.from_dict(one.to_dict()) == one
    known = replace(one, expected=Quantity(-80.0, -120.0, -40.0))
    assert Conflict.from_dict(known.to_dict()) == known
    assert Conflict.from_dict({key: value for key, value in one.to_dict().items() if key != "expected"}) == one
    printed = many.to_dict()
    assert {"experiment_id": "m", "channel": ["tv", "radio"], "p": 0.5, "verdict": "agrees"}.items() <= printed.items()
    assert Conflict.from_dict(printed).channels == ("tv", "radio")


def test_a_small_p_value_is_said_without_an_exponent():
    said = {p: Conflict("dark", ("tv",), p, "conflict").in_words() for p in (0.0023, 0.0001, 9.1e-6)}
    assert [words.rpartition("(")[2] for words in said.values()] == ["p = 0.0023)", "p = 0.0001)", "p under 0.0001)"]
