"""The life of a test in the registry: what may happen when, what is kept, what counts."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from experiments import registry
from experiments.registry import details, plan, rows
from experiments.registry.assessment import departed
from experiments.registry.drawer import sign
from measurement.errors import DataError, StoreError
from measurement.store import Store

if TYPE_CHECKING:
    from experiments.records import Experiment

PLAN: dict[str, Any] = {
    "experiment_id": "tv-north",
    "channel": ["tv"],
    "method": "go_dark",
    "start_date": "2026-03-02",
    "end_date": "2026-03-29",
    "cooldown_end_date": "2026-04-05",
    "treatment_geos": ["berlin", "hamburg"],
    "control_geos": ["köln", "bonn"],
    "spend_delta": -1_000.0,
    "assignment": {"rule": "uniform", "seed": 3},
    "hypothesis": "TV brings sales",
    "decision_rule": "cut TV by a fifth where its iROAS is below 1",
    "mde": 0.04,
    "power": 0.8,
    "owner": "Ada",
}


class Clock:
    """A clock that the tests set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 2, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def to(self, day: str) -> None:
        self.now = datetime.fromisoformat(f"{day}T09:00:00+00:00")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(memory_store: type[Store], clock: Clock) -> Store:
    return memory_store(clock=clock)  # type: ignore[call-arg]


def planned(name: str = "tv-north", **changes: Any) -> plan.Plan:
    return plan.parse([PLAN | {"experiment_id": name} | changes])[0]


Do = Callable[..., registry.Registered]


@pytest.fixture
def do(store: Store) -> Do:
    return verbs_on(store)


def verbs_on(store: Store) -> Do:
    """One verb on one test; returns the test after it."""

    def act(action: Any, name: str = "tv-north", by: str = "Ada", **detail: Any) -> registry.Registered:
        model = details.DETAILS.get(action, details.Detail)
        if action == "approve":
            how: Any = lambda test: details.Approval(plan=test.plan_hash, **detail)  # noqa: E731
        else:
            how = model(**detail)
        registry.record(store, registry.Asked(action, name, by, how))
        return registry.load(store)[name]

    return act


def actuals(**changes: Any) -> details.Actuals:
    return details.Actuals(**({"incidents": (), "spend_delta": -1_000.0, "spend": {"treatment": 20.0}} | changes))


def checks() -> tuple[details.Line, ...]:
    names = ("locked plan", "randomised", "pre-fit", "precision")
    return tuple(details.Line(check=name, passed=True, text="as it should be") for name in names)


def analysis(test: registry.Registered, **changes: Any) -> dict[str, Any]:
    measured = {"estimand": "outcome_change", "estimate": -500.0, "std_error": 100.0, "grade": "A", "kpi": "sales"}
    record = test.conducted.model_copy(update=measured)
    return {
        "record": record,
        "estimator": "default",
        "alpha": 0.1,
        "kpi": "sales",
        "grade": "A",
        "checks": checks(),
        "p_value": 0.01,
        "data": "d" * 64,
        "seed": 0,
        "versions": {"theodolite": "0.1.0"},
        "artifact": "a" * 64,
    } | changes


def live(store: Store, clock: Clock, do: Do, until: str, name: str = "tv-north", **changes: Any) -> registry.Registered:
    """A test brought through its life up to a state."""
    registry.add(store, [planned(name, **changes)], "Ada")
    steps: list[tuple[str, Callable[[], registry.Registered]]] = [
        ("draft", lambda: registry.load(store)[name]),
        ("in_review", lambda: do("submit", name)),
        ("approved", lambda: do("approve", name, "Grace")),
        ("running", lambda: do("start", name, on=registry.load(store)[name].experiment.start_date)),
        ("completed", lambda: do("complete", name, actuals=actuals())),
        ("analysed", lambda: do("analyse", name, **analysis(registry.load(store)[name], artifact=store.put(b"1")))),
        ("accepted", lambda: do("accept", name, version=len(registry.load(store)[name].versions))),
    ]
    for state, step in steps:
        if state == "completed":
            clock.to("2026-04-10")
        found = step()
        assert found.state == state
        if state == until:
            break
    return found


def refused(what: Callable[[], Any], *words: str) -> None:
    with pytest.raises(DataError) as caught:
        what()
    for each in words:
        assert each in str(caught.value)


