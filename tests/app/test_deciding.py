"""Decisions, track records, conflicts and the next test: what pages and programs record, who may, what is shown."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from measurement.errors import DataError
from measurement.store import utc_now
from theodolite import attention, results
from theodolite.app.pages.ask import channel_link
from theodolite.changes import since
from theodolite.decisions import Range, fold
from theodolite.next_test_texts import asked_of
from theodolite.plan_texts import quoted
from theodolite.study import Study

Serve = Callable[..., TestClient]
FORM = {"content-type": "application/x-www-form-urlencoded"}
V = "/api/v1"
FIELDS = {
    "what": "cut <b>TV</b> by a fifth",
    "metric": "profit of the quarter, EUR",
    "expected": "20000",
    "low": "5000",
    "high": "35000",
    "review": "2026-01-31",
    "channels": ["tv", "brand_search"],
}
TOLD: dict[str, Any] = {
    "what": "more radio",
    "metric": "revenue, EUR",
    "expected": {"median": 2.0, "low": 1.0, "high": 3.0},
    "review": "2031-01-31",
    "channels": ["tv"],
}


def problem(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


# -- decisions --------------------------------------------------------------------------------------------------------


def test_a_decision_is_recorded_held_against_what_came_and_counted(folder: Path, client_of: Serve) -> None:
    study = Study.open(folder)
    editor = client_of(folder, study.keys.add("mia", "editor")[1])
    viewer = client_of(folder, study.keys.add("vera", "viewer")[1])
    assert "No decision is recorded yet" in viewer.get("/decisions").text
    assert "/decisions/add" not in viewer.get("/decisions").text
    assert viewer.post("/decisions/add", headers=FORM, data=FIELDS).status_code == 403
    checked = editor.post("/decisions/check", headers=FORM, data=FIELDS | {"low": "", "high": "1e", "what": " "})
    assert all(f'data-fault="{name}"' in checked.text for name in ("low", "high", "what"))
    refused = editor.post("/decisions/add", headers=FORM, data=FIELDS | {"low": "", "high": "1e"})
    assert refused.status_code == 422
    assert "found &#39;1e&#39;" in refused.text
    assert 'value="20000"' in refused.text, "what was entered is still there"
    assert "did you mean" in editor.post("/decisions/check", headers=FORM, data=FIELDS | {"channels": "tvv"}).text
    assert "from 5,000 to 35,000" in editor.post("/decisions/check", headers=FORM, data=FIELDS).text
    assert study.decisions.list() == ()
    made = editor.post("/decisions/add", headers=FORM, data=FIELDS)
    assert made.status_code == 303, made.text
    (kept,) = study.decisions.list()
    assert (kept.actor, kept.decision.channels) == ("mia", ("tv", "brand_search"))
    assert kept.decision.expected == Range(median=20_000.0, low=5_000.0, high=35_000.0)
    assert set(kept.basis) == {results.FIT, results.VIEW}
    page = editor.get(made.headers["location"]).text
    assert "cut &lt;b&gt;TV&lt;/b&gt; by a fifth" in page
    assert "/channel?name=brand_search" in page
    overview = editor.get("/").text
    assert "was to be held against what came on 2026-01-31" in overview
    assert "/decision?id=decision-1#next" in overview
    wrong = editor.post("/decision/score", headers=FORM, data={"id": kept.id, "actual": "9", "low": "10"})
    assert wrong.status_code == 422
    score = {"id": kept.id, "actual": "9000", "low": "", "high": "", "note": "a cold spring"}
    assert editor.post("/decision/score", headers=FORM, data=score).status_code == 303
    page = editor.get("/decisions").text
    assert "1 of 1" in page
    assert "as expected" in page
    assert "to be held against what came" not in editor.get("/").text
    taken = editor.post("/decision/withdraw", headers=FORM, data={"id": kept.id, "reason": "never done"})
    assert taken.status_code == 403


def test_the_form_is_filled_in_from_the_channel_and_the_plan(served_folder: Path, client_of: Serve) -> None:
    client = client_of(served_folder)
    query = "what=Cut+tv&metric=revenue&expected=5&low=1&high=9&channels=%22tv%22%2Cbrand_search"
    page = client.get(f"/decisions?{query}").text
    assert 'value="Cut tv"' in page
    assert page.count(" checked>") == 2


def test_decisions_live_over_the_api_once_and_by_role(folder: Path, client_of: Serve) -> None:
    study = Study.open(folder)
    client = client_of(folder)
    editor = client_of(folder, study.keys.add("mia", "editor")[1])
    viewer = client_of(folder, study.keys.add("vera", "viewer")[1])
    problem(viewer.post(f"{V}/decisions", json=TOLD), 403)
    key = {"idempotency-key": "one"}
    first = editor.post(f"{V}/decisions", json=TOLD, headers=key)
    assert first.status_code == 201, first.text
    assert editor.post(f"{V}/decisions", json=TOLD, headers=key).json() == first.json()
    assert len(study.decisions.list()) == 1
    assert first.json()["by"] == "mia"
    assert "did you mean 'tv'" in problem(editor.post(f"{V}/decisions", json=TOLD | {"channels": ["tvv"]}), 422)
    assert "rise" in problem(
        editor.post(f"{V}/decisions", json=TOLD | {"expected": {"median": 1, "low": 2, "high": 3}}), 422
    )
    problem(editor.post(f"{V}/decisions", json=TOLD | {"review": "soon"}), 422)
    problem(editor.post(f"{V}/decisions/decision-1/withdraw", json={"reason": "x"}), 403)
    assert "decision-1" in problem(editor.post(f"{V}/decisions/decision-2/score", json={"actual": 1.0}), 404)
    scored = editor.post(f"{V}/decisions/decision-1/score", json={"actual": 4.0})
    assert scored.json()["verdict"] == "above"
    assert viewer.get(f"{V}/decisions/decision-1").json() == scored.json()
    board = viewer.get(f"{V}/scoreboard").json()
    assert (board["decisions"]["scored"], board["decisions"]["held"], board["decisions"]["above"]) == (1, 0, 1)
    named = client.post(f"{V}/decisions", json=TOLD | {"id": "q3"})
    assert named.json()["id"] == "q3"
    assert client.post(f"{V}/decisions/q3/withdraw", json={"reason": "never done"}).json()["state"] == "withdrawn"
    assert "reason" in problem(client.post(f"{V}/decisions/q3/withdraw", json={"reason": " "}), 422)
    for name in ("q3", " x", "a\nb"):
        problem(client.post(f"{V}/decisions", json=TOLD | {"id": name}), 422)
    assert [each["id"] for each in viewer.get(f"{V}/decisions").json()["items"]] == ["decision-1", "q3"]


# -- track record of the sources --------------------------------------------------------------------------------------


def test_what_sources_say_is_frozen_and_scored_by_the_read_out(folder: Path, client_of: Serve) -> None:
    study, client = Study.open(folder), client_of(folder)
    today = utc_now().date()
    days = {"start_date": str(today), "end_date": str(today + timedelta(27))}
    study.registry.register({"experiment_id": "radio & tv", "channel": "tv", "method": "on_off"} | days)
    assert "Freeze what is said of radio &amp; tv" in client.get("/decisions").text
    assert client.post("/decisions/predict", headers=FORM, data={"id": "radio & tv"}).status_code == 303
    assert client.post("/decisions/predict", headers=FORM, data={"id": "radio & tv"}).status_code == 422
    (made,) = study.track_record.predictions()
    assert made.clean
    assert client.get(f"{V}/scoreboard").json()["waiting"] == ["radio & tv"]
    assert "waiting for a read-out: <bdi>radio &amp; tv</bdi>" in client.get("/decisions").text
    assert "did you mean" in problem(
        client.post(f"{V}/scoreboard/predictions", json={"experiment_id": "radio & tx"}), 422
    )
    for month in range(1, 5):
        later = {name: str(today + timedelta(60 * month + (27 if name == "end_date" else 0))) for name in days}
        study.registry.register({"experiment_id": f"tv {month}", "channel": "tv", "method": "on_off"} | later)
    page = client.get("/decisions").text
    assert '<option value="tv 4">' in page, "many planned tests stand in a list"
    assert "Freeze what is said of tv" not in page


def test_the_track_record_shows_what_was_said_and_what_was_measured(
    served_folder: Path, client_of: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calibration.quantity import Quantity
    from calibration.track_record import Prediction, scored
    from theodolite.app.desk import Reading

    said = {"unified": Quantity(1.0, 0.8, 1.3), "attribution": Quantity(3.0, 2.9, 3.1)}
    day = utc_now().date()
    made = (Prediction("<i>old</i>", "tv", said, 2.0, day, f"{day}T00:00:00Z"),)
    read = scored(made, {"<i>old</i>": Quantity(1.1, 0.9, 1.3)})
    monkeypatch.setattr(Reading, "predictions", lambda _: made)
    monkeypatch.setattr(Reading, "scored", lambda _: read)
    page = client_of(served_folder).get("/decisions").text
    assert "&lt;i&gt;old" in page
    assert "Unified view" in page
    assert f"×\u00a0{3.0 / 1.1:.2f}" in page, "attribution leans"
    assert read[0].inside
    assert not read[1].inside


def test_what_was_frozen_too_late_is_shown_and_not_counted(
    served_folder: Path, client_of: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calibration.quantity import Quantity
    from calibration.track_record import Prediction, scored
    from theodolite.app.desk import Reading

    day = utc_now().date()
    said = {"unified": Quantity(1.0, 0.8, 1.3)}
    made = (Prediction("late", "tv", said, 2.0, day - timedelta(9), f"{day}T00:00:00Z"),)
    read = scored(made, {"late": Quantity(1.1, 0.9, 1.3)})
    assert not read[0].clean
    monkeypatch.setattr(Reading, "predictions", lambda _: made)
    monkeypatch.setattr(Reading, "scored", lambda _: read)
    page = client_of(served_folder).get("/decisions").text
    assert "none counts for or against a source" in page
    assert "no, not counted" in page
    assert "Typical error" not in page, "no table without rows"


# -- conflicts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def contradicted(folder: Path) -> Path:
    """The study, its test of one channel judged to contradict the model, and the number withheld."""
    study = Study.open(folder)
    fitted, view = study.fitted(), study.view()
    judged = replace(fitted.conflicts[0], p=0.0004, panel_p=None, verdict="conflict")
    results.save_fit(study.store, replace(fitted, conflicts=(judged,)), "local")
    name = judged.channels[0]
    channels = tuple(
        replace(c, iroas=None, mroas=None, state="conflict, withheld", reason=judged.in_words(), action="no advice yet")
        if c.channel == name
        else c
        for c in view.channels
    )
    results.save_view(study.store, replace(view, channels=channels), "local")
    return folder


def test_a_withheld_number_leads_to_the_decision_about_the_test(contradicted: Path, client_of: Serve) -> None:
    study, client = Study.open(contradicted), client_of(contradicted)
    conflict = study.fitted().conflicts[0]
    name, test = conflict.channels[0], conflict.experiment_id
    assert f"{channel_link(name)}#conflict" in client.get("/").text
    page = client.get(f"{channel_link(name)}").text
    assert "Whom to believe" in page
    assert "The test is right" in page
    assert '<option value="" selected>choose' in page, "no side is taken beforehand"
    unsaid = {"id": test, "channel": name, "keep": "", "reason": "planned and clean"}
    assert client.post("/channel/resolve", headers=FORM, data=unsaid).status_code == 422
    editor = client_of(contradicted, study.keys.add("mia", "editor")[1])
    form = {"id": test, "channel": name, "keep": "test", "reason": "planned and clean"}
    assert editor.post("/channel/resolve", headers=FORM, data=form).status_code == 403
    assert "Somebody with the role approver decides" in editor.get(f"{channel_link(name)}").text
    assert client.post("/channel/resolve", headers=FORM, data=form | {"reason": " "}).status_code == 422
    made = client.post("/channel/resolve", headers=FORM, data=form)
    assert (made.status_code, made.headers["location"]) == (303, f"{channel_link(name)}#conflict")
    assert study.resolutions()[test].reason == "planned and clean"
    page = client.get(f"{channel_link(name)}").text
    assert "planned and clean" in page
    assert "not yet in the numbers" in page
    study.reconcile()
    page = client.get(f"{channel_link(name)}").text
    assert "not yet in the numbers" not in page
    assert study.view()[name].iroas is not None


def test_conflicts_are_resolved_over_the_api(contradicted: Path, client_of: Serve) -> None:
    study, client = Study.open(contradicted), client_of(contradicted)
    (found,) = client.get(f"{V}/conflicts").json()["items"]
    assert (found["verdict"], found["keep"]) == ("conflict", None)
    where = f"{V}/conflicts/{found['experiment_id']}/resolve"
    problem(client.post(where, json={"keep": "luck", "reason": "x"}), 422)
    problem(client.post(f"{V}/conflicts/none/resolve", json={"keep": "test", "reason": "x"}), 422)
    viewer = client_of(contradicted, study.keys.add("vera", "viewer")[1])
    problem(viewer.post(where, json={"keep": "neither", "reason": "x"}), 403)
    key = {"idempotency-key": "k"}
    for _ in range(2):
        assert client.post(where, json={"keep": "neither", "reason": "x"}, headers=key).json()["keep"] == "neither"
    assert len(study.store.events(kind="conflict.resolved")) == 1
    assert client.get(f"{V}/conflicts").json()["items"][0]["keep"] == "neither"


# -- the next test ----------------------------------------------------------------------------------------------------


def test_a_study_of_one_market_is_told_why_no_tests_are_ranked(served_folder: Path, client_of: Serve) -> None:
    client = client_of(served_folder)
    for path in ("/next-tests", "/plan"):
        assert "one market" in client.get(path).text
    assert "next_tests" in problem(client.get(f"{V}/next-tests"), 404)
    problem(client.post(f"{V}/next-tests/x/register", json={}), 422)


def test_what_a_ranking_is_asked_for_is_read_from_texts() -> None:
    channels = ",".join(map(quoted, ["tv", 'a, "b"']))
    asked = asked_of({"channels": channels, "durations": "4,6", "geos": "2:6", "money": "5000", "total": ""})
    assert asked.channels == ("tv", 'a, "b"')
    assert (asked.durations, asked.geos, asked.money, asked.total) == ((4, 6), (2, 6), 5000.0, None)
    with pytest.raises(DataError) as wrong:
        asked_of({"chanels": "tv", "horizon": "a year", "at_most": "perhaps"})
    assert {p.column for p in wrong.value.problems} == {"chanels", "horizon", "at_most"}


# -- what needs attention, what changed -------------------------------------------------------------------------------


def test_a_plan_that_waits_and_a_review_that_is_due_need_attention(folder: Path) -> None:
    study = Study.open(folder)
    study.decisions.add(TOLD | {"review": "2026-01-31"})
    today = utc_now().date()
    found = attention.items(None, True, [], [], today, study.decisions.list(), {})
    assert [(item.kind, item.subject) for item in found] == [("decision", "decision-1")]
    study.decisions.withdraw("decision-1", "never done")
    assert attention.items(None, True, [], [], today, tuple(fold(study.store.events()).values()), {}) == []


def test_where_sources_differ_a_test_is_asked_for_unless_the_ranking_knows_none_that_pays() -> None:
    differ = [SimpleNamespace(channel=name, state="differ, action changes", reason="") for name in ("tv", "radio")]
    view: Any = SimpleNamespace(channels=differ)
    today = utc_now().date()
    for pays, expected in (
        (None, {"tv": "differ, action changes", "radio": "differ, action changes"}),
        (frozenset({"tv"}), {"tv": "differ, action changes", "radio": attention.SETTLED_BY_NO_TEST}),
    ):
        found = attention.items(view, True, [], [], today, worth_testing=pays)
        assert {item.subject: item.state for item in found} == expected
        for item in found:
            assert ("a test would settle" in item.words) == (item.state == "differ, action changes")


def test_the_last_view_is_held_against_that_of_last_month() -> None:
    assert since(["2026-09-30T10", "2026-10-02T10", "2026-10-28T10", "2026-11-01T09", "2026-11-20T09"]) == 2
    assert since(["2026-11-01T09", "2026-11-20T09", "2026-11-20T10"]) == 1
    assert since(["2025-12-31T09", "2026-01-01T09"]) == 0


def test_nothing_is_not_a_number_in_what_the_api_gives(folder: Path, client_of: Serve) -> None:
    client = client_of(folder)
    for path in ("decisions", "plans", "scoreboard", "conflicts"):
        text = client.get(f"{V}/{path}").text
        assert json.loads(text, parse_constant=lambda found: math.nan) == json.loads(text), path


def test_whatever_stands_in_an_address_is_answered_in_words(folder: Path, client_of: Serve) -> None:
    Study.open(folder).reconcile()
    client = client_of(folder)
    for path in ("/?since=0", "/plan?periods=2&path=x&boundx=1&share=3", "/decisions?path=x&channels=%22"):
        assert client.get(path).status_code == 200, path
    for path in ("/?since=00009", "/?since=1", "/?since=x", "/plan-of-record", "/decision?id=%00"):
        assert client.get(path).status_code == 422, path
