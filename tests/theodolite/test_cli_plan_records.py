"""Plans of record on the command line: frozen once and for all, and held against what came."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from measurement.errors import DataError
from theodolite import results
from theodolite.study import Study

WEEKS = 4


def more_weeks(workspace: Path, folder: Path, weeks: int, sold: float, spent: float) -> None:
    """Give the workspace tables of its own with more weeks: the last one again, times these."""
    text = (workspace / "theodolite.toml").read_text()
    folder.mkdir(exist_ok=True)
    for name, column, factor in (("outcome.csv", "revenue", sold), ("media.csv", "spend", spent)):
        (line,) = [line for line in text.split("\n") if line.endswith(f'{name}"') and not line.startswith("#")]
        frame = pd.read_csv(line.split('"')[1])
        last = frame[frame["date"] == frame["date"].max()]
        later = [
            last.assign(
                date=str((pd.Timestamp(last["date"].iloc[0]) + pd.Timedelta(weeks=k)).date()),
                **{column: (factor * last[column]).round(2)},
            )
            for k in range(1, weeks + 1)
        ]
        pd.concat([frame, *later]).to_csv(folder / name, index=False)
        text = text.replace(line, f'{line.split(" = ")[0]} = "{(folder / name).as_posix()}"')
    (workspace / "theodolite.toml").write_text(text)


def test_a_plan_is_recorded_once_and_held_against_what_came(run, workspace: Path, tmp_path: Path) -> None:
    told = json.loads(run("forecast", "-w", workspace, "--periods", WEEKS, "--record", "spring", "--json").out)
    kept = told["recorded"]
    assert kept["name"] == "spring"
    assert kept["promised"]["total"] == told["total"]
    assert sum(kept["spend"].values()) == pytest.approx(told["spend_total"])
    study = Study.open(workspace)
    (event,) = study.store.events(kind="plan.recorded")
    assert (event.subject, event.actor, event.hash) == ("spring", "local", kept["event"])
    assert event.payload["data"] == study.panel.sha256
    head = study.head

    again = run("forecast", "-w", workspace, "--periods", WEEKS, "--record", "spring")
    assert (again.code, again.out) == (2, "")
    assert "is never changed" in again.err
    early = run("forecast", "-w", workspace, "--against", "spring")
    assert early.code == 2
    assert "nothing has come yet" in early.err
    assert Study.open(workspace).head == head

    more_weeks(workspace, tmp_path / "new", 2, 3.0, 2.0)
    drawn = tmp_path / "against.png"
    found = run("forecast", "-w", workspace, "--against", "spring", "--json", "--chart", drawn)
    assert found.code == 1
    assert drawn.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    seen = json.loads(found.out)
    assert seen["alert"]
    assert seen["periods_come"] == 2
    assert seen["plan"]["event"] == kept["event"]
    first = seen["periods"][0]["predicted"]
    assert first == {key: told["periods"][0][key] for key in ("median", "low", "high")}
    last = dict(zip(study.panel.channels, study.panel.spend[:, -1].sum(axis=0), strict=True))
    for channel in seen["channels"]:
        assert channel["actual_spend"] == pytest.approx(2 * 2.0 * last[channel["channel"]], abs=0.1)
        assert channel["off_plan"] == (abs(channel["share"]) > 0.2)
    said = run("forecast", "-w", workspace, "--against", "spring")
    assert said.code == 1
    for words in ("ALERT: ", "2 of 4 weeks have come", "Other spend than planned explains", "off the plan"):
        assert words in said.out


def test_a_scenario_is_recorded_with_what_it_promised(run, workspace: Path, tmp_path: Path) -> None:
    study = Study.open(workspace)
    plan = tmp_path / "plan.csv"
    day = pd.Timestamp(study.panel.dates[-1])
    days = [str((day + pd.Timedelta(weeks=k)).date()) for k in range(1, WEEKS + 1)]
    pd.DataFrame({"date": days, "channel": "tv", "spend": 50_000.0}).to_csv(plan, index=False)
    said = run("scenario", "-w", workspace, "--plan", plan, "--record", "tv up").out
    assert "Recorded as the plan of record 'tv up'" in said
    (kept,) = Study.open(workspace).plans.all()
    assert kept.told["of"] == "scenario"
    assert kept.told["spend"]["tv"] == 200_000.0
    assert set(kept.told["promised"]) >= {"total", "profit_change", "probability_better"}
    wrong = run("forecast", "-w", workspace, "--against", "tv upp")
    assert wrong.code == 2
    assert "did you mean 'tv up'" in wrong.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--against", "spring"), "none is recorded yet"),
        (("--against", "spring", "--periods", 3), "no other option of a forecast goes with it"),
        (("--against", "spring", "--record", "other"), "no other option of a forecast goes with it"),
        (("--record", " "), "1 to 80 printable characters"),
        (("--record", "a\nb"), "1 to 80 printable characters"),
    ],
)
def test_what_cannot_be_recorded_or_held_against_ends_with_2(run, fitted_workspace: Path, options, words: str) -> None:
    head = Study.open(fitted_workspace).head
    found = run("forecast", "-w", fitted_workspace, *options)
    assert (found.code, found.out) == (2, "")
    assert words in found.err
    assert Study.open(fitted_workspace).head == head


def test_a_forecast_of_another_fit_is_not_recorded(workspace: Path) -> None:
    study = Study.open(workspace)
    made = study.forecast(3)
    fitted = study.fitted()
    other = replace(fitted.best, provenance=replace(fitted.best.provenance, seed=99))
    results.save_fit(study.store, replace(fitted, calibrated=other), "test")
    with pytest.raises(DataError, match="not of the study's last fit"):
        study.plans.record("old", made)
    assert study.plans.all() == []