# -- the life ---------------------------------------------------------------------------------------------------------


def test_a_whole_life_is_kept_with_who_when_what_and_why(store: Store, clock: Clock, do: Do) -> None:
    test = live(store, clock, do, "accepted")
    assert [step.action for step in test.history] == [
        "register", "submit", "approve", "start", "complete", "analyse", "accept",
    ]  # fmt: skip
    assert [step.actor for step in test.history] == ["Ada", "Ada", "Grace", "Ada", "Ada", "Ada", "Ada"]
    assert [step.hash for step in test.history] == [event.hash for event in store.events()]
    assert test.history[0].at.startswith("2026-02-01")
    (evidence,) = registry.evidence(registry.load(store))
    assert (evidence.estimate, evidence.grade, evidence.preregistered) == (-500.0, "A", True)
    assert registry.examine(store) == []


def test_a_whole_life_on_the_disk(tmp_path: Path, clock: Clock) -> None:
    store = Store.create(tmp_path, clock=clock)
    test = live(store, clock, verbs_on(store), "accepted")
    assert registry.load(Store.open(tmp_path))["tv-north"] == test
    assert store.verify() == []


@pytest.mark.parametrize("until", ["draft", "in_review", "approved", "running", "completed", "analysed"])
def test_only_what_was_accepted_is_evidence(store: Store, clock: Clock, do: Do, until: str) -> None:
    live(store, clock, do, until)
    assert registry.evidence(registry.load(store)) == []


def test_a_move_that_the_table_does_not_know_is_refused_and_says_what_is_allowed(
    store: Store, clock: Clock, do: Do
) -> None:
    live(store, clock, do, "draft")
    refused(lambda: do("start", on=date(2026, 3, 2)), "'tv-north' is draft", "approved", "submit")
    refused(lambda: do("submit", "tv-nroth"), "there is no test 'tv-nroth'", "did you mean 'tv-north'")
    assert len(store.events()) == 1


@pytest.mark.parametrize("action", ["reject", "cancel", "deviate"])
def test_what_takes_something_away_needs_a_reason(store: Store, clock: Clock, do: Do, action: str) -> None:
    live(store, clock, do, "completed" if action != "reject" else "analysed")
    refused(lambda: do(action, reason="  "), "needs a reason")
    assert do(action, reason="a storm in week two").history[-1].reason == "a storm in week two"


# -- approval ---------------------------------------------------------------------------------------------------------


def test_nobody_approves_a_plan_of_their_own_unless_it_is_said(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "in_review")
    refused(lambda: do("approve", by=" ADA "), "wrote this plan", "self-approved")
    test = do("approve", by="Ada", self_approved=True)
    assert test.approval is not None
    assert test.approval.by_author
    assert test.preregistered


def test_the_author_is_who_wrote_the_plan_last(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "in_review")
    changed = details.Registration(plan=planned(mde=0.05))
    registry.record(store, registry.Asked("revise", "tv-north", "Grace", changed))
    do("submit")
    refused(lambda: do("approve", by="Grace"), "Grace wrote this plan")
    assert do("approve", by="Ada").state == "approved"


def test_an_approved_plan_is_frozen_under_its_hash(store: Store, clock: Clock, do: Do) -> None:
    test = live(store, clock, do, "approved")
    assert test.approval is not None
    assert test.approval.plan == test.plan_hash
    changed = details.Registration(plan=planned(mde=0.05))
    refused(lambda: registry.record(store, registry.Asked("revise", "tv-north", "Ada", changed)), "is approved")
    refused(lambda: registry.add(store, [planned(mde=0.05)], "Ada"), "mde: 0.04 -> 0.05", "supersede")
    assert do("deviate", reason="two shops closed").plan_hash == test.plan_hash


def test_the_hash_covers_design_and_analysis_plan(store: Store) -> None:
    changes: list[dict[str, Any]] = [
        {}, {"end_date": "2026-03-30"}, {"treatment_geos": ["berlin"]}, {"alpha": 0.05}, {"estimator": "sdid"},
        {"kpi": "orders"}, {"decision_rule": "another"}, {"assignment": {"rule": "uniform", "seed": 4}},
    ]  # fmt: skip
    registry.add(store, [planned(f"t{i}", **change) for i, change in enumerate(changes)], "Ada")
    hashes = {test.plan_hash for test in registry.load(store).tests.values()}
    assert len(hashes) == len(changes)


