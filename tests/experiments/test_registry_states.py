"""The registry under any sequence of acts: no path to an illegal state, and no history is ever rewritten."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from experiments import registry
from experiments.registry import details, plan
from experiments.registry.states import ACTIONS, LIFECYCLE, STATES
from measurement.errors import DataError
from measurement.store import Store

# The oracle, written apart from the program's own table: after which words the life of a test may go on with what.
LIVES = """
none        register:draft
draft       revise:draft submit:in_review cancel:cancelled supersede:superseded
in_review   revise:draft approve:approved cancel:cancelled supersede:superseded
approved    start:running cancel:cancelled deviate:approved supersede:superseded
running     complete:completed cancel:cancelled deviate:running supersede:superseded
completed   analyse:analysed cancel:cancelled deviate:completed supersede:superseded
analysed    analyse:analysed accept:accepted reject:rejected deviate:analysed regrade:analysed supersede:superseded
accepted    analyse:analysed accept:accepted reject:rejected deviate:accepted regrade:accepted supersede:superseded
rejected    analyse:analysed accept:accepted deviate:rejected regrade:rejected supersede:superseded
cancelled
superseded
"""
ORACLE = {
    words[0]: dict(pair.split(":") for pair in words[1:])
    for line in LIVES.strip().splitlines()
    if (words := line.split())
}
NAMES = ("one", "two", "three")
PEOPLE = ("Ada", "Grace")


def test_the_table_is_the_one_that_was_meant() -> None:
    assert set(LIFECYCLE.states) == set(STATES) == set(ORACLE) - {"none"}
    for action in ACTIONS:
        if action == "import":
            continue
        for state in (None, *STATES):
            allowed = ORACLE[state or "none"]
            if action in allowed:
                assert LIFECYCLE.after(action, state, "x") == allowed[action]
            else:
                with pytest.raises(DataError):
                    LIFECYCLE.after(action, state, "x")


class Lives(RuleBasedStateMachine):
    """Two people act on three tests, in any order, rightly and wrongly."""

    store_type: type[Store]
    seen_of: Counter[str]

    @initialize()
    def begin(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.store = self.store_type(clock=self.tick)  # type: ignore[call-arg]
        self.states = dict.fromkeys(NAMES, "none")
        self.authors: dict[str, str] = {}
        self.accepted: dict[str, int | None] = dict.fromkeys(NAMES)
        self.results = dict.fromkeys(NAMES, 0)
        self.seen: list[str] = []
        self.frozen: dict[str, plan.Plan] = {}

    def tick(self) -> datetime:
        self.now += timedelta(days=1)
        return self.now

    def plan(self, name: str, mde: float) -> plan.Plan:
        place = NAMES.index(name)
        fields = {"experiment_id": name, "channel": "tv", "method": "go_dark", "mde": mde}
        days = {"start_date": "2026-01-03", "end_date": "2026-01-20", "treatment_geos": [f"g{place}"]}
        return plan.parse([{**fields, **days, "control_geos": ["c"], "spend_delta": -10.0}])[0]

    def act(self, action: Any, name: str, by: str, detail: Any, *, also: bool = True) -> None:
        """Do it, and hold what happened against the oracle; ``also`` is whether all but the state allows it."""
        legal = action in ORACLE[self.states[name]] and also
        try:
            registry.record(self.store, registry.Asked(action, name, by, detail))
        except DataError:
            assert not legal, f"{action} on {name} ({self.states[name]}) was refused"
            self.seen_of["refused"] += 1
        else:
            assert legal, f"{action} on {name} ({self.states[name]}) went through"
            self.states[name] = ORACLE[self.states[name]][action]
            self.seen_of[self.states[name]] += 1
            self.after(action, name, by, detail)

    def after(self, action: str, name: str, by: str, detail: Any) -> None:
        if action == "revise":
            self.authors[name] = by
        if action == "approve":
            self.frozen[name] = registry.load(self.store)[name].plan
        if action == "analyse":
            self.results[name] += 1
        if action == "accept":
            self.accepted[name] = detail.version
        if action in ("reject", "supersede"):
            self.accepted[name] = None

    who = st.sampled_from(PEOPLE)
    what = st.sampled_from(NAMES)

    @rule(name=what, by=who, mde=st.sampled_from([0.1, 0.2]))
    def register(self, name: str, by: str, mde: float) -> None:
        wanted = self.plan(name, mde)
        known = registry.load(self.store).tests.get(name)
        try:
            made = registry.add(self.store, [wanted], by)
        except DataError:
            assert known is not None
            assert known.plan != wanted
            return
        assert len(made) == (known is None)
        if made:
            self.states[name], self.authors[name] = "draft", by
            self.seen_of["draft"] += 1

    @rule(name=what, by=who, mde=st.sampled_from([0.1, 0.2]))
    def revise(self, name: str, by: str, mde: float) -> None:
        known = registry.load(self.store).tests.get(name)
        changed = self.plan(name, mde)
        fresh = known is not None and known.plan != changed
        self.act("revise", name, by, details.Registration(plan=changed), also=fresh)

    @rule(name=what, by=who)
    def submit(self, name: str, by: str) -> None:
        self.act("submit", name, by, details.Detail())

    @rule(name=what, by=who, self_approve=st.booleans())
    def approve(self, name: str, by: str, self_approve: bool) -> None:
        allowed = self_approve or self.authors.get(name) != by
        how = lambda test: details.Approval(plan=test.plan_hash, self_approved=self_approve)  # noqa: E731
        self.act("approve", name, by, how, also=allowed)

    @rule(name=what, by=who, late=st.integers(0, 3))
    def start(self, name: str, by: str, late: int) -> None:
        self.act("start", name, by, details.Start(on=date(2026, 1, 3 + late)))

    @rule(name=what, by=who, day=st.integers(2, 30))
    def complete(self, name: str, by: str, day: int) -> None:
        end = date(2026, 1, day)
        told = details.Actuals(incidents=(), spend_delta=-10.0, end_date=end)
        test = registry.load(self.store).tests.get(name)
        begun = (test and test.started_on) or date(2026, 1, 3)
        possible = end >= begun and end <= (self.now + timedelta(days=1)).date()
        self.act("complete", name, by, details.Completion(actuals=told), also=possible)

    @rule(name=what, by=who, estimate=st.integers(-20, 20), grade=st.sampled_from("ABCDE"))
    def analyse(self, name: str, by: str, estimate: int, grade: Any) -> None:
        test = registry.load(self.store).tests.get(name)
        record = (test.conducted if test else self.plan(name, 0.1).experiment).model_copy(
            update={"estimand": "outcome_change", "estimate": float(estimate), "std_error": 1.0, "grade": grade}
        )
        made = details.Analysis(
            record=record, estimator="default", alpha=0.1, kpi="sales", grade=grade, checks=(), p_value=None,
            data="d", seed=0, versions={}, artifact="a",
        )  # fmt: skip
        self.act("analyse", name, by, made)

    @rule(name=what, by=who, version=st.integers(0, 4))
    def accept(self, name: str, by: str, version: int) -> None:
        ledger = registry.load(self.store)
        there = 1 <= version <= self.results[name]
        sound = there and registry.assess(ledger, ledger[name], ledger[name].versions[version - 1]).grade != "E"
        self.act("accept", name, by, details.Acceptance(version=version), also=sound)

    @rule(
        name=what, by=who, version=st.integers(1, 3), grade=st.sampled_from("ACE"), reason=st.sampled_from(["", "so"])
    )
    def regrade(self, name: str, by: str, version: int, grade: Any, reason: str) -> None:
        sound = bool(reason) and version <= self.results[name]
        self.act("regrade", name, by, details.Regrade(grade=grade, version=version, reason=reason), also=sound)

    @rule(name=what, by=who, action=st.sampled_from(["cancel", "deviate"]), reason=st.sampled_from(["", "so"]))
    def with_reason(self, name: str, by: str, action: Any, reason: str) -> None:
        self.act(action, name, by, details.Detail(reason=reason), also=bool(reason))

    @rule(name=what, by=who, reason=st.sampled_from(["", "so"]))
    def reject(self, name: str, by: str, reason: str) -> None:
        self.act("reject", name, by, details.Detail(reason=reason), also=bool(reason))

    @rule(name=what, by=who, new=what)
    def supersede(self, name: str, by: str, new: str) -> None:
        living = self.states[new] not in ("none", "cancelled", "superseded") and new != name
        self.act("supersede", name, by, details.Supersession(by=new, reason="better"), also=living)

    @rule(name=what, steps=st.integers(1, 7))
    @precondition(lambda self: any(state != "none" for state in self.states.values()))
    def onwards(self, name: str, steps: int) -> None:
        """Some steps of a life in order, so that late states are reached as often as early ones."""
        for _ in range(steps):
            self.step(name)

    def step(self, name: str) -> None:
        match self.states[name]:
            case "draft":
                self.submit(name, "Ada")
            case "in_review":
                self.approve(name, "Grace", True)
            case "approved":
                self.start(name, "Ada", 0)
            case "running":
                self.complete(name, "Ada", 7)
            case "completed" | "rejected":
                self.analyse(name, "Ada", -10, "B")
            case "analysed":
                self.accept(name, "Grace", self.results[name])

    @invariant()
    def every_state_is_as_it_should_be(self) -> None:
        ledger = registry.load(self.store)
        found = {name: test.state for name, test in ledger.tests.items()}
        assert found == {name: state for name, state in self.states.items() if state != "none"}
        for name, test in ledger.tests.items():
            assert test.accepted == self.accepted[name]
            assert len(test.versions) == self.results[name]
            assert test.plan == self.frozen.get(name, test.plan), "an approved plan never changes"

    @invariant()
    def history_only_grows(self) -> None:
        hashes = [event.hash for event in self.store.events()]
        assert hashes[: len(self.seen)] == self.seen
        self.seen = hashes
        steps = [step.hash for test in registry.load(self.store).tests.values() for step in test.history]
        assert sorted(steps) == sorted(hashes), "every event belongs to one test's history"

    @invariant()
    def what_counts_was_accepted(self) -> None:
        ids = {record.experiment_id for record in registry.evidence(registry.load(self.store))}
        assert ids == {name for name, version in self.accepted.items() if version is not None}


def explore(store_type: type[Store], examples: int) -> Counter[str]:
    """Run the machine; how often each state was entered, and how many acts were refused.

    Raises:
        AssertionError: Where an illegal act went through, a legal one was refused, or a history was rewritten.
    """
    seen: Counter[str] = Counter()
    machine = type("LivesInMemory", (Lives,), {"store_type": store_type, "seen_of": seen})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)
    return seen


def test_no_path_leads_to_an_illegal_state_and_no_history_is_rewritten(memory_store: type[Store]) -> None:
    seen = explore(memory_store, 50)
    assert set(seen) - {"refused"} == set(STATES), "every state was reached on the way"


def test_a_thousand_histories_were_explored(study_table: Any) -> None:
    seen = {row["what"]: int(row["times"]) for row in study_table("registry_states")}
    assert seen["histories of 40 acts"] >= 1_000
    assert all(seen[f"entered: {state}"] > 100 for state in STATES)
    assert seen["refused"] > 1_000
