"""The REST API: what it answers over a fitted study, how it refuses, and that its description is true."""

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from docs import openapi
from tests.app.conftest import BASE, TOKEN
from theodolite.app.api.common import Sent
from theodolite.app.jobs import Jobs
from theodolite.app.who import Who
from theodolite.study import Study

Serve = Callable[..., TestClient]
V = "/api/v1"


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert {"type", "title", "detail"} <= set(found)
    return found


def test_the_checked_in_description_is_that_of_the_code() -> None:
    made = openapi.text()
    assert openapi.FILE.read_text(encoding="utf-8") == made, "the API has changed: run `python -m docs.openapi`"
    assert json.loads(made)["openapi"].startswith("3.1")


def test_it_gives_what_the_study_gives(folder: Path, client_of: Serve) -> None:
    client, study = client_of(folder), Study.open(folder)
    assert client.get(f"{V}/study").json()["channels"] == list(study.panel.channels)
    assert client.get(f"{V}/study").json()["state"] == "ready"
    assert client.get(f"{V}/view").json() == json.loads(json.dumps(study.view().to_dict()))
    assert client.get(f"{V}/fit").json()["converged"] == study.fitted().converged
    assert client.get(f"{V}/channels/tv").json()["channel"] == "tv"
    assert len(client.get(f"{V}/experiments").json()["items"]) == len(study.registry.list())
    name = client.get(f"{V}/experiments").json()["items"][0]["experiment_id"]
    assert client.get(f"{V}/experiments/{name}").json()["record"]["experiment_id"] == name
    assert client.get(f"{V}/attribution").json()["items"]
    assert {file["table"] for file in client.get(f"{V}/files").json()["items"]} >= {"media", "outcome"}
    plan = client.post(f"{V}/budget", json={"total": 200_000, "periods": 4, "bounds": {"tv": "0.9:1.1"}})
    assert plan.status_code == 200, plan.text
    assert plan.json()["total"] == pytest.approx(200_000)
    assert client.post(f"{V}/forecast", json={"periods": 3}).json()["total"]["low"] > 0
    assert f"theodolite_events_total {len(study.store.events())}" in client.get("/metrics").text


def test_lists_come_in_pages_that_together_are_the_whole(folder: Path, client_of: Serve) -> None:
    client = client_of(folder)
    whole = client.get(f"{V}/events", params={"limit": 500}).json()["items"]
    found, after = [], 0
    while after is not None:
        some = client.get(f"{V}/events", params={"limit": 2, "after": after}).json()
        assert len(some["items"]) <= 2
        found += some["items"]
        after = some["next"]
    assert found == whole
    assert [event["sequence"] for event in whole] == list(range(1, len(whole) + 1))
    problem(client.get(f"{V}/events", params={"limit": 0}), 422)


def test_pages_stand_still_while_events_are_added(empty: Path, client_of: Serve) -> None:
    client, study = client_of(empty), Study.open(empty)
    for name in "abc":
        study.keys.add(name, "viewer")
    first = client.get(f"{V}/events", params={"limit": 2}).json()
    study.keys.add("meanwhile", "viewer")
    second = client.get(f"{V}/events", params={"limit": 500, "after": first["next"]}).json()
    assert [event["sequence"] for event in first["items"] + second["items"]] == list(range(1, 5))
    assert second["next"] is None
    assert client.get(f"{V}/events", params={"after": 100}).json() == {"items": [], "next": None}


def test_bounds_that_cannot_be_read_are_named_together(folder: Path, client_of: Serve) -> None:
    bad = {"bounds": {"tv": "a", "brand_search": "1:b"}}
    refused = problem(client_of(folder).post(f"{V}/budget", json=bad), 422)
    assert [item["column"] for item in refused["problems"]] == ["tv", "brand_search"]


def test_health_is_open_and_silent_and_metrics_are_for_those_who_may_read(empty: Path, client_of: Serve) -> None:
    nobody = client_of(empty, None)
    assert nobody.get("/health").json() == {"status": "ok"}
    problem(nobody.get("/metrics"), 401)
    study = Study.open(empty)
    reader = client_of(empty, study.keys.add("prometheus", "viewer")[1])
    told = reader.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = told.text.splitlines()
    named = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE ")}
    assert named == {"theodolite_info": "gauge", "theodolite_events_total": "counter", "theodolite_jobs": "gauge"}
    assert {line.split()[2] for line in lines if line.startswith("# HELP ")} == set(named)
    sample = re.compile(r'([a-z_]+)(\{[a-z_]+="[^"\\]*"\})? (\d+)')
    found = [sample.fullmatch(line) for line in lines if not line.startswith("#")]
    assert all(found), told.text
    assert {match[1] for match in found if match} == set(named)
    assert f"theodolite_events_total {len(study.store.events())}" in lines
    assert told.text.endswith("\n")


