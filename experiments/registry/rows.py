"""A registered test as plain values: one flat row for tables and files, or everything with its history."""

from collections.abc import Mapping, Sequence
from datetime import date

from experiments.records import Experiment
from experiments.registry.assessment import Assessment, assess, departed
from experiments.registry.blackouts import Blackout, blacked_out
from experiments.registry.clashes import conflicts
from experiments.registry.drawer import sign
from experiments.registry.ledger import Ledger, Registered, Version
from measurement.typing import Json

VALID_YEARS = 2.0
"""Age from which a test no longer speaks for today: that of `calibration.verdict`, where a view becomes stale."""
YEAR = 365.25


def expired(test: Registered, today: date) -> bool:
    """Whether the test's read-out ended so long ago that a new one is due."""
    return test.counting is not None and (today - test.conducted.read_out_end).days > VALID_YEARS * YEAR


def graded(ledger: Ledger, test: Registered) -> Assessment | None:
    """The grade of the version that counts, or of the last one where none does; ``None`` without a result."""
    version = test.counting or (test.versions[-1] if test.versions else None)
    return None if version is None else assess(ledger, test, version)


def row(ledger: Ledger, test: Registered, today: date) -> Json:
    """One test as one flat row; the numbers are those of the version that counts, or of the last one."""
    record, version = test.conducted, test.counting or (test.versions[-1] if test.versions else None)
    result = version.record if version else record
    assessment = graded(ledger, test)
    return {
        "experiment_id": test.experiment_id,
        "title": test.protocol.title,
        "owner": test.protocol.owner,
        "tags": list(test.protocol.tags),
        "state": test.state,
        "channel": list(record.channel),
        "method": record.method,
        "treatment_geos": list(record.treatment_geos),
        "control_geos": list(record.control_geos),
        "start_date": record.start_date.isoformat(),
        "end_date": record.end_date.isoformat(),
        "read_out_end": record.read_out_end.isoformat(),
        "source": "elsewhere" if test.outside else "registry",
        "preregistered": test.preregistered,
        "registered_at": test.registered_at,
        "registered_by": test.actor,
        "approved_at": test.approval.at if test.approval else None,
        "approved_by": test.approval.actor if test.approval else None,
        "plan_hash": test.plan_hash,
        "versions": len(test.versions),
        "version": version.number if version else None,
        "accepted": test.accepted is not None,
        "estimand": result.estimand,
        "estimate": result.estimate,
        "std_error": result.standard_error if version else None,
        "p_value": version.analysis.p_value if version and version.analysis else None,
        "spend_delta": result.spend_delta,
        "kpi": result.kpi,
        "grade": assessment.grade if assessment else None,
        "outcome": sign(result) if version else None,
        "expired": expired(test, today),
        "deviations": len(test.deviations),
        "superseded_by": test.superseded_by,
        "hash": test.hash,
    }


def everything(
    ledger: Ledger,
    test: Registered,
    today: date,
    used_in: Mapping[int, Sequence[Json]],
    blackouts: Sequence[Blackout] = (),
) -> Json:
    """A test with its plan, every version of its result, its conflicts and its whole history.

    Args:
        ledger: The registry.
        test: The test.
        today: The day from which age is counted.
        used_in: For each version the fits and views that were made from it.
        blackouts: Days on which no test may run.
    """
    clashing = [] if test.state in ("cancelled", "superseded") else conflicts(test, ledger.others(test.experiment_id))
    clashing += blacked_out(test, blackouts)
    return {
        **row(ledger, test, today),
        "record": test.experiment.to_dict(),
        "protocol": test.protocol.model_dump(mode="json", exclude_defaults=True),
        "plan_version": test.plan_version,
        "approved_plan": test.approval.plan if test.approval else None,
        "self_approved": test.approval.by_author if test.approval else None,
        "actuals": test.actuals.model_dump(mode="json", exclude_none=True) if test.actuals else None,
        "deviations": list(test.deviations),
        "results": [_version(ledger, test, each, used_in.get(each.number, ())) for each in test.versions],
        "conflicts": [each.message for each in clashing],
        "history": [
            {
                "sequence": step.sequence,
                "at": step.at,
                "by": step.actor,
                "action": step.action,
                "state": step.state,
                "reason": step.reason,
                "hash": step.hash,
            }
            for step in test.history
        ],
    }


def _version(ledger: Ledger, test: Registered, version: Version, used_in: Sequence[Json]) -> Json:
    assessment, made = assess(ledger, test, version), version.analysis
    return {
        "version": version.number,
        "counts": test.accepted == version.number,
        "at": version.at,
        "by": version.actor,
        "hash": version.hash,
        "record": version.record.to_dict(),
        "p_value": made.p_value if made else None,
        "asked": {"estimator": made.estimator, "alpha": made.alpha, "kpi": made.kpi, "seed": made.seed}
        if made
        else None,
        "data": made.data if made else None,
        "artifact": made.artifact if made else None,
        "departures": departed(test, version),
        "grade": assessment.grade,
        "computed_grade": assessment.computed,
        "grade_override": assessment.override,
        "grade_reasons": [check.to_dict() for check in assessment.checks],
        "used_in": list(used_in),
    }


def evidence(ledger: Ledger) -> list[Experiment]:
    """What counts as evidence: the record of each accepted result, with the grade that counts."""
    found = []
    for test in ledger.tests.values():
        if test.counting is not None:
            grade = assess(ledger, test, test.counting).grade
            record = test.counting.record
            found.append(record if grade == record.grade else record.model_copy(update={"grade": grade}))
    return found
