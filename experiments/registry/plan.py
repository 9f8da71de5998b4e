"""Plan: a test as it is registered — its record, the question that it answers, and how it will be analysed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from experiments.records import ON_USERS, Experiment
from experiments.records.reading import parse_more, read_more
from experiments.records.rules import Kind
from experiments.records.schedules import SCHEDULED
from measurement.errors import Problem, did_you_mean, refuse, shown
from measurement.typing import Json

FIELDS: Mapping[str, Kind] = {
    "title": "text",
    "owner": "text",
    "tags": "names",
    "hypothesis": "prose",
    "decision": "prose",
    "decision_rule": "prose",
    "estimator": "text",
    "alpha": "number",
    "mde": "number",
    "power": "number",
    "cost": "number",
}
INFINITE = float("inf")
RANGES = {"alpha": (0.01, 0.5), "power": (0.0, 1.0), "mde": (0.0, INFINITE), "cost": (0.0, INFINITE)}


class Protocol(BaseModel):
    """What a registration says beside the record: the question, and how the test will be read.

    ``decision`` is what the test informs and ``decision_rule`` what will be done on which result. ``estimator`` and
    ``alpha`` are the analysis plan, the record's ``kpi`` with them. ``mde`` is the relative change that the test finds
    with probability ``power``; ``cost`` is in the study's currency.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    title: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    hypothesis: str = Field(default="", max_length=10_000)
    decision: str = Field(default="", max_length=10_000)
    decision_rule: str = Field(default="", max_length=10_000)
    estimator: str = "default"
    alpha: float = Field(default=0.1, ge=0.01, le=0.5)
    mde: float | None = None
    power: float | None = None
    cost: float | None = None


class Plan(BaseModel):
    """A test as it is registered. What is approved is this, under the hash of its content as it was recorded.

    Attributes:
        experiment: The record: what is changed, where and when.
        protocol: The question and the analysis plan.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    experiment: Experiment
    protocol: Protocol = Protocol()

    def to_dict(self) -> Json:
        """As plain JSON values.

        Every field that says something is written, defaults too, so that a default of a later version changes no plan.
        """
        return self.model_dump(mode="json", exclude_none=True)


def read(source: str | Path) -> list[Plan]:
    """Read plans from json, toml or csv: the fields of a record, and beside them those of `Protocol`.

    Raises:
        DataError: With every problem found.
    """
    return _plans(read_more(source, FIELDS, results=False), str(source))


def parse(values: Sequence[Mapping[str, Any]]) -> list[Plan]:
    """The same for values in memory.

    Raises:
        DataError: With every problem found.
    """
    return _plans(parse_more(values, FIELDS, results=False))


def fields(found: Plan) -> dict[str, Any]:
    """A plan as the flat fields that `parse` reads."""
    return found.experiment.to_dict() | found.protocol.model_dump(mode="json", exclude_defaults=True)


def _plans(found: Sequence[tuple[Experiment, Mapping[str, Any]]], file: str | None = None) -> list[Plan]:
    problems = [problem for experiment, fields in found for problem in _problems(experiment, fields)]
    refuse([replace(problem, file=file) for problem in problems])
    return [Plan(experiment=experiment, protocol=Protocol(**fields)) for experiment, fields in found]


def _problems(experiment: Experiment, fields: Mapping[str, Any]) -> list[Problem]:
    wrong = [
        (name, f"is {fields[name]:g}; {f'{low:g} to {high:g} is allowed' if high < INFINITE else 'it is 0 or more'}")
        for name, (low, high) in RANGES.items()
        if name in fields and not low <= fields[name] <= high
    ]
    if experiment.has_result:
        words = "is there: a plan says nothing of what was measured (a finished test is imported, `experiments import`)"
        wrong.append(("estimate", words))
    known = estimators(experiment)
    if fields.get("estimator", "default") not in known:
        name = fields["estimator"]
        words = f"found '{shown(name)}'{did_you_mean(name, known)}; for a {experiment.method} test there are "
        wrong.append(("estimator", words + ", ".join(known)))
    return [
        Problem(f"experiment '{shown(experiment.experiment_id)}': {words}", column=name, code="plan")
        for name, words in wrong
    ]


def estimators(experiment: Experiment) -> tuple[str, ...]:
    """Names of the estimators by which a test can be read out."""
    if experiment.method in SCHEDULED:
        from experiments.switchback.estimators import FITTERS

        return ("default", "all", *FITTERS)
    if experiment.method in ON_USERS:
        from experiments.user_level.estimators import NEEDS

        return ("default", "all", *NEEDS)
    from experiments.geo.estimators import ESTIMATORS, ON_REQUEST

    return ("default", "all", *ESTIMATORS, *ON_REQUEST)
