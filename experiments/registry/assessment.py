"""The grade of a result in the registry: the analysis' checklist, and what only the registry can know.

The analysis judges the numbers (randomisation, A/A coverage, pre-fit, precision, estimators, sample ratio). The
registry adds whether the plan was locked before the test began and kept to, whether the spend was delivered, what
disturbed the test, whether another test ran in the same markets, and whether the record is complete. A grade by hand
overrides the letter, never the reasons.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from experiments.grade import Check, letter
from experiments.records import Grade
from experiments.registry.clashes import conflicts
from experiments.registry.ledger import Ledger, Registered, Version
from measurement.errors import shown

TOP = ("locked plan", "randomised")
DELIVERED = 0.2
"""Share of the planned change of spend by which the delivered one may differ."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """How far one version of a result may be trusted.

    Attributes:
        grade: The grade that counts; ``None`` for a result from elsewhere that states none.
        computed: What the checklist gives.
        checks: The checklist.
        override: The reason for a grade given by hand and who gave it; empty where the checklist's counts.
    """

    grade: Grade | None
    computed: Grade | None
    checks: tuple[Check, ...]
    override: str = ""


def assess(ledger: Ledger, test: Registered, version: Version) -> Assessment:
    """Grade one version of a test's result."""
    checks: tuple[Check, ...] = ()
    computed: Grade | None = version.record.grade
    if version.analysis is not None:
        checks = tuple(line.as_check for line in version.analysis.checks)
        if not test.outside:
            known = {check.name: check for check in checks} | {
                check.name: check for check in _kept(ledger, test, version)
            }
            checks = tuple(known.values())
        top = [check for check in checks if check.name in TOP]
        rest = [check for check in checks if check.name not in TOP]
        computed = max(version.analysis.grade, letter(top, rest))
    if version.override is None:
        return Assessment(computed, computed, checks)
    grade, reason, actor = version.override
    return Assessment(grade, computed, checks, f"{reason} ({shown(actor)})")


def _kept(ledger: Ledger, test: Registered, version: Version) -> Iterable[Check]:
    """What the registry knows of a test that went through it."""
    yield Check("locked plan", test.preregistered, _locked(test))
    departures = (*test.deviations, *departed(test, version))
    yield Check("plan followed", not departures, "; ".join(shown(each, 200) for each in departures) or "as approved")
    yield _delivered(test)
    told = test.actuals.incidents if test.actuals else ()
    yield Check("incidents", not told, "; ".join(shown(each, 200) for each in told) or "none")
    clashing = conflicts(test, ledger.others(test.experiment_id))
    words = "; ".join(each.message for each in clashing) or "no other test disturbed its markets"
    yield Check("no other test", not clashing, words, hard=True)
    lacking = [name for name in ("hypothesis", "decision_rule", "mde", "power") if not getattr(test.protocol, name)]
    words = (
        "lacks " + ", ".join(name.replace("_", " ") for name in lacking) if lacking else "the question and the power"
    )
    yield Check("complete record", not lacking, words)


def _locked(test: Registered) -> str:
    if test.approval is None:
        return "never approved"
    by = f"{shown(test.approval.actor)}{', its own author' if test.approval.by_author else ''}"
    late = "" if test.preregistered else ", after the test had begun"
    return f"approved on {test.approval.day} by {by}{late}; plan {test.plan_hash[:12]}"


def departed(test: Registered, version: Version) -> list[str]:
    """Where an analysis asked for something else than the approved plan says."""
    made = version.analysis
    if made is None or test.outside:
        return []
    plan, kpi = test.protocol, test.experiment.kpi
    found = []
    if made.estimator != plan.estimator:
        found.append(f"estimator {shown(made.estimator)}, planned was {shown(plan.estimator)}")
    if made.alpha != plan.alpha:
        found.append(f"alpha {made.alpha:g}, planned was {plan.alpha:g}")
    if kpi is not None and made.kpi != kpi:
        found.append(f"KPI {shown(made.kpi)}, planned was {shown(kpi)}")
    for name in ("start_date", "end_date", "read_out_end"):
        planned, real = getattr(test.experiment, name), getattr(test.conducted, name)
        if planned != real:
            found.append(f"{name.replace('_', ' ')} {real}, planned was {planned}")
    return found


def _delivered(test: Registered) -> Check:
    planned, delivered = test.experiment.spend_delta, test.delivered
    if planned is None or delivered is None:
        words = "the plan names no change of spend" if planned is None else "it is not known what was delivered"
        return Check("spend delivered", False, words)
    share = delivered / planned
    words = f"{delivered:,.0f} of {planned:,.0f} planned ({share:.0%})"
    return Check("spend delivered", abs(share - 1) <= DELIVERED, words)
