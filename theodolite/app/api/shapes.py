"""What the API takes and gives. Numbers with uncertainty are medians with 90 % intervals; money is in the study's."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

JsonObject = dict[str, Any]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="allow")


class Problem(_Out):
    """Why there is no answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    problems: list[JsonObject] = []


class QuantityOut(BaseModel):
    """A median with its 90 % interval."""

    median: float | None
    low: float | None
    high: float | None


class ChannelOut(_Out):
    """One channel in the unified view; ``iroas`` is null where it is withheld, and ``state`` says why."""

    channel: str
    spend: float
    iroas: QuantityOut | None
    mroas: QuantityOut | None
    sources: JsonObject
    weights: dict[str, float | None]
    incrementality_factor: QuantityOut | None
    evidence_grade: str | None
    state: str
    action: str


class ViewOut(_Out):
    """The unified view, as ``theodolite reconcile --json`` prints it."""

    channels: list[ChannelOut]
    derived_from: list[str]
    converged: bool
    seed: int
    versions: dict[str, str]


class StudyOut(_Out):
    """What the study is about, and how far it is."""

    name: str
    kpi: str
    currency: str
    period: str
    first: str
    last: str
    markets: int
    channels: list[str]
    data: str
    head: str | None
    state: Literal["no fit", "data changed", "no view", "ready"]


class FitOut(_Out):
    """The last fit, as ``theodolite mmm fit --json`` prints it."""

    channels: list[JsonObject]
    converged: bool
    conflicts: list[JsonObject]


class PageOut[T](BaseModel):
    """Some of a list; ``next`` is the ``after`` of the next request, null at the end."""

    items: list[T]
    next: int | None


class JobOut(_Out):
    """One piece of long work."""

    id: str
    kind: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    doing: str
    share: float | None
    result: JsonObject
    problems: list[str]
    actor: str
    begun_at: str
    ended_at: str | None


class JobIn(_In):
    """Long work to begin: ``fit``, ``reconcile``, ``attribution``, ``design`` or ``next_tests``, and its settings."""

    kind: str = Field(max_length=40)
    settings: JsonObject = {}


class RecordsIn(_In):
    """Records of tests with results, as in experiments.json."""

    records: list[JsonObject] = Field(min_length=1, max_length=1_000)


class RecordsOut(BaseModel):
    """What was recorded: tests that were known already are left as they are."""

    imported: list[str]
    total: int


class ActualsIn(_In):
    """What really happened, where the study's media do not tell: money, and days that were not as planned."""

    spend: dict[Literal["treatment", "control"], Annotated[float, Field(ge=0, le=1e15)]] | None = None
    spend_delta: Annotated[float, Field(ge=-1e15, le=1e15)] | None = None
    start_date: Annotated[date, Field(strict=False)] | None = None
    end_date: Annotated[date, Field(strict=False)] | None = None
    cooldown_end_date: Annotated[date, Field(strict=False)] | None = None


class MoveIn(_In):
    """A step in the life of a test, and why.

    ``incidents`` and ``actuals`` go with ``complete``, ``self_approve`` with ``approve``, ``on`` with ``start``,
    ``version`` with ``accept`` and ``regrade``, ``grade`` with ``regrade``, ``successor`` with ``supersede``.
    """

    reason: str = Field(default="", max_length=2_000)
    incidents: list[Annotated[str, Field(min_length=1, max_length=2_000)]] = Field(default=[], max_length=100)
    self_approve: bool = False
    on: Annotated[date, Field(strict=False)] | None = None
    actuals: ActualsIn | None = None
    version: Annotated[int, Field(ge=1, le=10_000)] | None = None
    grade: str = Field(default="", max_length=1)
    successor: str = Field(default="", max_length=200)


class PlanIn(_In):
    """A budget to split. Bounds are ranges: ``0.8:1.2`` times business as usual, or ``10000EUR:50000EUR``."""

    total: Annotated[float, Field(gt=0, le=1e15)] | None = None
    periods: Annotated[int, Field(ge=1, le=1_000)] | None = None
    at_most: bool = False
    bounds: dict[str, str] = {}
    otherwise: str | None = Field(default=None, max_length=100)