def test_an_approval_after_the_first_day_is_no_pre_registration(store: Store, clock: Clock, do: Do) -> None:
    clock.to("2026-03-02")
    assert live(store, clock, do, "approved").preregistered, "on the first day"
    registry.add(store, [planned("late", channel=["radio"], treatment_geos=["ulm"], control_geos=["bonn"])], "Ada")
    do("submit", "late")
    clock.to("2026-03-03")
    assert not do("approve", "late", "Grace").preregistered


def test_a_forged_approval_of_another_plan_is_found(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "in_review")
    store.append("experiment.approved", "tv-north", {"plan": "f" * 64}, "Mallory")
    with pytest.raises(StoreError, match="event 3 approves another plan"):
        registry.load(store)
    assert "approves another plan" in registry.examine(store)[0].message


def test_an_event_that_cannot_have_happened_is_named(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "draft")
    store.append("experiment.accepted", "tv-north", {"version": 1}, "Mallory")
    with pytest.raises(StoreError, match="event 2 cannot have happened: test 'tv-north' is draft"):
        registry.load(store)


# -- actuals, versions ------------------------------------------------------------------------------------------------


def test_completing_needs_what_happened(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "running")
    clock.to("2026-03-20")
    refused(lambda: do("complete", actuals=actuals()), "it runs until 2026-03-29", "stopped before")
    test = do("complete", actuals=actuals(end_date=date(2026, 3, 15), cooldown_end_date=date(2026, 3, 18)))
    assert (test.conducted.end_date, test.conducted.read_out_end) == (date(2026, 3, 15), date(2026, 3, 18))
    assert test.experiment.end_date == date(2026, 3, 29), "the plan stays as it was approved"