def test_plans_are_registered_over_the_api_all_or_none(empty: Path, client_of: Serve) -> None:
    client = client_of(empty)
    plan = {name: RECORD[name] for name in ("experiment_id", "channel", "method", "start_date", "end_date")}
    wrong = problem(
        client.post(f"{V}/registrations", json={"records": [plan, plan | {"experiment_id": "b", "mde": -1}]}), 422
    )
    assert wrong["problems"][0]["column"] == "mde"
    assert Study.open(empty).registry.list() == ()
    both = {"records": [plan, plan | {"experiment_id": "b", "hypothesis": "it sells"}]}
    assert client.post(f"{V}/registrations", json=both).json() == {"imported": ["tv-elsewhere", "b"], "total": 2}
    assert client.post(f"{V}/registrations", json=both).json() == {"imported": [], "total": 2}
    assert {test.state for test in Study.open(empty).registry.list()} == {"draft"}


def test_a_completed_test_says_what_the_study_cannot_know(folder: Path, client_of: Serve) -> None:
    client, day = client_of(folder), "2024-01-08"
    plan = {name: RECORD[name] for name in ("experiment_id", "channel", "method", "start_date", "end_date")}
    assert client.post(f"{V}/registrations", json={"records": [plan]}).status_code == 200
    at = f"{V}/experiments/tv-elsewhere"
    for step, said in (
        ("submit", {}),
        ("approve", {"self_approve": True}),
        ("start", {"on": day}),
        ("complete", {"actuals": {"spend_delta": -900.0, "end_date": "2024-01-27"}}),
    ):
        answer = client.post(f"{at}/{step}", json=said)
        assert answer.status_code == 200, answer.text
    problem(client.post(f"{at}/complete", json={"actuals": {"spend": {"treated": 1}}}), 422)
    problem(client.post(f"{at}/deviate", json={}), 422)
    assert client.post(f"{at}/deviate", json={"reason": "a week late"}).json()["deviations"] == ["a week late"]
    told = answer.json()["actuals"]
    assert (told["spend_delta"], told["end_date"], told["incidents"]) == (-900.0, "2024-01-27", [])


def test_refusals_are_problems_in_words(empty: Path, client_of: Serve) -> None:
    client = client_of(empty)
    assert "no fit yet" in problem(client.get(f"{V}/view"), 409)["detail"]
    assert "no fit yet" in problem(client.post(f"{V}/budget", json={}), 409)["detail"]
    problem(client.get(f"{V}/nowhere"), 404)
    problem(client.get(f"{V}/jobs/none"), 404)
    problem(client.get(f"{V}/experiments/none"), 404)
    problem(client.put(f"{V}/view", json={}), 405)
    deep = problem(client.post(f"{V}/jobs", content=b"[" * 100_000, headers={"content-type": "application/json"}), 422)
    assert "must be JSON" in deep["detail"]
    wrong = problem(client.post(f"{V}/jobs", json={"kind": "fit", "settings": {"draws": "many", "chainz": 2}}), 422)
    assert {item["column"] for item in wrong["problems"]} == {"draws", "chainz"}
    assert problem(client.post(f"{V}/jobs", json={"kind": 3, "extra": 1}), 422)["problems"]
    for body in (b"", b"{", b"[1]", b'"x"', b"\xff", b'{"kind": "fit"' + b" " * 9):
        answer = client.post(f"{V}/jobs", content=body, headers={"content-type": "application/json"})
        problem(answer, 422)


RECORD = {
    "experiment_id": "tv-elsewhere",
    "channel": "tv",
    "method": "on_off",
    "start_date": "2024-01-01",
    "end_date": "2024-01-28",
    "estimand": "iroas",
    "estimate": 1.5,
    "std_error": 0.5,
    "spend_delta": -1000,
    "off_panel": True,
    "counterfactual_spend": 1000,
}


def test_a_write_that_is_sent_again_with_its_key_is_carried_out_once(folder: Path, client_of: Serve) -> None:
    client, body = client_of(folder), {"name": "a program", "role": "viewer"}
    assert client.post(f"{V}/keys", json=body).status_code == 201
    key = {"idempotency-key": "one"}
    first = client.post(f"{V}/experiments", json={"records": [RECORD]}, headers=key)
    assert first.json()["imported"] == ["tv-elsewhere"]
    assert client.post(f"{V}/experiments", json={"records": [RECORD]}, headers=key).json() == first.json()
    assert client.post(f"{V}/experiments", json={"records": [RECORD]}).json()["imported"] == []
    other = {"records": [RECORD | {"experiment_id": "tv-other"}]}
    assert "Idempotency-Key" in problem(client.post(f"{V}/experiments", json=other, headers=key), 422)["detail"]
    with ThreadPoolExecutor(4) as pool:
        twice = list(
            pool.map(
                lambda _: client.post(f"{V}/jobs", json={"kind": "reconcile"}, headers={"idempotency-key": "j"}), "1234"
            )
        )
    assert len({answer.json()["id"] for answer in twice}) == 1
    assert client.delete(f"{V}/jobs/{twice[0].json()['id']}").json()["state"] == "cancelled"


