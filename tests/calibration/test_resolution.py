"""A decision about a test in question: kept with who and why, and followed."""

import pytest

from calibration.conflict import Conflict, withheld
from calibration.resolution import decided, resolutions, resolve, set_aside
from measurement.errors import DataError
from measurement.store import Store

ODD = Conflict("odd", ("brand",), 0.001, "conflict")
FINE = Conflict("fine", ("social",), 0.4, "agrees")
ONE = Conflict("one", ("tv",), 0.3, "tests disagree", against=("two",))
TWO = Conflict("two", ("tv",), 0.2, "tests disagree", against=("one",))
JUDGED = (ODD, FINE, ONE, TWO)


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path)


def decide(store, name="odd", keep="test", reason="the read-out was audited", by="Ada"):
    return resolve(store, JUDGED, name, keep=keep, reason=reason, by=by)


def test_a_believed_test_shows_the_number_and_keeps_its_flag(store):
    decide(store)
    after = decided(JUDGED, resolutions(store))
    assert "brand" in withheld(JUDGED)
    assert "brand" not in withheld(after)
    assert (after[0].verdict, after[0].keep) == ("conflict", "test")
    assert "Ada decided on" in after[0].decision
    assert "the read-out was audited" in after[0].decision


def test_believing_neither_keeps_the_number_back_and_says_why(store):
    decide(store, keep="neither", reason="a storm hit the region")
    reason = withheld(decided(JUDGED, resolutions(store)))["brand"]
    assert "contradicts the model" in reason
    assert "a storm hit the region" in reason


def test_a_test_set_aside_speaks_no_more_against_others(store):
    decide(store, "one", "model")
    made = resolutions(store)
    after = {c.experiment_id: c for c in decided(JUDGED, made)}
    assert set_aside(made) == {"one"}
    assert after["two"].verdict == "agrees"
    assert after["one"].withholds, "until the model is fitted without it"
    assert "tv" not in withheld([c for c in after.values() if c.keep != "model"])


def test_one_of_two_that_disagree_may_be_believed_while_the_other_waits(store):
    decide(store, "one", "test")
    assert "tv" in withheld(decided(JUDGED, resolutions(store)))
    decide(store, "two", "test")
    assert "tv" not in withheld(decided(JUDGED, resolutions(store)))


def test_the_last_decision_counts_and_all_are_kept(store):
    decide(store, keep="neither")
    decide(store, keep="test", by="Grace")
    assert resolutions(store)["odd"].by == "Grace"
    assert len(store.events(kind="conflict.resolved")) == 2
    later = resolve(store, (), "odd", keep="model", reason="changed our mind", by="Ada")
    assert (later.keep, later.channels) == ("model", ("brand",))
    assert "contradicts the model" in later.conflict


@pytest.mark.parametrize(
    ("name", "keep", "reason", "by", "says"),
    [
        ("fine", "test", "why", "Ada", "nothing to decide; in question: 'odd', 'one', 'two'"),
        ("od", "test", "why", "Ada", "did you mean 'odd'"),
        ("odd", "tests", "why", "Ada", "did you mean 'test'"),
        ("odd", "test", "  ", "Ada", "reason: is empty"),
        ("odd", "test", "why", "", "by: is empty"),
        ("odd", "test", "y" * 2001, "Ada", "at most 2000"),
    ],
)
def test_a_decision_that_says_nothing_is_refused_and_not_written(store, name, keep, reason, by, says):
    with pytest.raises(DataError, match=says):
        decide(store, name, keep, reason, by)
    assert store.events(kind="conflict.resolved") == []


def test_all_that_is_wrong_is_said_at_once(store):
    with pytest.raises(DataError) as caught:
        decide(store, "nobody", "both", "", "")
    assert len(caught.value.problems) == 4