def test_spend_that_moved_the_other_way_or_not_at_all_completes_nothing(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "running", counterfactual_spend=1_500.0)
    clock.to("2026-04-10")
    refused(lambda: do("complete", actuals=actuals(spend_delta=9.0)), "takes spend away", "cancel it")
    told = actuals(spend_delta=None, spend={"treatment": 1_600.0})
    refused(lambda: do("complete", actuals=told), "takes spend away")
    told = actuals(spend_delta=None, spend={"treatment": 1_500.0})
    refused(lambda: do("complete", actuals=told), "measures nothing")
    assert do("complete", actuals=actuals(spend_delta=None, spend={"treatment": 400.0})).delivered == -1_100.0


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"spend": {}, "spend_delta": None}, "spend by cell is needed"),
        ({"spend": {"shops": 1.0}}, "'shops' is no cell; allowed are treatment, control"),
        ({"spend": {"treatment": -1.0}}, "spend is 0 or more"),
        ({"spend": {"treatment": float("inf")}}, "finite"),
        ({"spend_delta": "-1000"}, "valid number"),
        ({"incidents": ("",)}, "an incident is a text"),
        ({"incidents": ("bell \a",)}, "U+0007"),
    ],
)
def test_actuals_that_are_refused(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        actuals(**told)


def test_the_last_accepted_version_counts_until_another_is(store: Store, clock: Clock, do: Do) -> None:
    def estimate() -> list[float | None]:
        return [each.estimate for each in registry.evidence(registry.load(store))]

    test = live(store, clock, do, "accepted")
    again = analysis(test)
    record: Experiment = again["record"].model_copy(update={"estimate": -700.0})
    test = do("analyse", **(again | {"record": record, "artifact": "b" * 64}), reason="late sales came in")
    assert (test.state, len(test.versions), estimate()) == ("analysed", 2, [-500.0])
    refused(lambda: do("accept", version=3), "no version 3", "there are 2")
    do("accept", version=2)
    assert estimate() == [-700.0]
    do("accept", version=1, reason="the late sales were another shop's")
    assert estimate() == [-500.0]
    test = do("reject", reason="the control was contaminated")
    assert (test.state, estimate(), len(test.versions)) == ("rejected", [], 2)
    assert [v.record.estimate for v in test.versions] == [-500.0, -700.0], "nothing is lost"


def test_an_imported_result_can_be_read_again_and_stays_evidence_meanwhile(store: Store, do: Do) -> None:
    given = planned().experiment.model_copy(
        update={"estimand": "outcome_change", "estimate": -1.0, "std_error": 1.0, "grade": "C"}
    )
    registry.add(store, [given], "Ada")
    test = registry.load(store)["tv-north"]
    assert (test.state, test.outside, len(test.versions)) == ("accepted", True, 1)
    test = do("analyse", **analysis(test))
    assert [each.estimate for each in registry.evidence(registry.load(store))] == [-1.0]
    do("accept", version=2)
    assert [each.estimate for each in registry.evidence(registry.load(store))] == [-500.0]


def test_a_superseded_test_is_evidence_no_more(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "accepted")
    registry.add(
        store, [planned("tv-2", start_date="2027-03-01", end_date="2027-03-28", cooldown_end_date=None)], "Ada"
    )

    def supersede(name: str, new: str) -> Any:
        detail = details.Supersession(by=new, reason="a longer test")
        return registry.record(store, registry.Asked("supersede", name, "Ada", detail))

    refused(lambda: supersede("tv-north", "tv-north"), "does not supersede itself")
    refused(lambda: supersede("tv-north", "tv-3"), "there is no test 'tv-3'")
    supersede("tv-north", "tv-2")
    ledger = registry.load(store)
    assert (ledger["tv-north"].state, ledger["tv-north"].superseded_by) == ("superseded", "tv-2")
    assert registry.evidence(ledger) == []
    refused(lambda: supersede("tv-2", "tv-north"), "it supersedes nothing")


# -- grade ------------------------------------------------------------------------------------------------------------


def grade(store: Store, name: str = "tv-north") -> registry.Assessment:
    ledger = registry.load(store)
    return registry.assess(ledger, ledger[name], ledger[name].versions[-1])


def failed(store: Store) -> set[str]:
    return {check.name for check in grade(store).checks if not check.passed}


def test_a_test_that_did_all_it_promised_is_an_a(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "analysed")
    assert (grade(store).grade, failed(store)) == ("A", set())
    names = [check.name for check in grade(store).checks]
    assert {"locked plan", "plan followed", "spend delivered", "incidents", "no other test"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("told", "lacking"),
    [
        ({"spend_delta": -700.0}, {"spend delivered"}),
        ({"spend_delta": -1_190.0}, set()),
        ({"incidents": ("a strike",)}, {"incidents"}),
        ({"end_date": date(2026, 3, 20)}, {"plan followed"}),
    ],
)
def test_the_grade_falls_for_what_went_wrong(
    store: Store, clock: Clock, do: Do, told: dict[str, Any], lacking: set[str]
) -> None:
    live(store, clock, do, "running")
    clock.to("2026-04-10")
    test = do("complete", actuals=actuals(**told))
    do("analyse", **analysis(test))
    assert failed(store) == lacking
    assert grade(store).grade == ("C" if lacking else "A")


def test_an_analysis_off_the_plan_is_shown_as_one(store: Store, clock: Clock, do: Do) -> None:
    test = live(store, clock, do, "completed", kpi="sales")
    test = do("analyse", **analysis(test, estimator="sdid", alpha=0.05, kpi="orders"))
    assert departed(test, test.versions[0]) == [
        "estimator sdid, planned was default",
        "alpha 0.05, planned was 0.1",
        "KPI orders, planned was sales",
    ]
    assert failed(store) == {"plan followed"}


def test_a_recorded_deviation_lowers_the_grade(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "analysed")
    do("deviate", reason="a shop in bonn closed")
    assert grade(store).grade == "C"
    (check,) = (check for check in grade(store).checks if check.name == "plan followed")
    assert "bonn" in check.text


def test_a_thin_record_and_a_late_approval_cost_the_a(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "analysed", hypothesis=None, power=None)
    assert failed(store) == {"complete record"}
    clock.to("2026-03-05")
    late = {"treatment_geos": ["ulm"], "channel": ["radio"]}
    registry.add(store, [planned("late", **late)], "Ada")
    do("submit", "late")
    do("approve", "late", "Grace")
    do("start", "late", on=date(2026, 3, 2))
    clock.to("2026-04-10")
    test = do("complete", "late", actuals=actuals())
    do("analyse", "late", **analysis(test))
    assert grade(store, "late").grade == "B", "sound, and not pre-registered"


def test_the_analysis_own_grade_is_never_bettered(store: Store, clock: Clock, do: Do) -> None:
    test = live(store, clock, do, "completed")
    do("analyse", **analysis(test, grade="D"))
    assert grade(store).grade == "D"


def test_a_grade_by_hand_needs_a_reason_and_is_told_apart(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "analysed")
    refused(lambda: do("regrade", grade="C", version=1), "needs a reason")
    refused(lambda: do("regrade", grade="C", version=2, reason="x"), "no version 2")
    do("regrade", by="Grace", grade="C", version=1, reason="the panel lost two shops")
    found = grade(store)
    assert (found.grade, found.computed, found.override) == ("C", "A", "the panel lost two shops (Grace)")
    do("accept", version=1)
    assert [each.grade for each in registry.evidence(registry.load(store))] == ["C"]


def test_a_hard_failure_cannot_be_accepted_but_by_hand(store: Store, clock: Clock, do: Do) -> None:
    test = live(store, clock, do, "completed")
    broken = details.Line(check="sample ratio", passed=False, text="p = 1e-9", hard=True)
    do("analyse", **analysis(test, grade="E", checks=(*checks(), broken)))
    refused(lambda: do("accept", version=1), "grade E is no evidence")
    do("regrade", grade="D", version=1, reason="the log counted bots, and they are gone")
    assert do("accept", version=1).state == "accepted"


# -- conflicts --------------------------------------------------------------------------------------------------------


def clash(store: Store, clock: Clock, do: Do, **changes: Any) -> list[str]:
    live(store, clock, do, "approved")
    registry.add(store, [planned("second", **changes)], "Ada")
    ledger = registry.load(store)
    return [p.message for p in registry.conflicts(ledger["second"], ledger.others("second"))]


LATER = {"start_date": "2026-04-06", "end_date": "2026-05-03", "cooldown_end_date": None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "treats berlin, hamburg, which is treated by"),
        ({"channel": ["search"]}, "treats berlin, hamburg"),
        ({"treatment_geos": ["köln"], "control_geos": ["ulm"]}, "treats köln, a control of"),
        ({"treatment_geos": ["ulm"], "control_geos": ["berlin", "essen"]}, "has a control, berlin, that is treated by"),
        ({"treatment_geos": ["ulm"], "control_geos": None}, "every market is a control"),
        ({"treatment_geos": ["ulm"]}, ""),
        (LATER, ""),
        (LATER | {"start_date": "2026-04-05"}, "from 2026-04-05 to 2026-04-05, cool-down included"),
        ({"treatment_geos": None, "control_geos": None, "assignment": None}, "treats berlin, hamburg"),
        ({"method": "conversion_lift", "assignment": None}, "moves the channel tv in the same markets"),
        ({"method": "conversion_lift", "channel": ["search"], "assignment": None}, ""),
        ({"method": "conversion_lift", "treatment_geos": ["ulm"], "assignment": None}, ""),
    ],
)
def test_two_tests_in_the_same_place_at_the_same_time(
    store: Store, clock: Clock, do: Do, changes: dict[str, Any], words: str
) -> None:
    found = clash(store, clock, do, **changes)
    assert bool(found) == bool(words)
    assert not words or words in found[0]
    do("submit", "second")
    if words:
        refused(lambda: do("approve", "second", "Grace"), "'tv-north' (approved)")
    else:
        assert do("approve", "second", "Grace").state == "approved"


