"""`theodolite experiments resolve`: after the decision, the channel's number is shown according to it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from measurement.errors import DataError
from theodolite import results
from theodolite.study import Study


@pytest.fixture
def torn(workspace: Path) -> Path:
    """A workspace whose one test contradicts the model."""
    study = Study.open(workspace)
    fitted = study.fitted()
    against = replace(fitted.conflicts[0], p=0.001, verdict="conflict")
    results.save_fit(study.store, replace(fitted, conflicts=(against,)), "test")
    return workspace


def said(study: Study, view) -> tuple[object, str, str]:
    name = study.fitted().conflicts[0].channels[0]
    channel = next(c for c in view.channels if c.channel == name)
    return channel.iroas, channel.reason, " ".join(view.notes)


def test_believing_the_test_shows_the_number_and_names_the_flag(run, torn: Path) -> None:
    study = Study.open(torn)
    test = study.fitted().conflicts[0].experiment_id
    before, reason, _ = said(study, study.view())
    assert before is None
    assert "contradicts the model" in reason
    done = run("experiments", "resolve", test, "--keep", "test", "--reason", "audited", "--by", "Ada", "-w", torn)
    assert (done.code, done.err) == (0, "")
    assert "Ada decided on" in done.out
    number, reason, notes = said(study, Study.open(torn).view())
    assert number is not None
    assert all("contradicts the model" in words and "Ada decided" in words for words in (reason, notes))
    summary = json.loads(run("mmm", "summary", "--json", "-w", torn).out)["conflicts"][0]
    assert (summary["verdict"], summary["keep"]) == ("conflict", "test")
    assert "audited" in run("mmm", "summary", "-w", torn).out
    page = Study.open(torn).report().read_text(encoding="utf-8")
    assert all(words in page for words in ("believe the test; it stays in", "audited", "Ada"))


def test_setting_a_test_aside_takes_it_out_of_everything(run, torn: Path) -> None:
    test = Study.open(torn).fitted().conflicts[0].experiment_id
    assert run("experiments", "resolve", test, "--keep", "model", "--reason", "r", "--by", "A", "-w", torn).code == 0
    study = Study.open(torn)
    assert test not in {item.id for item in study.evidence()[0]}
    view = study.reconcile()
    number, _, notes = said(study, view)
    assert number is not None
    assert test not in view.derived_from
    assert "set aside" in notes
    channel = study.fitted().conflicts[0].channels[0]
    held = {move.channel: move.held for move in study.budget().moves if move.held}
    assert "set aside" in held[channel], "the last fit still has the test inside"


def test_believing_neither_keeps_it_withheld(run, torn: Path) -> None:
    test = Study.open(torn).fitted().conflicts[0].experiment_id
    run("experiments", "resolve", test, "--keep", "neither", "--reason", "a storm", "--by", "Ada", "-w", torn)
    study = Study.open(torn)
    number, reason, _ = said(study, study.view())
    assert number is None
    assert "a storm" in reason


def test_a_test_that_is_not_in_question_is_refused(run, workspace: Path) -> None:
    test = Study.open(workspace).fitted().conflicts[0].experiment_id
    for name, says in ((test, "nothing to decide"), ("tset-1", "did you mean")):
        done = run("experiments", "resolve", name, "--keep", "test", "--reason", "r", "--by", "A", "-w", workspace)
        assert done.code == 2
        assert says in done.err
        assert "Traceback" not in done.err
    with pytest.raises(DataError, match="reason: is empty"):
        Study.open(workspace).resolve(test, keep="test", reason="")


def test_a_test_says_that_it_is_in_question_until_somebody_decides_and_then_what_was_decided(torn: Path) -> None:
    study = Study.open(torn)
    test = study.fitted().conflicts[0].experiment_id
    asked = study.standing(test)
    assert "contradicts the model" in asked.question
    assert any("Decide whom to believe" in step for step in asked.steps())
    for keep, words in {"test": "stays in", "neither": "number stays withheld", "model": "set aside"}.items():
        study.resolve(test, keep=keep, reason="audited", by="Ada")
        decided = study.standing(test)
        said = " ".join(decided.steps())
        assert (decided.question, decided.keep) == ("", keep)
        assert "Decide whom to believe" not in said
        assert words in said
        assert "Ada decided on" in said
