"""What each event of a test says beside who and when: one frozen model per action, read back as strictly as written."""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from experiments.grade import Check
from experiments.records import Experiment, Grade
from experiments.registry.plan import Plan
from experiments.registry.states import Action
from measurement.errors import DataError, Problem, StoreError, did_you_mean, shown
from measurement.provenance import canonical_json
from measurement.store import Event
from measurement.typing import Json

CELLS = ("treatment", "control")
LONGEST = 10_000


class Detail(BaseModel):
    """What an event says; ``reason`` is why, in the words of who did it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    reason: str = Field(default="", max_length=LONGEST)

    @field_validator("reason")
    @classmethod
    def _readable(cls, text: str) -> str:
        return clean(text)


class Approval(Detail):
    """The plan as it was approved: its hash, and whether its own author did it."""

    plan: str
    self_approved: bool = False


class Start(Detail):
    """The first day of the test."""

    on: date


class Actuals(BaseModel):
    """What really happened, in the study's currency.

    ``spend`` is the money of the tested channels by cell (``treatment``, ``control``) over the test's dates,
    ``spend_delta`` its signed change in treatment where that is known better than by ``counterfactual_spend``.
    ``incidents`` is what disturbed the test, said even where nothing did. Days are given where they differ from the
    plan.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    incidents: tuple[str, ...]
    spend: Mapping[str, float] = Field(default_factory=dict)
    spend_delta: float | None = None
    start_date: date | None = None
    end_date: date | None = None
    cooldown_end_date: date | None = None
    source: str = Field(default="stated", max_length=500)

    @field_validator("incidents")
    @classmethod
    def _told(cls, incidents: tuple[str, ...]) -> tuple[str, ...]:
        if any(not text.strip() or len(text) > LONGEST for text in incidents):
            raise ValueError(f"an incident is a text of 1 to {LONGEST} characters")
        return tuple(clean(text) for text in incidents)

    @field_validator("spend")
    @classmethod
    def _by_cell(cls, spend: Mapping[str, float]) -> Mapping[str, float]:
        strange = [cell for cell in spend if cell not in CELLS]
        if strange:
            raise ValueError(f"'{shown(strange[0])}' is no cell; allowed are {', '.join(CELLS)}")
        if any(money < 0 for money in spend.values()):
            raise ValueError("spend is 0 or more")
        return spend

    @model_validator(mode="after")
    def _some_money(self) -> "Actuals":
        if not self.spend and self.spend_delta is None:
            raise ValueError("spend by cell is needed, or the spend_delta that was delivered")
        return self


class Completion(Detail):
    """The actuals."""

    actuals: Actuals


class Line(BaseModel):
    """One line of the analysis' checklist."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    check: str
    passed: bool
    text: str
    hard: bool = False

    @property
    def as_check(self) -> Check:
        """As the grade takes it."""
        return Check(self.check, self.passed, self.text, self.hard)


class Analysis(Detail):
    """One version of the result: the record with what was measured, how it was asked, and where all of it lies.

    ``estimator``, ``alpha`` and ``kpi`` are what was asked for; ``artifact`` is the hash of the whole result; ``data``,
    ``seed`` and ``versions`` are what made it.
    """

    record: Experiment
    estimator: str
    alpha: float
    kpi: str
    grade: Grade
    checks: tuple[Line, ...]
    p_value: float | None
    data: str
    seed: int | None
    versions: Mapping[str, str]
    artifact: str


class Acceptance(Detail):
    """The version of the result that counts from now on."""

    version: int


class Supersession(Detail):
    """The test that takes this one's place."""

    by: str


class Regrade(Detail):
    """Another grade than the checklist's, for one version, with the reason."""

    grade: Grade
    version: int


class Registration(Detail):
    """A plan, or a record that says already what was measured."""

    plan: Plan


DETAILS: Mapping[Action, type[Detail]] = {
    "submit": Detail,
    "approve": Approval,
    "start": Start,
    "complete": Completion,
    "analyse": Analysis,
    "accept": Acceptance,
    "reject": Detail,
    "cancel": Detail,
    "supersede": Supersession,
    "deviate": Detail,
    "regrade": Regrade,
}


def payload(detail: Detail) -> Json:
    """What is written into the event.

    A plan's fields stand at the top, as they did before plans had a life of their own.
    """
    if isinstance(detail, Registration):
        return detail.plan.to_dict() | ({"reason": detail.reason} if detail.reason else {})
    return detail.model_dump(mode="json", exclude_none=True)


def read(event: Event, action: Action) -> Detail:
    """The detail of an event.

    Raises:
        StoreError: Where it cannot be read here.
    """
    raw = dict(event.payload)
    if action not in DETAILS:
        raw = {"reason": raw.pop("reason", ""), "plan": raw}
    if action == "analyse":
        raw = {"p_value": None, "seed": None} | raw
    model = DETAILS.get(action, Registration)
    try:
        return model.model_validate_json(canonical_json(raw))
    except ValidationError as error:
        problem = f"event {event.sequence} holds the test '{shown(event.subject)}' in a form that cannot be read here"
        raise StoreError(f"{problem}; was it written by another version of Theodolite?") from error


def clean(text: str) -> str:
    """A text as it may be recorded.

    Raises:
        ValueError: Where it holds a control character or half a character, or is too long.
    """
    if len(text) > LONGEST:
        raise ValueError(f"the text has {len(text)} characters; at most {LONGEST} are allowed")
    bad = next((c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\r\t"), None)
    if bad is not None:
        raise ValueError(f"the text holds the control character or half character U+{ord(bad):04X}")
    return text


def reason_of(text: str) -> str:
    """A reason that a user gave.

    Raises:
        DataError: Where it cannot be recorded.
    """
    try:
        return clean(text)
    except ValueError as error:
        raise DataError(f"--reason: {error}") from None


def problems(error: ValidationError, what: str, known: Iterable[str] = ()) -> list[Problem]:
    """What a user gave wrongly, in words.

    Args:
        error: Of one of the models here.
        what: Where the values come from, for the message.
        known: Names of the fields that there are.
    """
    return [
        Problem(
            f"{what}: {_words(item['type'], item, tuple(known))}",
            column=".".join(str(part) for part in item["loc"]) or None,
            code="detail",
        )
        for item in error.errors()
    ]


def _words(kind: str, item: Mapping[str, Any], known: tuple[str, ...]) -> str:
    """One thing that is wrong."""
    given = item["input"]
    match kind:
        case "value_error":
            said = str(item["ctx"]["error"])
        case "missing":
            said = "is missing"
        case "extra_forbidden":
            said = f"there is no such field{did_you_mean(str(item['loc'][-1]), known)}"
        case "json_invalid" if "recursion" in item["msg"]:
            said = "it is nested too deeply"
        case "json_invalid":  # it was written by `json.dumps`: nothing else is wrong with it
            said = "a text in it holds half of a character (a lone surrogate); text must be valid Unicode"
        case _:
            said = f"{item['msg']}, found {'the text ' if isinstance(given, str) else ''}'{shown(given, 40)}'"
    return said[:1].lower() + said[1:]