def test_cells_of_one_test_share_their_controls(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "approved", cell_of="two cells", control_geos=None)
    cell = {"cell_of": "two cells", "treatment_geos": ["ulm"], "control_geos": None}
    registry.add(store, [planned("other", **cell)], "Ada")
    do("submit", "other")
    assert do("approve", "other", "Grace").state == "approved"


def test_a_draft_and_a_test_cancelled_before_it_began_hold_no_days(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "in_review")
    registry.add(store, [planned("second")], "Ada")
    do("submit", "second")
    do("approve", "second", "Grace")
    refused(lambda: do("approve", "tv-north", "Grace"), "'second' (approved)")
    do("cancel", "second", reason="no money")
    assert do("approve", "tv-north", "Grace").state == "approved"


def test_a_test_that_was_stopped_holds_its_days_until_its_cool_down_is_over(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "running")
    clock.to("2026-03-10")
    test = do("cancel", reason="the agency went on strike")
    assert test.occupied == (date(2026, 3, 2), date(2026, 3, 17)), "seven days of cool-down after the tenth"


# -- what becomes of tests --------------------------------------------------------------------------------------------


def test_the_file_drawer_counts_what_nobody_read_out(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "accepted")
    null = planned("null", treatment_geos=["a"], control_geos=["b"])
    overdue = planned("overdue", treatment_geos=["c"], control_geos=["d"])
    idea, gone = planned("idea", treatment_geos=["e"]), planned("gone", treatment_geos=["f"])
    registry.add(store, [null, overdue, idea, gone], "Ada")
    clock.to("2026-02-20")
    for name in ("null", "overdue"):
        do("submit", name)
        do("approve", name, "Grace")
        do("start", name, on=date(2026, 3, 2))
    do("cancel", "gone", reason="no money")
    clock.to("2026-04-10")
    test = do("complete", "null", actuals=actuals())
    made = analysis(test)
    do("analyse", "null", **(made | {"record": made["record"].model_copy(update={"estimate": 5.0})}))
    do("reject", "null", reason="nobody likes it")
    (tv,) = registry.file_drawer(registry.load(store).tests.values(), date(2026, 4, 10))
    assert (tv.registered, tv.read_out, tv.positive, tv.null, tv.negative) == (5, 2, 1, 1, 0)
    assert (tv.cancelled, tv.overdue, tv.elsewhere) == (1, 1, 0)
    assert tv.warning.startswith("2 of 5 tests have no result (1 cancelled, 1 ended and not read out)")
    (before,) = registry.file_drawer(registry.load(store).tests.values(), date(2026, 3, 1))
    assert before.overdue == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"estimand": "outcome_change", "estimate": -10.0, "spend_delta": -5.0}, "positive"),
        ({"estimand": "outcome_change", "estimate": 10.0, "spend_delta": -5.0}, "negative"),
        ({"estimand": "iroas", "estimate": 10.0, "spend_delta": -5.0}, "positive"),
        ({"estimand": "relative_lift", "estimate": -0.5, "std_error": 0.1, "spend_delta": -5.0}, "positive"),
        ({"estimand": "incremental_outcome", "estimate": 1.0}, "null"),
    ],
)
def test_the_sign_of_a_result_is_that_of_the_ads(changes: dict[str, Any], expected: str) -> None:
    record = planned().experiment.model_copy(update={"std_error": 1.0} | changes)
    assert sign(record) == expected


