"""The whole life of a test: registered, approved, run, analysed on the data of the study, then evidence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.browser import CHROMIUM, Browser
from tests.app.conftest import TOKEN, serving
from theodolite.study import Study
from theodolite.workspace import Settings, initialise

GEOS = [f"town {i:02d}" for i in range(16)]
PLAN = {
    "experiment_id": "tv-2024",
    "channel": "tv",
    "method": "go_dark",
    "treatment_geos": GEOS[2:4],
    "control_geos": GEOS[6:],
    "start_date": "2024-01-15",
    "end_date": "2024-02-11",
    "kpi": "revenue",
    "assignment": {"rule": "uniform", "seed": 1, "eligible": [*GEOS[2:4], *GEOS[6:]]},
}
V = "/api/v1/experiments/tv-2024"
FEW = {"chains": 2, "warmup": 60, "draws": 100}


def company(folder: Path) -> Study:
    """16 towns over 60 weeks; TV was off in two of them for four weeks, and sales fell by a tenth."""
    rng, weeks = np.random.default_rng(6), np.datetime64("2023-01-02") + 7 * np.arange(60)
    common = 1 + 0.05 * rng.normal(size=60)
    off = (weeks >= np.datetime64("2024-01-15")) & (weeks <= np.datetime64("2024-02-11"))
    sold, spent = ["date,geo,revenue"], ["date,geo,channel,spend"]
    for i, geo in enumerate(GEOS):
        dark = off & (geo in PLAN["treatment_geos"])
        sales = 1000 * (1 + i / 5) * common * (1 + 0.01 * rng.normal(size=60)) * np.where(dark, 0.9, 1.0)
        sold += [f"{week},{geo},{value:.2f}" for week, value in zip(weeks, sales, strict=True)]
        money = np.where(dark, 0.0, 40 * (1 + i / 5))
        spent += [f"{week},{geo},tv,{value:.2f}" for week, value in zip(weeks, money, strict=True)]
    folder.mkdir()
    for name, lines in (("outcome.csv", sold), ("media.csv", spent)):
        (folder / name).write_text("\n".join(lines) + "\n")
    named = Settings("acme", "revenue", None, 0.5, "EUR")
    initialise(folder, str(folder / "media.csv"), str(folder / "outcome.csv"), None, {}, named)
    return Study.open(folder)


def test_a_test_becomes_evidence_step_by_step(tmp_path: Path, client_of: Callable[..., Any]) -> None:
    study = company(tmp_path / "acme")
    study.registry.register(PLAN, by="Ada")
    client = client_of(study.folder)
    steps = {
        "submit": ({}, "in_review"),
        "approve": ({"reason": "sound"}, "approved"),
        "start": ({}, "running"),
        "complete": ({"incidents": ["a strike in one town"]}, "completed"),
        "analyse": ({}, "analysed"),
        "accept": ({}, "accepted"),
    }
    for step, (said, state) in steps.items():
        answer = client.post(f"{V}/{step}", json=said)
        assert answer.status_code == 200, (step, answer.text)
        assert answer.json()["state"] == state
        if state in ("analysed", "accepted"):
            page = client.get("/experiment?id=tv-2024").text
            assert ("Accept it in the registry as evidence" in page) == (state == "analysed")
            assert ("Fit the model: version 1 of its result is accepted" in page) == (state == "accepted")
            assert "Grade of this analysis" in page, "the registry knows of the strike, the analysis does not"
            assert "there it did not pass" in page
    told = client.get(V).json()
    assert told["record"]["estimate"] < 0, "sales fell where TV was off"
    assert told["record"]["spend_delta"] < 0
    assert [test.experiment_id for test in Study.open(study.folder).experiments()] == ["tv-2024"]
    events = [event.kind for event in study.store.events(subject="tv-2024")]
    words = ("registered", "submitted", "approved", "started", "completed", "analysed", "accepted")
    assert events == [f"experiment.{word}" for word in words]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_a_test_changes_the_view_from_its_first_form_to_the_new_fit(tmp_path: Path) -> None:
    study = company(tmp_path / "acme")
    study.fit(seed=1, **FEW)
    study.reconcile()
    key = study.keys.add("Leo", "approver")[1]
    for server in serving(study.folder):
        with Browser(tmp_path / "profile") as page:
            page.go(f"{server.url}/experiments/register?token={TOKEN}")
            page.type("#plan-experiment_id", "tv-2024")
            for name in ("start_date", "end_date"):
                page.js(f"document.querySelector('#plan-{name}').value = '{PLAN[name]}'")
            page.js("document.querySelector('[name=channel]').click()")
            for field in ("treatment_geos", "control_geos"):
                page.js(
                    f"for (const box of document.querySelectorAll('[name={field}]'))"
                    f" if ({json.dumps(PLAN[field])}.includes(box.parentElement.textContent.trim())) box.click()"
                )
            page.type("#plan-hypothesis", "TV sells.")
            page.until("document.querySelector('.checked').textContent.includes('28 days of changed spend in 2 of 16')")
            page.click("form[action='/experiments/register'] button")
            stands(page, "draft")
            take(page, "submit", "in review")
            page.js("document.querySelector('form[action=\"/sign-out\"]').requestSubmit()")
            page.until("location.pathname === '/signed-out'")
            page.go(f"{server.url}/experiments")
            page.type("#key", key)
            page.js("document.querySelector('form[action=\"/sign-in\"]').requestSubmit()")
            page.until("location.pathname === '/' && document.querySelector('.who p')?.textContent.includes('Leo')")
            page.go(f"{server.url}/experiment?id=tv-2024")
            assert page.js("document.querySelector('#approve-self_approve')") is None, "Leo did not plan it"
            for step, state in (("approve", "approved"), ("start", "running"), ("complete", "completed")):
                take(page, step, state)
            page.js("[...document.forms].find(f => f.elements.kind?.value === 'analyse').requestSubmit()")
            stands(page, "analysed")
            assert "Version" in page.js("document.querySelector('#versions').innerText")
            take(page, "accept", "accepted")
            page.go(f"{server.url}/model")
            for name, value in {"chains": FEW["chains"], "warmup": FEW["warmup"], "draws": FEW["draws"]}.items():
                page.js(f"document.querySelector('#fit-{name}').value = '{value}'")
            page.leaving(lambda: page.js("document.querySelector('#fit-chains').form.requestSubmit()"))
            page.go(f"{server.url}/")
            page.until("document.body.innerText.includes('tv-2024') && !document.querySelector('[data-poll]')", 900)
            assert "This is the first unified view" not in page.js("document.body.innerText")
            assert not [line for line in page.console if "exceptionId" in line], "no script failed"
    (_, before), (_, after) = Study.open(study.folder).views()
    assert before.channels[0].experiments is None
    assert after.channels[0].experiments is not None
    assert before.channels[0].iroas != after.channels[0].iroas
    actors = {event.kind: event.actor for event in study.store.events(subject="tv-2024")}
    assert (actors["experiment.registered"], actors["experiment.approved"]) == ("local", "Leo")


def stands(page: Browser, state: str) -> None:
    """Wait until a test's page says where it stands."""
    page.until(f"document.querySelector('.fact .value')?.textContent === '{state}'")
    page.settled()


def take(page: Browser, step: str, state: str) -> None:
    """Take a step on a test's page; what is asked again is answered."""
    page.js(
        f"[...document.forms].find(f => f.elements.step?.value === '{step}').requestSubmit();"
        "const asked = document.querySelector('dialog'); if (asked.open) asked.querySelector('[value=yes]').click()"
    )
    stands(page, state)
