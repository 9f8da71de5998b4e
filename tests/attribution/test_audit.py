"""The audit finds what was planted, and says nothing of what is not there."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from attribution import read_paths
from attribution.auditing import Audit, audit
from attribution.path_spec import PathSpec
from attribution.sweeps import identity_loss, moved, windows
from measurement.errors import DataError

START = pd.Timestamp("2025-01-01")


def log(rows):
    """Rows of user, hours after the start, channel (none for a conversion)."""
    users, hours, channels = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "user_id": users,
            "timestamp": [START + pd.Timedelta(hours=hour) for hour in hours],
            "channel": channels,
            "event": ["conversion" if name is None else "click" for name in channels],
        }
    )


@pytest.fixture(scope="module")
def company():
    """200 users: social 10 days and search 1 day before a conversion, some who buy nothing, over 90 days."""
    rows = []
    for n in range(200):
        start = 24.0 * (n % 60) + 0.5
        rows += [(f"u{n}", start, "social"), (f"u{n}", start + 216, "search")]
        rows += [(f"u{n}", start + 240, None)] if n % 2 else []
    return log([*rows, ("late", 24 * 89.0, "search"), ("late", 24 * 90.0, None)])


@pytest.fixture(scope="module")
def audited(company):
    return audit(company, PathSpec(), spend={"search": 10.0, "tv": 90.0}, lookbacks=(3.0, 30.0), losses=(0.5,), seed=1)


def finding(found: Audit, code):
    (only,) = [each for each in found.findings if each.code == code]
    return only


def test_a_short_lookback_takes_the_early_channel_its_credit(company, audited):
    shares = audited.windows.set_index(["days", "channel"])["share"]
    assert shares[30.0, "social"] > 0.4
    assert ("3.0", "social") not in shares.index
    assert shares.get((3.0, "social"), 0.0) == 0.0
    assert shares[3.0, "search"] == pytest.approx(1.0)
    moves = moved(audited.windows, "days", 30.0, 3.0)
    assert moves == pytest.approx(shares[30.0, "social"])
    assert finding(audited, "window").severity == "serious"
    assert finding(audited, "window").numbers["moved"] == pytest.approx(moves)


def test_what_the_money_buys_and_no_path_shows(audited):
    assert finding(audited, "coverage").severity == "serious"
    assert finding(audited, "coverage").numbers["share"] == pytest.approx(0.9)
    assert "'tv'" in finding(audited, "coverage").sentence


def test_split_users_lose_touches_as_often_as_they_should(company):
    frame = identity_loss(company, PathSpec(), "linear", (0.5, 1.0), seed=3)
    lone = frame[frame["channel"] == "(no touch)"].set_index("loss")["share"]
    assert lone[0.0] == 0.0
    # two touches and a conversion on two devices at random: none beside the conversion in a quarter of the journeys
    assert lone[1.0] == pytest.approx(0.25, abs=0.12)
    assert 0 < lone[0.5] < lone[1.0]
    total = frame.groupby("loss")["conversions"].sum()
    assert total.to_list() == pytest.approx([total[0.0]] * 3)
    pd.testing.assert_frame_equal(frame, identity_loss(company, PathSpec(), "linear", (0.5, 1.0), seed=3))


def test_touches_that_the_conversion_made():
    rows = []
    for n in range(40):
        rows += [(f"u{n}", n, "social"), (f"u{n}", n + 5, None), (f"u{n}", n + 5.2, "voucher")]
        rows += [(f"u{n}", n + 5, "redirect")] if n < 10 else []
    found = audit(log(rows), PathSpec(unfinished="null"), lookbacks=(), losses=())
    assert finding(found, "same-instant").numbers["share"] == pytest.approx(10 / 90)
    assert finding(found, "same-instant").severity == "serious"
    leak = finding(found, "leakage")
    assert leak.severity == "serious"
    assert "'voucher' (40 after, 0 before)" in leak.sentence
    assert "social" not in leak.sentence


def test_a_clean_log_is_called_clean(audited):
    for code in ("same-instant", "leakage", "duplicates", "no-touch"):
        assert finding(audited, code).severity == "fine", finding(audited, code)


def test_duplicates_are_counted(company):
    twice = pd.concat([company, company.head(60)], ignore_index=True)
    once = finding(audit(twice, lookbacks=(), losses=()), "duplicates")
    assert once.numbers["share"] == pytest.approx(60 / len(twice))
    assert once.severity == "serious"


def test_aggregated_paths_are_checked_as_far_as_they_go():
    found = audit(pd.DataFrame({"path": ["a > b", "a"], "conversions": [2.0, 1.0], "nulls": [3.0, 1.0]}))
    assert found.windows is None
    assert finding(found, "aggregated").severity == "look"
    assert {each.code for each in found.findings} >= {"models", "no-touch"}


def test_an_audit_goes_through_json_and_back(audited):
    raw = json.loads(json.dumps(audited.to_dict()))
    again = Audit.from_dict(raw)
    assert again.to_dict() == audited.to_dict()
    assert again.verdict == "serious"
    assert raw["seed"] == 1
    assert raw["paths_hash"] == audited.provenance.data


def test_the_longest_lookbacks_are_left_out_where_the_log_is_short(company):
    days = set(windows(company, PathSpec(click_lookback_days=7.0, impression_lookback_days=7.0), "linear")["days"])
    assert days == {1.0, 3.0, 7.0, 14.0, 30.0}


def test_a_log_that_breaks_its_contract_is_refused(company):
    with pytest.raises(DataError, match="event"):
        audit(company.assign(event="klick"))


def test_models_that_agree_are_said_to(company):
    only = company[company["channel"] != "social"]
    assert read_paths(only).channels == ("search",)
    assert finding(audit(only, lookbacks=(), losses=()), "models").severity == "fine"
    assert np.isclose(audit(only, lookbacks=(), losses=()).models["ratio"], 1.0).all()


def test_a_percentage_is_written_with_a_space_that_does_not_break(audited):
    said = " ".join(each.sentence for each in audited.findings if each.severity != "fine")
    assert "90\u00a0% of the money goes to channels that no journey shows" in said
    assert all(before == "\u00a0" for before, sign in pairwise(said) if sign == "%")
