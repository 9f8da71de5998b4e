"""`theodolite mmm validate` as a user meets it."""

import json
from dataclasses import replace
from pathlib import Path

from calibration import Conflict
from theodolite import validating
from theodolite.study import Study


def too_short(workspace: Path) -> None:
    """A fit that cannot have converged."""
    Study.open(workspace).fit(seed=1, chains=2, warmup=60, draws=60)


def test_a_fit_that_did_not_converge_is_refused_first_and_ends_with_one(run, workspace: Path) -> None:
    too_short(workspace)
    ended = run("mmm", "validate", "-w", workspace, "--origins", 6, "--json")
    found = json.loads(ended.out)
    assert not found["converged"]
    assert found["verdict"] == "do not use"
    assert found["reasons"][0]["topic"] == "convergence"
    assert ended.code == 1
    assert found["leave_future_out"]["origins_asked"] == 6
    assert {row["channel"] for row in found["sensitivity"]} == {"brand_search", "social", "tv"}
    # The workspace's one test is inside the fit, so that the numbers' sensitivity to it is told.
    assert all(row["tests"] is not None for row in found["sensitivity"])
    again = Study.open(workspace).validate(origins=6)
    assert json.loads(json.dumps(again.to_dict())) == found
    assert Study.open(workspace).validation() == found, "it is kept for the report"
    assert found["reasons"][-1]["topic"] == "backtest"
    assert "`theodolite mmm backtest`" in found["reasons"][-1]["advice"]


def test_a_test_that_contradicts_the_model_is_a_reason(workspace: Path) -> None:
    fitted = Study.open(workspace).fitted()
    conflict = Conflict("dark-1", ("tv",), 0.001, "conflict")
    (reason,) = validating.besides(replace(fitted, conflicts=(conflict, replace(conflict, verdict="agrees"))), None)[1:]
    assert (reason.level, reason.topic) == ("care", "conflict with a test")
    assert "'dark-1' contradicts the model" in reason.words
    assert "'tv'" in reason.advice


def test_people_read_the_verdict_the_reasons_and_what_to_do(run, workspace: Path, tmp_path: Path) -> None:
    too_short(workspace)
    chart = tmp_path / "validation.svg"
    ended = run("mmm", "validate", "-w", workspace, "--origins", 4, "--chart", chart)
    assert ended.out.startswith("Verdict: do not use, under a normal likelihood\n  wrong: the fit did not converge")
    assert "→ fit again with more draws" in ended.out
    for words in ("How it predicts", "cells left out hold", "What the data taught", "tv"):
        assert words in ended.out
    assert "sensitivity" in ended.err
    assert chart.read_text().startswith("<svg")


def test_bad_settings_are_refused_and_nothing_is_written(run, workspace: Path, tmp_path: Path) -> None:
    chart = tmp_path / "validation.png"
    ended = run("mmm", "validate", "-w", workspace, "--origins", 500, "--chart", chart)
    assert ended.code == 2
    assert "origins: found 500, from 1 to the 80 weeks of the data" in ended.err
    assert not chart.exists()
    assert run("mmm", "validate", "-w", tmp_path / "nowhere").code == 2
