"""The estimators of a test on users, and which of them a case allows."""

from collections.abc import Callable, Mapping

from experiments.user_level.case import Case
from experiments.user_level.comparison import Arms, Comparison
from experiments.user_level.compliance import treatment_on_treated
from experiments.user_level.difference import cuped, welch
from experiments.user_level.moments import Cells
from experiments.user_level.proportions import score
from experiments.user_level.ratio import ratio
from measurement.errors import DataError, Problem, did_you_mean, shown

type Estimator = Callable[[Cells], Comparison]

NEEDS: Mapping[str, str] = {
    "welch": "",
    "cuped": "a column 'pre_...' with what is known of each user before the test",
    "score": "a KPI of 0 and 1",
    "ratio": "a denominator",
    "treatment_on_treated": "a column 'exposed', and arms that are compared as they were drawn",
}


def estimators(case: Case) -> dict[str, Estimator]:
    """All estimators that the case allows, the default first. Each takes some of the case's cells."""

    def arms(cells: Cells) -> Arms:
        first = 2 if case.denominator else 1
        covariates = tuple(range(first, first + len(case.covariates)))
        return Arms.of(cells, 1 if case.denominator else None, covariates)

    found: dict[str, Estimator] = {}
    if case.covariates:
        found["cuped"] = lambda cells: cuped(arms(cells))
    if case.binary:
        found["score"] = lambda cells: score(arms(cells))
    found["welch"] = lambda cells: welch(arms(cells))
    if case.denominator:
        unit = case.denominator
        found["ratio"] = lambda cells: ratio(arms(cells), unit)
    if case.reach:
        found["treatment_on_treated"] = lambda cells: treatment_on_treated(arms(cells))
    return found


def chosen(name: str, case: Case) -> str:
    """The estimator of that name; ``default`` and ``all`` are the case's first.

    Raises:
        DataError: Where there is none of that name, or the table lacks what it needs.
    """
    allowed = estimators(case)
    if name in ("default", "all"):
        return next(iter(allowed))
    if name not in NEEDS:
        words = f"unknown estimator '{shown(name)}'{did_you_mean(name, NEEDS)}; there are default, all, "
        raise DataError([Problem(words + ", ".join(NEEDS), column="estimator", code="unknown-estimator")])
    if name not in allowed:
        raise DataError([Problem(f"'{name}' needs {NEEDS[name]}", column="estimator", code="estimator-needs")])
    return name
