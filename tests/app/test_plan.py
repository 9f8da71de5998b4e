"""The plan page: what it shows is what the study says, limits are kept, what is signed off is frozen."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.app.conftest import worked_out
from theodolite.app.desk import Desk
from theodolite.plans import scaled
from theodolite.report.words import number
from theodolite.study import Study

Serve = Callable[..., TestClient]
FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_a_scaled_plan_is_business_as_usual_but_for_what_was_moved(served_folder: Path) -> None:
    study = Study.open(served_folder)
    frame = scaled(study.panel, 4, {"tv": 1.5})
    usual = scaled(study.panel, 4, {})
    by, was = (each.groupby("channel")["spend"].sum() for each in (frame, usual))
    assert by["tv"] == pytest.approx(1.5 * was["tv"])
    assert by["brand_search"] == pytest.approx(was["brand_search"])
    assert study.scenario(usual).change.median == pytest.approx(0.0, abs=1e-6)


def test_the_page_shows_the_budget_the_scenario_and_the_forecast_of_the_study(
    served_folder: Path, client_of: Serve
) -> None:
    client, study = client_of(served_folder), Study.open(served_folder)
    page = worked_out(client, "/plan?periods=4&total=200000&bound0=0.9:1.1&share0=150")
    name = study.panel.channels[0]
    made = study.budget(200_000, periods=4, bounds={name: "0.9:1.1"})
    for move in made.moves:
        assert number(move.advised) in page
    assert number(study.forecast(4).total.median) in page
    assert "Change of" in page
    for wrong in ("periods=0", "periods=99999"):
        assert client.get(f"/plan?{wrong}").status_code == 422, wrong
    for wrong in ("share0=-1", "total=abc", "bound0=x:y", "aim=luck", "total=1"):
        page = worked_out(client, f"/plan?{wrong}")
        assert "This cannot be worked out" in page, wrong
        name, _, entry = wrong.partition("=")
        assert name == "aim" or f'value="{entry}"' in page, "the form stays as it was filled in"


def test_a_plan_goes_from_the_sliders_to_the_one_that_is_spent_by(folder: Path, client_of: Serve) -> None:
    study = Study.open(folder)
    editor = client_of(folder, study.keys.add("mia", "editor")[1])
    approver = client_of(folder, study.keys.add("leo", "approver")[1])
    viewer = client_of(folder, study.keys.add("vera", "viewer")[1])
    form = {"periods": "4", "share0": "120", "name": "autumn ? 1"}
    assert viewer.post("/plan/record", headers=FORM, data=form).status_code == 403
    before = Desk(folder).reading()
    made = editor.post("/plan/record", headers=FORM, data=form)
    assert made.status_code == 303, made.text
    where = made.headers["location"]
    assert before.plans() == [], "who reads while somebody writes sees one state and not two"
    again = editor.post("/plan/record", headers=FORM, data=form)
    assert again.status_code == 422
    assert "autumn" in again.text
    (plan,) = study.plans.all()
    assert (plan.told["of"], plan.told["periods"], plan.actor) == ("scenario", 4, "mia")
    for client, step, status, state in (
        (editor, "approve", 403, "draft"),
        (approver, "commit", 422, "draft"),
        (editor, "submit", 303, "submitted"),
        (approver, "approve", 303, "approved"),
        (approver, "commit", 303, "committed"),
        (approver, "withdraw", 422, "committed"),
    ):
        answer = client.post("/plan/step", headers=FORM, data={"name": plan.name, "step": step})
        assert answer.status_code == status, (step, answer.text[-500:])
        assert study.plans.states()[plan.name].state == state
    page = approver.get(where).text
    assert "committed" in page
    assert "Withdraw it" in page
    assert "Withdraw it" not in editor.get(where).text
    assert "autumn ? 1" in approver.get("/plan?periods=4").text
    assert "Nothing can be held against it yet" in page


def test_what_came_is_held_against_the_plan_with_spend_apart_from_what_was_missed(
    folder: Path, client_of: Serve
) -> None:
    later = cut(folder, 6)
    study = Study.open(folder)
    study.fit(seed=1, chains=2, warmup=60, draws=100)
    study.plans.record("autumn", study.forecast(8))
    later()
    client, found = client_of(folder), Study.open(folder).plans.against("autumn")
    page = client.get("/plan-of-record?name=autumn").text
    assert number(found.total.actual or 0.0) in page
    for part in (found.spend, found.missed):
        assert number(part.median) in page
    assert "6 of 8" in page
    assert "Spend differed" in page
    assert "The model missed" in page
    assert number(found.missed.median) in client.get("/decisions").text
    told = client.get("/api/v1/plans/autumn/against").json()
    assert told["model_missed"]["median"] == pytest.approx(found.missed.median)
    assert told["spend_differed"]["median"] == pytest.approx(found.spend.median)


def cut(folder: Path, periods: int) -> Callable[[], None]:
    """Take the last periods from the tables; what is returned puts them back."""
    whole = {name: (folder / "tables" / name).read_text() for name in ("media.csv", "outcome.csv")}
    toml = folder / "theodolite.toml"
    text = toml.read_text()
    for name in whole:
        text = re.sub(rf'"[^"]*{name}"', f'"tables/{name}"', text)
    toml.write_text(text)
    days = sorted({line.split(",")[0] for line in whole["outcome.csv"].splitlines()[1:]})[:-periods]
    for name, table in whole.items():
        head, *lines = table.splitlines()
        kept = [line for line in lines if line.split(",")[0] in days]
        (folder / "tables" / name).write_text("\n".join([head, *kept]) + "\n")
    return lambda: [(folder / "tables" / name).write_text(table) for name, table in whole.items()] and None  # type: ignore[func-returns-value]
