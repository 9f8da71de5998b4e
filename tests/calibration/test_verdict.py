import numpy as np
import pytest

from calibration.parts import Without
from calibration.quantity import Quantity
from calibration.verdict import advised, differ, in_words, move, rests_on, state_of, tipping

LOW, MIDDLE, HIGH = Quantity(0.5, 0.4, 0.6), Quantity(1.0, 0.6, 1.6), Quantity(3.0, 2.6, 3.4)


@pytest.mark.parametrize(
    ("sources", "youngest", "withheld", "state"),
    [
        ({}, None, None, "single source"),
        ({"mmm": HIGH}, None, None, "single source"),
        ({"mmm": HIGH, "experiments": HIGH}, 0.5, None, "agree"),
        ({"mmm": HIGH, "experiments": HIGH}, 3.0, None, "stale"),
        ({"mmm": HIGH, "experiments": LOW}, 0.5, None, "differ, action changes"),
        ({"mmm": Quantity(8.0, 7.0, 9.0), "experiments": HIGH}, 0.5, None, "differ, same action"),
        ({"mmm": MIDDLE, "attribution": HIGH}, None, None, "differ, action changes"),
        ({"mmm": HIGH, "experiments": LOW}, 0.5, "a test contradicts", "conflict, withheld"),
    ],
)
def test_states(sources, youngest, withheld, state):
    assert state_of(sources, 1.0, youngest, withheld).state == state


def test_intervals_that_reach_below_zero_are_compared_as_they_are():
    assert not differ(Quantity(0.2, -0.5, 0.9), Quantity(0.8, 0.6, 1.0))
    assert differ(Quantity(-1.0, -1.5, -0.5), Quantity(0.8, 0.6, 1.0))


@pytest.mark.parametrize(
    ("probability", "mroas", "decision"),
    [
        (0.95, Quantity(1.5, 1.1, 2.0), "raise"),
        (0.05, Quantity(0.5, 0.2, 0.9), "cut"),
        (0.5, Quantity(1.0, 0.9, 1.1), "hold"),
        (0.5, Quantity(1.0, 0.4, 2.5), "test first"),
    ],
)
def test_moves(probability, mroas, decision):
    assert move(probability, mroas, 1.0) == decision
    assert in_words(decision, probability, tested=False).startswith(decision.split()[0])


def test_a_tested_channel_is_tested_again():
    assert in_words("test first", 0.5, tested=True).startswith("test again")


def test_a_disagreement_names_who_would_do_what():
    found = state_of({"mmm": HIGH, "experiments": LOW, "attribution": HIGH}, 1.0, 0.5, None)
    assert found.says == {"mmm": "raise", "experiments": "cut", "attribution": "raise"}
    assert found.reason == "the model (3.00) and attribution (3.00) say raise, the tests (0.50) say cut"


def test_what_a_source_says_is_read_of_the_next_unit():
    average = Quantity(1.3, 1.2, 1.4)
    assert state_of({"mmm": average}, 1.0, None, None).says["mmm"] == "raise"
    assert state_of({"mmm": average}, 1.0, None, None, marginal=0.6).says["mmm"] == "cut"


def test_sources_that_an_action_rests_on_are_named():
    without = {
        "mmm": Without(MIDDLE, "hold"),
        "experiments": Without(HIGH, "raise"),
        "attribution": Without(MIDDLE, "test first"),
    }
    assert rests_on("test first", without) == "without the tests it would be raise"
    assert rests_on("cut", {"mmm": Without(LOW, "cut")}) == ""
    assert rests_on(None, without) == ""


def test_tipping_bias_is_what_it_takes():
    """A Normal log return whose action is to raise: the mean has to fall until 80 % of it pays, by the weight."""
    rng = np.random.default_rng(3)
    draws = np.exp(0.6 + 0.3 * rng.standard_normal(20_000))
    assert advised(draws, 1.0) == "raise"
    tip = tipping(draws, 1.0, weight=0.5)
    assert tip.becomes in ("hold", "test first")
    assert np.log(tip.overstates) == pytest.approx((0.6 - 0.8416 * 0.3) / 0.5, abs=0.03)
    below = tipping(np.exp(-0.6 + 0.3 * rng.standard_normal(20_000)), 1.0, weight=0.5)
    assert below.overstates < 1
    assert tipping(draws, 1.0, weight=0.05) is None
