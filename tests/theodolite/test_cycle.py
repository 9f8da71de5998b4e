"""The monthly rhythm: what a run does, what it leaves out the second time, and what its exit code says."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from measurement.errors import DataError
from theodolite import Study, cycle, monitoring
from theodolite.cycle import RAN


@pytest.fixture
def workspace(workspace: Path, tables: Path) -> Path:
    """A fitted workspace whose tables a test may change."""
    for name in ("media.csv", "outcome.csv", "touchpoints.parquet", "platform.csv"):
        shutil.copy(tables / name, workspace / name)
    text = (workspace / "theodolite.toml").read_text("utf-8")
    (workspace / "theodolite.toml").write_text(text.replace(f"{tables.as_posix()}/", ""), "utf-8")
    return workspace


def words(found: cycle.Cycle) -> dict[str, str]:
    return {step.name: step.words for step in found.steps}


def test_a_second_run_on_the_same_data_does_nothing_twice_and_more_data_do(workspace: Path) -> None:
    study = Study.open(workspace)
    first = cycle.run(study, say=lambda _: None)
    assert list(words(first)) == ["check", "fit", "attribute", "reconcile", "monitor", "report"]
    assert first.report.is_file()
    events = study.store.events()
    second = cycle.run(Study.open(workspace), say=lambda _: None)
    for step in ("fit", "attribute", "reconcile"):
        assert words(second)[step].startswith("nothing has changed"), step
    assert second.changes is None
    added = [event.kind for event in study.store.events()[len(events) :]]
    assert RAN in added
    assert not {"mmm.fitted", "attribution.run", "view.reconciled"} & set(added)
    told = study.store.events(kind=RAN)[-1].payload
    assert told["panel"] == study.panel.sha256
    assert len(told["files"]) >= 2

    outcome = pd.read_csv(workspace / "outcome.csv")
    outcome.loc[outcome.index[-1], study.config.study.kpi] *= 1.05
    outcome.to_csv(workspace / "outcome.csv", index=False)
    third = cycle.run(Study.open(workspace), say=lambda _: None)
    assert words(third)["fit"].startswith("warm, from the last fit")
    assert words(third)["attribute"].startswith("nothing has changed")
    assert third.changes is not None
    assert [change.channel for change in third.changes.channels] == [
        channel.channel for channel in study.view().channels
    ]


def test_bad_data_end_the_run_before_anything_is_written(workspace: Path, run: Callable[..., Any]) -> None:
    head = Study.open(workspace).head
    outcome = (workspace / "outcome.csv").read_text("utf-8")
    (workspace / "outcome.csv").write_text(outcome + outcome.splitlines()[-1] + "\n", "utf-8")
    ended = run("cycle", "-w", workspace)
    assert ended.code == 2
    assert "outcome.csv" in ended.err
    with pytest.raises(DataError):
        cycle.run(Study.open(workspace), say=lambda _: None)
    assert Study.open(workspace).store.head().hash == head


def test_a_test_that_contradicts_ends_the_run_with_a_failed_gate(workspace: Path, run: Callable[..., Any]) -> None:
    study = Study.open(workspace)
    last = pd.Timestamp(str(study.panel.dates[-1])[:10])
    record = {
        "experiment_id": "far-off",
        "channel": "tv",
        "method": "on_off",
        "start_date": str((last - pd.Timedelta(weeks=9)).date()),
        "end_date": str((last - pd.Timedelta(weeks=5)).date()),
        "estimand": "iroas",
        "estimate": 60.0,
        "std_error": 0.5,
        "spend_delta": -50_000.0,
    }
    (workspace / "far.json").write_text(json.dumps([record]), "utf-8")
    study.import_experiments(workspace / "far.json")
    ended = run("cycle", "-w", workspace, "--quiet")
    assert ended.code == 1, ended.err
    pressing = [line for line in ended.out.splitlines() if line.startswith("! ")]
    assert any("tv" in line for line in pressing), ended.out
    assert Study.open(workspace).store.events(kind=RAN)[-1].payload["ok"] is False
    assert run("monitor", "-w", workspace).code == 1


def test_a_plan_that_is_missed_is_an_alert_and_says_why(workspace: Path, run: Callable[..., Any]) -> None:
    study = Study.open(workspace)
    study.plans.record("next-month", study.forecast(4))
    assert monitoring.look(study).plans[0].found is None
    period = pd.Timedelta(weeks=1)
    for name, factor in (("outcome.csv", 0.3), ("media.csv", 1.0)):
        frame = pd.read_csv(workspace / name, parse_dates=["date"])
        last = frame[frame["date"] == frame["date"].max()]
        later = [last.assign(date=last["date"] + step * period) for step in (1, 2)]
        if name == "outcome.csv":
            later = [each.assign(**{study.config.study.kpi: each[study.config.study.kpi] * factor}) for each in later]
        pd.concat([frame, *later]).to_csv(workspace / name, index=False, date_format="%Y-%m-%d")
    head = study.head
    ended = run("monitor", "-w", workspace, "--json")
    assert ended.code == 1, ended.err
    told = json.loads(ended.out)
    assert told["plans"][0]["alert"]
    against = told["plans"][0]["against"]
    missed, other = against["model_missed"]["median"], against["spend_differed"]["median"]
    assert missed < -5 * abs(other), "the spend was about as usual, so the model missed"
    assert not told["fit_is_of_these_data"]
    assert Study.open(workspace).head == head, "monitoring writes nothing"
    shown = run("monitor", "-w", workspace)
    assert "ALERT" in shown.out
    assert "2 of 4 periods came" in shown.out