def test_a_row_and_everything_about_a_test(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "accepted")
    ledger = registry.load(store)
    flat = rows.row(ledger, ledger["tv-north"], date(2026, 5, 1))
    assert (flat["state"], flat["grade"], flat["outcome"], flat["expired"]) == ("accepted", "A", "positive", False)
    assert rows.row(ledger, ledger["tv-north"], date(2028, 5, 1))["expired"]
    full = rows.everything(ledger, ledger["tv-north"], date(2026, 5, 1), {1: [{"kind": "mmm.fitted"}]})
    assert full["approved_plan"] == full["plan_hash"]
    assert full["results"][0]["used_in"] == [{"kind": "mmm.fitted"}]
    assert [step["action"] for step in full["history"]][-1] == "accept"
    assert full["conflicts"] == []


def test_events_that_carry_more_than_is_known_are_refused(store: Store, clock: Clock, do: Do) -> None:
    live(store, clock, do, "draft")
    store.append("experiment.submitted", "tv-north", {"colour": "red"}, "Ada")
    with pytest.raises(StoreError, match="in a form that cannot be read here"):
        registry.load(store)


def test_versions_are_values_and_cannot_be_changed(store: Store, clock: Clock, do: Do) -> None:
    test = live(store, clock, do, "accepted")
    with pytest.raises(AttributeError):
        test.versions[0].number = 2  # type: ignore[misc]
    assert replace(test.versions[0], number=2) != test.versions[0]
