"""Where a test stands: its next steps fit every state of the registry, and two grades never stand there unexplained."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from experiments import Experiment, Result, analyse
from experiments.registry.states import STATES
from measurement import Panel
from theodolite.report.experiment import Dossier, compose
from theodolite.report.experiment_words import next_steps
from theodolite.report.page import Facts, Points, Prose, Section, plain
from theodolite.report.standing import Line, Standing

START = date(2024, 1, 1)


@pytest.fixture(scope="module")
def dossier() -> Dossier:
    """A test that found something; it has no locked plan."""
    rng = np.random.default_rng(2)
    outcome = np.exp(rng.normal(5, 0.5, (16, 1))) * (1 + 0.03 * rng.normal(size=(16, 60)))
    outcome[:2, 50:] *= 0.7
    panel = Panel(
        dates=np.datetime64(START) + np.arange(60),
        geos=tuple(f"g{row:02d}" for row in range(16)),
        channels=(),
        spend=np.zeros((16, 60, 0)),
        exposure=np.zeros((16, 60, 0)),
        kpis={"sales": outcome},
        kpi="sales",
        period="day",
    )
    test = Experiment(
        experiment_id="t", channel=("tv",), method="go_dark", treatment_geos=("g00", "g01"), spend_delta=-5.0,
        start_date=START + timedelta(50), end_date=START + timedelta(59),
    )  # fmt: skip
    return Dossier(test, panel, results=(analyse(panel, test),))


@pytest.fixture(scope="module")
def result(dossier: Dossier) -> Result:
    return dossier.results[0]


ACCEPTED = Standing("accepted", grade="A", version=1, newest=1, counts=1, used=True)
STANDS: dict[str, tuple[Standing, str]] = {
    "draft": (Standing("draft"), "the plan is a draft"),
    "in_review": (Standing("in_review"), "until somebody else than its author approves it"),
    "approved": (Standing("approved"), "has not begun"),
    "running": (Standing("running"), "still runs"),
    "completed": (Standing("completed"), "analyse it as it was planned"),
    "analysed": (Standing("analysed", grade="A", version=1, newest=1), "Accept it in the registry as evidence"),
    "accepted": (ACCEPTED, "Nothing has to be done: version 1 of its result is accepted"),
    "rejected": (Standing("rejected", grade="A", reason="a strike"), "It was rejected (a strike): no fit counts it"),
    "cancelled": (Standing("cancelled", reason="no money"), "It was given up (no money) and is no evidence"),
    "superseded": (Standing("superseded", grade="A", successor="t2", reason="longer"), "Read 't2', which took its"),
}


def test_every_state_of_the_registry_is_known() -> None:
    assert tuple(STANDS) == STATES


@pytest.mark.parametrize("state", STATES)
def test_next_steps_fit_the_state_and_ask_to_accept_only_what_waits_for_it(result: Result, state: str) -> None:
    standing, words = STANDS[state]
    said = " ".join(next_steps(result, standing))
    assert words in said
    assert ("Accept it in the registry as evidence" in said) == (state == "analysed")
    assert "'theodolite experiments import'" not in said, "the registry holds it already"
    assert "{" not in said
    early = state in ("draft", "in_review", "approved", "running", "completed", "cancelled", "superseded")
    assert standing.waits == early
    if early:
        assert len(next_steps(result, standing)) == 1, "nothing is to be read out of the numbers"


def test_a_bare_record_is_told_the_way_into_the_model(result: Result) -> None:
    said = " ".join(next_steps(result))
    assert "'theodolite experiments import'" in said
    assert "registry" not in said


FURTHER = {
    "set aside": (
        replace(ACCEPTED, keep="model", decision="Ada decided it"),
        "set aside all the same, so that no fit counts it. Ada decided it.",
    ),
    "believed": (replace(ACCEPTED, keep="test", decision="Ada decided it"), "It was in question, and stays in. Ada"),
    "neither": (replace(ACCEPTED, keep="neither", decision="Ada decided it"), "its number stays withheld. Ada"),
    "in question": (
        replace(ACCEPTED, question="test 't' contradicts the model"),
        "Decide whom to believe ('theodolite experiments resolve'): test 't' contradicts the model. Until then",
    ),
    "not taken": (replace(ACCEPTED, left_out="it measured 'visits'"), "does not take it all the same: it measured"),
    "not fitted": (replace(ACCEPTED, used=False), "Fit the model: version 1 of its result is accepted as evidence"),
    "elsewhere": (replace(ACCEPTED, outside=True), "Nothing has to be done: its result is accepted"),
    "expired": (replace(ACCEPTED, expired=True), "Plan a new test"),
    "newer": (
        Standing("analysed", grade="A", version=1, newest=2, counts=1),
        "Version 2 of its result is new: accept it in the registry, or reject the test there. Until then version 1",
    ),
    "hint": (Standing("analysed", grade="D", version=1, newest=1), "Take it as a hint only"),
    "unusable": (Standing("analysed", grade="E", version=1, newest=1), "Reject it in the registry"),
    "clash": (
        Standing("in_review", conflicts=("it shares markets with 'u'",)),
        "it must not run like this: it shares markets with 'u'.",
    ),
}


@pytest.mark.parametrize("case", FURTHER)
def test_what_is_special_about_a_test_is_said(case: str) -> None:
    standing, words = FURTHER[case]
    said = " ".join(standing.steps())
    assert words in said
    assert ("Nothing has to be done" in said) == (case in ("believed", "neither", "elsewhere", "expired"))


def test_a_null_result_that_waits_is_called_evidence_too(result: Result) -> None:
    words = "A result without an effect is evidence too."
    waiting = STANDS["analysed"][0]
    null = replace(result, p_value=0.5)
    assert words in " ".join(next_steps(null, waiting))
    assert words in " ".join(next_steps(null))
    assert words not in " ".join(next_steps(null, ACCEPTED)), "it is evidence already"
    assert words not in " ".join(next_steps(result, waiting))


def test_grades_that_are_the_same_need_no_words(result: Result) -> None:
    assert replace(ACCEPTED, grade=result.grade).which_grade(result) == ""
    assert Standing("running").which_grade(result) == "", "there is no other grade yet"


def test_where_grades_differ_it_is_said_which_one_counts_and_why_the_other_differs(result: Result) -> None:
    own = next(check.name for check in result.checks if not check.passed)
    outside = replace(ACCEPTED, outside=True, measured="iroas 2 ± 1").which_grade(result)
    assert outside.startswith("Grade A counts, as its record states it: the test was measured elsewhere")
    assert "(iroas 2 ± 1) is the evidence" in outside
    assert f"gives {result.grade} (not passed: {own}" in outside
    unstated = replace(ACCEPTED, grade="D", stated=False, outside=True).which_grade(result)
    assert "the model's for a record that states none" in unstated
    hand = replace(ACCEPTED, grade="C", computed="A", version=2, override="a strike (Ada)").which_grade(result)
    assert hand.startswith("Grade C counts, given by hand: a strike (Ada).")
    assert f"The checklist of version 2 gives A, this analysis {result.grade}" in hand
    assert replace(ACCEPTED, grade=result.grade, computed="A", override="x (Ada)").which_grade(result), "by hand"
    lines = (Line("plan followed", False, "later"), Line("incidents", True, "none"), Line(own, False, ""))
    stricter = replace(ACCEPTED, grade="E", checks=lines).which_grade(result)
    assert "against its plan and its record, and there it did not pass: plan followed." in stricter
    assert "incidents" not in stricter
    assert "which was made of other data than these" in replace(ACCEPTED, data="0").which_grade(result)
    same = replace(ACCEPTED, data=result.provenance.data).which_grade(result)
    assert "which was made otherwise" in same


def section(found: Dossier, name: str) -> Section:
    return next(each for each in compose(found).sections if each.id == name)


def test_the_page_names_both_grades_in_the_result_and_in_the_checks(dossier: Dossier, result: Result) -> None:
    lines = (Line("plan followed", False, "two days later"),)
    found = replace(dossier, standing=replace(ACCEPTED, grade="E", checks=lines))
    said = found.standing.which_grade(result) if found.standing else ""
    shown = section(found, "result")
    facts = next(block for block in shown.blocks if isinstance(block, Facts))
    assert {fact.label: fact.value for fact in facts.items}["Grade of this analysis"] == result.grade
    assert any(isinstance(block, Prose) and said in map(plain, block.paragraphs) for block in shown.blocks)
    steps = next(block for block in shown.blocks if isinstance(block, Points))
    assert "Nothing has to be done: version 1 of its result is accepted" in " ".join(map(plain, steps.items))
    checks = section(found, "checks")
    assert checks.lead == said
    assert "two days later" in str(checks.blocks)
    assert "In the registry" in str(section(found, "question").blocks)


def test_a_page_without_a_registry_says_its_grade_alone(dossier: Dossier) -> None:
    facts = next(block for block in section(dossier, "result").blocks if isinstance(block, Facts))
    assert "Grade" in {fact.label for fact in facts.items}
    assert "In the registry" not in str(section(dossier, "question").blocks)