def test_two_who_choose_the_same_idempotency_key_do_not_get_each_others_answers(empty: Path, client_of: Serve) -> None:
    study, key = Study.open(empty), {"idempotency-key": "one"}
    mia = client_of(empty, study.keys.add("mia", "editor")[1])
    leo = TestClient(mia.app, base_url=BASE, headers={"authorization": f"Bearer {study.keys.add('leo', 'editor')[1]}"})
    plan = {name: RECORD[name] for name in ("experiment_id", "channel", "method", "start_date", "end_date")}
    body = {"records": [plan]}
    assert mia.post(f"{V}/registrations", json=body, headers=key).json() == {"imported": ["tv-elsewhere"], "total": 1}
    assert leo.post(f"{V}/registrations", json=body, headers=key).json() == {"imported": [], "total": 1}


def test_a_write_that_is_sent_again_while_it_is_carried_out_waits_for_the_answer() -> None:
    sent, begun, second = Sent(), threading.Event(), threading.Event()
    asked: Any = SimpleNamespace(method="POST", url=SimpleNamespace(path="/x"))
    carried_out: list[int] = []

    def carry_out() -> dict[str, Any]:
        carried_out.append(1)
        if begun.is_set():
            second.set()
        begun.set()
        second.wait(0.5)  # whoever does not wait for this one comes in here
        return {"number": len(carried_out)}

    def send() -> Any:
        return sent.once(asked, Who("mia", "editor"), "key", {}, carry_out)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(send)
        assert begun.wait(60)
        again = pool.submit(send)
        assert first.result() == again.result() == {"number": 1}


def test_roles_hold_in_the_api(empty: Path, client_of: Serve) -> None:
    viewer = client_of(empty, Study.open(empty).keys.add("v", "viewer")[1])
    editor = client_of(empty, Study.open(empty).keys.add("e", "editor")[1])
    assert viewer.get(f"{V}/study").status_code == 200
    for client, method, path, body in (
        (viewer, "POST", "/jobs", {"kind": "fit"}),
        (viewer, "POST", "/experiments", {"records": [RECORD]}),
        (viewer, "GET", "/keys", None),
        (editor, "GET", "/keys", None),
        (editor, "POST", "/keys", {"name": "n", "role": "admin"}),
        (editor, "POST", "/experiments/x/approve", {}),
        (editor, "DELETE", "/keys/x", None),
    ):
        problem(client.request(method, f"{V}{path}", json=body), 403)


def test_keys_are_made_shown_once_and_ended(empty: Path, client_of: Serve) -> None:
    client = client_of(empty)
    made = client.post(f"{V}/keys", json={"name": "dashboard", "role": "viewer"}).json()
    listed = client.get(f"{V}/keys").json()["items"]
    assert [key["id"] for key in listed] == [made["id"]]
    assert "key" not in listed[0]
    assert client_of(empty, made["key"]).get(f"{V}/study").status_code == 200
    assert client.delete(f"{V}/keys/{made['id']}").json()["id"] == made["id"]
    problem(client_of(empty, made["key"]).get(f"{V}/study"), 401)
    problem(client.delete(f"{V}/keys/{made['id']}"), 404)


def test_a_test_lives_its_life_over_the_api_under_the_names_of_those_who_act(folder: Path, client_of: Serve) -> None:
    study = Study.open(folder)
    first = str(study.panel.dates[-1])[:10]
    study.registry.register(
        {"experiment_id": "plan", "channel": "tv", "method": "on_off", "start_date": "2024-01-01", "end_date": first}
    )
    editor = client_of(folder, study.keys.add("mia", "editor")[1])
    approver = client_of(folder, study.keys.add("leo", "approver")[1])
    refused = problem(editor.post(f"{V}/experiments/plan/accept", json={}), 403)
    assert "approver" in refused["detail"]
    problem(editor.post(f"{V}/experiments/plan/start", json={}), 422)
    problem(editor.post(f"{V}/experiments/plan/fly", json={}), 422)
    assert editor.post(f"{V}/experiments/plan/submit", json={"reason": "ready"}).json()["state"] == "in_review"
    approved = approver.post(f"{V}/experiments/plan/approve", json={})
    assert approved.json()["state"] == "approved", approved.text
    steps = approver.get(f"{V}/experiments/plan").json()["registry"]["history"]
    assert [(step["action"], step["by"]) for step in steps[1:]] == [("submit", "mia"), ("approve", "leo")]
    page = approver.get("/experiment?id=plan").text
    assert "It has begun" in page
    assert "Approve the plan" not in page


# -- whatever is sent -------------------------------------------------------------------------------------------------


def test_nothing_that_is_sent_breaks_it_or_gets_an_undocumented_answer(
    folder: Path, client_of: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import CHECKS

    monkeypatch.setattr(Jobs, "_start_next", lambda _: None)  # no fits here: they are asked for, and wait
    client = client_of(folder)
    signed = {"authorization": f"Bearer {TOKEN}", "host": "127.0.0.1:8765"}
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", client.app, headers=signed)
    names = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
    checks = CHECKS.get_by_names(names)
    slow = ("/api/v1/budget", "/api/v1/forecast")
    few = settings(
        max_examples=6,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    count = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in slow:
            continue

        @few
        @given(case=operation.as_strategy())
        def sent(case: Any) -> None:
            nonlocal count
            count += 1
            answer = case.call(headers=signed)
            case.validate_response(answer, checks=checks)

        sent()
    assert count > 60
