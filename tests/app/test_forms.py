"""Forms of tests: checked field by field while they are typed, carried out whole or not at all, by those who may."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from theodolite.app.jobs import Jobs
from theodolite.study import Study

Serve = Callable[..., TestClient]
FORM = {"content-type": "application/x-www-form-urlencoded"}

RECORD = (
    '{"experiment_id": "<b>new & old", "channel": "tv", "method": "on_off", "start_date": "2024-01-01",'
    ' "end_date": "2024-01-28", "estimand": "iroas", "estimate": 1.5, "std_error": 0.5, "spend_delta": -1000,'
    ' "off_panel": true, "counterfactual_spend": 1000}'
)


def test_records_are_checked_while_they_are_typed_and_then_kept(folder: Path, client_of: Serve) -> None:
    client = client_of(folder)
    before = len(Study.open(folder).experiments())
    wrong = client.post("/experiments/import/check", headers=FORM, data={"records": RECORD.replace('"tv"', '"tvv"')})
    assert "did you mean" in wrong.text
    assert "<html" not in wrong.text
    fine = client.post("/experiments/import/check", headers=FORM, data={"records": RECORD})
    assert "1 test" in fine.text
    assert len(Study.open(folder).experiments()) == before
    refused = client.post("/experiments/import", headers=FORM, data={"records": "[1]"})
    assert refused.status_code == 422
    assert client.post("/experiments/import", headers=FORM, data={"records": RECORD}).status_code == 303
    assert len(Study.open(folder).experiments()) == before + 1
    page = client.get("/experiments").text
    assert "<b>new" not in page
    assert "&lt;b&gt;new &amp; old" in page
    link = f"/experiment?id={quote('<b>new & old', safe='').replace('%20', '+')}"
    assert link in page
    assert client.get(link).status_code == 200


def test_a_goal_is_checked_while_it_is_typed(empty: Path, client_of: Serve) -> None:
    client = client_of(empty)
    goal = {"channel": "tv", "durations": "4,6", "geos": "1:2", "direction": "go_dark"}
    told = client.post("/experiments/design/check", headers=FORM, data=goal | {"durations": "4,x", "iroas": "a lot"})
    assert 'data-fault="durations"' in told.text
    assert 'data-fault="iroas"' in told.text
    assert "Lengths to compare and Expected iROAS" in told.text
    assert "4 and 6 weeks" in client.post("/experiments/design/check", headers=FORM, data=goal | {"geos": "1"}).text
    again = client.post("/experiments/design", headers=FORM, data=goal | {"geos": "3:1", "name": "kept <here>"})
    assert again.status_code == 422
    assert 'aria-invalid="true"' in again.text
    assert 'value="kept &lt;here&gt;"' in again.text


PLAN = {
    "experiment_id": 'a "b" <i>',
    "method": "on_off",
    "start_date": "2024-02-05",
    "end_date": "2024-03-03",
    "channel": '"tv"',
    "hypothesis": "it sells",
    "mde": "0.05",
}


def test_a_plan_by_hand_is_checked_field_by_field_registered_changed_and_never_twice(
    folder: Path, client_of: Serve
) -> None:
    client = client_of(folder)
    assert client.get("/experiments/register").status_code == 200
    check = "/experiments/register/check"
    wrong = PLAN | {"end_date": "2024-01-01", "mde": "5 %", "channel": '"tv","tvv"', "experiment_id": "a/b"}
    told = client.post(check, headers=FORM, data=wrong).text
    for name, words in (("mde", "percent sign"), ("experiment_id", "no slash"), ("end_date", "before the start_date")):
        assert re.search(f'data-fault="{name}">[^<]*{words}', told), (name, told)
    assert "did you mean" in client.post(check, headers=FORM, data=PLAN | {"channel": '"tvv"'}).text
    assert "28 days" in client.post(check, headers=FORM, data=PLAN).text
    assert "is missing" in client.post(check, headers=FORM, data={}).text
    before = len(Study.open(folder).registry.list())
    refused = client.post("/experiments/register", headers=FORM, data=wrong)
    assert refused.status_code == 422
    assert "it sells" in refused.text, "nothing that was typed is lost"
    assert len(Study.open(folder).registry.list()) == before
    made = client.post("/experiments/register", headers=FORM, data=PLAN)
    assert made.status_code == 303
    kept = Study.open(folder).registry.get(PLAN["experiment_id"])
    assert (kept.state, kept.protocol.mde, kept.protocol.hypothesis) == ("draft", 0.05, "it sells")
    page = client.get(made.headers["location"]).text
    assert "Change the plan" in page
    assert "<i>" not in page
    assert "registered already" in client.post(check, headers=FORM, data=PLAN).text
    change = client.get("/experiments/register", params={"id": PLAN["experiment_id"]}).text
    assert "it sells" in change
    revised = PLAN | {"revise": "yes", "end_date": "2024-03-10", "hypothesis": ""}
    assert "35 days" in client.post(check, headers=FORM, data=revised).text
    assert client.post("/experiments/register", headers=FORM, data=revised).status_code == 303
    kept = Study.open(folder).registry.get(PLAN["experiment_id"])
    assert (kept.plan_version, str(kept.experiment.end_date), kept.protocol.hypothesis) == (2, "2024-03-10", "")


def test_a_plan_beside_other_tests_says_so_before_anybody_approves_it(folder: Path, client_of: Serve) -> None:
    registry = Study.open(folder).registry
    registry.register(
        {"experiment_id": "first", "channel": "tv"} | {n: PLAN[n] for n in ("method", "start_date", "end_date")}
    )
    registry.submit("first")
    registry.approve("first", self_approve=True)
    told = client_of(folder).post("/experiments/register/check", headers=FORM, data=PLAN).text
    assert "It cannot be approved beside other tests" in told
    assert "&#39;first&#39; (approved)" in told


def test_a_step_takes_what_the_study_cannot_know_from_its_form(folder: Path, client_of: Serve) -> None:
    client, study = client_of(folder), Study.open(folder)
    fields = {n: PLAN[n] for n in ("method", "start_date", "end_date")} | {"experiment_id": "plan", "channel": "tv"}
    study.registry.register(fields, by="Ada")

    def step(name: str, **said: str) -> int:
        return client.post("/experiment/step", headers=FORM, data={"id": "plan", "step": name, **said}).status_code

    assert "nobody else can look" not in client.get("/experiment?id=plan").text
    assert step("submit") == 303
    assert "nobody else can look" not in client.get("/experiment?id=plan").text, "Ada planned it"
    assert step("approve", reason="sound") == 303
    assert step("start", on="5 February") == 422
    assert step("start", on="2024-02-12") == 303
    assert "Analyse as planned" not in client.get("/experiment?id=plan").text, "nobody looks early"
    assert step("deviate", reason="") == 422
    assert step("deviate", reason="a week later") == 303
    assert step("complete", spend_delta="much") == 422
    assert step("complete", spend_delta="-4000", incidents="a strike\n\nrain") == 303
    test = Study.open(folder).registry.get("plan")
    assert (str(test.started_on), test.state) == ("2024-02-12", "completed")
    assert test.actuals is not None
    assert (test.actuals.spend_delta, test.actuals.incidents) == (-4000, ("a strike", "rain"))
    page = client.get("/experiment?id=plan").text
    assert "a week later" in page
    assert 'name="kind" value="analyse"' in page
    assert step("supersede", successor="nothing", reason="x") == 422
    assert step("cancel", reason="given up") == 303
    assert 'value="cancel"' not in client.get("/experiment?id=plan").text


def test_work_begun_on_a_page_leads_back_to_it_and_nowhere_else(
    folder: Path, client_of: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jobs, "_start_next", lambda _: None)
    client = client_of(folder)
    for back, led in (
        ("/model", "/model"),
        ("/experiment?id=a%20b", "/experiment?id=a%20b"),
        ("//evil.example", "/jobs"),
        ("/model@evil.example", "/jobs"),
        ("https://evil.example/model", "/jobs"),
        ("", "/jobs"),
    ):
        answer = client.post("/jobs", headers=FORM, data={"kind": "reconcile", "back": back})
        assert answer.headers["location"] == led


def test_a_result_from_elsewhere_is_recorded_by_a_form(folder: Path, client_of: Serve) -> None:
    client = client_of(folder)
    data = {
        "experiment_id": "tv-agency",
        "method": "conversion_lift",
        "start_date": "2024-01-01",
        "end_date": "2024-01-28",
        "channel": '"tv"',
        "estimand": "iroas",
        "estimate": "1.5",
        "std_error": "-0.5",
        "spend_delta": "1000",
        "off_panel": "true",
        "counterfactual_spend": "1000",
    }
    check = "/experiments/record/check"
    assert 'data-fault="std_error"' in client.post(check, headers=FORM, data=data).text
    refused = client.post("/experiments/record", headers=FORM, data=data)
    assert refused.status_code == 422
    assert 'value="tv-agency"' in refused.text
    fine = data | {"std_error": "0.5"}
    assert "0.6776 to 2.322" in client.post(check, headers=FORM, data=fine).text
    assert client.post("/experiments/record", headers=FORM, data=fine).status_code == 303
    assert "tv-agency" in {test.experiment_id for test in Study.open(folder).experiments()}


def test_who_only_reads_gets_no_form(empty: Path, client_of: Serve) -> None:
    viewer = client_of(empty, Study.open(empty).keys.add("v", "viewer")[1])
    for path in ("/experiments/register", "/experiments/record", "/experiments/design"):
        page = viewer.get(path)
        assert page.status_code == 200
        assert "data-check" not in page.text
        assert viewer.post(path, headers=FORM, data={}).status_code == 403
        assert viewer.post(f"{path}/check", headers=FORM, data={}).status_code == 403
