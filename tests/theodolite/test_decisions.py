"""Decisions and committed plans: recorded before anything has come, scored later, never changed."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scipy import stats

from measurement.errors import DataError, StoreError
from measurement.store import Store
from theodolite import Study, plan_states
from theodolite.decisions import Decisions, wilson

TOLD: dict[str, Any] = {
    "what": "cut TV by a fifth",
    "metric": "profit of the second quarter, EUR",
    "expected": {"median": 20_000.0, "low": 5_000.0, "high": 35_000.0},
    "review": "2026-08-01",
    "channels": ["tv"],
    "evidence": ["tv-north"],
}


class Clock(SimpleNamespace):
    def __call__(self) -> datetime:
        return self.now  # type: ignore[no-any-return]


@pytest.fixture
def clock() -> Clock:
    return Clock(now=datetime(2026, 4, 1, tzinfo=UTC))


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Decisions:
    store = Store.create(tmp_path, clock=clock)
    return Decisions(lambda: True, lambda: store, lambda: ["tv-north"], lambda: ["tv", "radio"], "Ada")


def test_a_decision_is_kept_with_what_it_rests_on_and_scored_later(log: Decisions, clock: Clock) -> None:
    fit = log.store().append("mmm.fitted", "mmm", {"evidence": []}, "Ada")
    view = log.store().append("view.reconciled", "view", {"derived_from": []}, "Ada")
    made = log.add(TOLD, by="Grace")
    assert (made.id, made.actor, made.state, made.verdict) == ("decision-1", "Grace", "open", "")
    assert made.basis == {"mmm.fitted": fit.hash, "view.reconciled": view.hash}
    assert (made.decision.review, made.decision.evidence) == (date(2026, 8, 1), ("tv-north",))
    assert log.scores().due == 0
    clock.now = datetime(2026, 8, 1, tzinfo=UTC)
    assert log.scores().due == 1
    scored = log.score("decision-1", {"actual": 4_000.0, "note": "a cold spring"})
    assert (scored.state, scored.verdict) == ("scored", "below")
    again = log.score("decision-1", {"actual": 9_000.0, "low": 8_000.0, "high": 12_000.0})
    assert (again.verdict, len(again.outcomes)) == ("as expected", 2)
    assert again.decision == made.decision
    assert [step["action"] for step in again.history] == ["add", "score", "score"]


def test_the_scores_say_how_often_the_intervals_held(log: Decisions) -> None:
    for number, actual in enumerate((10_000.0, 30_000.0, 50_000.0, 0.0), start=1):
        log.add(TOLD)
        log.score(f"decision-{number}", {"actual": actual})
    log.add(TOLD)
    log.withdraw("decision-5", "the agency left")
    found = log.scores()
    assert (found.scored, found.held, found.above, found.below, found.due) == (4, 2, 1, 1, 0)
    assert (found.low, found.high) == wilson(2, 4)


@pytest.mark.parametrize(("hits", "runs"), [(0, 5), (5, 5), (7, 10), (90, 100)])
def test_wilson_is_wilson(hits: int, runs: int) -> None:
    expected = stats.binomtest(hits, runs).proportion_ci(0.95, method="wilson")
    assert wilson(hits, runs) == pytest.approx((expected.low, expected.high))
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expected": {"median": 1.0, "low": 2.0, "high": 3.0}}, "low, median and high rise"),
        ({"expected": {"median": "1", "low": 0.0, "high": 3.0}}, "expected.median"),
        ({"expected": {"median": 1.0, "low": float("nan"), "high": 3.0}}, "expected.low"),
        ({"expected": 5}, "expected"),
        ({"review": "1.8.2026"}, "review"),
        ({"what": ""}, "what"),
        ({"what": " "}, "is blank"),
        ({"what": "bell \x07"}, "U+0007"),
        ({"what": "\ud800"}, "half of a character"),
        ({"metrc": "sales"}, "did you mean 'metric'"),
        ({"evidence": ["tv-nroth"]}, "did you mean 'tv-north'"),
        ({"channels": ["radoi"]}, "did you mean 'radio'"),
        ({"plan": "q2"}, "there is no 'q2'"),
        ({"review": object()}, "days are allowed"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_decisions_that_are_refused(log: Decisions, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        log.add(TOLD | changes)
    assert words in str(caught.value)
    assert log.list() == ()


def test_nothing_recorded_is_changed(log: Decisions) -> None:
    log.add(TOLD, id="q2")
    with pytest.raises(DataError, match="nothing recorded is ever changed"):
        log.add(TOLD, id="q2")
    for name in ("../q3", ".q3", "a/b", " q3", "q\u200b3", ""):
        with pytest.raises(DataError, match="a decision's id"):
            log.add(TOLD, id=name)
    with pytest.raises(DataError, match="at most 10000"):
        log.withdraw("q2", "x" * 20_000)
    with pytest.raises(DataError, match="an interval has both ends"):
        log.score("q2", {"actual": 1.0, "low": 0.0})
    with pytest.raises(DataError, match="needs a reason"):
        log.withdraw("q2", " ")
    log.score("q2", {"actual": 1.0})
    with pytest.raises(DataError, match="is scored; 'withdraw' needs one that is open"):
        log.withdraw("q2", "it went badly")
    with pytest.raises(DataError, match="there is no decision 'q3'"):
        log.get("q3")
    log.store().append("decision.withdrawn", "q2", {"reason": "it went badly"}, "Mallory")
    with pytest.raises(StoreError, match="holds the decision 'q2' in a form that cannot be read"):
        log.list()


def test_the_command_line_keeps_the_log(run: Any, workspace: Path) -> None:
    test = Study.open(workspace).experiments()[0]
    add = ("decisions", "add", TOLD["what"], "--metric", TOLD["metric"], "--expected", 20_000, "--low", 5_000)
    add += ("--high", 35_000, "--review", "2020-08-01", "--channel", "tv", "--evidence", test.experiment_id)
    assert run(*add, "--by", "Grace", "-w", workspace).code == 0
    said = run("decisions", "list", "-w", workspace).out
    assert "cut TV by a fifth" in said
    assert "1 open with a review that is due" in said
    assert run("decisions", "score", "decision-1", "--actual", 60_000, "-w", workspace).code == 0
    found = json.loads(run("decisions", "list", "-w", workspace, "--json").out)
    assert found["decisions"][0]["verdict"] == "above"
    assert found["decisions"][0]["basis"].keys() == {"mmm.fitted"}
    assert found["scores"]["above"] == 1
    assert "Verdict: above" in run("decisions", "show", "decision-1", "-w", workspace).out
    ended = run(*add[:-1], "no-such-test", "-w", workspace)
    assert (ended.code, ended.out) == (2, "")


# -- plans ------------------------------------------------------------------------------------------------------------


def drafted(store: Store, name: str, first: str, last: str, actor: str = "Ada") -> None:
    store.append(plan_states.RECORDED, name, {"artifacts": {}, "from": first, "to": last, "periods": 1}, actor)


def test_a_plan_goes_from_draft_to_committed_and_one_holds_its_days(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    drafted(store, "q2", "2026-04-06", "2026-06-29")
    drafted(store, "q2 bold", "2026-06-01", "2026-08-31")

    def move(action: str, name: str, by: str = "Ada", **told: Any) -> str:
        return plan_states.move(store, action, name, by, **told).state

    with pytest.raises(DataError, match="'q2' is draft; 'commit' needs one that is approved"):
        move("commit", "q2")
    assert move("submit", "q2") == "submitted"
    with pytest.raises(DataError, match="Ada made this plan"):
        move("approve", "q2")
    assert move("approve", "q2", "Grace") == "approved"
    assert move("commit", "q2") == "committed"
    move("submit", "q2 bold")
    move("approve", "q2 bold", self_approve=True)
    with pytest.raises(DataError, match="'q2' is committed from 2026-04-06 to 2026-06-29"):
        move("commit", "q2 bold")
    with pytest.raises(DataError, match="needs a reason"):
        move("withdraw", "q2")
    assert move("withdraw", "q2", reason="the market fell") == "withdrawn"
    assert move("commit", "q2 bold") == "committed"
    found = plan_states.states(store.events())
    assert [step["action"] for step in found["q2"].history] == ["record", "submit", "approve", "commit", "withdraw"]
    assert found["q2 bold"].history[2]["self_approved"]
    with pytest.raises(DataError, match=r"there is no plan of record 'q2 blod' \(did you mean 'q2 bold'\?\)"):
        move("submit", "q2 blod")


def test_a_forged_step_of_a_plan_is_found(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    drafted(store, "q2", "2026-04-06", "2026-06-29")
    store.append("plan.committed", "q2", {}, "Mallory")
    with pytest.raises(StoreError, match="event 2 cannot have happened"):
        plan_states.states(store.events())


def test_plans_on_the_command_line(run: Any, workspace: Path) -> None:
    assert run("forecast", "--periods", 4, "--record", "q3", "-w", workspace).code in (0, 1), "a short fit"
    assert run("plans", "submit", "q3", "--by", "Ada", "-w", workspace).code == 0
    ended = run("plans", "approve", "q3", "-w", workspace)
    assert (ended.code, "local made this plan" in ended.err) == (2, True)
    assert run("plans", "approve", "q3", "--by", "Grace", "-w", workspace).code == 0
    assert "q3 is committed" in run("plans", "commit", "q3", "-w", workspace).out
    found = json.loads(run("plans", "list", "-w", workspace, "--json").out)["plans"]
    assert [(plan["name"], plan["state"]) for plan in found] == [("q3", "committed")]
    assert Study.open(workspace).plans.find("q3").name == "q3"
