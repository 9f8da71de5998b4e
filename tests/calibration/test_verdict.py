import pytest

from calibration.verdict import differ, in_words, move, state_of
from calibration.view import Quantity

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
        ({"mmm": MIDDLE, "attribution": HIGH}, None, None, "differ, same action"),
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
