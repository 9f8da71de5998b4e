"""The backtest on the command line: what is printed, what is drawn, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

from theodolite import results, validating
from theodolite.app.blocks import Part
from theodolite.app.shell import fragment
from theodolite.report import backtested
from theodolite.study import Study


def test_a_backtest_prints_scores_folds_and_a_verdict(run, workspace: Path, tmp_path: Path) -> None:
    study, drawn = Study.open(workspace), tmp_path / "folds.svg"
    options = ("mmm", "backtest", "-w", workspace, "--horizon", 6, "--folds", 2, "--jobs", 1)
    assert results.load_backtest(study.store, study.fitted().best) is None
    said = run(*options, "--chart", drawn)
    assert said.code == 0
    for words in (
        "2 folds of 6 weeks",
        "each week",
        "all 6 weeks together",
        "weeks known",
        "repeating the last week",
    ):
        assert words in said.out
    assert "intervals held what came" in said.out
    assert "backtest: 100%" in said.err
    assert "outside" in drawn.read_text()
    plain = json.loads(run(*options, "--json").out)
    assert [fold["history"] for fold in plain["folds"]] == [68, 74]
    assert f"{plain['scores']['periods']['model']['wmape']['value']:.1%}" in said.out
    kept = results.load_backtest(study.store, study.fitted().best)
    page = fragment(Part.of(backtested.section(kept)).blocks)
    assert "repeating the last week" in page
    assert "What was predicted" in page
    assert kept == plain | {"seconds": kept["seconds"], "folds": kept["folds"]}, "it is kept for the verdict"
    other = replace(study.fitted().best, spec=study.spec.model_copy(update={"trend": "none"}))
    assert results.load_backtest(study.store, other) is None, "a backtest of another model says nothing of this one"
    reasons = validating.besides(study.fitted(), kept)
    assert all("backtest of 2 folds" in reason.words for reason in reasons)


def test_what_the_data_do_not_hold_is_refused(run, fitted_workspace: Path) -> None:
    found = run("mmm", "backtest", "-w", fitted_workspace, "--folds", 20)
    assert found.code == 2
    assert "80 weeks hold 2 at most" in found.err
    assert found.out == ""
