"""The plan page: what it shows is what the study says, limits are kept, what is signed off is frozen."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

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
    assert by["social"] == pytest.approx(was["social"])
    assert study.scenario(usual).change.median == pytest.approx(0.0, abs=1e-6)


def test_the_page_shows_the_budget_the_scenario_and_the_forecast_of_the_study(
    served_folder: Path, client_of: Serve
) -> None:
    client, study = client_of(served_folder), Study.open(served_folder)
    page = client.get("/plan?periods=4&total=200000&bound0=0.9:1.1&share0=150").text
    name = study.panel.channels[0]
    made = study.budget(200_000, periods=4, bounds={name: "0.9:1.1"})
    for move in made.moves:
        assert number(move.advised) in page
    assert number(study.forecast(4).total.median) in page
    assert "Change of" in page
    for wrong in ("total=abc", "periods=0", "share0=-1", "bound0=x:y", "aim=luck", "total=1", "periods=99999"):
        assert client.get(f"/plan?{wrong}").status_code == 422, wrong


def test_a_plan_is_signed_off_by_those_who_may_and_never_changed(folder: Path, client_of: Serve) -> None:
    client = client_of(folder)
    form = {"periods": "4", "share0": "120", "name": "autumn"}
    editor = client_of(folder, Study.open(folder).keys.add("e", "editor")[1])
    assert editor.post("/plan/record", headers=FORM, data=form).status_code == 403
    assert client.post("/plan/record", headers=FORM, data=form).status_code == 303
    (plan,) = Study.open(folder).plans.all()
    assert (plan.name, plan.told["of"], plan.told["periods"]) == ("autumn", "scenario", 4)
    assert "autumn" in client.get("/plan?periods=4").text
    again = client.post("/plan/record", headers=FORM, data=form)
    assert again.status_code == 422
    assert "autumn" in again.text
