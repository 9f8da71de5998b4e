"""What the tutorials leave behind when every block has run: what a reader who has typed them finds in the workspace."""

from collections.abc import Callable, Mapping

from experiments.registry import Registered
from theodolite import Study, cycle, results


def test_of(study: Study, name: str) -> Registered:
    """A test of the registry."""
    return {test.experiment_id: test for test in study.registry.list()}[name]


def agreed(test: Registered) -> None:
    """Its author submitted it, somebody else approved it, and that came before it."""
    assert test.state == "approved"
    assert test.preregistered
    assert [(step.action, step.actor) for step in test.history][-2:] == [("submit", "Ada"), ("approve", "Grace")]


def is_this_test_true() -> None:
    """The claim was in conflict and withheld, and is set aside by name; the test that would settle it is approved."""
    study = Study.open("demo")
    assert test_of(study, "radio-austria-2025").state == "accepted"
    ((_, view),) = results.load_views(study.store, 1)
    radio = view["radio"]
    assert (radio.state, radio.iroas) == ("conflict, withheld", None)
    claim = study.resolutions()["radio-austria-2025"]
    assert (claim.keep, claim.by, claim.channels) == ("model", "Ada", ("radio",))
    assert claim.reason.startswith("no raw data")
    agreed(test_of(study, "radio-dark-2030"))


def which_test_next() -> None:
    """The test of the search is approved as it was planned: its markets, its money and its decision rule."""
    test = test_of(Study.open("demo"), "search-up-2030")
    agreed(test)
    planned = test.plan.experiment
    assert 3 <= len(planned.treatment_geos) <= 6
    assert "Bayern" not in planned.treatment_geos
    assert planned.spend_delta is not None
    assert planned.spend_delta > 0
    assert str(planned.start_date) == "2030-03-04"
    assert (test.plan.protocol.mde, test.plan.protocol.power) == (0.017, 0.8)
    assert test.plan.protocol.decision_rule.startswith("100,000 more")


def decide() -> None:
    """The forecast is a plan of record, the decision is kept with what it rests on, and the month's work is done."""
    study = Study.open("demo")
    assert [plan.name for plan in study.plans.all()] == ["third quarter"]
    (decision,) = study.decisions.list()
    assert (decision.state, decision.actor) == ("open", "Grace")
    assert decision.decision.evidence == ("video-holdout-2024",)
    assert set(decision.basis) == {results.FIT, results.VIEW}
    (ran,) = study.store.events(kind=cycle.RAN)
    assert [name for name, _ in ran.payload["steps"]] == ["check", "fit", "attribute", "reconcile", "monitor"]


def against_the_model() -> None:
    """The view, the audit, calibrated credit and the verdict on the model are kept."""
    study = Study.open("demo")
    for kind in (results.VIEW, results.AUDIT, results.CALIBRATED, results.VALIDATION):
        assert study.store.events(kind=kind), kind


LEFT: Mapping[str, Callable[[], None]] = {
    "docs/tutorial-compare.md": against_the_model,
    "docs/tutorial-decide.md": decide,
    "docs/tutorial-measure.md": is_this_test_true,
    "docs/tutorial-plan.md": which_test_next,
}
"""By page; nothing is asked of the others but that their blocks run."""