class ForecastIn(_In):
    """Periods to predict under business as usual; a quarter of a year where none are given."""

    periods: Annotated[int, Field(ge=1, le=1_000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


type Number = Annotated[float, Field(ge=-1e15, le=1e15)]


class RangeIn(_In):
    """A median with its 90 % interval."""

    median: Number
    low: Number
    high: Number


class DecisionIn(_In):
    """What was decided, and what it should bring by the day of its review."""

    what: str = Field(min_length=1, max_length=10_000)
    metric: str = Field(min_length=1, max_length=500, description="What it should move, with its unit and time.")
    expected: RangeIn
    review: str = Field(max_length=10, description="The day on which it is held against what came, YYYY-MM-DD.")
    channels: list[str] = Field(default=[], max_length=1_000)
    evidence: list[str] = Field(default=[], max_length=1_000, description="Ids of the tests that it rests on.")
    plan: str | None = Field(default=None, max_length=80, description="The plan of record that carries it out.")
    id: str | None = Field(default=None, min_length=1, max_length=80, description="``decision-1`` and so on otherwise.")


class DecisionOut(_Out):
    """A decision as the log knows it; ``verdict`` is null until it is scored."""

    id: str
    state: Literal["open", "scored", "withdrawn"]
    at: str
    by: str
    what: str
    metric: str
    expected: QuantityOut
    review: str
    channels: list[str]
    evidence: list[str]
    plan: str | None
    outcome: JsonObject | None
    verdict: Literal["as expected", "above", "below"] | None


class OutcomeIn(_In):
    """What came of a decision, in the unit of what was expected, with its interval where that is known."""

    actual: Number
    low: Number | None = None
    high: Number | None = None
    note: str = Field(default="", max_length=10_000)


class ReasonIn(_In):
    """Why."""

    reason: str = Field(default="", max_length=2_000)


class ScoreboardOut(BaseModel):
    """Track records: of decisions, and of the sources by the tests that were predicted before their read-out."""

    decisions: JsonObject
    sources: list[JsonObject]
    tests: list[JsonObject]
    waiting: list[str]


class PredictIn(_In):
    """A planned test."""

    experiment_id: str = Field(min_length=1, max_length=500)


class ConflictOut(_Out):
    """The judgement on a test; ``keep`` and ``decision`` are null as long as nobody has decided."""

    experiment_id: str
    p: float
    verdict: Literal["agrees", "conflict", "tests disagree"]
    keep: Literal["test", "model", "neither"] | None
    decision: str | None


class ResolveIn(_In):
    """Whom to believe about a test, and why."""

    keep: Literal["test", "model", "neither"]
    reason: str = Field(min_length=1, max_length=2_000)


class ScenarioIn(_In):
    """Periods ahead, and per channel its multiple of business as usual; 1 for those that are not named."""

    periods: int = Field(ge=1, le=1_000)
    multiples: dict[str, Annotated[float, Field(ge=0, le=10)]] = {}


class DraftIn(ScenarioIn):
    """A plan to freeze under a name of its own."""

    name: str = Field(min_length=1, max_length=80)


class PlanStepIn(ReasonIn):
    """A step of a plan, and why."""

    self_approve: bool = False


class PlanOut(_Out):
    """A plan of record."""

    name: str
    state: Literal["draft", "submitted", "approved", "committed", "withdrawn"]
    recorded_at: str
    by: str
    of: Literal["forecast", "scenario"]
    promised: JsonObject
    spend: dict[str, float]
    history: list[JsonObject]


class KeyIn(_In):
    """A key to make."""

    name: str = Field(min_length=1, max_length=80)
    role: Literal["viewer", "editor", "approver", "admin"]


class KeyOut(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    role: str
    added_at: str
    added_by: str


class NewKeyOut(KeyOut):
    """A new key with its text, which is shown this once."""

    key: str


class HealthOut(BaseModel):
    """Whether the server answers."""

    status: Literal["ok"]
