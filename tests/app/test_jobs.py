"""Jobs: real worker processes, their progress, their end, and their end before time."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from measurement.errors import DataError
from theodolite import results
from theodolite.app.jobs import Job, Jobs
from theodolite.app.work import settings_of
from theodolite.study import Study

Serve = Callable[..., TestClient]
FORM = {"content-type": "application/x-www-form-urlencoded"}


def until(jobs: Jobs, job: Job, wanted: Callable[[Job], bool], seconds: float = 600.0) -> Job:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if wanted(found := jobs.get(job.id)):
            return found
        time.sleep(0.05)
    raise AssertionError(jobs.get(job.id))


@pytest.fixture
def jobs(folder: Path) -> Iterator[Jobs]:
    made = Jobs(folder)
    yield made
    made.close()


def test_work_is_done_in_turn_by_processes_of_their_own_and_kept_under_the_name_of_who_asked(
    jobs: Jobs, folder: Path
) -> None:
    before = len(Study.open(folder).store.events(kind=results.VIEW))
    first = jobs.begin("reconcile", {"seed": "3"}, "mia")
    second = jobs.begin("attribution", {}, "leo")
    assert second.state == "waiting"
    done = until(jobs, first, lambda job: not job.live)
    assert done.state == "done", done
    assert "view was made" in done.doing
    events = Study.open(folder).store.events(kind=results.VIEW)
    assert len(events) == before + 1
    assert events[-1].actor == "mia"
    assert until(jobs, second, lambda job: not job.live).state == "done"
    assert Study.open(folder).store.events()[-1].actor == "leo"
    assert jobs.running() is None
    assert [job.id for job in jobs.listed()] == [second.id, first.id]


def test_a_cancelled_fit_leaves_the_store_as_it_was_and_the_next_job_runs(jobs: Jobs, folder: Path) -> None:
    before = [event.hash for event in Study.open(folder).store.events()]
    fit = jobs.begin("fit", {"draws": "20000", "chains": "2", "warmup": 5000}, "local")
    waiting = jobs.begin("fit", {}, "local")
    assert jobs.cancel(waiting.id).state == "cancelled"
    until(jobs, fit, lambda job: job.doing not in ("starting", "reading the study"))
    assert jobs.cancel(fit.id).state == "cancelled"
    after = jobs.begin("reconcile", {}, "local")
    assert until(jobs, after, lambda job: not job.live).state == "done"
    events = Study.open(folder).store.events()
    assert [event.hash for event in events][: len(before)] == before
    assert len(events) == len(before) + 1
    assert jobs.cancel(fit.id).state == "cancelled"


def test_what_is_wrong_is_said_before_anything_begins(jobs: Jobs, folder: Path) -> None:
    for kind, settings, words in (
        ("fitt", {}, "did you mean 'fit'"),
        ("fit", {"drawz": 1}, "did you mean 'draws'"),
        ("fit", {"draws": "many", "chains": 0}, "draws"),
        ("fit", {"warm": "perhaps"}, "yes or no"),
        ("design", {"goal": ["tv"]}, "texts"),
        ("compare", {"extent": "fulll"}, "did you mean 'full'"),
        ("backtest", {"folds": "0", "horizon": "x"}, "folds"),
        ("validate", {"origins": "-1"}, "origins"),
        ("analyse", {"experiment": 3}, "a text"),
    ):
        with pytest.raises(DataError, match=words):
            jobs.begin(kind, settings, "local")
    assert jobs.listed() == []
    assert settings_of("fit", {"draws": "250", "warm": "yes", "seed": ""})["draws"] == 250


def test_judging_the_fit_and_auditing_the_journeys_are_work_too(jobs: Jobs, folder: Path, client_of: Serve) -> None:
    client = client_of(folder)
    assert "Nobody has judged this fit yet" in client.get("/model").text
    assert "Nobody has tried yet" in client.get("/model").text
    assert "not audited" in client.get("/attribution").text
    judged = jobs.begin("validate", {"origins": "2"}, "mia")
    audit = jobs.begin("audit", {}, "leo")
    done = until(jobs, judged, lambda job: not job.live)
    assert done.doing.startswith("Verdict: "), done
    assert until(jobs, audit, lambda job: not job.live).state == "done"
    validation = Study.open(folder).validation()
    assert validation is not None
    page = client.get("/model").text
    assert "Nobody has judged this fit yet" not in page
    assert f'<dd class="value">{validation["verdict"]}</dd>' in page
    assert "not audited" not in client.get("/attribution").text


def test_a_refusal_of_the_study_is_the_end_of_its_job(empty: Path) -> None:
    jobs = Jobs(empty)
    found = until(jobs, jobs.begin("reconcile", {}, "local"), lambda job: not job.live)
    assert found.state == "failed"
    assert "there is no fit yet" in found.problems[0]
    jobs.close()


def test_a_worker_ends_when_its_server_dies(folder: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "theodolite.app.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    order = '{"folder": "%s", "kind": "fit", "actor": "a", "settings": {"seed": 0, "chains": 2, "warmup": 5000, '
    order += '"draws": 20000, "warm": false, "reconcile": false}}\n'
    worker.stdin.write(order % folder.as_posix())
    worker.stdin.flush()
    assert "reading the study" in worker.stdout.readline()
    worker.stdin.close()  # as when the server is killed
    assert worker.wait(300) != 0
    worker.stdout.close()


def test_jobs_over_pages_survive_a_reload_and_can_be_cancelled(folder: Path, client_of: Serve) -> None:
    client = client_of(folder)
    begun = client.post("/jobs", headers=FORM, data={"kind": "fit", "draws": "20000", "warmup": "5000"})
    assert begun.status_code == 303
    for _ in range(2):
        page = client.get("/")
        assert "data-poll=" in page.text
        assert "Fit the model" in page.text
    job = client.app.state.jobs.listed()[0]  # type: ignore[attr-defined]
    now = client.get(f"/job/now?id={job.id}")
    assert now.text.strip().startswith("<div")
    assert "progress" in now.text
    assert client.post("/job/cancel", headers=FORM, data={"id": job.id}).status_code == 303
    assert "cancelled" in client.get("/jobs").text
    assert "data-poll=" not in client.get("/").text
    assert client.get("/job?id=none").status_code == 422
